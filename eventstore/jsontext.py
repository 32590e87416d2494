"""Payloads as JSON text: what goes in comes out, digit by digit."""

import math
from typing import Any

import msgspec

from eventstore.errors import NotJsonError

DEPTH_MAX = 64
"""Nesting allowed in a payload; Elasticsearch and most consumers give up far earlier."""

FAULTS = (ValueError, RecursionError, OverflowError)
"""What decoding text that somebody else wrote can raise: no JSON or no UTF-8 (`ValueError`), nested too deeply, or with
a number beyond measure."""


def encode(value: object, field: str) -> str:
    """Return compact JSON text of a plain JSON value; integers of any size stay exact.

    Args:
        value: dict with string keys, list, str, int, finite float, bool or None, nested at will.
        field: Where the value comes from, for the error.

    Raises:
        NotJsonError: Something inside is not plain JSON; its path is named.
    """
    _check(value, field, 0)
    return msgspec.json.encode(value).decode()


def decode(text: str | bytes) -> Any:
    """Return the value a JSON text stands for; integers of any size stay exact.

    Raises:
        ValueError: The text is not JSON, or nested more deeply than can be decoded.
    """
    try:
        return msgspec.json.decode(text)
    except (RecursionError, OverflowError) as error:
        raise ValueError(str(error)) from error


def _check(value: object, path: str, depth: int) -> None:  # noqa: C901 - one branch per kind of JSON value
    if depth > DEPTH_MAX:
        raise NotJsonError(path, f"is nested deeper than {DEPTH_MAX} levels")
    match value:
        case None | bool() | int():
            return
        case str():
            _check_text(value, path)
        case float():
            if not math.isfinite(value):
                raise NotJsonError(path, f"is {value}, which JSON cannot express; use null or text")
        case dict():
            for key, inner in value.items():
                if not isinstance(key, str):
                    raise NotJsonError(path, f"has a key of type {type(key).__name__}; keys are text")
                _check_text(key, path)
                _check(inner, f"{path}.{key}", depth + 1)
        case list():
            for index, inner in enumerate(value):
                _check(inner, f"{path}[{index}]", depth + 1)
        case _:
            raise NotJsonError(path, f"is a {type(value).__name__}; use text, numbers, lists and dicts")


def _check_text(text: str, path: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise NotJsonError(path, "holds half of a surrogate pair, which UTF-8 cannot express") from error
