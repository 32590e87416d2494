"""Those who follow the store: stopped, crashed and resumed, they get every event, in the order that is promised."""

from collections.abc import Callable
from math import inf

from eventstore import EventStore
from eventstore.model import RecordedEvent
from relay.testing.checker import TrueEvent
from tests.simulation.primitives import SimulatedFlag, SimulatedRuntime
from tests.simulation.scheduler import START_MS, Scheduler
from tests.simulation.sight import INDEXED, Place, place_of
from tests.simulation.visitors import CALM_SECONDS, Surroundings, Visitor

DELAY_SECONDS = 6.0
"""In the calm an event is given so soon after the index shows it, and after a pause between two looks."""

CLOCKS_MS = 100
"""Room for what rounding, and the calls of a look, take."""


class CountedLooks(SimulatedFlag):
    """The flag that stops a follower; it is waited for once between two looks, so it counts them.

    Args:
        scheduler: Holds the baton.
        until: When it is raised by itself, in seconds of the simulation.
        is_over: Tells whether it is raised before.
    """

    def __init__(self, scheduler: Scheduler, until: float, is_over: Callable[[], bool]) -> None:
        super().__init__(scheduler)
        self.looks = 0
        self._is_over: Callable[[], bool] = lambda: is_over() or scheduler.seconds >= until

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the next look."""
        self.looks += 1
        if self._is_over():
            self.set_quietly()
        return super().wait(timeout_seconds)


class Follower(Visitor):
    """Follows until everything is written and given; its visits are the stretches that it follows at a time.

    What must come is an event whose timestamp lies within the overlap, whichever look is the first that can see it.
    Others may come. What one stream has given it gives no more; the next one gives again what is not older than it
    was told to begin at.
    """

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        draw = self._draw
        self._overlap_seconds = draw.choice((10.0, 20.0, 40.0))
        self._poll_seconds = draw.choice((2.0, 4.0))
        self._first_ms = START_MS + draw.choice((-20_000, -20_000, 5_000))
        self._resume_ms = self._first_ms
        self._given: set[Place] = set()
        self._ends_at = inf
        self._is_over = False

    @property
    def is_done(self) -> bool:
        """Tell whether all that must come has come, after everything was written."""
        return self._is_over

    def begin_anew(self) -> None:
        """Follow another generation of the tables, from the same moment on."""
        super().begin_anew()
        self._resume_ms, self._given, self._ends_at = self._first_ms, set(), inf

    def wind_up(self, *, is_away: bool) -> None:
        """Everything is written, and nothing goes wrong any more: what is missing must come in time."""
        now = self._around.scheduler.seconds
        if self._ends_at == inf or is_away:
            seen = max((self._sight.seen_from(commit, INDEXED) for commit in self._ledger.commits.values()), default=0)
            self._ends_at = max(now, seen) + self._poll_seconds + DELAY_SECONDS
        if now < self._ends_at:
            return
        self._is_over = True
        missing = {place_of(event) for event in self._sight.events() if self._must_come(event)} - self._given
        if missing:
            detail = f"{self.name}, {self._overlap_seconds:g} s back, lacks {sorted(missing)[:5]}"
            self._ledger.broken("a follower gets every event in time", detail)

    def _must_come(self, event: TrueEvent) -> bool:
        commit = self._ledger.by_number[event.aggregate_id, event.sequence_number]
        seen_ms = START_MS + round(self._sight.seen_from(commit, INDEXED) * 1000)
        end_ms = START_MS + round((self._ends_at - DELAY_SECONDS) * 1000)
        skew_ms = self._around.settings.skew_ms + CLOCKS_MS
        overlap_ms = round(self._overlap_seconds * 1000)
        oldest = max(self._first_ms, seen_ms + skew_ms - overlap_ms)
        return oldest <= event.timestamp_ms <= end_ms - skew_ms + overlap_ms

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        self._left += 1  # it ends when it is wound up
        scheduler = self._around.scheduler
        stop = CountedLooks(
            scheduler, scheduler.seconds + self._draw.choice((3.0, 10.0, 1_000.0)), lambda: self.is_done
        )
        from_ms, own, before = self._resume_ms, set[Place](), (0, (0, "", 0))
        stream = store.stream_events(
            from_ms,
            follow=True,
            overlap_seconds=self._overlap_seconds,
            poll_seconds=self._poll_seconds,
            stop=stop,
            on_trouble=lambda error: self._excuse(error, scheduler.seconds - CALM_SECONDS),
        )
        for event in stream:
            self._resume_ms = stream.resume_ms
            place = self._take(event, from_ms, own)
            if before[0] == stop.looks and place < before[1]:
                self._ledger.broken("each look of a follower is in order", f"{self.name}: {place} after {before[1]}")
            before = stop.looks, place

    def _take(self, event: RecordedEvent, from_ms: int, own: set[Place]) -> Place:
        self._sight.check_content(event)
        place = (event.timestamp_ms, event.aggregate_id, event.sequence_number)
        if place in own:
            self._ledger.broken("a follower gives nothing twice", f"{self.name}: {place}")
        if event.timestamp_ms < from_ms:
            self._ledger.broken("a read keeps its bounds", f"{self.name}: {place} from {from_ms}")
        own.add(place)
        self._given.add(place)
        return place
