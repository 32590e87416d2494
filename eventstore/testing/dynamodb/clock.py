"""The time of day, as the in-memory DynamoDB is told it."""

from typing import Protocol


class WallClock(Protocol):
    """Tells the time of day."""

    def now_ms(self) -> int:
        """Return milliseconds since 1970-01-01 UTC."""
        ...
