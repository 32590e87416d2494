"""A payload given as JSON text, which is stored digit by digit as it came."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from eventstore.errors import NotJsonError
from eventstore.payload.plain import is_exact, plain, scalar

FAULTS = (ValueError, RecursionError, OverflowError)
"""What decoding text that somebody else wrote can raise: no JSON or no UTF-8 (`ValueError`), nested too deeply, or with
a number beyond measure."""


class JsonText(Mapping[str, Any]):
    """A payload given as JSON text, which is stored as it is: `NewEvent("PRICED", JsonText('{"amount":12.50}'))`.

    For digits that a float would lose, and for payloads that come as text. To look at, it is the dict that the text
    stands for.
    """

    __slots__ = ("_decoded", "_text")

    _text: str
    _decoded: dict[str, Any] | None

    def __init__(self, text: str) -> None:
        """Take a text, once it is sure that everybody can read it.

        Args:
            text: A JSON object, nested at most 64 levels deep; integers have at most 4,300 digits.

        Raises:
            NotJsonError: It is something else, or an object in it has a name twice, of which readers would see one.
        """
        given: object = scalar(text)
        if not isinstance(given, str):
            raise NotJsonError("text", f"is a {type(text).__name__}; give the JSON object as text")
        try:
            self._decoded = _decode(given)
        except FAULTS as error:
            raise NotJsonError("text", f"is not a JSON object: {error}") from error
        _ = plain(self._decoded, "text")
        check_names(given, "text")
        self._text = given

    @classmethod
    def of(cls, value: Mapping[str, Any], field: str) -> "JsonText":
        """Return a payload as text; one that is text already stays as it is.

        Raises:
            NotJsonError: Something inside is not plain JSON; its path, which begins with `field`, is named.
        """
        if isinstance(value, JsonText):
            return value
        given = value if isinstance(value, dict) else dict(value)
        if is_exact(given):
            with suppress(ValueError, OverflowError):  # as of half a surrogate pair; below it is said where that is
                return cls._made(msgspec.json.encode(given).decode(), None)
        known: dict[str, Any] = plain(given, field)
        return cls._made(msgspec.json.encode(known).decode(), known)

    def adding(self, name: str, value: str) -> "JsonText":
        """Return the same with one more name at its end; for a name that it has, itself."""
        if name in self._value:
            return self
        added = msgspec.json.encode({name: value}).decode()
        body = self._text.rstrip()[:-1]
        text = f"{body}{',' if self._value else ''}{added[1:]}"
        return JsonText._made(text, {**self._value, name: value})

    @property
    def text(self) -> str:
        """The text."""
        return self._text

    @classmethod
    def _made(cls, text: str, decoded: dict[str, Any] | None) -> "JsonText":
        made = object.__new__(cls)
        made._text, made._decoded = text, decoded
        return made

    @property
    def _value(self) -> dict[str, Any]:
        """What the text stands for; what only passes through on its way to the table is never decoded."""
        if self._decoded is None:
            self._decoded = _decode(self._text)
        return self._decoded

    def __getitem__(self, name: str) -> Any:
        return self._value[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._value)

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if isinstance(other, JsonText) else self._value == other

    __hash__ = None  # type: ignore[assignment]  # equal to dicts, which have none

    def __repr__(self) -> str:
        return f"JsonText({self._text!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return JsonText, (self._text,)


def _decode(text: str) -> dict[str, Any]:
    return msgspec.json.decode(text, type=dict[str, Any])


def merged(under: Mapping[str, Any], over: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """Return two payloads in one, of which the second one's names win; digits are kept where one is text.

    Args:
        under: Plain JSON.
        over: Same as above.
        field: Where `over` comes from, for the error.

    Raises:
        NotJsonError: Something inside of `over` is not plain JSON, and it has to become text.
    """
    if not over or not under:
        return over or under
    if not isinstance(under, JsonText) and not isinstance(over, JsonText):
        return {**under, **over}
    parts = {**_parts(JsonText.of(under, field)), **_parts(JsonText.of(over, field))}
    return JsonText(msgspec.json.encode(parts).decode())


def _parts(payload: JsonText) -> dict[str, msgspec.Raw]:
    return msgspec.json.decode(payload.text, type=dict[str, msgspec.Raw])


def check_names(text: str | bytes, field: str) -> None:
    """Check that no object in a sound JSON text has a name twice: readers would see one of the values, if any.

    Raises:
        NotJsonError: One has.
        ValueError: The text is not JSON.
    """
    json.loads(text, object_pairs_hook=partial(_check_pairs, field=field), parse_float=str, parse_int=str)


def _check_pairs(pairs: list[tuple[str, Any]], *, field: str) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise NotJsonError(field, f"has the name {name!r} twice in one object; give each name once")
        seen.add(name)
