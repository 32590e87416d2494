"""Plain JSON values, of exact types: no subclass of text or a number gets into history. Pure."""

import math
from typing import Any

from eventstore.errors import NotJsonError

DEPTH_MAX = 64
"""Nesting allowed in a payload; Elasticsearch and most consumers give up far earlier."""

INTEGER_MAX_DIGITS = 4_300
"""Digits of an integer that any Python can read. Source: Python, "Integer string conversion length limitation"."""

EXACT = frozenset({str, int, float, bool, type(None)})
"""Types of plain values that hold no others."""

_LONG_END = 2**63


class _NotPlainError(Exception):
    """Something inside of a value is not plain JSON.

    Attributes:
        reason: What is wrong with it.
        way: The steps that lead there, innermost first.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.way: list[str] = []


def plain(value: object, field: str) -> Any:
    """Return a copy of a JSON value in which everything is of an exact type: no subclass, and nothing that can change.

    Args:
        value: dict with string keys, list, str, int of at most 4,300 digits, finite float, bool or None, nested 64
            levels at most. Of subclasses, such as members of a `StrEnum`, their plain value is taken.
        field: Where the value comes from, for the error.

    Raises:
        NotJsonError: Something inside is not plain JSON; its path is named.
    """
    try:
        return _plain(value, 0)
    except _NotPlainError as fault:
        raise NotJsonError(f"{field}{''.join(reversed(fault.way))}", fault.reason) from fault


def is_exact(value: dict[Any, Any], depth: int = 0) -> bool:
    """Tell whether a value is plain as it stands, which nearly all are: so no copy of it has to be made.

    False says nothing: it may be plain all the same, and `plain` knows. Texts are not looked at: whoever encodes them
    notices half of a surrogate pair.
    """
    if depth > DEPTH_MAX:
        return False
    for name, inner in value.items():
        if type(name) is not str:
            return False
        kind = type(inner)
        if kind is not str and not _is_exact_inside(inner, kind, depth + 1):
            return False
    return True


def _is_exact_inside(value: Any, kind: type, depth: int) -> bool:
    if kind is int:
        return bool(-_LONG_END <= value < _LONG_END)
    if kind is float:
        return math.isfinite(value)
    if kind is dict:
        return is_exact(value, depth)
    if kind is list:
        if depth > DEPTH_MAX:
            return False
        return all(type(each) is str or _is_exact_inside(each, type(each), depth + 1) for each in value)
    return kind is bool or value is None


def scalar(value: Any) -> Any:
    """Return the plain value of text or a number of a subclass, such as an Enum's member; anything else as it is.

    Such a value is equal to its plain one, and yet may print, hash or encode as something else.
    """
    if type(value) in EXACT:
        return value
    match value:
        case str():
            return str.__str__(value)
        case int():
            return int.__index__(value)
        case float():
            return float.__float__(value)
        case _:
            return value


def _plain(value: Any, depth: int) -> Any:  # noqa: C901 - one branch per kind of JSON value
    if depth > DEPTH_MAX:
        raise _NotPlainError(f"is nested deeper than {DEPTH_MAX} levels")
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value)
        return value
    if kind is dict:
        return _plain_dict(value, depth)
    if kind is int:
        if not -_LONG_END <= value < _LONG_END:
            _check_integer(value)
        return value
    if value is None or kind is bool:
        return value
    if kind is float:
        if not math.isfinite(value):
            raise _NotPlainError(f"is {value}, which JSON cannot express; use null or text")
        return value
    if isinstance(value, list):
        return _plain_list(value, depth)
    if isinstance(value, dict):
        return _plain_dict(value, depth)
    if isinstance(value, str | int | float):
        return _plain(scalar(value), depth)
    raise _NotPlainError(f"is a {kind.__name__}; use text, numbers, lists and dicts")


def _plain_dict(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for key, inner in value.items():
        name = key if type(key) is str else scalar(key)
        if not isinstance(name, str):
            raise _NotPlainError(f"has a key of type {type(key).__name__}; keys are text")
        if not name.isascii():
            _check_text(name)
        try:
            made[name] = _plain(inner, depth + 1)
        except _NotPlainError as fault:
            fault.way.append(f".{name}")
            raise
    if len(made) < len(value):
        raise _NotPlainError("has keys of the same text; give each name once")
    return made


def _plain_list(value: list[Any], depth: int) -> list[Any]:
    made: list[Any] = []
    for index, inner in enumerate(value):
        try:
            made.append(_plain(inner, depth + 1))
        except _NotPlainError as fault:
            fault.way.append(f"[{index}]")
            raise
    return made


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise _NotPlainError("holds half of a surrogate pair, which UTF-8 cannot express") from error


def _check_integer(value: int) -> None:
    try:
        digits = len(str(abs(value)))
    except ValueError:  # more than this process may write
        digits = INTEGER_MAX_DIGITS + 1
    if digits > INTEGER_MAX_DIGITS:
        raise _NotPlainError(
            f"is an integer of more than {INTEGER_MAX_DIGITS:,} digits, which not all can read; use text"
        )
