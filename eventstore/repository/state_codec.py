"""Encodes a state as text, and decodes it."""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol, TypeVar

import msgspec

from eventstore import jsontext
from eventstore.errors import InvalidInputError
from eventstore.repository.round_trip import is_whole, loss
from eventstore.schema.codec import is_pydantic

S = TypeVar("S")

_PLAIN = (dict, list, str, int, float, bool, type(None))


class StateCodec(Protocol[S]):
    """Encodes a state as text and decodes it, for snapshots. Give your own where `JsonStateCodec` does not fit."""

    def encode(self, state: S) -> str:
        """Return the state as text.

        Raises:
            ValueError: It cannot be said in text; then no snapshot is written.
            TypeError: Same as above.
        """
        ...

    def decode(self, text: str) -> S:
        """Return the state.

        Raises:
            ValueError: The text is not such a state; then the snapshot is ignored.
        """
        ...


class JsonStateCodec:
    """States as JSON: dataclasses, Structs and pydantic models by their class, dicts and the like as they are.

    Neither way loses anything, so that a snapshot never answers otherwise than the events do. A state that would come
    back with another value, type or order anywhere inside is refused: a `defaultdict` or a `Counter` in a place that
    is not annotated as one, a tuple in a plain dict, what a model excludes. So is a text that today's class would not
    write: one with a field that it does not have, or without one that it has, whatever its default.
    """

    def __init__(self, state_type: Any) -> None:
        """Make a codec.

        Args:
            state_type: The states' class, or a union such as `Order | None`.
        """
        self._type = state_type
        self._is_pydantic = isinstance(state_type, type) and is_pydantic(state_type)

    def encode(self, state: Any) -> str:
        """Return the state as text; see `StateCodec`.

        Raises:
            InvalidInputError: It would not come back as it is; the error names the place. Give another state, or a
                codec of your own.
            TypeError: Something inside cannot be said in JSON.
        """
        text = self._text_of(state)
        try:
            back = self._read(text)
        except Exception as error:
            reason = f"cannot be read back from JSON ({type(error).__name__}: {error})"
            raise InvalidInputError("state", f"{reason}; change it, or give a codec") from error
        lost = loss(state, back, "state")
        if lost is not None:
            raise InvalidInputError("state", f"would not come back as it is: {lost}; change it, or give a codec")
        return text

    def decode(self, text: str) -> Any:
        """Return the state of a text; see `StateCodec`.

        Raises:
            ValueError: The text is none of today's class.
        """
        state = self._read(text)
        again = self._text_of(state)
        if not is_whole(state) or (again != text and _without_order(again) != _without_order(text)):
            raise ValueError("the text has other fields or values than the class would write today")
        return state

    def _text_of(self, state: Any) -> str:
        if self._is_pydantic:
            state = state.model_dump(mode="json", by_alias=True, round_trip=True)
        try:
            return msgspec.json.encode(state).decode()
        except RecursionError as error:
            raise InvalidInputError("state", "is nested too deeply, or holds itself") from error

    @cached_property
    def _read(self) -> Callable[[str], Any]:
        """What reads a text; made at first use, since annotations may name what comes later in a module."""
        if self._is_pydantic:
            read: Callable[[str], Any] = self._type.model_validate_json
            return read
        return jsontext.decode if self._type in _PLAIN else msgspec.json.Decoder(self._type).decode


def _without_order(text: str) -> Any:
    """Return the value of a text with its lists sorted: a set is a list in JSON, in whatever order."""
    return msgspec.json.encode(_sorted(jsontext.decode(text)), order="sorted")


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda inner: msgspec.json.encode(inner, order="sorted"))
    return value
