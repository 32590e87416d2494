"""Encodes and decodes one commit as a row of the outbox table. A row that exists is a commit that is owed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from eventstore import jsontext
from eventstore.errors import CorruptRowError
from eventstore.limits import COMMIT_MAX_EVENTS
from eventstore.model import RecordedEvent
from eventstore.rows import refused
from eventstore.rows.item import LAYOUT, Item, ItemReader, is_text, item_size
from eventstore.rows.refused import RefusedMark

LAYOUT_KNOWN = 1
"""Layout of the rows that are written here, and the highest that is read.

To be raised with any change that a reader of the layout before would misread, and whenever a row's events are stored in
a later layout of their own: a relay that does not know it leaves the commit alone until it is upgraded.
"""


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
        copy_fault: Why the events that the row carries cannot be read, so that they must be read by key; None when they
            can, and when it carries none.
        refused: Destination → for how long it is left alone with the commit, which it does not take for now; empty with
            a defect, since such a commit is never sent.
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
    copy_fault: str | None = None
    refused: Mapping[str, RefusedMark] = field(default_factory=dict)

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
        LAYOUT: {"N": str(LAYOUT_KNOWN)},
    }
    bodies_bytes = sum(len(event.data_json) + len(event.metadata_json) for event in events)
    if bodies_bytes <= embed_max_bytes:  # else it cannot fit, and encoding it would be in vain
        with_events = {**row, "events": {"S": _embed(events)}}
        if item_size(with_events) <= embed_max_bytes:
            return with_events
    return row


def decode(item: Item, table: str) -> OutboxRow:
    """Return the commit of a row.

    The events in it are a copy: when they cannot be read the row is sound without them, and says why in `copy_fault`.

    Raises:
        NewerRowError: A later release wrote it.
        CorruptRowError: An attribute is missing, of another kind, or says something impossible.
    """
    row = ItemReader(item, table)
    row.check_layout(LAYOUT_KNOWN)
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
        refused=refused.decode(item),
    )
    try:
        events = _copy(shell, row)
    except CorruptRowError as error:
        return replace(shell, copy_fault=str(error))
    return shell if events is None else with_events(shell, events)


def with_events(row: OutboxRow, events: tuple[RecordedEvent, ...]) -> OutboxRow:
    """Return the row with its events."""
    return replace(row, events=events)


def _copy(shell: OutboxRow, row: ItemReader) -> tuple[RecordedEvent, ...] | None:
    """Return the events that a row carries, None when it carries none.

    Raises:
        CorruptRowError: They cannot be read.
    """
    text = row.text_or_none("events")
    if text is None:
        return None
    count = shell.last - shell.first + 1
    try:
        embedded = msgspec.json.decode(text, type=tuple[EmbeddedEvent, ...])
    except jsontext.FAULTS as error:
        raise row.corrupt("events", f"cannot be read: {error}") from error
    if len(embedded) != count:
        raise row.corrupt("events", f"holds {len(embedded)} events, not {count}")
    return tuple(_recorded(shell, shell.first + offset, event) for offset, event in enumerate(embedded))


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


def _reason(mark: object) -> str:
    """Return why a commit is parked: a mark is a map with a reason, or in rows of old the reason itself."""
    match mark:
        case {"M": {"reason": {"S": str(text)}}} | {"S": str(text)}:
            return text if is_text(text) else "?"
        case _:
            return "?"
