"""A table's feed: change records, where each one is placed, and reading them shard by shard.

    Feed        the stream of one table: its shards, its positions
    FeedRecord  one change of one item
    Placing     decides in which order the records of one commit enter the feed; `InCommitOrder` keeps it

Order is promised by AWS per item only, so `Placing` is where a test may put records elsewhere than they came.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from eventstore.testing.dynamodb.errors import stream_not_found
from eventstore.testing.dynamodb.feed.shard import HashRange, StoredShard
from eventstore.testing.dynamodb.storage.items import Change, StoredItem
from eventstore.testing.dynamodb.storage.rows import HASH_BITS, hash_of
from eventstore.testing.dynamodb.storage.schema import KeySchema
from eventstore.testing.dynamodb.values import Item, KeyPart, item_bytes

VIEW_TYPES = frozenset({"KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"})

_POSITION_FIRST = 100_000_000_000_000_000_000  # positions have 21 to 40 digits
_POSITION_STEP = 7  # positions grow, but are not counted up: nobody may compute the next one


@dataclass(frozen=True, slots=True)
class FeedRecord:
    """One change of one item, before it has a place in the feed.

    Attributes:
        event_name: `INSERT`, `MODIFY` or `REMOVE`.
        partition: The item's partition key.
        keys: The item's keys.
        new: The item after it; None when it is gone.
        old: The item before it; None when it is new.
        size_bytes: Of the record.
        created_ms: When the change was made, by the database's clock.
    """

    event_name: str
    partition: KeyPart
    keys: Item
    new: StoredItem | None
    old: StoredItem | None
    size_bytes: int
    created_ms: int


class Placing(Protocol):
    """Decides how the records of one commit enter a feed."""

    def place(self, feed: "Feed", records: Sequence[FeedRecord]) -> None:
        """Append every record to the feed, once, by `feed.append`; now or, when the policy says so, later."""
        ...


class InCommitOrder:
    """Appends at once, in the order of the request."""

    def place(self, feed: "Feed", records: Sequence[FeedRecord]) -> None:
        """Append the records as they come."""
        for record in records:
            feed.append(record)


class Feed:
    """The stream of one table, from the moment it was enabled.

    Args:
        table_name: Its table.
        arn: Its address, which ends with `label`.
        label: Its label.
        schema: The table's key.
        view_type: Which images records carry.
        created_ms: When it was enabled.
        shard_count: How many shards it starts with.
        placing: How records enter it.
    """

    def __init__(
        self,
        *,
        table_name: str,
        arn: str,
        label: str,
        schema: KeySchema,
        view_type: str,
        created_ms: int,
        shard_count: int,
        placing: Placing,
    ) -> None:
        assert view_type in VIEW_TYPES
        self.table_name = table_name
        self.arn = arn
        self.label = label
        self.schema = schema
        self.view_type = view_type
        self.created_ms = created_ms
        self.is_enabled = True
        self.shards: list[StoredShard[FeedRecord]] = []
        self._open: list[StoredShard[FeedRecord]] = []
        self._placing = placing
        self._position = _POSITION_FIRST
        self._shard_count = 0
        self.after_split: Callable[[StoredShard[FeedRecord], Sequence[StoredShard[FeedRecord]], int], None] | None = (
            None
        )
        self._keeps_new = view_type in {"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}
        self._keeps_old = view_type in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}
        for part in HashRange(0, 1 << HASH_BITS).parts(shard_count):
            self._open_shard(created_ms, part, None)

    def offer(self, changes: Sequence[Change], now_ms: int) -> None:
        """Take the changes of one commit; those that changed nothing leave no record."""
        records = self.records(changes, now_ms)
        if records:
            self.place(records)

    def records(self, changes: Sequence[Change], now_ms: int) -> list[FeedRecord]:
        """Return the records of changes; those that changed nothing have none."""
        return [self._record(change, now_ms) for change in changes if not change.is_none]

    def place(self, records: Sequence[FeedRecord]) -> None:
        """Let records enter the feed, as `Placing` decides."""
        self._placing.place(self, records)

    def _record(self, change: Change, now_ms: int) -> FeedRecord:
        present = change.new or change.old
        assert present is not None, "a change has a side"
        event_name = "MODIFY"
        if change.old is None:
            event_name = "INSERT"
        elif change.new is None:
            event_name = "REMOVE"
        keys = self.schema.keys(present.attributes)
        new = change.new if self._keeps_new else None
        old = change.old if self._keeps_old else None
        size = item_bytes(keys) + (new.size_bytes if new else 0) + (old.size_bytes if old else 0)
        return FeedRecord(event_name, change.key[0], keys, new, old, size, now_ms)

    def append(self, record: FeedRecord) -> None:
        """Put a record at the end of the open shard that its item's key belongs to."""
        self._position += _POSITION_STEP
        self._open_shard_of(record.partition).append(self._position, record)

    def _open_shard_of(self, partition: KeyPart) -> StoredShard[FeedRecord]:
        if len(self._open) == 1:
            return self._open[0]
        place = hash_of(partition)
        return next(shard for shard in self._open if shard.hash_range.contains(place))

    def shard(self, shard_id: str) -> StoredShard[FeedRecord]:
        """Return a shard by id."""
        for shard in self.shards:
            if shard.shard_id == shard_id:
                return shard
        raise stream_not_found(f"Shard: {shard_id}")

    def split(self, shard_id: str, now_ms: int, into: int = 2) -> list[StoredShard[FeedRecord]]:
        """Close a shard and open children, which share its part of the hash space; return the children."""
        parent = self.shard(shard_id)
        assert parent.is_open, "only an open shard can be split"
        self._close(parent, now_ms)
        children = [self._open_shard(now_ms, part, parent) for part in parent.hash_range.parts(into)]
        if self.after_split is not None:
            self.after_split(parent, children, now_ms)
        return children

    def rotate(self, now_ms: int) -> list[StoredShard[FeedRecord]]:
        """Close every open shard and open one child of each, as AWS does about every four hours."""
        return [child for shard in tuple(self._open) for child in self.split(shard.shard_id, now_ms, into=1)]

    def has_older(self, before_ms: int) -> bool:
        """Tell whether there is something that `trim` would remove."""
        return any(
            shard.records[0].created_ms < before_ms if shard.records else self._is_over(shard, before_ms)
            for shard in self.shards
        )

    def trim(self, before_ms: int) -> None:
        """Remove records that are older, from the old end of each shard, and shards that are closed, old and empty."""
        for shard in self.shards:
            shard.trim(sum(1 for _ in takewhile(lambda record: record.created_ms < before_ms, shard.records)))
        self.shards = [shard for shard in self.shards if shard.records or not self._is_over(shard, before_ms)]

    @staticmethod
    def _is_over(shard: StoredShard[FeedRecord], before_ms: int) -> bool:
        return not shard.is_open and shard.closed_ms < before_ms

    def disable(self, now_ms: int) -> None:
        """Close the feed for good; what it holds stays readable."""
        self.is_enabled = False
        for shard in tuple(self._open):
            self._close(shard, now_ms)

    def _close(self, shard: StoredShard[FeedRecord], now_ms: int) -> None:
        shard.close(self._position, now_ms)
        self._open.remove(shard)

    def _open_shard(
        self, now_ms: int, hash_range: HashRange, parent: StoredShard[FeedRecord] | None
    ) -> StoredShard[FeedRecord]:
        self._shard_count += 1
        number = self._shard_count
        shard: StoredShard[FeedRecord] = StoredShard(
            shard_id=f"shardId-{now_ms:020d}-{number:08x}",
            parent_id=None if parent is None else parent.shard_id,
            hash_range=hash_range,
            starting_position=self._position + 1,
        )
        self.shards.append(shard)
        self._open.append(shard)
        return shard
