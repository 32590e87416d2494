"""A stored item, and one change of one item."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eventstore.testing.dynamodb.storage.schema import Key
from eventstore.testing.dynamodb.values import Item

if TYPE_CHECKING:
    from eventstore.testing.dynamodb.table import Table


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item as a table or index keeps it; never changed, so that it can be shared."""

    attributes: Item
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Change:
    """One item before and after a write; `None` where there is none. A check has the same on both sides."""

    table: "Table"
    key: Key
    old: StoredItem | None
    new: StoredItem | None

    @property
    def is_none(self) -> bool:
        """Tell whether nothing changed; such a write costs its units, but leaves no feed record."""
        if self.old is None or self.new is None:
            return self.old is self.new
        return self.old is self.new or self.old.attributes == self.new.attributes

    @property
    def larger_bytes(self) -> int:
        """The larger of both sizes, by which a write is charged."""
        old = 0 if self.old is None else self.old.size_bytes
        new = 0 if self.new is None else self.new.size_bytes
        return max(old, new)
