"""Checks of numbers that set bounds, where they are given: counts, times, factors. Pure."""

from eventstore.errors import InvalidInputError


def check_count(given: object, field: str, least: int, most: int) -> None:
    """Check a whole number.

    Raises:
        InvalidInputError: It is none, or out of bounds.
    """
    if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
        raise InvalidInputError(field, f"is {given!r}; give a whole number from {least:,} to {most:,}")


def check_number(
    given: object, field: str, *, least: float | None = None, above: float | None = None, most: float
) -> None:
    """Check a number, whole or not.

    Args:
        given: What the caller gave.
        field: Its path in the caller's arguments.
        least: It must not be below.
        above: It must be more than this.
        most: It must not be above.

    Raises:
        InvalidInputError: It is none, not finite, or out of bounds.
    """
    if isinstance(given, int | float) and not isinstance(given, bool) and given <= most:
        is_enough = (least is None or given >= least) and (above is None or given > above)
        if is_enough and given == given:  # noqa: PLR0124 - NaN is not
            return
    bounds = f"{least:,g} or more" if above is None else f"more than {above:,g}"
    raise InvalidInputError(field, f"is {given!r}; give a number, {bounds} and at most {most:,g}")
