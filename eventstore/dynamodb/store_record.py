"""The store's own record in the relay table: what all writers and workers must agree on."""

from dataclasses import dataclass

from eventstore import limits
from eventstore.dynamodb.caller import Caller, Taken
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import TableMissingError
from eventstore.rows.item import ItemReader

INDEX_SHARDS_DEFAULT = 4
INDEX_SHARDS_MAX = 64
_KEY = {"recordType": {"S": "store"}, "recordKey": {"S": "settings"}}


@dataclass(frozen=True, slots=True)
class StoreRecord:
    """What is in force for a store.

    Attributes:
        epoch: Raised by a restore from backup; stamped on every event and outbox row.
        index_shards: Write shards of each index key. May be raised without a migration, never lowered.
    """

    epoch: int = 1
    index_shards: int = INDEX_SHARDS_DEFAULT


def create(caller: Caller, tables: TableNames, record: StoreRecord) -> bool:
    """Write the record unless there is one; tell whether it was written.

    Raises:
        TryLaterError: DynamoDB did not answer; creating it again is safe.
    """
    written = caller.write(
        caller.client.put_item,
        what="the store record",
        is_repeatable=True,
        TableName=tables.relay,
        Item={**_KEY, "epoch": {"N": str(record.epoch)}, "indexShards": {"N": str(record.index_shards)}},
        ConditionExpression="attribute_not_exists(recordType)",
    )
    return isinstance(written, Taken)


def load(caller: Caller, tables: TableNames) -> StoreRecord:
    """Read the record, consistently.

    Raises:
        TableMissingError: The relay table or the record in it is absent: the store was never set up.
        CorruptRowError: Somebody has written what cannot be.
        UnreachableError: DynamoDB did not answer.
    """
    reply = caller.read(caller.client.get_item, TableName=tables.relay, Key=_KEY, ConsistentRead=True)
    if "Item" not in reply:
        raise TableMissingError(f"{tables.relay} (its store record)")
    row = ItemReader(reply["Item"], tables.relay)
    found = StoreRecord(epoch=row.integer("epoch"), index_shards=row.integer("indexShards"))
    if not 1 <= found.index_shards <= INDEX_SHARDS_MAX:
        raise row.corrupt("indexShards", f"is {found.index_shards}; set it to what it was, or more, 1 to 64")
    return found


class LatestRecord:
    """The record as it was lately: read again by whoever finds it too old. Threads may share it.

    Operators raise the write shards while stores are open. A writer goes on with those it knows, since a reader asks
    all there are; so it is readers who have to notice, within a bound.

    Args:
        tables: Names of the tables.
        record: As it was read last.
        read_at: When it was asked for, by the monotonic clock.
    """

    def __init__(self, tables: TableNames, record: StoreRecord, read_at: float) -> None:
        self._tables = tables
        self._known = record, read_at
        self._index_shards = record.index_shards

    def get(self, caller: Caller, max_age_seconds: float = limits.STORE_RECORD_FRESH_SECONDS) -> StoreRecord:
        """Return the record, at most so old; 0 asks for it.

        Raises:
            As `load`.
        """
        record, read_at = self._known
        now = caller.runtime.monotonic()
        if max_age_seconds and now - read_at <= max_age_seconds:
            return record
        record = load(caller, self._tables)
        self._known = record, now
        self._index_shards = max(self._index_shards, record.index_shards)
        return record

    def index_shards(self, caller: Caller, max_age_seconds: float = limits.STORE_RECORD_FRESH_SECONDS) -> int:
        """Return how many write shards a read has to ask: never fewer than before, since events may be there.

        Raises:
            As `load`.
        """
        self.get(caller, max_age_seconds)
        return self._index_shards
