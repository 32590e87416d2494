"""Reads over many aggregates: lazily, or a page with a token at a time."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.timeline import token, whole_events
from eventstore.timeline.partition_reader import PAGE_MAX_PLACES, PartitionReader
from eventstore.timeline.place import Place, batches, merge
from eventstore.timeline.query import EventQuery, stages

PAGE_MAX_EVENTS = 1_000


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a query's events.

    Attributes:
        events: In the query's order; fewer than asked for where rows could not be read.
        token: Gives the next page; None when this was the last.
    """

    events: tuple[RecordedEvent, ...]
    token: str | None


def read(
    context: StoreContext,
    query: EventQuery,
    limit: int | None = None,
    on_corrupt: OnCorrupt = None,
) -> Iterator[RecordedEvent]:
    """Return a lazy iterator over a query's events, in order of time, aggregate id and number.

    Raises:
        InvalidInputError: The limit is not a positive number.
    """
    if limit is not None:
        check_count(limit, "limit")
        limit = min(limit, sys.maxsize)  # an iterator counts no further
    return whole_events.at(
        context, islice(places(context, query, limit=limit, on_corrupt=on_corrupt), limit), on_corrupt
    )


def read_page(
    context: StoreContext,
    query: EventQuery,
    size: int,
    given: str | None = None,
    on_corrupt: OnCorrupt = None,
) -> Page:
    """Return one page of a query's events.

    Raises:
        InvalidInputError: The size is not 1 to 1,000.
        InvalidTokenError: The token is damaged, or of another query.
    """
    check_count(size, "size")
    if size > PAGE_MAX_EVENTS:
        raise LimitExceededError("size", limit=PAGE_MAX_EVENTS, actual=size, unit="events")
    behind = None if given is None else token.decode(context.tables.events, query, given)
    found = list(islice(places(context, query, behind, limit=size, on_corrupt=on_corrupt), size + 1))
    shown = found[:size]
    following = token.encode(context.tables.events, query, shown[-1]) if len(found) > size else None
    parts = (whole_events.of(context, batch, on_corrupt) for batch in batches(shown, limits.BATCH_GET_MAX_KEYS))
    return Page(tuple(event for part in parts for event in part), following)


def places(
    context: StoreContext,
    query: EventQuery,
    given: Place | None = None,
    *,
    limit: int | None = None,
    on_corrupt: OnCorrupt = None,
) -> Iterator[Place]:
    """Yield the places of a query's events after `given`, merged over the write shards.

    Args:
        context: The store.
        query: What is wanted.
        given: The last place that the reader was given.
        limit: How many the reader will take; it only spares reading more than needed.
        on_corrupt: As for `read`.
    """
    page_size = PAGE_MAX_PLACES if limit is None else min(limit + 1, PAGE_MAX_PLACES)
    for stage in stages(query, context.index_shards, given):
        lines = (
            PartitionReader(
                context, partition, backwards=query.backwards, page_size=page_size, on_corrupt=on_corrupt
            ).places(given)
            for partition in stage
        )
        yield from merge(lines, backwards=query.backwards)


def check_count(count: int, field: str) -> None:
    """Check a number of events.

    Raises:
        InvalidInputError: It is not a positive whole number.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise InvalidInputError(field, f"is {count!r}; ask for at least one event")
