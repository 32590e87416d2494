"""Looks for what a value has lost on its way to text and back: types, values, or the order of either. Pure."""

import dataclasses
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime, time
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any

import msgspec

from eventstore.repository.folding import is_frozen
from eventstore.schema.codec import is_pydantic

_MISSING = object()
_LEAVES = frozenset({str, int, float, bool, bytes, type(None)})


def loss(value: object, back: object, path: str) -> str | None:
    """Return what is different in a value that came back, as words that begin with its path; None when nothing is.

    `==` is not enough: a `defaultdict` equals a `dict`, `True` equals 1, and neither does what the other does. Two
    places that shared one list or dict and now have one each are a loss too: a change of the one was a change of both.

    Args:
        value: What went.
        back: What came.
        path: Where it is.
    """
    return next(_losses(value, back, path, set()), None)


def is_whole(value: Any) -> bool:
    """Tell whether each dataclass inside of what msgspec has decoded got all of its fields from the text.

    msgspec leaves a field out of the object when the text lacks it and the class holds its default as an attribute; it
    leaves it out again when it encodes that object, so that comparing texts does not show it.
    """
    cls: Any = type(value)
    if cls in _LEAVES:
        return True
    if isinstance(value, dict):
        return all(map(is_whole, value.values()))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_whole, value))
    names = _field_names(cls)
    if names and hasattr(value, "__dict__"):
        held = vars(value)
        return names <= held.keys() and all(map(is_whole, held.values()))
    return all(map(is_whole, (_attributes(value) or {}).values()))


@lru_cache(maxsize=1024)
def _field_names(cls: type) -> frozenset[str]:
    """Return the fields of a dataclass; none of another class."""
    return frozenset(field.name for field in dataclasses.fields(cls)) if dataclasses.is_dataclass(cls) else frozenset()


def _losses(value: object, back: object, path: str, shared: set[int]) -> Iterator[str]:
    if type(value) in _LEAVES and type(back) is type(value) and repr(value) == repr(back):
        return  # nearly all values are; what follows takes several times as long
    if type(value) is not type(back):
        yield f"{path} is a {type(value).__name__}, and comes back as a {type(back).__name__}"
        return
    parts = _parts(value, back, path)
    if parts is None:
        if not _is_same_leaf(value, back):
            yield f"{path} is {value!r}, and comes back as {back!r}"
        return
    if not is_frozen(value):
        if id(value) in shared:
            yield f"{path} is an object that stands in another place as well, and comes back as one of its own"
        shared.add(id(value))
    yield from chain.from_iterable(_losses(mine, theirs, at, shared) for at, mine, theirs in parts)


def _parts(value: Any, back: Any, path: str) -> Iterator[tuple[str, object, object]] | None:
    """Return the pairs that a value and what came back consist of, with their paths; None for a leaf."""
    mine, theirs = _attributes(value), _attributes(back)
    inner: Iterator[tuple[str, object, object]]
    match value:
        case dict():
            items = zip(value.items(), back.items(), strict=False)
            inner = chain.from_iterable(
                ((f"{path}, a key", key, other), (f"{path}[{key!r}]", held, there))
                for (key, held), (other, there) in items
            )
        case list() | tuple() | deque():
            inner = ((f"{path}[{at}]", *pair) for at, pair in enumerate(zip(value, back, strict=False)))
        case set() | frozenset():
            there = {each: each for each in back}
            inner = ((f"{path}, an element", each, there.get(each, _MISSING)) for each in value)
        case _ if mine is not None and theirs is not None:
            return _pairs(mine, theirs, path)
        case _:
            return None
    size = iter([(f"the length of {path}", len(value), len(back))])
    return chain(size, inner, _pairs(mine or vars_of(value), theirs or vars_of(back), path))


def _pairs(mine: dict[str, object], theirs: dict[str, object], path: str) -> Iterator[tuple[str, object, object]]:
    for name in sorted({*mine, *theirs}):
        yield f"{path}.{name}", mine.get(name, _MISSING), theirs.get(name, _MISSING)


def _attributes(value: Any) -> dict[str, object] | None:
    """Return what an object of a class with declared fields holds, and whatever else was put there; None for others."""
    names: Iterable[str]
    if isinstance(value, msgspec.Struct):
        names = value.__struct_fields__
    elif dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
    elif is_pydantic(type(value)):
        names = ["__pydantic_extra__", "__pydantic_private__"]
    else:
        return None
    return {**vars_of(value), **{name: getattr(value, name, _MISSING) for name in names}}


def vars_of(value: object) -> dict[str, object]:
    """Return an object's attributes, without what `cached_property` keeps there; also what built-in classes hold."""
    held = {
        name: kept
        for name, kept in getattr(value, "__dict__", {}).items()
        if not isinstance(getattr(type(value), name, None), cached_property)
    }
    for name in ("default_factory", "maxlen"):  # of `defaultdict` and `deque`
        if hasattr(value, name):
            held[name] = getattr(value, name)
    return held


def _is_same_leaf(value: Any, back: Any) -> bool:
    if isinstance(value, float):
        return repr(value) == repr(back)  # 0.0 == -0.0
    if isinstance(value, datetime | time):
        return bool(value.replace(tzinfo=None) == back.replace(tzinfo=None)) and _zone(value) == _zone(back)
    return value is back or bool(value == back)


def _zone(value: datetime | time) -> tuple[object, object]:
    """Return what a zone says now, and whatever the date: a region's and a fixed offset are alike only for now."""
    return value.utcoffset(), value.tzinfo and value.tzinfo.utcoffset(None)
