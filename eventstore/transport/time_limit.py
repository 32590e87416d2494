"""When the call that a thread is making must be over: told to the transport, since boto3 takes no time-out per call."""

import threading
import time

SECONDS_MIN = 0.1
"""The least that a call gets: a shorter one could only be cut off, which leaves its outcome unknown."""


class TimeLimit(threading.local):
    """The end of this thread's call.

    Attributes:
        ends_at: By `time.monotonic`; None for the client's own time-outs.
    """

    ends_at: float | None = None

    def begin(self, seconds: float) -> None:
        """Limit the call that is about to be made."""
        self.ends_at = time.monotonic() + max(seconds, SECONDS_MIN)

    def left_seconds(self) -> float | None:
        """Return the time that is left, 0 when it is over; None when there is no limit."""
        return None if self.ends_at is None else max(0.0, self.ends_at - time.monotonic())


CURRENT = TimeLimit()
