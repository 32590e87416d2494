"""The operations of the service, by the names of the wire.

Each takes the engine and a request, and returns the reply's members or raises `ServiceError`. A request has the shape
of botocore's low-level client: attribute values are maps, binaries are bytes, times are aware datetimes.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from eventstore.testing.dynamodb.engine import Engine
from eventstore.testing.dynamodb.operations import (
    batches,
    items,
    reads,
    statements,
    streams,
    tables,
    tags,
    transactions,
    upkeep,
)

Operation: TypeAlias = Callable[[Engine, Mapping[str, Any]], dict[str, Any]]

OPERATIONS: Mapping[str, Operation] = {
    "BatchExecuteStatement": statements.batch_execute_statement,
    "BatchGetItem": batches.batch_get_item,
    "BatchWriteItem": batches.batch_write_item,
    "CreateTable": tables.create_table,
    "DeleteItem": items.delete_item,
    "DeleteTable": tables.delete_table,
    "DescribeContinuousBackups": upkeep.describe_continuous_backups,
    "DescribeLimits": upkeep.describe_limits,
    "DescribeStream": streams.describe_stream,
    "DescribeTable": tables.describe_table,
    "DescribeTimeToLive": upkeep.describe_time_to_live,
    "GetItem": items.get_item,
    "GetRecords": streams.get_records,
    "GetShardIterator": streams.get_shard_iterator,
    "ListStreams": streams.list_streams,
    "ListTables": tables.list_tables,
    "ListTagsOfResource": tags.list_tags_of_resource,
    "PutItem": items.put_item,
    "Query": reads.query,
    "Scan": reads.scan,
    "TagResource": tags.tag_resource,
    "TransactGetItems": transactions.transact_get_items,
    "TransactWriteItems": transactions.transact_write_items,
    "UntagResource": tags.untag_resource,
    "UpdateContinuousBackups": upkeep.update_continuous_backups,
    "UpdateItem": items.update_item,
    "UpdateTable": tables.update_table,
    "UpdateTimeToLive": upkeep.update_time_to_live,
}
