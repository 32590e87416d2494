"""The port below the file destination: a place that lines are appended to, all of them durably or none for certain.

LinesError
├── LinesLostError       full, failing, or held by somebody for too long: it may pass
└── LinesRefusedError    the path or the rights to it are not as they must be: a person must act
"""

from collections.abc import Sequence
from typing import Protocol


class LinesError(Exception):
    """Base of what can go wrong with an append. What was to be appended may be there or not."""


class LinesLostError(LinesError):
    """It could not be written now; the same append may succeed later."""


class LinesRefusedError(LinesError):
    """It cannot be written for a reason that does not go away by itself. The message says what to do."""


class Lines(Protocol):
    """A place that lines are appended to, possibly by several processes."""

    def append(self, lines: Sequence[bytes], timeout_seconds: float) -> None:
        """Append lines, each with its line end, and return when they are durable.

        They follow each other in that order, with nobody else's between. What an earlier append left behind as half a
        line is cut off first.

        Raises:
            LinesLostError: Not durable; whoever reads may yet find some of the lines, and finds them whole.
            LinesRefusedError: Same as above.
        """
        ...

    def close(self) -> None:
        """Release it; never raises. A later append opens it again."""
        ...
