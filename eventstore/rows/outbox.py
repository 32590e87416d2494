"""Encodes and decodes one commit as a row of the outbox table. A row that exists is a commit that is owed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from eventstore.limits import COMMIT_MAX_EVENTS
from eventstore.model import RecordedEvent
from eventstore.rows.item import Item, ItemReader, item_size


class EmbeddedEvent(msgspec.Struct, frozen=True, rename="camel"):
    """One event inside an outbox row; what all events of the commit share stands in the row itself."""

    event_id: str
    event_type: str
    event_data: msgspec.Raw
    metadata: msgspec.Raw
    timestamp: int
    version: int


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A commit that is owed.

    Attributes:
        aggregate_id: Its aggregate.
        aggregate_type: The aggregate's type.
        commit_id: The append that stored it.
        first: Sequence number of its first event.
        last: Sequence number of its last event; with the aggregate id the row's key.
        committed_at_ms: The writer's clock at the append.
        epoch: The store's epoch at the append.
        events: The events when the row carries them; None when they must be read by key.
        delivered: Destinations that have it.
        parked: Destination → reason, where a person must look.
        defect: Why the commit can never be delivered as it is, found by whoever reads it; None when it is sound.
    """

    aggregate_id: str
    aggregate_type: str
    commit_id: str
    first: int
    last: int
    committed_at_ms: int
    epoch: int
    events: tuple[RecordedEvent, ...] | None
    delivered: frozenset[str]
    parked: Mapping[str, str]
    defect: str | None = None

    @property
    def key(self) -> tuple[str, int]:
        """The row's key: aggregate id and last sequence number."""
        return self.aggregate_id, self.last


def encode(events: Sequence[RecordedEvent], committed_at_ms: int, embed_max_bytes: int) -> dict[str, dict[str, str]]:
    """Return the outbox row of a commit; it carries the events while the whole row stays within `embed_max_bytes`."""
    last = events[-1]
    row = {
        "aggregateId": {"S": last.aggregate_id},
        "sequenceNumber": {"N": str(last.sequence_number)},
        "firstSequence": {"N": str(events[0].sequence_number)},
        "commitId": {"S": last.commit_id},
        "aggregateType": {"S": last.aggregate_type},
        "committedAt": {"N": str(committed_at_ms)},
        "epoch": {"N": str(last.epoch)},
    }
    bodies_bytes = sum(len(event.data_json) + len(event.metadata_json) for event in events)
    if bodies_bytes <= embed_max_bytes:  # else it cannot fit, and encoding it would be in vain
        with_events = {**row, "events": {"S": _embed(events)}}
        if item_size(with_events) <= embed_max_bytes:
            return with_events
    return row


def decode(item: Item, table: str) -> OutboxRow:
    """Return the commit of a row.

    Raises:
        CorruptRowError: An attribute is missing, of another kind, or says something impossible.
    """
    row = ItemReader(item, table)
    first, last = row.integer("firstSequence"), row.integer("sequenceNumber")
    if not 1 <= first <= last:
        raise row.corrupt("firstSequence", f"is {first} in a row that ends at {last}")
    if last - first >= COMMIT_MAX_EVENTS:
        raise row.corrupt(
            "firstSequence", f"is {first} in a row that ends at {last}: more events than a commit can hold"
        )
    shell = OutboxRow(
        aggregate_id=row.text("aggregateId"),
        aggregate_type=row.text("aggregateType"),
        commit_id=row.text("commitId"),
        first=first,
        last=last,
        committed_at_ms=row.integer("committedAt"),
        epoch=row.integer("epoch"),
        events=None,
        delivered=row.text_set("delivered"),
        parked={name: _reason(value) for name, value in row.text_map("parked").items()},
    )
    text = row.text_or_none("events")
    if text is None:
        return shell
    try:
        embedded = msgspec.json.decode(text, type=tuple[EmbeddedEvent, ...])
    except msgspec.MsgspecError as error:
        raise row.corrupt("events", f"cannot be read: {error}") from error
    if len(embedded) != last - first + 1:
        raise row.corrupt("events", f"holds {len(embedded)} events, not {last - first + 1}")
    events = tuple(_recorded(shell, first + offset, event) for offset, event in enumerate(embedded))
    return with_events(shell, events)


def with_events(row: OutboxRow, events: tuple[RecordedEvent, ...]) -> OutboxRow:
    """Return the row with its events."""
    return replace(row, events=events)


def _embed(events: Sequence[RecordedEvent]) -> str:
    embedded = [
        EmbeddedEvent(
            event.event_id,
            event.type,
            msgspec.Raw(event.data_json.encode()),
            msgspec.Raw(event.metadata_json.encode()),
            event.timestamp_ms,
            event.schema_version,
        )
        for event in events
    ]
    return msgspec.json.encode(embedded).decode()


def _recorded(row: OutboxRow, sequence_number: int, event: EmbeddedEvent) -> RecordedEvent:
    return RecordedEvent(
        aggregate_id=row.aggregate_id,
        aggregate_type=row.aggregate_type,
        sequence_number=sequence_number,
        type=event.event_type,
        data_json=bytes(event.event_data).decode(),
        metadata_json=bytes(event.metadata).decode(),
        schema_version=event.version,
        timestamp_ms=event.timestamp,
        event_id=event.event_id,
        commit_id=row.commit_id,
        commit_first=row.first,
        commit_last=row.last,
        epoch=row.epoch,
    )


def _reason(value: Mapping[str, object]) -> str:
    match value:
        case {"S": str(text)}:
            return text
        case {"M": dict(fields)}:
            return _reason(fields.get("reason", {"S": "?"}))
        case _:
            return "?"
