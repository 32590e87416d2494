"""Attribute values: reading them from a request, their size, equality, order and copies.

A value is kept in the shape of the wire, `{"S": "text"}`, and is never changed once it is stored: an update builds new
values. So stored items can be shared by tables, indexes and feed records, and are copied only on the way in and out.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from eventstore.testing.dynamodb import decimals
from eventstore.testing.dynamodb.errors import ServiceError, validation

AttributeValue: TypeAlias = dict[str, Any]
Item: TypeAlias = dict[str, AttributeValue]
KeyPart: TypeAlias = str | int | Decimal | bytes

ITEM_MAX_BYTES = 400 * 1024
"""Names and values together. Source: AWS, "Quotas in Amazon DynamoDB", item size."""

NESTING_MAX_LEVELS = 32
"""Source: AWS, "Quotas in Amazon DynamoDB", attribute depth."""

OF_A_REQUEST = -1
"""The level of a value in ExpressionAttributeValues: it may nest one level deeper than what is stored."""

NAME_MAX_BYTES = 64 * 1024 - 1
"""Of an attribute. Source: AWS, "Quotas in Amazon DynamoDB", attribute names; 65,536 are refused in fact."""

TYPES = frozenset({"S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"})
_CONTAINER_BYTES = 3
_ELEMENT_BYTES = 1

Read: TypeAlias = tuple[AttributeValue, int]


def text_bytes(text: str) -> int:
    """Return the length of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def read_item(item: Mapping[str, Mapping[str, Any]]) -> tuple[Item, int]:
    """Return a checked copy of an item, numbers canonical, and its size in bytes.

    Raises:
        ServiceError: ValidationException or SerializationException; what the service says of a value it cannot take.
    """
    copy: Item = {}
    size = 0
    for name, value in item.items():
        copy[name], value_size = read_value(value)
        size += value_size + attribute_name_bytes(name)
    return copy, size


def attribute_name_bytes(name: str) -> int:
    """Return the size of an attribute's name, or refuse it."""
    size = len(name) if name.isascii() else len(name.encode())
    if not 1 <= size <= NAME_MAX_BYTES:
        what = f"Attribute name is too large, must be less than {NAME_MAX_BYTES + 1} bytes" if size else None
        raise validation(what or "Empty attribute name")
    return size


def read_value(value: Mapping[str, Any] | None, level: int = 0) -> Read:
    """Return a checked copy of one value, numbers canonical, and its size in bytes."""
    if value.__class__ is not dict and not isinstance(value, Mapping):
        if value is None:
            raise validation("The supplied Item contains a null AttributeValue")
        raise _wrong_shape("AttributeValue", value)
    if len(value) != 1:
        what = "is empty, must contain" if not value else "has more than one datatypes set, must contain"
        raise validation(f"Supplied AttributeValue {what} exactly one of the supported datatypes")
    for kind, content in value.items():
        if kind == "S" and isinstance(content, str):
            return {"S": content}, len(content) if content.isascii() else len(content.encode())
        if kind == "N" and isinstance(content, str):
            number = decimals.canonical(content)
            return {"N": number}, decimals.size_bytes(number)
        reader = _READERS.get(kind)
        if reader is None:
            break
        return reader(content, level)
    raise validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def _wrong_shape(expected: str, content: object) -> ServiceError:
    return ServiceError("SerializationException", f"{type(content).__name__} cannot be converted to {expected}")


def _read_text(content: object, _level: int) -> Read:
    raise _wrong_shape("String", content)  # texts never come here


def _read_binary(content: object, _level: int) -> Read:
    if not isinstance(content, bytes | bytearray):
        raise _wrong_shape("Blob", content)
    return {"B": bytes(content)}, len(content)


def _read_bool(content: object, _level: int) -> Read:
    if not isinstance(content, bool):
        raise _wrong_shape("Boolean", content)
    return {"BOOL": content}, 1


def _read_null(content: object, _level: int) -> Read:
    if content is not True:
        raise validation(
            "One or more parameter values were invalid: Null attribute value types must have the value of true"
        )
    return {"NULL": True}, 1


def _read_list(content: object, level: int) -> Read:
    if not isinstance(content, list | tuple):
        raise _wrong_shape("List", content)
    _check_level(level)
    read = [read_value(element, level + 1) for element in content]
    size = _CONTAINER_BYTES + sum(element_size + _ELEMENT_BYTES for _, element_size in read)
    return {"L": [element for element, _ in read]}, size


def _read_map(content: object, level: int) -> Read:
    if not isinstance(content, Mapping):
        raise _wrong_shape("Map", content)
    _check_level(level)
    read = {name: read_value(value, level + 1) for name, value in content.items()}
    size = _CONTAINER_BYTES + sum(
        attribute_name_bytes(name) + value_size + _ELEMENT_BYTES for name, (_, value_size) in read.items()
    )
    return {"M": {name: value for name, (value, _) in read.items()}}, size


def _check_level(level: int) -> None:
    if level >= NESTING_MAX_LEVELS - 1:
        raise validation("Nesting Levels have exceeded supported limits")


def _reader_of_set(kind: str, element_kind: str, word: str) -> Callable[[object, int], Read]:
    def read_set(content: object, level: int) -> Read:
        if not isinstance(content, list | tuple | set | frozenset):
            raise _wrong_shape("Set", content)
        if not content:
            raise validation(f"One or more parameter values were invalid: An {word} set  may not be empty")
        read = [read_value({element_kind: element}, level) for element in content]
        elements = [element[element_kind] for element, _ in read]
        if len(set(elements)) != len(elements):
            listed = ", ".join(str(element) for element in elements)
            raise validation(
                f"One or more parameter values were invalid: Input collection [{listed}] contains duplicates."
            )
        return {kind: elements}, sum(size for _, size in read)

    return read_set


_READERS: dict[str, Callable[[object, int], Read]] = {
    "S": _read_text,
    "N": _read_text,
    "B": _read_binary,
    "BOOL": _read_bool,
    "NULL": _read_null,
    "L": _read_list,
    "M": _read_map,
    "SS": _reader_of_set("SS", "S", "string"),
    "NS": _reader_of_set("NS", "N", "number"),
    "BS": _reader_of_set("BS", "B", "binary"),
}


def kind_of(value: AttributeValue) -> str:
    """Return the type tag of a value."""
    return next(iter(value))


def value_bytes(value: AttributeValue) -> int:
    """Return the size of a stored value."""
    for kind, content in value.items():
        if kind == "S":
            return text_bytes(content)
        if kind == "N":
            return decimals.size_bytes(content)
    return read_value(value)[1]


def item_bytes(item: Item) -> int:
    """Return the size of a stored item, names and values."""
    return sum(text_bytes(name) + value_bytes(value) for name, value in item.items())


def copy_value(value: AttributeValue) -> AttributeValue:
    """Return a copy that shares nothing changeable with the original."""
    for kind, content in value.items():
        if kind == "M":
            return {kind: {name: copy_value(member) for name, member in content.items()}}
        if kind == "L":
            return {kind: [copy_value(element) for element in content]}
        if type(content) is list:
            return {kind: content.copy()}
    return value.copy()


def copy_item(item: Item) -> Item:
    """Return a copy of an item that its receiver may change."""
    return {name: copy_value(value) for name, value in item.items()}


def key_part(value: AttributeValue) -> KeyPart:
    """Return what a key value is ordered and found by: text by UTF-8, numbers by size, binary by bytes.

    Python compares texts by code point, which is the order of their UTF-8 bytes.
    """
    for kind, content in value.items():
        return decimals.ordered(content) if kind == "N" else content
    raise AssertionError("a value has one type")


def equal(left: AttributeValue, right: AttributeValue) -> bool:
    """Tell whether two values are equal: sets in any order, numbers by their size."""
    kind = kind_of(left)
    if kind != kind_of(right):
        return False
    mine, other = left[kind], right[kind]
    if kind in {"SS", "NS", "BS"}:
        return set(mine) == set(other)
    if kind == "L":
        return len(mine) == len(other) and all(map(equal, mine, other))
    if kind == "M":
        return mine.keys() == other.keys() and all(equal(member, other[name]) for name, member in mine.items())
    return bool(mine == other)


def precedes(left: AttributeValue, right: AttributeValue) -> bool | None:
    """Tell whether `left` sorts before `right`; None when the two have no order."""
    kind = kind_of(left)
    if kind != kind_of(right) or kind not in {"S", "N", "B"}:
        return None
    return bool(key_part(left) < key_part(right))  # type: ignore[operator]
