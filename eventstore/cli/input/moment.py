"""Points in time as options of a command: a day, a time, milliseconds, or a time ago."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click

from eventstore.system import SystemRuntime
from eventstore.validation import TIMESTAMP_MAX_MS

FORMS = "2025-01-31, 2025-01-31T12:30Z (UTC unless a zone is given), milliseconds since 1970, or 90m, 12h, 7d ago"

DURATIONS = "90s, 5m, 2h, 7d, or a number of seconds"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AGO = re.compile(r"([0-9]{1,6})([smhd])")
_DURATION = re.compile(r"([0-9]{1,8})([smhd]?)")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_MILLISECONDS = re.compile(r"[0-9]{12,15}")
"""From 1973 on: a shorter number is rather a mistyped day."""

_NUMBER = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class AsOf:
    """A place in an aggregate's history.

    Attributes:
        sequence: The last event, by its number; None when a time is meant.
        at_ms: Right before the first event with a later timestamp than this; None when a number is meant.
    """

    sequence: int | None = None
    at_ms: int | None = None


def moment(text: str) -> int:
    """Return the milliseconds since 1970 UTC that an option means.

    Raises:
        click.BadParameter: It is not a time.
    """
    found = parse(text, SystemRuntime().now_ms())
    if found is None:
        raise click.BadParameter(f"{text!r} is not a time of the years 1970 to 9999; write {FORMS}")
    return found


def as_of(text: str) -> AsOf:
    """Return the place in a history that an option means; fewer than twelve digits alone are a sequence number.

    Raises:
        click.BadParameter: It is neither a sequence number nor a time.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text) and int(text) >= 1:
        return AsOf(sequence=int(text))
    found = None if _NUMBER.fullmatch(text) else parse(text, SystemRuntime().now_ms())
    if found is None:
        raise click.BadParameter(f"{text!r} is neither a sequence number from 1 on nor a time; write 7, or {FORMS}")
    return AsOf(at_ms=found)


def parse(text: str, now_ms: int) -> int | None:
    """Return the milliseconds since 1970 that a text means; None when it is not a valid timestamp."""
    text = text.strip()
    ago = _AGO.fullmatch(text)
    if ago:
        found = now_ms - int(ago[1]) * _UNIT_MS[ago[2]]
    elif _MILLISECONDS.fullmatch(text):
        found = int(text)
    else:
        try:
            moment = datetime.fromisoformat(text)
            aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            found = (aware - _EPOCH) // timedelta(milliseconds=1)
        except (ValueError, OverflowError):
            return None
    return found if 0 <= found <= TIMESTAMP_MAX_MS else None


def duration(text: str) -> float:
    """Return the seconds that an option means: 90s, 5m, 2h, 7d, or a bare number of seconds.

    Raises:
        click.BadParameter: It is not a length of time.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is not a length of time; write {DURATIONS}")
    return int(found[1]) * _UNIT_MS[found[2] or "s"] / 1000
