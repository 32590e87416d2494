"""Writes of one item: Put, Update, Delete and ConditionCheck, alone and in a transaction.

Reading a write from a request refuses what is wrong with the request itself. Looking at the item comes later, in
`Write.change`, since in a transaction its refusals become cancellation reasons.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from eventstore.testing.dynamodb.errors import conditional_check_failed, transaction_conflict, validation
from eventstore.testing.dynamodb.expressions import updates
from eventstore.testing.dynamodb.expressions.arguments import Arguments
from eventstore.testing.dynamodb.expressions.compiled import Compiled
from eventstore.testing.dynamodb.expressions.operands import Path
from eventstore.testing.dynamodb.storage.items import Change, StoredItem
from eventstore.testing.dynamodb.storage.schema import Key
from eventstore.testing.dynamodb.table import Table
from eventstore.testing.dynamodb.values import ITEM_MAX_BYTES, Item, copy_item, item_bytes, read_item

ON_FAILURE = "ReturnValuesOnConditionCheckFailure"
_NOTHING: Item = {}


def check_on_failure(request: Mapping[str, Any]) -> None:
    """Refuse a request that wants something else than the item when its condition is not met."""
    on_failure = request.get(ON_FAILURE) or "NONE"
    if on_failure not in {"NONE", "ALL_OLD"}:
        raise validation(f"Value '{on_failure}' at '{ON_FAILURE}' failed to satisfy constraint")


class Write(ABC):
    """One write of one item.

    Attributes:
        table: The item's table.
        key: The item's key; None when it has a type that no key of the table can have.
        size_bytes: What the write counts towards the size of a transaction.
    """

    __slots__ = ("_arguments", "_condition", "_wants_item", "key", "size_bytes", "table")

    def __init__(self, table: Table, request: Mapping[str, Any]) -> None:
        self.table = table
        self.key: Key | None = None
        self.size_bytes = 0
        self._arguments = Arguments(request)
        self._condition = self._arguments.condition("ConditionExpression")
        check_on_failure(request)
        self._wants_item = request.get(ON_FAILURE) == "ALL_OLD"

    @abstractmethod
    def result(self, old: StoredItem | None) -> StoredItem | None:
        """Return the item after the write."""

    def change(self) -> Change:
        """Return what the write does to the item that is there now.

        Raises:
            ServiceError: ConditionalCheckFailedException, ValidationException when the item is not fit for it, or
                TransactionConflictException.
        """
        key = self.checked_key()
        if key in self.table.unapplied:
            raise transaction_conflict()
        old = self.table.get(key)
        condition = self._condition
        if condition is not None:
            item = _NOTHING if old is None else old.attributes
            if not condition.tree.test(item, self._arguments.values):
                wanted = copy_item(item) if self._wants_item and old is not None else None
                raise conditional_check_failed(wanted)
        return Change(self.table, key, old, self.result(old))

    def checked_key(self) -> Key:
        """Return the key, or refuse it."""
        assert self.key is not None
        return self.key


class Put(Write):
    """Stores an item, in place of one with its key."""

    __slots__ = ("_item",)

    def __init__(self, table: Table, request: Mapping[str, Any]) -> None:
        super().__init__(table, request)
        self._arguments.finish()
        attributes, size = read_item(request["Item"])
        if size > ITEM_MAX_BYTES:
            raise validation("Item size has exceeded the maximum allowed size")
        self._item = StoredItem(attributes, size)
        self.size_bytes = size
        schema = table.schema
        schema.check_present(attributes)
        table.check_indexes_of_new(attributes)
        if schema.has_types(attributes):
            self.key = schema.key_of(attributes)

    def checked_key(self) -> Key:
        """Return the key, or refuse its type, or the item's index keys."""
        self.table.schema.check_types(self._item.attributes)
        self.table.check_index_types(self._item.attributes)
        return super().checked_key()

    def result(self, _old: StoredItem | None) -> StoredItem | None:
        """Return the new item."""
        return self._item


class KeyedWrite(Write):
    """A write that names an item by its key."""

    __slots__ = ("_keys",)

    def __init__(self, table: Table, request: Mapping[str, Any]) -> None:
        super().__init__(table, request)
        self._keys = table.schema.read_keys(request["Key"])
        self.size_bytes = item_bytes(self._keys)
        if table.schema.has_types(self._keys):
            self.key = table.schema.key_of(self._keys)

    def checked_key(self) -> Key:
        """Return the key, or refuse its type."""
        self.table.schema.check_types(self._keys)
        return super().checked_key()


class Update(KeyedWrite):
    """Changes attributes of an item, which it makes if it is not there."""

    __slots__ = ("_update",)

    def __init__(self, table: Table, request: Mapping[str, Any]) -> None:
        super().__init__(table, request)
        self._update: Compiled[tuple[updates.UpdateAction, ...]] | None = self._arguments.update("UpdateExpression")
        self._arguments.finish()
        self.size_bytes += self._arguments.values_bytes

    @property
    def targets(self) -> tuple[Path, ...]:
        """The places that the update names as targets."""
        return () if self._update is None else tuple(action.path for action in self._update.tree)

    def checked_key(self) -> Key:
        """Return the key, or refuse an update of it."""
        for target in self.targets:
            if target.top in self.table.schema.names:
                detail = f"Cannot update attribute {target.top}. This attribute is part of the key"
                raise validation(f"One or more parameter values were invalid: {detail}")
        return super().checked_key()

    def result(self, old: StoredItem | None) -> StoredItem | None:
        """Return the item after the update."""
        before = self._keys if old is None else old.attributes
        if self._update is None:
            return old or StoredItem(before, item_bytes(before))
        after = updates.carry_out(self._update.tree, before, self._arguments.values)
        if old is None and updates.only_removes(self._update.tree):
            return None
        size = item_bytes(after)
        if size > ITEM_MAX_BYTES:
            raise validation("Item size to update has exceeded the maximum allowed size")
        self.table.check_indexes(after)
        return StoredItem(after, size)


class Delete(KeyedWrite):
    """Removes an item, if it is there."""

    __slots__ = ()

    def __init__(self, table: Table, request: Mapping[str, Any]) -> None:
        super().__init__(table, request)
        self._arguments.finish()

    def result(self, _old: StoredItem | None) -> StoredItem | None:
        """Return nothing."""
        return None


class ConditionCheck(KeyedWrite):
    """Looks at an item and leaves it as it is; only in a transaction."""

    __slots__ = ()

    def __init__(self, table: Table, request: Mapping[str, Any]) -> None:
        super().__init__(table, request)
        self._arguments.finish()
        if self._condition is None:
            raise validation("The expression can not be empty; ConditionCheck needs a ConditionExpression")

    def result(self, old: StoredItem | None) -> StoredItem | None:
        """Return the item as it is."""
        return old


READERS: dict[str, Callable[[Table, Mapping[str, Any]], Write]] = {
    "Put": Put,
    "Update": Update,
    "Delete": Delete,
    "ConditionCheck": ConditionCheck,
}
