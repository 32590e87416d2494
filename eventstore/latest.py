"""The newest events of one day, read from the time index and merged over its write shards."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from eventstore import dynamo
from eventstore.context import StoreContext
from eventstore.decoding import decode_rows
from eventstore.errors import ThrottledError
from eventstore.item import row_key
from eventstore.model import RecordedEvent

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
    context: StoreContext,
    window: Window,
) -> list[RecordedEvent]:
    """Return the newest events of a window, oldest first.

    The index is eventually consistent: an event may show up in it a moment after its append. Bodies come from the
    table itself.

    Raises:
        TryLaterError: DynamoDB did not answer in time.
        CorruptRowError: A stored row cannot be read.
    """
    keys: list[Key] = []
    for shard in range(context.record.index_shards):
        keys.extend(_keys_of_shard(context, window, shard))
    newest = heapq.nlargest(window.limit, keys)
    return _bodies(context, sorted(newest))


def _keys_of_shard(
    context: StoreContext,
    window: Window,
    shard: int,
) -> list[Key]:
    request: dict[str, Any] = {
        "TableName": context.tables.events,
        "IndexName": "TimestampIndex",
        "KeyConditionExpression": "dayShard = :day AND #time >= :since",
        "ExpressionAttributeNames": {"#time": "timestamp"},
        "ExpressionAttributeValues": {":day": {"S": f"{window.day}#{shard}"}, ":since": {"N": str(window.since_ms)}},
        "ScanIndexForward": False,
    }
    keys: list[Key] = []
    while len(keys) < window.limit:
        request["Limit"] = window.limit - len(keys)
        reply = dynamo.read(
            context.runtime,
            context.options.read_backoff,
            context.client.query,
            needs="Items",
            **request,
        )
        keys.extend(_key(item) for item in reply["Items"])
        if "LastEvaluatedKey" not in reply:
            break
        request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
    return keys


def _key(item: dict[str, Any]) -> Key:
    return int(item["timestamp"]["N"]), item["aggregateId"]["S"], int(item["sequenceNumber"]["N"])


def _bodies(
    context: StoreContext,
    keys: list[Key],
) -> list[RecordedEvent]:
    found: dict[tuple[str, int], RecordedEvent] = {}
    for start in range(0, len(keys), BATCH_GET_MAX_KEYS):
        wanted = [row_key(key[1], key[2]) for key in keys[start : start + BATCH_GET_MAX_KEYS]]
        for event in _batch_get(context, wanted):
            found[event.aggregate_id, event.sequence_number] = event
    return [found[key[1], key[2]] for key in keys if (key[1], key[2]) in found]


def _batch_get(
    context: StoreContext,
    keys: list[dict[str, Any]],
) -> Iterable[RecordedEvent]:
    table, runtime, backoff = context.tables.events, context.runtime, context.options.read_backoff
    asked: dict[str, Any] = {table: {"Keys": keys, "ConsistentRead": True}}
    for attempt in range(1, backoff.attempts_max + 1):
        reply = dynamo.read(runtime, backoff, context.client.batch_get_item, needs="Responses", RequestItems=asked)
        yield from decode_rows(context.decoder, reply["Responses"].get(table, []), table)
        asked = reply.get("UnprocessedKeys") or {}
        if not asked:
            return
        runtime.sleep(backoff.delay_seconds(attempt, runtime.uniform()))
    raise ThrottledError("DynamoDB left keys of a batch unread", retry_after_seconds=backoff.cap_seconds)
