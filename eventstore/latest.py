"""The newest events of one day, read from the time index and merged over its write shards."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eventstore import dynamo, event_row
from eventstore.backoff import Backoff
from eventstore.errors import ThrottledError
from eventstore.item import row_key
from eventstore.model import RecordedEvent
from eventstore.ports import DynamoClient, Runtime
from eventstore.table_names import TableNames

BATCH_GET_MAX_KEYS = 100
"""Source: AWS, API reference of BatchGetItem."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which events of a day are wanted.

    Attributes:
        day: UTC day, `YYYY-MM-DD`.
        since_ms: Only events with this timestamp or a later one.
        limit: Only so many, the newest.
    """

    day: str
    since_ms: int
    limit: int


Key = tuple[int, str, int]
"""Timestamp, aggregate id, sequence number: the order in which a day is shown."""


def of_day(
    client: DynamoClient,
    tables: TableNames,
    window: Window,
    index_shards: int,
    runtime: Runtime,
    backoff: Backoff,
) -> list[RecordedEvent]:
    """Return the newest events of a window, oldest first.

    The index is eventually consistent: an event may show up in it a moment after its append. Bodies come from the
    table itself.

    Raises:
        TryLaterError: DynamoDB did not answer in time.
        CorruptRowError: A stored row cannot be read.
    """
    keys: list[Key] = []
    for shard in range(index_shards):
        keys.extend(_keys_of_shard(client, tables, window, shard, runtime, backoff))
    newest = heapq.nlargest(window.limit, keys)
    return _bodies(client, tables, sorted(newest), runtime, backoff)


def _keys_of_shard(
    client: DynamoClient,
    tables: TableNames,
    window: Window,
    shard: int,
    runtime: Runtime,
    backoff: Backoff,
) -> list[Key]:
    request: dict[str, Any] = {
        "TableName": tables.events,
        "IndexName": "TimestampIndex",
        "KeyConditionExpression": "dayShard = :day AND #time >= :since",
        "ExpressionAttributeNames": {"#time": "timestamp"},
        "ExpressionAttributeValues": {":day": {"S": f"{window.day}#{shard}"}, ":since": {"N": str(window.since_ms)}},
        "ScanIndexForward": False,
    }
    keys: list[Key] = []
    while len(keys) < window.limit:
        request["Limit"] = window.limit - len(keys)
        reply = dynamo.read(runtime, backoff, client.query, needs="Items", **request)
        keys.extend(_key(item) for item in reply["Items"])
        if "LastEvaluatedKey" not in reply:
            break
        request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
    return keys


def _key(item: dict[str, Any]) -> Key:
    return int(item["timestamp"]["N"]), item["aggregateId"]["S"], int(item["sequenceNumber"]["N"])


def _bodies(
    client: DynamoClient,
    tables: TableNames,
    keys: list[Key],
    runtime: Runtime,
    backoff: Backoff,
) -> list[RecordedEvent]:
    found: dict[tuple[str, int], RecordedEvent] = {}
    for start in range(0, len(keys), BATCH_GET_MAX_KEYS):
        wanted = [row_key(key[1], key[2]) for key in keys[start : start + BATCH_GET_MAX_KEYS]]
        for event in _batch_get(client, tables, wanted, runtime, backoff):
            found[event.aggregate_id, event.sequence_number] = event
    return [found[key[1], key[2]] for key in keys if (key[1], key[2]) in found]


def _batch_get(
    client: DynamoClient,
    tables: TableNames,
    keys: list[dict[str, Any]],
    runtime: Runtime,
    backoff: Backoff,
) -> Iterable[RecordedEvent]:
    asked: dict[str, Any] = {tables.events: {"Keys": keys, "ConsistentRead": True}}
    for attempt in range(1, backoff.attempts_max + 1):
        reply = dynamo.read(runtime, backoff, client.batch_get_item, needs="Responses", RequestItems=asked)
        for item in reply["Responses"].get(tables.events, []):
            yield event_row.decode(item, tables.events)
        asked = reply.get("UnprocessedKeys") or {}
        if not asked:
            return
        runtime.sleep(backoff.delay_seconds(attempt, runtime.uniform()))
    raise ThrottledError("DynamoDB left keys of a batch unread", retry_after_seconds=backoff.cap_seconds)
