"""The index's other end: searches, while documents arrive, servers fail, views expire and an index is hidden.

What a search finds is compared with what the index truly had when it began, and when it ended; what it says of its own
freshness, with the outbox. That a reply is whole is for the client below the port to see, which has tests of its own.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from random import Random
from typing import Any
from uuid import UUID

from eventstore import EventStore
from eventstore.errors import AccessDeniedError, SearchExpiredError, SearchRefusedError, TryLaterError
from eventstore.model import RecordedEvent
from eventstore.search import EventSearch, IndexLag, SearchOptions, SearchQuery
from eventstore.search.client import SearchLostError, SearchStatusError
from eventstore.testing import InMemorySearch
from tests.simulation.chance import Chance
from tests.simulation.checkers import TORN, Checkers, is_as_stored
from tests.simulation.content import TYPES
from tests.simulation.index import SimulatedIndex
from tests.simulation.ledger import Ledger
from tests.simulation.meanwhile import Meanwhile, RowWatch, delivered, marks
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.scheduler import Scheduler

Documents = Mapping[str, Mapping[str, Any]]
"""By event id, what the index has of it."""

SEARCHES_EACH = 4
_REFUSALS = (TryLaterError, SearchRefusedError, SearchExpiredError, AccessDeniedError)


class SimulatedSearch:
    """A `SearchClient` on the documents of the simulated index.

    Args:
        scheduler: Hands the baton on.
        chance: Says what goes wrong.
        index: Has the documents, and may be down or refuse.
        runtime: Of the process that searches.
    """

    def __init__(self, scheduler: Scheduler, chance: Chance, index: SimulatedIndex, runtime: SimulatedRuntime) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._index = index
        self._inner = InMemorySearch(runtime=runtime, documents=index.visible)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return a call of the port: it takes time, and may be lost on either way."""
        call = getattr(self._inner, name)

        def ask(*given: Any) -> Any:
            self._scheduler.wait(f"search.{name}", None, self._chance.stream("search.latency").uniform(0.001, 0.3))
            if self._index.is_down or self._chance.strikes("search.lost_before"):
                raise SearchLostError("out of reach")
            if self._index.refuses:
                raise SearchStatusError(403, "security_exception", "told to refuse")
            if self._chance.strikes("search.partial"):
                raise SearchLostError("1 shard did not answer")
            if self._chance.strikes("search.expired"):
                self._inner.expire_views()
            answer = call(*given)
            if self._chance.strikes("search.lost_after"):
                raise SearchLostError("no answer in time")
            return answer

        return ask

    def hidden(self, _alias: str, timeout_seconds: float) -> Mapping[str, str]:
        """See `SearchClient.hidden`."""
        self._scheduler.wait("search.hidden", None, min(timeout_seconds, 0.01))
        return dict(self._index.hidden)


class Searches:
    """Searches of somebody who reads; each is what one process does."""

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        *,
        ledger: Ledger,
        checkers: Checkers,
        index: SimulatedIndex,
        rows: RowWatch,
        open_store: Callable[[SimulatedRuntime], EventStore],
        draw: Random,
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._ledger = ledger
        self._checkers = checkers
        self._index = index
        self._rows = rows
        self._open_store = open_store
        self._draw = draw

    def search(self, runtime: SimulatedRuntime) -> None:
        """Search for some events, a few times, each in one of the ways there are."""
        for _ in range(SEARCHES_EACH):
            with suppress(*_REFUSALS):
                query, meets = self._query()
                way = self._draw.choice((self._all, self._all, self._pages, self._first, self._count, self._facets))
                way(self.opened(runtime), query, meets)

    def freshness(self, runtime: SimulatedRuntime) -> None:
        """Ask how fresh the index is, and compare that with the outbox."""
        rows_max, hidden = self._draw.choice((1, 3, 5_000)), dict(self._index.hidden)
        with suppress(*_REFUSALS), self._rows.looking() as seen:
            committed = dict(self._ledger.commits)
            lag = self.opened(runtime).index_lag(rows_max=rows_max)
            if seen.is_void:
                return
            if lag.complete and hidden and hidden == self._index.hidden:
                self._wrong("complete", f"{hidden} is hidden", lag)
            if lag.complete:
                self._is_as_fresh(lag, seen, committed)
            elif rows_max > len(seen.states) and not (hidden or self._index.hidden):
                self._wrong("complete", f"there were {len(seen.states)} rows", lag)

    def opened(self, runtime: SimulatedRuntime) -> EventSearch:
        """Return a search in a process."""
        client = SimulatedSearch(self._scheduler, self._chance, self._index, runtime)
        return self._open_store(runtime).search(client, SearchOptions())

    def _query(self) -> tuple[SearchQuery, Callable[[Mapping[str, Any]], bool]]:
        """Return a query, and whether a document meets it, by hand."""
        query, meets = SearchQuery(), lambda _: True
        draw = self._draw
        kind = draw.choice(("all", "type", "aggregate", "time"))
        if kind == "type":
            wanted = draw.choice(TYPES)
            query, meets = query.event_type(wanted), lambda each: each["event_type"] == wanted
        elif kind == "aggregate" and self._ledger.versions:
            name = draw.choice(sorted(self._ledger.versions))
            query, meets = query.aggregate_id(name), lambda each: each["aggregate_id"] == name
        elif kind == "time" and self._index.documents:
            at_ms = draw.choice(sorted({each["timestamp"] for each in self._there().values()}) or [1])
            query, meets = query.between(from_ms=at_ms), lambda each: each["timestamp"] >= at_ms
        return (query.oldest_first() if draw.random() < 0.5 else query), meets

    def _all(self, found: EventSearch, query: SearchQuery, meets: Callable[[Mapping[str, Any]], bool]) -> None:
        before = self._there()
        events = list(found.events(query, page_size=self._draw.choice((1, 2, 3, 200))))
        self._check(events, query, meets, before)

    def _pages(self, found: EventSearch, query: SearchQuery, meets: Callable[[Mapping[str, Any]], bool]) -> None:
        before, events = self._there(), list[RecordedEvent]()
        page = found.page(query, size=self._draw.choice((1, 2, 3, 200)))
        events += page.events
        while page.token is not None:
            new_view = self._draw.random() < 0.3
            page = found.page(query, size=self._draw.choice((1, 2, 3)), token=page.token, new_view=new_view)
            events += page.events
        self._check(events, query, meets, before)

    def _first(self, found: EventSearch, query: SearchQuery, meets: Callable[[Mapping[str, Any]], bool]) -> None:
        before, limit = self._there(), self._draw.choice((1, 3, 10_000))
        events = found.find(query, limit)
        if len(events) > limit:
            self._ledger.broken("a search keeps to its limit", f"{len(events)} of {limit}")
        if len(events) < limit:
            self._check(events, query, meets, before)
        elif before == self._there():
            wanted = _in_order(before, query, meets)[:limit]
            self._is([event.event_id for event in events], wanted)

    def _count(self, found: EventSearch, query: SearchQuery, meets: Callable[[Mapping[str, Any]], bool]) -> None:
        before = self._there()
        said = found.count(query)
        self._counts(said, sum(map(meets, before.values())), sum(map(meets, self._there().values())))

    def _facets(self, found: EventSearch, query: SearchQuery, meets: Callable[[Mapping[str, Any]], bool]) -> None:
        before = self._there()
        said = {each.value: each.count for each in found.facets(query, "event_type").counts}
        for kind in TYPES:
            counts = [
                sum(meets(each) and each["event_type"] == kind for each in there.values())
                for there in (before, self._there())
            ]
            self._counts(said.get(kind, 0), *counts)

    def _counts(self, said: int, least: int, most: int) -> None:
        if self._index.ever_hidden:
            return  # some may have been hidden, or shown again, while it counted
        if not least <= said <= most:
            self._ledger.broken("a search finds what is there", f"{least} to {most} events, and it counts {said}")

    def _check(
        self,
        events: Iterable[RecordedEvent],
        query: SearchQuery,
        meets: Callable[[Mapping[str, Any]], bool],
        before: Documents,
    ) -> None:
        """All that was there is found, once, in order, as it was stored, and nothing else."""
        after, found = self._there(), list(events)
        ids = [event.event_id for event in found]
        for event in found:
            stored = self._ledger.stored_event(event.aggregate_id, event.sequence_number, event.event_id)
            if not is_as_stored(event, stored):
                self._ledger.broken("a search finds events as they were stored", f"{event}, and it is {stored}")
        wanted = {event_id for event_id, each in before.items() if meets(each)}
        allowed = {**before, **after}
        if not wanted - self._index.ever_hidden <= set(ids) or any(not meets(allowed.get(each, {})) for each in ids):
            missing = sorted(wanted - set(ids))
            self._ledger.broken("a search finds what is there", f"{query}: {len(missing)} are missing: {missing[:3]}")
        self._is(ids, _in_order({each: allowed[each] for each in ids}, query, meets))

    def _is(self, found: list[str], wanted: list[str]) -> None:
        if found != wanted:
            self._ledger.broken("a search finds each event once, in order", f"{found}, not {wanted}")

    def _is_as_fresh(self, lag: IndexLag, seen: Meanwhile, committed: Mapping[Any, Any]) -> None:
        """What was committed before the oldest that is owed is in the index; owed and parked are counted."""
        for name, said, holds in (
            ("owed", lag.owed, lambda row: "index" not in delivered(row) | marks(row)),
            ("parked", lag.parked, lambda row: "index" in marks(row) - delivered(row)),
        ):
            least = len(seen.sure(lambda key, row, holds=holds: not _is_torn(key) and holds(row)))
            most = len(seen.possible(lambda key, row, holds=holds: _is_torn(key) or holds(row)))
            if not least <= said <= most:
                self._wrong(name, f"{least} to {most}", lag)
        for key, commit in committed.items():
            states = next((states for each, states in seen.states.items() if each == key), [])
            at_ms = UUID(commit.commit_id).int >> 80
            waits = None in states[:1] or any(row is not None and "index" in marks(row) for row in states)
            is_before = lag.oldest_owed_ms is None or at_ms < lag.oldest_owed_ms
            if is_before and not waits and not self._ledger.has("index", commit):
                self._wrong("oldest_owed_ms", f"{key} of {at_ms} is not in the index", lag)

    def _there(self) -> Documents:
        return {event_id: json.loads(source) for event_id, source in self._index.visible()}

    def _wrong(self, what: str, truth: str, lag: IndexLag) -> None:
        self._ledger.broken("a search says how fresh it is", f"{what}: {truth}, and it says {lag}")


def _in_order(documents: Documents, query: SearchQuery, meets: Callable[[Mapping[str, Any]], bool]) -> list[str]:
    """Return the ids of the documents that meet a query, in its order: by time, then by id."""
    met = [(each["timestamp"], event_id) for event_id, each in documents.items() if meets(each)]
    return [event_id for _, event_id in sorted(met, reverse=not query.ascending)]


def _is_torn(key: Any) -> bool:
    return str(key[0]).startswith(TORN)


def hide_and_show(index: SimulatedIndex, chance: Chance) -> None:
    """Hide one of the month indices from searches now and then, and show it again."""
    draw = chance.stream("search.shown")
    if index.hidden and (not chance.is_stormy or draw.random() < 0.3):
        index.show()
    elif index.made and chance.strikes("search.hidden"):
        index.hide(draw.choice(sorted(index.made)))
