"""The aggregates that a store has, from the keys of an index: no event is read."""

from collections.abc import Iterator
from typing import Any

from eventstore.context import StoreContext
from eventstore.errors import RequestRefusedError
from eventstore.model import AggregateRef
from eventstore.rows.item import Item, ItemReader
from eventstore.timeline.partition_reader import raise_if_missing

INDEX = "AggregateTypeIndex"
_ATTRIBUTE = "aggregateTypeShard"
_FIRST = "1"


def aggregates(context: StoreContext, aggregate_type: str | None) -> Iterator[AggregateRef]:
    """Yield each aggregate once, in no order: each has one event with number 1, so nothing has to be remembered.

    Args:
        context: The store.
        aggregate_type: Only these; None for all.

    Raises:
        IndexMissingError: The table was made without the index.
        TryLaterError: DynamoDB did not answer in time.
    """
    requests = [_scan(context)] if aggregate_type is None else _queries(context, aggregate_type)
    operation = context.client.scan if aggregate_type is None else context.client.query
    try:
        for request in requests:
            for reply in context.caller.pages(operation, request, needs="Items"):
                firsts = (item for item in reply["Items"] if item["sequenceNumber"]["N"] == _FIRST)
                yield from (AggregateRef(aggregate_type or _type_of(context, item), _id_of(item)) for item in firsts)
    except RequestRefusedError as error:
        raise_if_missing(error, context.tables.events, INDEX)
        raise


def _scan(context: StoreContext) -> dict[str, Any]:
    return {
        "TableName": context.tables.events,
        "IndexName": INDEX,
        "ProjectionExpression": f"aggregateId, sequenceNumber, {_ATTRIBUTE}",
    }


def _queries(context: StoreContext, aggregate_type: str) -> Iterator[dict[str, Any]]:
    for shard in range(context.index_shards):
        yield {
            "TableName": context.tables.events,
            "IndexName": INDEX,
            "KeyConditionExpression": f"{_ATTRIBUTE} = :key",
            "ExpressionAttributeValues": {":key": {"S": f"{aggregate_type}#{shard}"}},
            "ProjectionExpression": "aggregateId, sequenceNumber",
        }


def _id_of(item: Item) -> str:
    aggregate_id: str = item["aggregateId"]["S"]
    return aggregate_id


def _type_of(context: StoreContext, item: Item) -> str:
    row = ItemReader(item, context.tables.events)
    kind, _, shard = row.text(_ATTRIBUTE).rpartition("#")
    if not kind or not shard.isdecimal():
        raise row.corrupt(_ATTRIBUTE, "is not a type and a write shard; run `eventstore verify`")
    return kind
