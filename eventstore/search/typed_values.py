"""Reads a promoted value as Elasticsearch reads a field of its type; None for what does not fit. Pure.

A number that has a fraction or an exponent is read as a double first, a text digit by digit. Sources: Elasticsearch,
"Numeric field types" (`coerce`), "Date field type", "Built-in formats" (`strict_date_optional_time`, `epoch_millis`).
"""

import math
import re
from datetime import datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eventstore.search.fields import PromotedType

LONG_MIN, LONG_MAX = -(2**63), 2**63 - 1
FLOATING_DATE_MAX_MS = 10**16
"""A number with a fraction or an exponent is a date below this."""

_DAY_MS = 86_400_000
_UTC_OFFSET_MAX_SECONDS = 18 * 3600
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?\Z")
_WHOLE = re.compile(r"[+-]?\d{1,19}\Z")  # in the digits of any script
_DOUBLE = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?[fFdD]?\Z")
_HEX_DOUBLE = re.compile(r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]{1,4}[fFdD]?\Z")
_MILLISECONDS = re.compile(r"(?P<whole>-?[0-9]{1,19})(?:\.[0-9]{0,6})?\Z")
_ISO = re.compile(
    r"(?P<year>-?[0-9]{4})(?:-(?P<month>[0-9]{2})(?:-(?P<day>[0-9]{2}))?)?"
    r"(?:T(?:(?P<hour>[0-9]{2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?)?"
    r"(?P<zone>Z|[+-].*|[A-Za-z][A-Za-z0-9_+:/-]*)?)?)?\Z"
)
_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>[0-9]{2})(?::?(?P<minutes>[0-9]{2})(?::?(?P<seconds>[0-9]{2}))?)?\Z")
_PREFIXED = re.compile(r"(?:UTC|GMT|UT)(?P<offset>[+-][0-9:]+)?\Z")


class NumberText(str):
    """A number as it is written in a document."""

    __slots__ = ()

    @property
    def is_floating(self) -> bool:
        """Tell whether it has a fraction or an exponent."""
        return not self.lstrip("-").isdigit()


def read(value: object, kind: PromotedType) -> int | float | None:
    """Return a promoted value: a number, or a date in milliseconds since 1970 UTC; None for one that does not fit."""
    if not isinstance(value, str):
        return None
    match kind:
        case PromotedType.DOUBLE:
            return _double(value)
        case PromotedType.LONG:
            return _long(value)
        case _:
            return _date_ms(value)


def _double(text: str) -> float | None:
    trimmed = text.strip("".join(map(chr, range(33))))
    if _HEX_DOUBLE.match(trimmed):
        number = float.fromhex(trimmed.rstrip("fFdD") if "p" in trimmed.lower() else trimmed)
    elif _DOUBLE.match(trimmed):
        number = float(trimmed.rstrip("fFdD"))
    else:
        return None
    return number if math.isfinite(number) else None


def _long(text: str) -> int | None:
    if isinstance(text, NumberText) and text.is_floating:
        number = float(text)
        return int(number) if number.is_integer() and LONG_MIN <= number < 2.0**63 else None
    found = whole(text)
    return found if found is not None and LONG_MIN <= found <= LONG_MAX else None


def whole(text: str) -> int | None:
    """Return a whole number from its text, which may have an exponent, or zeros behind the point; None for others."""
    if not (_DECIMAL.match(text) or _WHOLE.match(text)):
        return None
    try:
        exact = Decimal(text)
    except InvalidOperation:
        return None
    if exact.adjusted() > len(str(LONG_MAX)) or exact != exact.to_integral_value():
        return None
    return int(exact)


def is_calendar_date(text: str) -> bool:
    """Tell whether a date is written as one, in ISO 8601 or as a year of four digits, and not as milliseconds."""
    return _ISO.match(text) is not None and not (isinstance(text, NumberText) and text.is_floating)


def _date_ms(text: str) -> int | None:
    if isinstance(text, NumberText) and text.is_floating:
        number = float(text)
        return math.floor(number) if abs(number) < FLOATING_DATE_MAX_MS else None
    iso = _ISO.match(text)
    if iso is not None:
        return _iso_ms(iso)
    milliseconds = _MILLISECONDS.match(text)
    if milliseconds is None or abs(int(milliseconds["whole"])) > LONG_MAX:
        return None
    return math.floor(Decimal(text))


def _iso_ms(iso: re.Match[str]) -> int | None:
    year, month, day = int(iso["year"]), int(iso["month"] or 1), int(iso["day"] or 1)
    if iso["month"] is None and iso["hour"] is not None:
        year = 1970  # Elasticsearch forgets a year that is followed by a time
    hour, minute, second = (int(iso[part] or 0) for part in ("hour", "minute", "second"))
    # Years before 1 have no datetime; the calendar repeats every 400 years, which are 146,097 days.
    cycles = (year - 2000) // 400
    try:
        local = datetime(year - 400 * cycles, month, day, hour, minute, second)  # noqa: DTZ001 - its zone comes below
    except ValueError:
        return None
    offset_seconds = _offset_seconds(iso["zone"], local)
    if offset_seconds is None or (iso["zone"] is not None and iso["hour"] is None):
        return None
    since = local - datetime(1970, 1, 1)  # noqa: DTZ001 - as above
    fraction_ms = int((iso["fraction"] or "0").ljust(9, "0")) // 1_000_000
    seconds = since.days * 86_400 + since.seconds - offset_seconds
    return cycles * 146_097 * _DAY_MS + seconds * 1000 + fraction_ms


def _offset_seconds(zone: str | None, local: datetime) -> int | None:
    if zone in {None, "Z"}:
        return 0
    assert zone is not None
    prefixed = _PREFIXED.match(zone)
    if prefixed is not None:
        offset = prefixed["offset"]
        return 0 if offset is None else _fixed_seconds(f"{offset[0]}{offset[1:]:0>2}")
    if zone[0] in "+-":
        return _fixed_seconds(zone)
    try:
        offset_there = local.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
    return None if offset_there is None else int(offset_there.total_seconds())


def _fixed_seconds(text: str) -> int | None:
    offset = _OFFSET.match(text)
    if offset is None:
        return None
    hours, minutes, seconds = (int(offset[part] or 0) for part in ("hours", "minutes", "seconds"))
    total = hours * 3600 + minutes * 60 + seconds
    if max(minutes, seconds) > 59 or total > _UTC_OFFSET_MAX_SECONDS:  # noqa: PLR2004 - minutes and seconds
        return None
    return total if offset["sign"] == "+" else -total
