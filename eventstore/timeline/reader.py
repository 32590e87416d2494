"""Reads over many aggregates: lazily, or a page with a token at a time."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, takewhile

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.timeline import partition_reader, token, whole_events
from eventstore.timeline.partition_reader import PAGE_MAX_PLACES, PartitionReader
from eventstore.timeline.place import Place, batches, merge
from eventstore.timeline.query import EventQuery, beyond, stages
from eventstore.timeline.run_memory import Moment, RestOfMoment, RunMemory

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
    runs: RunMemory,
    query: EventQuery,
    size: int,
    given: str | None = None,
    on_corrupt: OnCorrupt = None,
) -> Page:
    """Return one page of a query's events.

    Args:
        context: The store.
        runs: What pages of this store have read and not given.
        query: What is wanted.
        size: Maximum number of events.
        given: Token of the page before.
        on_corrupt: As for `read`.

    Raises:
        InvalidInputError: The size is not 1 to 1,000.
        InvalidTokenError: The token is damaged, or of another query.
    """
    check_count(size, "size")
    if size > PAGE_MAX_EVENTS:
        raise LimitExceededError("size", limit=PAGE_MAX_EVENTS, actual=size, unit="events")
    behind = None if given is None else token.decode(context.tables.events, query, given)
    index_shards = context.index_shards
    known = None if behind is None else runs.rest(Moment(query, index_shards, behind.timestamp_ms), behind)
    if known is None:
        source = places(context, query, behind, limit=size, on_corrupt=on_corrupt)
    else:
        source = chain(known.places, _after(context, query, known, size, on_corrupt))
    found = list(islice(source, size + 1))
    shown = found[:size]
    following = token.encode(context.tables.events, query, shown[-1]) if len(found) > size else None
    if following is not None:
        moment = Moment(query, index_shards, shown[-1].timestamp_ms)
        of_moment = behind if behind is not None and behind.timestamp_ms == moment.timestamp_ms else None
        if known is None or of_moment is None:
            _keep_run(runs, moment, of_moment, found, source)
    parts = (whole_events.of(context, batch, on_corrupt) for batch in batches(shown, limits.BATCH_GET_MAX_KEYS))
    return Page(tuple(event for part in parts for event in part), following)


def _after(
    context: StoreContext, query: EventQuery, known: RestOfMoment, size: int, on_corrupt: OnCorrupt
) -> Iterator[Place]:
    """Yield the places after those of a moment that are known; nothing is asked before the first is wanted."""
    if not known.is_whole:
        yield from places(context, query, known.last, limit=size, on_corrupt=on_corrupt)
        return
    further = beyond(query, known.last.timestamp_ms)
    if further is not None:
        yield from places(context, further, limit=size, on_corrupt=on_corrupt)


def _keep_run(
    runs: RunMemory, moment: Moment, behind: Place | None, found: list[Place], further: Iterator[Place]
) -> None:
    """Keep what is known of the moment with which a page ends, unless it ends with its only event.

    All of it was read, up to the bound of what a read holds: an index does not say what comes first.
    """
    run = [place for place in found if place.timestamp_ms == moment.timestamp_ms]
    if len(run) == 1 and behind is None:
        return
    is_whole = found[-1].timestamp_ms != moment.timestamp_ms
    if not is_whole:
        rest = takewhile(lambda place: place.timestamp_ms == moment.timestamp_ms, further)
        run.extend(islice(rest, max(runs.places_max - len(run), 0)))
        is_whole = len(run) < runs.places_max
    runs.keep(moment, behind, run, is_whole=is_whole)


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
        room = max(partition_reader.RUN_MAX_PLACES // len(stage), 1)
        lines = (
            PartitionReader(
                context, partition, backwards=query.backwards, page_size=page_size, room=room, on_corrupt=on_corrupt
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
