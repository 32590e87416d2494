"""The store's own record in the relay table: what all writers and workers must agree on."""

from dataclasses import dataclass

from eventstore.dynamodb.caller import Caller, Taken
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import TableMissingError
from eventstore.rows.item import ItemReader

INDEX_SHARDS_DEFAULT = 4
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
        UnreachableError: DynamoDB did not answer.
    """
    reply = caller.read(caller.client.get_item, TableName=tables.relay, Key=_KEY, ConsistentRead=True)
    if "Item" not in reply:
        raise TableMissingError(f"{tables.relay} (its store record)")
    row = ItemReader(reply["Item"], tables.relay)
    return StoreRecord(epoch=row.integer("epoch"), index_shards=row.integer("indexShards"))
