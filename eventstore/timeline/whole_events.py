"""Whole events at known places, read from the table itself: consistent, and stored only once."""

from collections.abc import Iterable, Iterator, Sequence

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.dynamodb import batches
from eventstore.event_codec import OnCorrupt, decode_rows
from eventstore.model import RecordedEvent
from eventstore.rows.item import Item, row_key
from eventstore.timeline.place import Place
from eventstore.timeline.place import batches as in_batches


def at(context: StoreContext, places: Iterable[Place], on_corrupt: OnCorrupt = None) -> Iterator[RecordedEvent]:
    """Yield the events at places, in their order, 100 in memory at a time.

    Raises:
        CorruptRowError: A row cannot be read and nobody asked to be told.
        TryLaterError: DynamoDB did not answer in time.
    """
    for batch in in_batches(places, limits.BATCH_GET_MAX_KEYS):
        yield from of(context, batch, on_corrupt)


def of(context: StoreContext, places: Sequence[Place], on_corrupt: OnCorrupt = None) -> Iterator[RecordedEvent]:
    """Yield the events at a batch of at most 100 places, in their order; see `at`."""
    rows = rows_at(context, [row_key(place.aggregate_id, place.number) for place in places])
    wanted = ((place.aggregate_id, str(place.number)) for place in places)
    there = (rows[key] for key in wanted if key in rows)
    yield from decode_rows(context.decoder, there, context.tables.events, on_corrupt)


def rows_at(context: StoreContext, keys: Sequence[Item]) -> dict[tuple[str, str], Item]:
    """Return the rows that are there, by aggregate id and number as text, read consistently.

    Args:
        context: The store.
        keys: At most 100, all different.
    """
    rows = batches.get(context.caller, context.tables.events, keys)
    return {(row["aggregateId"]["S"], row["sequenceNumber"]["N"]): row for row in rows}
