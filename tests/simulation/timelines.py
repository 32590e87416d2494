"""Those who read over many aggregates: by type and by time, lazily or page by page with tokens, also of a day."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from eventstore import ByAggregateType, ByTime, ByType, EventStore
from eventstore.model import RecordedEvent
from eventstore.timeline.query import EventQuery
from relay.testing.checker import TrueEvent
from tests.simulation.content import DAY_MS, TYPES
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.sight import Place, place_of
from tests.simulation.visitors import Surroundings, Visitor
from tests.simulation.writers import AGGREGATE_TYPE

PAGES_MAX = 2_000
"""More than there are events in any world."""


@dataclass(slots=True)
class Chain:
    """Pages of one query, each asked for with the token of the one before it.

    Attributes:
        query: The query.
        wanted: Tells whether an event is one of the query's.
        must: What must be found: what the index showed when the first page was asked for.
        events: What was given so far.
        token: Gives the next page; None for the first.
        pages: How many were given.
    """

    query: EventQuery
    wanted: Callable[[TrueEvent], bool]
    must: set[Place]
    events: list[RecordedEvent] = field(default_factory=list)
    token: str | None = None
    pages: int = 0


class TimelineReader(Visitor):
    """Reads a timeline, in some way. A chain of pages goes on in the next process."""

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        self._chain: Chain | None = None

    def begin_anew(self) -> None:
        """Have more to do; pages of former tables lead nowhere."""
        super().begin_anew()
        self._chain = None

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        if self._chain is None and not self._ledger.commits:
            return
        kind = "pages" if self._chain is not None else self._draw.choice(("read", "read", "pages", "pages", "day"))
        if kind == "read":
            self._read(store)
        elif kind == "day":
            self._read_day(store)
        else:
            self._turn_pages(store)

    def _choose(self) -> tuple[EventQuery, Callable[[TrueEvent], bool]]:
        draw = self._draw
        events = list(self._sight.events())
        low, high = sorted(draw.choice(events).timestamp_ms + draw.choice((0, 0, 1)) for _ in range(2))
        backwards, kind = draw.random() < 0.5, draw.choice(("type", "aggregate type", "time", "time"))
        if kind == "time":  # a day costs requests also when nothing happened on it
            low = draw.choice(events).timestamp_ms - draw.choice((0, 0, 1, DAY_MS))
            high = low + draw.choice((0, 1, 1_000, 60_000, DAY_MS, 2 * DAY_MS + 1))
            return ByTime(low, high, backwards), lambda event: low <= event.timestamp_ms < high
        first = low if draw.random() < 0.4 else None
        behind = high if draw.random() < 0.4 else None
        name = draw.choice(TYPES) if kind == "type" else AGGREGATE_TYPE

        def wanted(event: TrueEvent) -> bool:
            is_named = (event.type if kind == "type" else event.aggregate_type) == name
            after = first is None or event.timestamp_ms >= first
            return is_named and after and (behind is None or event.timestamp_ms < behind)

        if kind == "type":
            return ByType(name, first, behind, backwards), wanted
        return ByAggregateType(name, first, behind, backwards), wanted

    def _must(self, wanted: Callable[[TrueEvent], bool]) -> set[Place]:
        return {place for place, event in self._sight.indexed().items() if wanted(event)}

    def _read(self, store: EventStore) -> None:
        query, wanted = self._choose()
        must = self._must(wanted)
        how: dict[str, Any] = {
            "backwards": query.backwards,
            "limit": None if self._draw.random() < 0.4 else self._draw.randint(1, 12),
        }
        match query:
            case ByType(name, low, high):
                events = list(store.read_type(name, from_ms=low, until_ms=high, **how))
            case ByAggregateType(name, low, high):
                events = list(store.read_aggregate_type(name, from_ms=low, until_ms=high, **how))
            case ByTime(low, high):
                events = list(store.read_between(low, high, **how))
        self._check(f"{query} {how}", events, wanted, must, backwards=query.backwards, limit=how["limit"])

    def _read_day(self, store: EventStore) -> None:
        """The newest events of one day, oldest first."""
        draw = self._draw
        events = list(self._sight.events())
        moment = draw.choice(events).timestamp_ms
        day_ms = moment // DAY_MS * DAY_MS
        since, limit = draw.choice((0, moment, moment + 1)), draw.randint(1, 9)

        def wanted(event: TrueEvent) -> bool:
            return day_ms <= event.timestamp_ms < day_ms + DAY_MS and event.timestamp_ms >= since

        must = self._must(wanted)
        day = _day_of(day_ms)
        newest = store.latest_of_day(day, limit=limit, since_ms=since)[::-1]
        self._check(f"the newest {limit} of {day} since {since}", newest, wanted, must, backwards=True, limit=limit)

    def _turn_pages(self, store: EventStore) -> None:
        """Ask for some pages; what was asked for by a process that crashed is asked for again."""
        if self._chain is None:
            query, wanted = self._choose()
            self._chain = Chain(query, wanted, self._must(wanted))
        chain = self._chain
        for _ in range(self._draw.choice((1, 3, PAGES_MAX))):
            size = self._draw.choice((1, 2, 3, 7, 100))
            page = store.read_page(chain.query, size=size, token=chain.token)
            is_short = len(page.events) < size
            if len(page.events) > size or (is_short and page.token is not None):
                detail = f"{len(page.events)} of {size}, token {page.token}"
                self._ledger.broken("a page is as large as was asked for", f"{chain.query}: {detail}")
            chain.events += page.events
            chain.token, chain.pages = page.token, chain.pages + 1
            if chain.token is None:
                self._chain = None
                detail = f"{chain.query} in {chain.pages} pages"
                self._check(detail, chain.events, chain.wanted, chain.must, backwards=chain.query.backwards)
                return
            if chain.pages > PAGES_MAX:
                self._ledger.broken("pages come to an end", f"{chain.query}")

    def _check(
        self,
        what: str,
        events: list[RecordedEvent],
        wanted: Callable[[TrueEvent], bool],
        must: set[Place],
        *,
        backwards: bool,
        limit: int | None = None,
    ) -> None:
        """Check order, content, bounds, and that nothing is missing up to where the read ended."""
        for event in events:
            self._sight.check_content(event)
        found = [true for event in events if (true := self._sight.true(event)) is not None]
        places = [place_of(event) for event in found]
        if any(not wanted(event) for event in found):
            self._ledger.broken("a read keeps its bounds", f"{what}: {places}")
        ordered = sorted(set(places), reverse=backwards)
        if places != ordered:
            promise = "a read gives nothing twice" if len(set(places)) < len(places) else "reads are in order"
            self._ledger.broken(promise, f"{what}: {places}")
        if limit is not None and len(places) > limit:
            self._ledger.broken("a read keeps its limit", f"{what}: {places}")
        missing = must - set(places)
        if limit is not None and len(places) == limit:
            missing = {place for place in missing if (place > places[-1] if backwards else place < places[-1])}
        if missing:
            detail = f"{what} lacks {sorted(missing)[:5]} of {len(must)}, has {len(places)}"
            self._ledger.broken("a timeline misses nothing that has settled", detail)


def _day_of(moment_ms: int) -> str:
    return datetime.fromtimestamp(moment_ms / 1000, UTC).strftime("%Y-%m-%d")
