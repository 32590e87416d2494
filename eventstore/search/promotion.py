"""Which value of a payload gets a typed copy in the index: one that the type holds as it is, and no other. Pure.

The index itself would cut fractions off, and take seconds for milliseconds of 1970. What has no copy is named in the
document, so that it is counted and can be found.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from eventstore import jsontext
from eventstore.model import RecordedEvent
from eventstore.search import typed_values
from eventstore.search.fields import PromotedType

Scalar = str | int | float | bool

DATE_MIN_MS = 10**11
"""A number nearer to 1970 than this, which is 1966-10-31 to 1973-03-03, is taken for seconds or days: no copy."""

DATE_MAX_MS = 253_402_300_799_999
"""The end of 9999; a number beyond it is taken for microseconds: no copy."""


@dataclass(frozen=True, slots=True)
class Copies:
    """The typed copies of one event.

    Attributes:
        values: By whole path; None for an event without any.
        left_out: Paths at which a value has no copy, since it does not fit the type.
    """

    values: dict[str, Scalar | list[Scalar]] | None = None
    left_out: tuple[str, ...] = ()


NO_COPIES = Copies()


def copies(event: RecordedEvent, promoted: Mapping[str, PromotedType]) -> Copies:
    """Return what of an event is copied to which promoted path."""
    if not promoted:
        return NO_COPIES
    try:
        data = event.data
    except jsontext.FAULTS:
        return NO_COPIES  # the index will refuse the payload itself, with a better reason
    found: dict[str, Scalar | list[Scalar]] = {}
    left_out = []
    for path, kind in promoted.items():
        value = _pick(data, path.split("."))
        given = value if isinstance(value, list) else [value]
        fitting = [(each, fit(each, kind)) for each in given if each is not None]
        kept = [copy for _, copy in fitting if copy is not None]
        if kept:
            found[path] = kept if isinstance(value, list) else kept[0]
        if len(kept) < len(fitting):
            left_out.append(path)
    return Copies(found or None, tuple(left_out))


def fit(value: object, kind: PromotedType) -> Scalar | None:
    """Return the copy of a value as it is written into the index; None when the type does not hold it."""
    match kind:
        case PromotedType.TEXT:
            return value if isinstance(value, Scalar) else None
        case PromotedType.LONG:
            return _whole(value)
        case PromotedType.DOUBLE:
            return _double(value)
        case PromotedType.DATE:
            return _date(value)


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        if not value.is_integer():
            return None  # infinities and what is no number are none either
        value = int(value)
    if isinstance(value, str):
        value = typed_values.whole(value)
    if not isinstance(value, int):
        return None
    return value if typed_values.LONG_MIN <= value <= typed_values.LONG_MAX else None


def _double(value: object) -> int | float | None:
    if isinstance(value, str):
        found = typed_values.read(value, PromotedType.DOUBLE)
        return None if found is None else float(found)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(float(value)) else None
    except OverflowError:
        return None


def _date(value: object) -> str | int | float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = value if isinstance(value, str) else typed_values.NumberText(value)
    milliseconds = typed_values.read(text, PromotedType.DATE)
    if milliseconds is None:
        return None
    if typed_values.is_calendar_date(text):
        return value
    return value if DATE_MIN_MS <= abs(milliseconds) <= DATE_MAX_MS else None


def _pick(data: object, path: list[str]) -> object:
    for name in path:
        if isinstance(data, list):
            return {}  # several objects on the way: not a value, and not nothing
        if not isinstance(data, Mapping):
            return None
        data = data.get(name)
    return data
