"""A table: items by key, its indexes, and the feed of its changes."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.feed.feed import Feed
from eventstore.testing.dynamodb.storage.index import SecondaryIndex
from eventstore.testing.dynamodb.storage.items import Change, StoredItem
from eventstore.testing.dynamodb.storage.rows import Rows
from eventstore.testing.dynamodb.storage.schema import Key, KeySchema
from eventstore.testing.dynamodb.values import Item, KeyPart

if TYPE_CHECKING:
    from eventstore.testing.dynamodb.faults.hiding import EarlierItem


def _whole(part: KeyPart) -> KeyPart:
    return part


class Table:
    """One table.

    Args:
        name: Its name.
        arn: Its address.
        schema: Its key.
        indexes: Its global secondary indexes by name.
        definition: What CreateTable said of it.
        created_ms: When it was made.
        table_id: Tells it from others of its name.

    Attributes:
        feed: What tells of its changes; None while that is off.
        latest_feed: The feed that was opened last, open or closed.
        unapplied: Items that a transaction under way has changed, as consistent reads still see them.
        stale: Changed items, as eventually consistent reads still see them.
    """

    def __init__(
        self,
        *,
        name: str,
        arn: str,
        schema: KeySchema,
        indexes: Mapping[str, SecondaryIndex],
        definition: Mapping[str, Any],
        created_ms: int,
        table_id: str,
    ) -> None:
        self.name = name
        self.arn = arn
        self.schema = schema
        self.indexes = dict(indexes)
        self.definition = dict(definition)
        self.created_ms = created_ms
        self.table_id = table_id
        self.feed: Feed | None = None
        self.latest_feed: Feed | None = None
        self.rows = Rows(leading=_whole)
        self.unapplied: dict[Key, EarlierItem] = {}
        self.stale: dict[Key, EarlierItem] = {}
        self._indexes = tuple(self.indexes.values())

    def get(self, key: Key) -> StoredItem | None:
        """Return an item as the last commit left it."""
        return self.rows.get(*key)

    def index(self, name: str) -> SecondaryIndex:
        """Return an index by name."""
        found = self.indexes.get(name)
        if found is None:
            raise validation(f"The table does not have the specified index: {name}")
        return found

    def check_indexes_not_empty(self, item: Item) -> None:
        """Refuse an item with an empty key attribute of one of the indexes."""
        for index in self._indexes:
            index.check_not_empty(item)

    def check_indexes(self, item: Item) -> None:
        """Refuse an item that cannot stand in one of the indexes."""
        for index in self._indexes:
            index.check(item)

    def apply(self, change: Change) -> dict[str, list[int]]:
        """Carry out a change; return the sizes of the writes it cost in each index that it touched, in bytes."""
        if change.old is change.new:
            return {}
        self.store(change)
        return self._apply_to_indexes(change) if self._indexes else {}

    def store(self, change: Change) -> None:
        """Carry out a change of the items alone; the indexes do not hear of it."""
        if change.new is None:
            self.rows.remove(*change.key)
        else:
            self.rows.put(*change.key, change.new)

    def _apply_to_indexes(self, change: Change) -> dict[str, list[int]]:
        written = {index.name: index.apply(change) for index in self._indexes}
        return {name: sizes for name, sizes in written.items() if sizes}
