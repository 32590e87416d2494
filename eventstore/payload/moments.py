"""Moments as callers give them, as the milliseconds since 1970 UTC that are stored and compared. Pure."""

from datetime import UTC, datetime, timedelta

from eventstore.errors import InvalidInputError
from eventstore.payload.plain import scalar

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: int | datetime, field: str) -> int:
    """Return a moment in milliseconds. Those of a `datetime` are counted down: what is below a millisecond is dropped.

    Args:
        moment: Milliseconds, or a `datetime` with a zone.
        field: Its path in the caller's arguments.

    Raises:
        InvalidInputError: It is neither. Of which years it is, is not looked at.
    """
    given: object = scalar(moment)
    if isinstance(given, datetime):
        if given.utcoffset() is None:
            raise InvalidInputError(field, f"is {given}, a time without a zone; add one, such as tzinfo=datetime.UTC")
        return (given - _EPOCH) // _MILLISECOND
    if isinstance(given, bool) or not isinstance(given, int):
        raise InvalidInputError(
            field, f"is a {type(given).__name__}; give whole milliseconds since 1970 UTC, or a datetime with a zone"
        )
    return given


def to_ms_or_none(moment: int | datetime | None, field: str) -> int | None:
    """Return the same, None for none; errors as in `to_ms`."""
    return None if moment is None else to_ms(moment, field)
