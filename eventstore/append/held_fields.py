"""What an object holds in the fields that its class declares, and which of them only say what the class says. Pure."""

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import msgspec

_NONE = object()


@dataclasses.dataclass(frozen=True, slots=True)
class HeldField:
    """A field of an object.

    Attributes:
        names: Its name, and those under which it is encoded.
        value: What it holds.
        is_default: Whether that is the class's default, of the same type and equal.
        is_compared: Whether it counts when objects of the class are compared.
    """

    names: tuple[str, ...]
    value: Any
    is_default: bool
    is_compared: bool = True


def held_fields(value: Any) -> list[HeldField] | None:
    """Return the fields of a dataclass, Struct or pydantic model; None for any other object."""
    if isinstance(value, type):
        return None
    if isinstance(value, msgspec.Struct):
        return list(_of_struct(value))
    if dataclasses.is_dataclass(value):
        return list(_of_dataclass(value))
    if hasattr(type(value), "__pydantic_validator__") and hasattr(type(value), "model_fields"):
        return list(_of_model(value))
    return None


def without_defaults(data: Any, value: Any) -> Any:
    """Return plain JSON without the fields that equal their defaults, at any depth.

    Args:
        data: The JSON value.
        value: The object that the class makes of it; what has no class is left as it is.
    """
    fields = held_fields(value)
    match data:
        case dict() if fields is not None:
            kept = dict(data)
            for field in fields:
                for name in kept.keys() & field.names:
                    if field.is_default:
                        del kept[name]
                    else:
                        kept[name] = without_defaults(kept[name], field.value)
            return kept
        case dict() if isinstance(value, dict):
            inner = {str(key): held for key, held in value.items()}
            return {name: without_defaults(each, inner.get(name)) for name, each in data.items()}
        case list() if isinstance(value, list | tuple) and len(value) == len(data):
            return [without_defaults(each, held) for each, held in zip(data, value, strict=True)]
    return data


def _of_struct(value: msgspec.Struct) -> Iterator[HeldField]:
    for field in msgspec.structs.fields(value):
        held = getattr(value, field.name)
        default = _made(field.default_factory) if field.default is msgspec.NODEFAULT else field.default
        yield HeldField((field.name, field.encode_name), held, _is_same(held, default))


def _of_dataclass(value: Any) -> Iterator[HeldField]:
    for field in dataclasses.fields(value):
        held = getattr(value, field.name, _NONE)
        default = _made(field.default_factory) if field.default is dataclasses.MISSING else field.default
        yield HeldField((field.name,), held, _is_same(held, default), field.compare)


def _of_model(value: Any) -> Iterator[HeldField]:
    for name, field in type(value).model_fields.items():
        held = getattr(value, name)
        default = _NONE if field.is_required() else _made(partial(field.get_default, call_default_factory=True))
        names = (name, field.alias, field.serialization_alias)
        yield HeldField(tuple(each for each in names if each is not None), held, _is_same(held, default))


def _made(factory: Callable[[], Any] | Any) -> Any:
    """Return what a class's factory makes; nothing when there is none, or when it needs more than it is given."""
    if not callable(factory):
        return _NONE
    try:
        return factory()
    except Exception:  # noqa: BLE001 - users' factories may raise anything
        return _NONE


def _is_same(held: Any, default: Any) -> bool:
    return type(held) is type(default) and bool(held == default)
