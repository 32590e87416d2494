"""Whole events at known places, read from the table itself: consistent, and stored only once."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.dynamodb import calls
from eventstore.errors import ThrottledError
from eventstore.event_codec import OnCorrupt, decode_rows
from eventstore.model import RecordedEvent
from eventstore.rows.item import Item, row_key
from eventstore.timeline.place import Place, batches


def at(context: StoreContext, places: Iterable[Place], on_corrupt: OnCorrupt = None) -> Iterator[RecordedEvent]:
    """Yield the events at places, in their order, 100 in memory at a time.

    Raises:
        CorruptRowError: A row cannot be read and nobody asked to be told.
        TryLaterError: DynamoDB did not answer in time.
    """
    for batch in batches(places, limits.BATCH_GET_MAX_KEYS):
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
        keys: At most 100, all different. One reply holds 16 MB at most, and the rest is asked for again.
    """
    table, backoff, runtime = context.tables.events, context.options.read_backoff, context.runtime
    found: dict[tuple[str, str], Item] = {}
    asked: dict[str, Any] = {table: {"Keys": keys, "ConsistentRead": True}}
    in_vain = 0
    while asked:  # ends: each turn brings rows, or is one of the few in vain
        reply = calls.read(runtime, backoff, context.client.batch_get_item, needs="Responses", RequestItems=asked)
        rows = reply["Responses"].get(table, [])
        found.update({(row["aggregateId"]["S"], row["sequenceNumber"]["N"]): row for row in rows})
        asked = reply.get("UnprocessedKeys") or {}
        in_vain = 0 if rows else in_vain + 1
        if asked and in_vain == backoff.attempts_max:
            raise ThrottledError("DynamoDB left keys of a batch unread", retry_after_seconds=backoff.cap_seconds)
        if asked and in_vain:
            runtime.sleep(backoff.delay_seconds(in_vain, runtime.uniform()))
    return found
