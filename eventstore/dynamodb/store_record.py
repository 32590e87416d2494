"""The store's own record in the relay table: what all writers and workers must agree on."""

from dataclasses import dataclass

from eventstore.backoff import Backoff
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import ConditionFailedError
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import TableMissingError
from eventstore.ports import DynamoClient, Runtime
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


def create(client: DynamoClient, tables: TableNames, record: StoreRecord) -> bool:
    """Write the record unless there is one; tell whether it was written.

    Raises:
        DynamoError: The write did not succeed.
    """
    try:
        calls.call(
            client.put_item,
            TableName=tables.relay,
            Item={**_KEY, "epoch": {"N": str(record.epoch)}, "indexShards": {"N": str(record.index_shards)}},
            ConditionExpression="attribute_not_exists(recordType)",
        )
    except ConditionFailedError:
        return False
    return True


def load(client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> StoreRecord:
    """Read the record, consistently.

    Raises:
        TableMissingError: The relay table or the record in it is absent: the store was never set up.
        UnreachableError: DynamoDB did not answer.
    """
    reply = calls.read(
        runtime,
        backoff,
        client.get_item,
        TableName=tables.relay,
        Key=_KEY,
        ConsistentRead=True,
    )
    if "Item" not in reply:
        raise TableMissingError(f"{tables.relay} (its store record)")
    row = ItemReader(reply["Item"], tables.relay)
    return StoreRecord(epoch=row.integer("epoch"), index_shards=row.integer("indexShards"))
