"""Places of one moment, read for one page and kept for the next: else each page would read all of them again."""

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from eventstore.ports import Clock
from eventstore.timeline.place import Place, is_behind
from eventstore.timeline.query import EventQuery

RUN_MEMORY_MAX_PLACES = 100_000
"""In all; about 200 bytes each."""

RUN_KEPT_SECONDS = 60.0
"""So long an event that is stored with that very timestamp may be unseen by a reader of pages."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Which places: those of one timestamp that a query finds.

    Attributes:
        query: The query.
        index_shards: Write shards that were asked.
        timestamp_ms: The timestamp.
    """

    query: EventQuery
    index_shards: int
    timestamp_ms: int


@dataclass(frozen=True, slots=True)
class RestOfMoment:
    """What of a moment comes after a place.

    Attributes:
        places: In the query's direction, each made when it is asked for.
        last: The last of them, or the place itself where there is none.
        is_whole: There are no more of that moment.
    """

    places: Iterator[Place]
    last: Place
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Run:
    behind: Place | None
    places: Sequence[Place]  # lowest first, whatever the query's direction
    is_whole: bool
    read_at: float


class RunMemory:
    """Runs of a store's last pages, within a bound of places and of time. Threads may share it.

    An index promises no order among equal timestamps, so the first page that ends within a run has read all of it. A
    token cannot carry that; this remembers it in the process. Another process reads the run once for itself.

    Args:
        clock: Tells how old a run is.
        lock: Guards it.
        places_max: Places in all.
    """

    def __init__(
        self, clock: Clock, lock: AbstractContextManager[object], places_max: int = RUN_MEMORY_MAX_PLACES
    ) -> None:
        self.places_max = places_max
        self._clock = clock
        self._lock = lock
        self._runs: OrderedDict[Moment, _Run] = OrderedDict()

    def keep(self, moment: Moment, behind: Place | None, places: Sequence[Place], *, is_whole: bool) -> None:
        """Keep places of a moment, all that there are from one of them on.

        Args:
            moment: Which.
            behind: They are those after this place; None when they begin with the first.
            places: In the query's direction; no more than the bound are kept.
            is_whole: Whether these are all, up to the last.
        """
        now = self._clock.monotonic()
        is_whole = is_whole and len(places) <= self.places_max
        places = places[: self.places_max]
        lowest_first = places[::-1] if moment.query.backwards else places
        with self._lock:
            self._runs[moment] = _Run(behind, lowest_first, is_whole, now)
            self._runs.move_to_end(moment)
            for old in [each for each, run in self._runs.items() if now - run.read_at > RUN_KEPT_SECONDS]:
                del self._runs[old]
            while len(self) > self.places_max:  # each turn removes one, and the last one fits
                self._runs.popitem(last=False)

    def rest(self, moment: Moment, given: Place) -> RestOfMoment | None:
        """Return what of a moment comes after a place of it; None when that is not known, or known for too long."""
        backwards = moment.query.backwards
        with self._lock:
            run = self._runs.get(moment)
        if run is None or self._clock.monotonic() - run.read_at > RUN_KEPT_SECONDS:
            return None
        if run.behind is not None and given != run.behind and not is_behind(given, run.behind, backwards=backwards):
            return None
        places = run.places
        numbers = (
            range(bisect_left(places, given))[::-1] if backwards else range(bisect_right(places, given), len(places))
        )
        last = places[numbers[-1]] if numbers else given
        return RestOfMoment((places[number] for number in numbers), last, run.is_whole)

    def __len__(self) -> int:
        return sum(len(run.places) for run in self._runs.values())
