"""A table's or index's key schema, and reading keys out of items and requests by it.

Sources: AWS, "Quotas in Amazon DynamoDB", partition and sort key length; API reference of CreateTable.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.values import AttributeValue, Item, KeyPart, key_part, kind_of, read_value, value_bytes

PARTITION_KEY_MAX_BYTES = 2048
SORT_KEY_MAX_BYTES = 1024
KEY_TYPES = frozenset({"S", "N", "B"})
NO_SORT_KEY = ""

Key: TypeAlias = tuple[KeyPart, KeyPart]

_INVALID = "One or more parameter values were invalid"
_EMPTY = "The AttributeValue for a key attribute cannot contain an empty"


@dataclass(frozen=True, slots=True)
class KeyAttribute:
    """One attribute of a key schema and the type it must have."""

    name: str
    kind: str
    max_bytes: int


@dataclass(frozen=True, slots=True)
class KeySchema:
    """Which attributes make the key."""

    partition: KeyAttribute
    sort: KeyAttribute | None

    @property
    def attributes(self) -> tuple[KeyAttribute, ...]:
        """The key's attributes, partition first."""
        return (self.partition,) if self.sort is None else (self.partition, self.sort)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the key's attributes, partition first."""
        return tuple(attribute.name for attribute in self.attributes)

    def key_of(self, item: Item) -> Key:
        """Return the key of a stored item."""
        sort = NO_SORT_KEY if self.sort is None else key_part(item[self.sort.name])
        return key_part(item[self.partition.name]), sort

    def keys(self, item: Item) -> Item:
        """Return the key attributes of a stored item."""
        if self.sort is None:
            return {self.partition.name: item[self.partition.name]}
        return {self.partition.name: item[self.partition.name], self.sort.name: item[self.sort.name]}

    def check_present(self, item: Item) -> None:
        """Refuse an item to be put that lacks a key attribute, or has an empty one."""
        for attribute in self.attributes:
            value = item.get(attribute.name)
            if value is None:
                raise validation(f"{_INVALID}: Missing the key {attribute.name} in the item")
            _check_not_empty(attribute, value)

    def check_types(self, item: Item) -> None:
        """Refuse an item to be put whose key has the wrong type or is too long."""
        for attribute in self.attributes:
            value = item[attribute.name]
            if attribute.kind not in value:
                kinds = f"expected: {attribute.kind} actual: {kind_of(value)}"
                raise validation(f"{_INVALID}: Type mismatch for key {attribute.name} {kinds}")
            if attribute.kind != "N" and value_bytes(value) > attribute.max_bytes:
                word = "hashkey" if attribute is self.partition else "rangekey"
                limit = f"{attribute.max_bytes} bytes"
                raise validation(f"{_INVALID}: Size of {word} has exceeded the maximum size limit of{limit}")

    def has_types(self, attributes: Item) -> bool:
        """Tell whether the key attributes of an item have the types that the schema demands."""
        return all(attribute.kind in attributes[attribute.name] for attribute in self.attributes)

    def read_keys(self, key: Mapping[str, Any]) -> Item:
        """Return the checked key attributes that a request names; their types may still be wrong."""
        names = self.names
        if len(key) != len(names) or any(name not in key for name in names):
            raise validation("The provided key element does not match the schema")
        attributes: Item = {name: read_value(key[name])[0] for name in names}
        for attribute in self.attributes:
            _check_not_empty(attribute, attributes[attribute.name])
        return attributes

    def read_key(self, key: Mapping[str, Any]) -> Key:
        """Return the key that a request names."""
        attributes = self.read_keys(key)
        self.check_types(attributes)
        return self.key_of(attributes)


def _check_not_empty(attribute: KeyAttribute, value: AttributeValue) -> None:
    kind = kind_of(value)
    if kind in {"S", "B"} and not value[kind]:
        word = "string" if kind == "S" else "binary"
        raise validation(f"One or more parameter values are not valid. {_EMPTY} {word} value. Key: {attribute.name}")


def read_key_schema(elements: Sequence[Mapping[str, str]], types: Mapping[str, str]) -> KeySchema:
    """Return the key schema of a CreateTable request; `types` are its attribute definitions."""
    if not 1 <= len(elements) <= 2 or elements[0].get("KeyType") != "HASH":  # noqa: PLR2004 - partition and sort
        raise validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
    if len(elements) > 1 and elements[1].get("KeyType") != "RANGE":
        raise validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    attributes = []
    for element, max_bytes in zip(elements, (PARTITION_KEY_MAX_BYTES, SORT_KEY_MAX_BYTES), strict=False):
        name = element["AttributeName"]
        if name not in types:
            detail = f"Keys: [{name}], AttributeDefinitions: {sorted(types)}"
            raise validation(f"{_INVALID}: Some index key attributes are not defined in AttributeDefinitions. {detail}")
        attributes.append(KeyAttribute(name, types[name], max_bytes))
    if len(attributes) > 1 and attributes[0].name == attributes[1].name:
        raise validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    return KeySchema(attributes[0], attributes[1] if len(attributes) > 1 else None)
