"""Encodes objects as plain JSON and decodes them: dataclasses and Structs by msgspec, pydantic models by themselves.

pydantic is never imported here: whoever registers one of its models has done so.
"""

import dataclasses
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from eventstore.errors import InvalidInputError
from eventstore.payload.plain import scalar

T = TypeVar("T")


class Codec(Protocol[T]):
    """Encodes objects of one class as plain JSON values, and decodes them."""

    def build(self) -> None:
        """Make what decodes, once.

        Raises:
            NameError: An annotation names what is not there.
            TypeError: The class cannot be told from JSON.
        """
        ...

    def to_plain(self, value: T) -> Any:
        """Return the object as dicts, lists and the like.

        Raises:
            TypeError: It holds something that cannot be said in JSON.
            ValueError: Same as above.
        """
        ...

    def from_text(self, text: str) -> T:
        """Return the object that a JSON text stands for.

        Raises:
            ValueError: The class does not take it.
        """
        ...


class MsgspecCodec(Generic[T]):
    """Dataclasses, Structs, and whatever else msgspec can decode by type."""

    def __init__(self, cls: type[T]) -> None:
        self._class = cls

    @cached_property
    def _decoder(self) -> "msgspec.json.Decoder[T]":
        return msgspec.json.Decoder(self._class)  # made at first use: annotations may name what comes later in a module

    def build(self) -> None:
        """See `Codec`."""
        _ = self._decoder

    def to_plain(self, value: T) -> Any:
        """See `Codec`."""
        return _with_lists(msgspec.to_builtins(value, str_keys=True, order="deterministic", enc_hook=_plain_scalar))

    def from_text(self, text: str) -> T:
        """See `Codec`."""
        return self._decoder.decode(text)


class PydanticCodec(Generic[T]):
    """pydantic models, by their own methods."""

    def __init__(self, cls: type[T]) -> None:
        self._class: Any = cls

    def build(self) -> None:
        """See `Codec`."""
        self._class.model_rebuild()

    def to_plain(self, value: T) -> Any:
        """See `Codec`."""
        model: Any = value
        return model.model_dump(mode="json", by_alias=True, warnings=False)  # what is read back is compared

    def from_text(self, text: str) -> T:
        """See `Codec`."""
        made: T = self._class.model_validate_json(text)
        return made


def is_pydantic(cls: type) -> bool:
    """Tell whether a class is a pydantic model, without importing pydantic."""
    return hasattr(cls, "model_validate_json") and hasattr(cls, "__pydantic_validator__")


def codec_for(cls: type[T], field: str = "cls") -> Codec[T]:
    """Return the codec of an event class.

    Raises:
        InvalidInputError: It is not a dataclass, Struct or pydantic model, or its objects are not JSON objects.
    """
    if not isinstance(cls, type):
        raise InvalidInputError(field, f"is {cls!r}; give a dataclass, a msgspec.Struct or a pydantic model")
    if is_pydantic(cls):
        return PydanticCodec(cls)
    if issubclass(cls, msgspec.Struct):
        if cls.__struct_config__.array_like:
            raise InvalidInputError(field, f"{cls.__name__} is `array_like`; a payload is a JSON object")
        return MsgspecCodec(cls)
    if dataclasses.is_dataclass(cls):
        return MsgspecCodec(cls)
    raise InvalidInputError(field, f"{cls.__name__} is neither a dataclass, nor a msgspec.Struct, nor a pydantic model")


def _plain_scalar(value: Any) -> Any:
    """Return the plain value of a subclass of text or a number, for whatever msgspec does not know."""
    plain = scalar(value)
    if plain is value:
        raise TypeError(f"a {type(value).__name__} has no form in JSON")
    return plain


def _with_lists(value: Any) -> Any:
    """Return the value with lists for tuples, as JSON has no others."""
    if isinstance(value, dict):
        return {key: _with_lists(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_lists(inner) for inner in value]
    return value
