"""Compares objects field by field, whatever their class: where one differs from what was read of it. Pure."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

import msgspec

from eventstore.payload.plain import DEPTH_MAX, EXACT

_LEAVES = EXACT | {Decimal, UUID, bytes, date, datetime, timedelta}
"""Types whose equality says all, so that there is nothing to look into."""

_MISSING = object()


def place_of_change(given: Any, read: Any) -> str | None:
    """Return where an object that was read from JSON differs from the one that was written; None where nowhere.

    A value counts as the same when its class says so, and when JSON holds it as it is and the annotation asks for
    another type: text for a UUID, as a key too, a list for a tuple, a dict for a dataclass. A field that its class
    leaves out on purpose (`compare=False` of a dataclass, `exclude` of pydantic) does not count.

    Args:
        given: What was written.
        read: What its class made of the text.

    Returns:
        Steps such as `.card.number` or `.lines[2]`; the empty text for the whole.
    """
    kind: Any = type(given)
    if kind in EXACT:
        return "" if type(read) in EXACT and read != given else None
    names = _names(kind)
    if names is not None:
        return _change_of_fields(given, read, names) if type(read) is kind else ""
    if kind is dict:
        return _change_of_dict(given, read)
    if kind is list or kind is tuple:
        if isinstance(read, list | tuple) and len(read) == len(given):
            return _first(((f"[{index}]", *pair) for index, pair in enumerate(zip(given, read, strict=True))))
        return None if isinstance(read, set | frozenset) else ""
    return None if _is_same(given, read) else ""


def place_of_fault(value: Any, encode: Callable[[Any], object]) -> str:
    """Return where an object has a value that an encoder does not take; the empty text when it cannot be told."""
    place = ""
    for _ in range(DEPTH_MAX):  # an object may contain itself
        found = next((each for each in _inner(value) if not _is_taken(each[1], encode)), None)
        if found is None:
            break
        place, value = place + found[0], found[1]
    return place


def _change_of_fields(given: Any, read: Any, names: tuple[str, ...]) -> str | None:
    extra: Any = getattr(given, "__pydantic_extra__", None)
    for name in (*names, *extra) if extra else names:
        one, other = getattr(given, name, _MISSING), getattr(read, name, _MISSING)
        if one is not other and (type(one) not in _LEAVES or one != other):  # nearly all are such, and the same
            place = place_of_change(one, other)
            if place is not None:
                return f".{name}{place}"
    return None


def _first(pairs: Iterator[tuple[str, Any, Any]]) -> str | None:
    for step, given, read in pairs:
        place = place_of_change(given, read)
        if place is not None:
            return step + place
    return None


def _change_of_dict(given: dict[Any, Any], read: Any) -> str | None:
    if not isinstance(read, Mapping):
        kind: Any = type(read)
        return None if _names(kind) is not None else ""
    if len(read) != len(given):
        return ""
    both = ((f".{key}", inner, read[key]) for key, inner in given.items() if key in read)
    odd = next((key for key in given if key not in read and type(key) is not str), None)
    return _first(both) if odd is None else f".{odd}"


def _is_same(given: Any, read: Any) -> bool:
    try:
        if read == given:
            return True
    except Exception:  # noqa: BLE001 - classes of users may raise anything
        return type(read) is type(given)
    has_equality = getattr(type(given), "__eq__", None) is not getattr(object, "__eq__", None)
    # What has no equality of its own cannot be told from another of its class.
    return type(read) is type(given) and not has_equality and not isinstance(given, Enum)


def _is_taken(value: Any, encode: Callable[[Any], object]) -> bool:
    try:
        encode(value)
    except Exception:  # noqa: BLE001 - same as above
        return False
    return True


def _inner(value: Any) -> Iterator[tuple[str, Any]]:
    kind: Any = type(value)
    names = _names(kind)
    if names is not None:
        yield from ((f".{name}", getattr(value, name, None)) for name in names)
    elif isinstance(value, dict):
        yield from ((f".{key}", inner) for key, inner in value.items())
    elif isinstance(value, list | tuple):
        yield from ((f"[{index}]", inner) for index, inner in enumerate(value))


@lru_cache(maxsize=1024)
def _names(kind: type) -> tuple[str, ...] | None:
    """Return the names of the fields of a dataclass, Struct or pydantic model; None for anything else."""
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind) if field.compare)
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    models: Any = getattr(kind, "model_fields", None)
    if isinstance(models, dict):
        return tuple(name for name, field in models.items() if not field.exclude)
    return None
