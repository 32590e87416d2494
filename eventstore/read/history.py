"""One aggregate's events, read page by page."""

from collections.abc import Iterator

from eventstore.context import StoreContext
from eventstore.errors import AggregateTypeError, CorruptRowError
from eventstore.event_codec import OnCorrupt
from eventstore.model import AggregateRef, RecordedEvent
from eventstore.read import gapless
from eventstore.read.pages import Span, pages
from eventstore.rows.item import Item, ItemReader


def read(
    context: StoreContext,
    aggregate: AggregateRef | str,
    span: Span,
    on_corrupt: OnCorrupt = None,
) -> Iterator[RecordedEvent]:
    """Yield the events of a span; a page is read when the one before it is used up.

    Raises:
        AggregateTypeError: The aggregate was named with a type, and its events have another.
        CorruptRowError: A row cannot be read, or is missing, and nobody asked to be told.
    """
    table, decode = context.tables.events, context.decoder.decode
    for found in gapless.rows(context, id_of(aggregate), span):
        try:
            if isinstance(found, gapless.Hole):
                raise missing(found, id_of(aggregate), table)
            event = decode(_of_type(found, aggregate), table)
        except CorruptRowError as error:
            if on_corrupt is None:
                raise
            on_corrupt(error)
            continue
        yield event


def missing(hole: gapless.Hole, aggregate_id: str, table: str) -> CorruptRowError:
    """Return the error for rows that are missing for good."""
    numbers = f"{hole.first}" if hole.first == hole.last else f"{hole.first} to {hole.last}"
    reason = "is missing, although the rows around it say that it was stored; run `eventstore verify`"
    return CorruptRowError(table, key=f"{aggregate_id}/{numbers}", field="sequenceNumber", reason=reason)


def current_version(context: StoreContext, aggregate: AggregateRef | str) -> int:
    """Return the number of an aggregate's last event, 0 when it has none; its key decides, whatever its row holds.

    Raises:
        AggregateTypeError: The aggregate was named with a type, and its last event has another.
        CorruptRowError: The last row's number is not whole.
    """
    for items in pages(context, id_of(aggregate), Span(backwards=True, limit=1)):
        for item in items:
            _of_type(item, aggregate)
            return ItemReader(item, context.tables.events).integer("sequenceNumber")
    return 0


def id_of(aggregate: AggregateRef | str) -> str:
    """Return the id of an aggregate, with or without its type."""
    return aggregate.id if isinstance(aggregate, AggregateRef) else aggregate


def _of_type(item: Item, aggregate: AggregateRef | str) -> Item:
    """Return an item of the aggregate, if its type is the one that the caller named; an unreadable one passes."""
    if isinstance(aggregate, AggregateRef):
        stored = item.get("aggregateType", {}).get("S", aggregate.type)
        if stored != aggregate.type:
            raise AggregateTypeError(aggregate.id, expected=aggregate.type, actual=stored)
    return item
