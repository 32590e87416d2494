"""How long the call that a thread is making may take: told to the transport, since boto3 takes no time-out per call."""

import threading

SECONDS_MIN = 0.1
"""The least that a call gets: a shorter one could only be cut off, which leaves its outcome unknown."""


class TimeLimit(threading.local):
    """The time of this thread's call.

    Attributes:
        seconds: For the connection to come about, and for each wait for bytes; None for the client's own time-outs.
    """

    seconds: float | None = None


CURRENT = TimeLimit()
