"""A secondary index: a projection of a table's items under another key.

A local one has the table's partition key, and is as the table is at any moment. So it can be read consistently, and
what it does not keep can be had from the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from eventstore.testing.dynamodb.errors import ServiceError, validation
from eventstore.testing.dynamodb.storage.items import Change, StoredItem
from eventstore.testing.dynamodb.storage.rows import Rows
from eventstore.testing.dynamodb.storage.schema import NO_SORT_KEY, KeySchema
from eventstore.testing.dynamodb.values import Item, KeyPart, key_part, kind_of, text_bytes, value_bytes

_INVALID = "One or more parameter values were invalid"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One item's place in an index, and what the index keeps of it."""

    partition: KeyPart
    sort: tuple[KeyPart, ...]
    item: StoredItem


class SecondaryIndex:
    """One secondary index.

    Args:
        name: Its name.
        schema: Its key.
        table_schema: The key of its table; always projected.
        projected: Names of further attributes it keeps; None for all.
        definition: What was said of it when it was made.
        is_local: Whether it is a local one.
    """

    def __init__(
        self,
        name: str,
        schema: KeySchema,
        table_schema: KeySchema,
        projected: frozenset[str] | None,
        definition: Mapping[str, Any],
        *,
        is_local: bool = False,
    ) -> None:
        self.name = name
        self.schema = schema
        self.definition = dict(definition)
        self.is_local = is_local
        self.rows = Rows(leading=itemgetter(0))
        self._table_schema = table_schema
        keys = dict.fromkeys((*table_schema.names, *schema.names))
        self.key_names = tuple(keys)
        self.projected = None if projected is None else frozenset(keys) | projected

    def can_hold(self, item: Item) -> bool:
        """Tell whether an item that was stored before the index was made can stand in it; others are passed over."""
        try:
            self.check(item)
        except ServiceError:
            return False
        return True

    def check(self, item: Item) -> None:
        """Refuse an item whose index key attributes, where present, have a wrong type, or are empty or too long."""
        self.check_types(item)
        self.check_not_empty(item)
        self.check_size(item)

    def check_types(self, item: Item) -> None:
        """Refuse an item with an index key attribute of a wrong type."""
        for attribute in self.schema.attributes:
            value = item.get(attribute.name)
            if value is None:
                continue
            kind = kind_of(value)
            if kind != attribute.kind:
                kinds = f"Expected: {attribute.kind} Actual: {kind}"
                raise validation(
                    f"{_INVALID}: Type mismatch for Index Key {attribute.name} {kinds} IndexName: {self.name}"
                )

    def check_not_empty(self, item: Item) -> None:
        """Refuse an item with an empty index key attribute."""
        for attribute in self.schema.attributes:
            value = item.get(attribute.name)
            if value is None:
                continue
            kind = kind_of(value)
            if kind in {"S", "B"} and not value[kind]:
                word = "string" if kind == "S" else "binary"
                raise validation(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not"
                    f" supported. The AttributeValue for a key attribute cannot contain an empty {word} value."
                    f" IndexName: {self.name}, IndexKey: {attribute.name}"
                )

    def check_size(self, item: Item) -> None:
        """Refuse an item with an index key attribute that is too long, whether it would stand in the index or not."""
        for attribute in self.schema.attributes:
            value = item.get(attribute.name)
            if value is not None and "N" not in value and value_bytes(value) > attribute.max_bytes:
                detail = f"IndexName: {self.name}, IndexKey: {attribute.name}, at most {attribute.max_bytes} bytes"
                raise validation(f"{_INVALID}: Size limit exceeded. {detail}")

    def entry(self, stored: StoredItem | None) -> IndexEntry | None:
        """Return the item's entry; None when it lacks a part of the index's key, and so is not in the index."""
        if stored is None:
            return None
        attributes = stored.attributes
        partition = attributes.get(self.schema.partition.name)
        if partition is None:
            return None
        sort: KeyPart = NO_SORT_KEY
        if self.schema.sort is not None:
            value = attributes.get(self.schema.sort.name)
            if value is None:
                return None
            sort = key_part(value)
        return IndexEntry(key_part(partition), (sort, *self._table_schema.key_of(attributes)), self._project(stored))

    def sort_of(self, item: Item) -> tuple[KeyPart, ...]:
        """Return the sort value of an item that has all key attributes."""
        sort = NO_SORT_KEY if self.schema.sort is None else key_part(item[self.schema.sort.name])
        return (sort, *self._table_schema.key_of(item))

    def _project(self, stored: StoredItem) -> StoredItem:
        if self.projected is None:
            return stored
        attributes = {name: value for name, value in stored.attributes.items() if name in self.projected}
        return StoredItem(attributes, sum(text_bytes(name) + value_bytes(value) for name, value in attributes.items()))

    def write_sizes(self, change: Change) -> list[int]:
        """Return the sizes of the index writes that a change will cost when it is applied."""
        old, new = self.entry(change.old), self.entry(change.new)
        if old is None or new is None:
            return [entry.item.size_bytes for entry in (old, new) if entry is not None]
        if (old.partition, old.sort) != (new.partition, new.sort):
            return [old.item.size_bytes, new.item.size_bytes]
        if old.item.attributes == new.item.attributes:
            return []
        return [max(old.item.size_bytes, new.item.size_bytes)]

    def apply(self, change: Change) -> list[int]:
        """Follow a change of the table; return the sizes of the index writes it cost, in bytes.

        A changed index key costs two writes, other changes of what is projected cost one, the rest costs nothing.
        Source: AWS, "Using Global Secondary Indexes in DynamoDB", write capacity.
        """
        old, new = self.entry(change.old), self.entry(change.new)
        if new is None:
            if old is None:
                return []
            self.rows.remove(old.partition, old.sort)
            return [old.item.size_bytes]
        if old is None:
            self.rows.put(new.partition, new.sort, new.item)
            return [new.item.size_bytes]
        if (old.partition, old.sort) != (new.partition, new.sort):
            self.rows.remove(old.partition, old.sort)
            self.rows.put(new.partition, new.sort, new.item)
            return [old.item.size_bytes, new.item.size_bytes]
        if old.item.attributes == new.item.attributes:
            return []
        self.rows.put(new.partition, new.sort, new.item)
        return [max(old.item.size_bytes, new.item.size_bytes)]
