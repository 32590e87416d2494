"""A table: items by key, its indexes, and the feed of its changes."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eventstore.testing.dynamodb.errors import validation
from eventstore.testing.dynamodb.feed.feed import Feed
from eventstore.testing.dynamodb.storage.index import SecondaryIndex
from eventstore.testing.dynamodb.storage.items import Change, StoredItem
from eventstore.testing.dynamodb.storage.rows import Rows, Segment
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
        key_schema: Its key, as CreateTable said it.
        types: The types of the attributes that stand in a key, its own or that of an index.
        indexes: Its secondary indexes by name.
        settings: Billing, protection and the like, as CreateTable said it.
        created_ms: When it was made.
        table_id: Tells it from others of its name.

    Attributes:
        feed: What tells of its changes; None while that is off.
        latest_feed: The feed that was opened last, open or closed.
        tags: Value by key.
        expiry_attribute: Which attribute says when an item expires; None when none does.
        recoverable_from_ms: Since when it is said to be recoverable; None when it is not.
        recovery_days: For how many days.
        unapplied: Items that a transaction under way has changed, as consistent reads still see them.
        stale: Changed items, as eventually consistent reads still see them.
    """

    def __init__(
        self,
        *,
        name: str,
        arn: str,
        schema: KeySchema,
        key_schema: Sequence[Mapping[str, str]],
        types: Mapping[str, str],
        indexes: Mapping[str, SecondaryIndex],
        settings: Mapping[str, Any],
        created_ms: int,
        table_id: str,
    ) -> None:
        self.name = name
        self.arn = arn
        self.schema = schema
        self.key_schema = key_schema
        self.types = dict(types)
        self.indexes = dict(indexes)
        self.settings = dict(settings)
        self.tags: dict[str, str] = {}
        self.expiry_attribute: str | None = None
        self.recoverable_from_ms: int | None = None
        self.recovery_days: int | None = None
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

    def add_index(self, index: SecondaryIndex, types: Mapping[str, str]) -> None:
        """Take an index, and into it the items that can stand in it; `types` are those of its key, and of others."""
        for item in self.rows.scan(None, Segment()):
            if index.can_hold(item.attributes):
                index.apply(Change(self, self.schema.key_of(item.attributes), None, item))
        self._keep_indexes({**self.indexes, index.name: index}, {**self.types, **types})

    def remove_index(self, name: str) -> None:
        """Remove an index, and what is said of attributes that stand in no key any more."""
        self._keep_indexes({other: index for other, index in self.indexes.items() if other != name}, self.types)

    def _keep_indexes(self, indexes: dict[str, SecondaryIndex], types: Mapping[str, str]) -> None:
        self.indexes, self._indexes = indexes, tuple(indexes.values())
        used = {name for schema in (self.schema, *(index.schema for index in self._indexes)) for name in schema.names}
        self.types = {name: kind for name, kind in types.items() if name in used}

    def check_indexes_of_new(self, item: Item) -> None:
        """Refuse an item to be put with a key attribute of one of the indexes that is empty or too long."""
        for index in self._indexes:
            index.check_not_empty(item)
            index.check_size(item)

    def check_index_types(self, item: Item) -> None:
        """Refuse an item to be put with a key attribute of one of the indexes that has a wrong type."""
        for index in self._indexes:
            index.check_types(item)

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
