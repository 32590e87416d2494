"""Builds stored events for tests: numbers, ids and times are filled in, the same in each run."""

import hashlib
import uuid
from collections.abc import Iterator
from datetime import datetime

from eventstore import event_codec, validation
from eventstore.append import commit
from eventstore.append.commit import Layout, Stamp
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import InvalidInputError
from eventstore.event_codec import AppendableEvent, EventEncoder, PlainEncoder
from eventstore.limits import EMBED_MAX_BYTES_DEFAULT
from eventstore.model import AggregateRef, Append, NewEvent, RecordedEvent
from eventstore.payload import moments
from eventstore.schema import EventTypes
from eventstore.schema.decoder import SchemaDecoder
from eventstore.schema.encoder import SchemaEncoder
from eventstore.testing.manual_runtime import START_MS

AGGREGATE_DEFAULT = AggregateRef("Item", "item-1")
_LAYOUT = Layout(TableNames(), index_shards=1, embed_max_bytes=EMBED_MAX_BYTES_DEFAULT)
_SOURCE = "a test's events"


def recorded(
    event: AppendableEvent,
    *,
    aggregate: AggregateRef = AGGREGATE_DEFAULT,
    sequence_number: int = 1,
    timestamp_ms: int | datetime | None = None,
    event_types: EventTypes | None = None,
) -> RecordedEvent:
    """Return an event as a store would give it: checked, encoded, lifted to its latest version.

    Ids follow from aggregate and number, so two calls with the same arguments give equal events. Each event is a
    commit of its own.

    Args:
        event: A `NewEvent`, what `NewEvent.of` made, or an object of a class that `event_types` has.
        aggregate: The aggregate.
        sequence_number: Its place there, 1 or more.
        timestamp_ms: When it happened, unless the event says so: ms since 1970 UTC, or a `datetime` with a zone; by
            default a second per number after 2025-01-01 UTC.
        event_types: What the program knows about its events; plain dicts alone when left out.

    Raises:
        InvalidInputError: No store would take it, or nothing registered can read it; it names the field.
    """
    if isinstance(sequence_number, bool) or not isinstance(sequence_number, int) or sequence_number < 1:
        raise InvalidInputError("sequence_number", f"is {sequence_number!r}; sequence numbers count from 1")
    new = checked(aggregate, [event], event_types)[0]
    at_ms = moments.to_ms_or_none(timestamp_ms, "timestamp_ms")
    now_ms = START_MS + 1000 * sequence_number if at_ms is None else at_ms
    commit_id, event_id = (_id(kind, aggregate, sequence_number) for kind in ("commit", "event"))
    append = Append(aggregate, [new], sequence_number - 1)
    stamp = Stamp(commit_id, (event_id,), now_ms, epoch=1)
    stored = commit.prepare(append, sequence_number - 1, stamp, _LAYOUT).events[0]
    return stored if event_types is None else SchemaDecoder(event_types).interpret(stored, _SOURCE)


def history(
    *events: AppendableEvent | RecordedEvent,
    aggregate: AggregateRef = AGGREGATE_DEFAULT,
    after: int = 0,
    event_types: EventTypes | None = None,
) -> list[RecordedEvent]:
    """Return events as one aggregate's history, numbered from `after + 1` on.

    Args:
        events: Oldest first, as for `recorded`. A `RecordedEvent` stays as it is; its aggregate's events behind it are
            numbered from there.
        aggregate: The aggregate.
        after: How many events it had before.
        event_types: As for `recorded`.

    Raises:
        As `recorded`.
    """
    return list(_numbered(events, aggregate, after, event_types))


def checked(
    aggregate: AggregateRef,
    events: list[AppendableEvent],
    event_types: EventTypes | None,
) -> list[NewEvent]:
    """Return what an append of events would store.

    Raises:
        InvalidInputError: A store would refuse it; it names the field.
    """
    encoder: EventEncoder = PlainEncoder() if event_types is None else SchemaEncoder(event_types)
    validation.check_append(Append(aggregate, events, 0))
    return event_codec.storable(encoder, aggregate, events)


def _numbered(
    events: tuple[AppendableEvent | RecordedEvent, ...],
    aggregate: AggregateRef,
    after: int,
    event_types: EventTypes | None,
) -> Iterator[RecordedEvent]:
    number = after
    for event in events:
        if isinstance(event, RecordedEvent):
            number = event.sequence_number if event.aggregate_id == aggregate.id else number
            yield event
            continue
        number += 1
        yield recorded(event, aggregate=aggregate, sequence_number=number, event_types=event_types)


def _id(kind: str, aggregate: AggregateRef, number: int) -> str:
    """Return a UUIDv7 that is unique for each event, and the same in each run."""
    name = f"{kind}/{aggregate.type}/{aggregate.id}/{number}".encode("utf-8", "surrogatepass")
    tail = int.from_bytes(hashlib.sha256(name).digest()[:10])
    low, middle = tail & ((1 << 62) - 1), tail >> 62 & 0xFFF
    moment = (START_MS + 1000 * number) & ((1 << 48) - 1)
    return str(uuid.UUID(int=moment << 80 | 0x7 << 76 | middle << 64 | 0b10 << 62 | low))
