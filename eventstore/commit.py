"""One append as one TransactWriteItems: built once, the same frozen bytes at every attempt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore import event_row, jsontext, limits, outbox_row
from eventstore.errors import LimitExceededError
from eventstore.item import item_size, row_key
from eventstore.model import AggregateRef, NewEvent, RecordedEvent
from eventstore.table_names import TableNames


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the outside world adds to an append, drawn once before the first attempt.

    Attributes:
        commit_id: Names the append; stored on each of its rows.
        event_ids: One per event, oldest first.
        now_ms: The writer's clock.
        epoch: The store's epoch.
    """

    commit_id: str
    event_ids: tuple[str, ...]
    now_ms: int
    epoch: int


@dataclass(frozen=True, slots=True)
class PreparedCommit:
    """A commit, ready to be sent as often as it takes.

    Attributes:
        aggregate: The aggregate.
        expected_version: Events the caller believes it has.
        commit_id: Names the append.
        events: What will be stored.
        request: Arguments of TransactWriteItems; its actions are, in order: the check of the predecessor (only when
            `expected_version` > 0), the events, the outbox row.
    """

    aggregate: AggregateRef
    expected_version: int
    commit_id: str
    events: tuple[RecordedEvent, ...]
    request: Mapping[str, Any]


def prepare(
    aggregate: AggregateRef,
    events: Sequence[NewEvent],
    expected_version: int,
    stamp: Stamp,
    tables: TableNames,
    *,
    index_shards: int,
    embed_max_bytes: int,
) -> PreparedCommit:
    """Build the transaction of an append.

    Raises:
        NotJsonError: A payload or metadata is not plain JSON.
        LimitExceededError: An event is over 400 KB, or the whole over 4 MB.
    """
    first, last = expected_version + 1, expected_version + len(events)
    recorded = tuple(
        _record(aggregate, event, f"events[{index}]", first + index, (first, last), stamp, index)
        for index, event in enumerate(events)
    )
    rows = [event_row.encode(event, index_shards) for event in recorded]
    outbox = outbox_row.encode(recorded, stamp.now_ms, embed_max_bytes)
    _check_sizes(rows, outbox)
    actions: list[dict[str, Any]] = []
    if expected_version:
        actions.append(_predecessor_check(aggregate, expected_version, tables.events))
    actions.extend(_put(tables.events, row) for row in rows)
    actions.append(_put(tables.outbox, outbox))
    request = {"TransactItems": actions, "ClientRequestToken": stamp.commit_id}
    return PreparedCommit(aggregate, expected_version, stamp.commit_id, recorded, request)


def _record(
    aggregate: AggregateRef,
    event: NewEvent,
    field: str,
    sequence_number: int,
    span: tuple[int, int],
    stamp: Stamp,
    index: int,
) -> RecordedEvent:
    return RecordedEvent(
        aggregate_id=aggregate.id,
        aggregate_type=aggregate.type,
        sequence_number=sequence_number,
        type=event.type,
        data_json=jsontext.encode(event.data, f"{field}.data"),
        metadata_json=jsontext.encode(event.metadata, f"{field}.metadata"),
        schema_version=event.schema_version,
        timestamp_ms=stamp.now_ms if event.timestamp_ms is None else event.timestamp_ms,
        event_id=stamp.event_ids[index],
        commit_id=stamp.commit_id,
        commit_first=span[0],
        commit_last=span[1],
        epoch=stamp.epoch,
    )


def _check_sizes(rows: Sequence[Mapping[str, Any]], outbox: Mapping[str, Any]) -> None:
    total = item_size(outbox)
    for index, row in enumerate(rows):
        size = item_size(row)
        if size > limits.ITEM_MAX_BYTES:
            raise LimitExceededError(f"events[{index}]", limit=limits.ITEM_MAX_BYTES, actual=size, unit="bytes")
        total += size
    if total > limits.TRANSACTION_MAX_BYTES:
        raise LimitExceededError("events", limit=limits.TRANSACTION_MAX_BYTES, actual=total, unit="bytes")


def _put(table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": table,
            "Item": row,
            "ConditionExpression": "attribute_not_exists(aggregateId)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    }


def _predecessor_check(aggregate: AggregateRef, expected_version: int, table: str) -> dict[str, Any]:
    """The event before ours must be there, with our type: so numbers have no holes and an id keeps its type."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": row_key(aggregate.id, expected_version),
            "ConditionExpression": "aggregateType = :type",
            "ExpressionAttributeValues": {":type": {"S": aggregate.type}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    }
