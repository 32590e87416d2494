"""Points in time as a person reads them."""

from datetime import UTC, datetime


def as_text(at_ms: int) -> str:
    """Return a time for a person, UTC, to the second; the number itself where no calendar has it."""
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return str(at_ms)
