"""One aggregate's part of a transaction: built once, the same frozen bytes at every attempt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from eventstore import limits
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import LimitExceededError
from eventstore.event_metadata import TRACEPARENT
from eventstore.model import AggregateRef, Append, NewEvent, RecordedEvent
from eventstore.payload import moments
from eventstore.payload.json_text import JsonText
from eventstore.rows import event as event_row
from eventstore.rows import idempotency
from eventstore.rows import outbox as outbox_row
from eventstore.rows.idempotency import KeyRow
from eventstore.rows.item import item_size, row_key


class Role(Enum):
    """The purpose of an action of a transaction."""

    PREDECESSOR = "predecessor"
    EVENT = "event"
    OUTBOX = "outbox"
    KEY = "key"
    UNCHANGED = "unchanged"
    ALSO = "also"


@dataclass(frozen=True, slots=True)
class Action:
    """One action of a transaction.

    Attributes:
        role: What it is there for.
        request: Its part of TransactWriteItems.
    """

    role: Role
    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Ids and time of an append, drawn once before the first attempt.

    Attributes:
        commit_id: Names the append; stored on each of its rows.
        event_ids: One per event, oldest first.
        now_ms: The writer's clock.
        epoch: The store's epoch.
        traceparent: The trace the writer is in; for events that bring none.
    """

    commit_id: str
    event_ids: tuple[str, ...]
    now_ms: int
    epoch: int
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """How rows are written.

    Attributes:
        tables: Names of the tables.
        index_shards: Write shards of each index key.
        embed_max_bytes: An outbox row up to this size carries its events.
    """

    tables: TableNames
    index_shards: int
    embed_max_bytes: int


@dataclass(frozen=True, slots=True)
class PreparedCommit:
    """A commit, ready to be sent as often as needed.

    Attributes:
        aggregate: The aggregate.
        expected_version: Events the aggregate must have.
        commit_id: Names the append.
        events: What will be stored.
        key: The row of the caller's key, where there is one.
        actions: In order: the check of the predecessor (only when `expected_version` > 0), the events, the outbox row,
            the key's row (only with a key).
        size_bytes: Of the rows.
    """

    aggregate: AggregateRef
    expected_version: int
    commit_id: str
    events: tuple[RecordedEvent, ...]
    key: KeyRow | None
    actions: tuple[Action, ...]
    size_bytes: int


def prepare(append: Append, expected_version: int, stamp: Stamp, layout: Layout, *, field: str = "") -> PreparedCommit:
    """Build one aggregate's part of a transaction.

    Args:
        append: What to store.
        expected_version: The number that its expectation came to.
        stamp: What the outside world adds.
        layout: How rows are written.
        field: Path of the append in the caller's arguments, such as `appends[1].`, for errors.

    Raises:
        NotJsonError: A payload or metadata is not plain JSON.
        LimitExceededError: An event is over 400 KB.
    """
    aggregate, tables = append.aggregate, layout.tables
    span = expected_version + 1, expected_version + len(append.events)
    events = tuple(
        _record(aggregate, event, f"{field}events[{index}]", span, stamp, index)
        for index, event in enumerate(append.events)
    )
    rows = [event_row.encode(event, layout.index_shards) for event in events]
    outbox = outbox_row.encode(events, stamp.now_ms, layout.embed_max_bytes)
    size = item_size(outbox) + _size_of_events(rows, field)
    actions: list[Action] = []
    if expected_version:
        actions.append(Action(Role.PREDECESSOR, _predecessor_check(aggregate, expected_version, tables.events)))
    actions.extend(Action(Role.EVENT, _put(tables.events, row)) for row in rows)
    actions.append(Action(Role.OUTBOX, _put(tables.outbox, outbox)))
    key = None
    if append.idempotency_key is not None:
        key = idempotency.row_of(events, append.idempotency_key, append.command_fingerprint, stamp.now_ms)
        item = idempotency.encode(key)
        size += item_size(item)
        actions.append(Action(Role.KEY, _put(tables.idempotency, item)))
    return PreparedCommit(aggregate, expected_version, stamp.commit_id, events, key, tuple(actions), size)


def _record(
    aggregate: AggregateRef,
    event: NewEvent,
    field: str,
    span: tuple[int, int],
    stamp: Stamp,
    index: int,
) -> RecordedEvent:
    metadata = JsonText.of(event.metadata, f"{field}.metadata")
    if stamp.traceparent is not None:
        metadata = metadata.adding(TRACEPARENT, stamp.traceparent)
    at_ms = moments.to_ms_or_none(event.timestamp_ms, f"{field}.timestamp_ms")
    return RecordedEvent.of_row(
        aggregate_id=aggregate.id,
        aggregate_type=aggregate.type,
        sequence_number=span[0] + index,
        type=event.type,
        data_json=JsonText.of(event.data, f"{field}.data").text,
        metadata_json=metadata.text,
        schema_version=event.schema_version,
        timestamp_ms=stamp.now_ms if at_ms is None else at_ms,
        event_id=stamp.event_ids[index],
        commit_id=stamp.commit_id,
        commit_first=span[0],
        commit_last=span[1],
        epoch=stamp.epoch,
    )


def _size_of_events(rows: Sequence[Mapping[str, Any]], field: str) -> int:
    total = 0
    for index, row in enumerate(rows):
        size = item_size(row)
        if size > limits.ITEM_MAX_BYTES:
            raise LimitExceededError(f"{field}events[{index}]", limit=limits.ITEM_MAX_BYTES, actual=size, unit="bytes")
        total += size
    return total


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
    """Check that the previous event exists, with our type: so numbers have no gaps and an id keeps its type."""
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": row_key(aggregate.id, expected_version),
            "ConditionExpression": "aggregateType = :type",
            "ExpressionAttributeValues": {":type": {"S": aggregate.type}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
    }
