"""Encodes a state as text, and decodes it."""

from typing import Any, Protocol, TypeVar

from eventstore import jsontext
from eventstore.schema.codec import Codec, MsgspecCodec, PydanticCodec, is_pydantic

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

    A state that would not come back equal is refused, so that a snapshot never answers otherwise than the events do.
    """

    def __init__(self, state_type: Any) -> None:
        """Make a codec.

        Args:
            state_type: The states' class, or a union such as `Order | None`.
        """
        self._codec: Codec[Any] | None = None
        if isinstance(state_type, type) and is_pydantic(state_type):
            self._codec = PydanticCodec(state_type)
        elif state_type not in _PLAIN:
            self._codec = MsgspecCodec(state_type)

    def encode(self, state: Any) -> str:
        """Return the state as text; see `StateCodec`."""
        text = jsontext.encode(state if self._codec is None else self._codec.to_plain(state), "state")
        if self.decode(text) != state:
            raise ValueError(
                f"a {type(state).__name__} is not equal after a round trip through JSON; give a codec of your own"
            )
        return text

    def decode(self, text: str) -> Any:
        """Return the state of a text; see `StateCodec`."""
        return jsontext.decode(text) if self._codec is None else self._codec.from_text(text)
