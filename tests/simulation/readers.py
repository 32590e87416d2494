"""Those who read one aggregate: forwards and backwards, with bounds and limits, consistently or not."""

from dataclasses import dataclass
from itertools import pairwise

from eventstore import AggregateRef, EventStore
from eventstore.model import RecordedEvent
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.sight import EVENTUAL
from tests.simulation.visitors import Visitor
from tests.simulation.writers import AGGREGATE_TYPE


@dataclass(frozen=True, slots=True)
class Wanted:
    """One read.

    Attributes:
        aggregate_id: The aggregate.
        after: Only greater numbers.
        until: Only up to this one; None for the end.
        backwards: Newest first.
        limit: Events at most; None for all.
        consistent: Whether the newest must be seen.
    """

    aggregate_id: str
    after: int
    until: int | None
    backwards: bool
    limit: int | None
    consistent: bool

    def numbers(self, version: int) -> list[int]:
        """Return what is to be read of an aggregate of some version."""
        top = version if self.until is None else min(version, self.until)
        numbers = list(range(self.after + 1, top + 1))
        return (numbers[::-1] if self.backwards else numbers)[: self.limit]


class Reader(Visitor):
    """Reads some aggregate, in some way."""

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        ids = sorted(self._ledger.versions)
        aggregate_id = self._draw.choice(ids) if ids and self._draw.random() < 0.95 else "nobody"
        if self._draw.random() < 0.15:
            self._ask_version(store, aggregate_id)
            return
        wanted = self._choose(aggregate_id)
        least = self._sight.version(aggregate_id, 0.0 if wanted.consistent else EVENTUAL)
        named = AggregateRef(AGGREGATE_TYPE, aggregate_id) if self._draw.random() < 0.5 else aggregate_id
        events = list(
            store.read(
                named,
                after=wanted.after,
                until=wanted.until,
                backwards=wanted.backwards,
                limit=wanted.limit,
                consistent=wanted.consistent,
            )
        )
        self._check(wanted, events, least)

    def _choose(self, aggregate_id: str) -> Wanted:
        draw, version = self._draw, self._ledger.versions.get(aggregate_id, 0)
        after = 0 if draw.random() < 0.4 else draw.randint(0, version + 1)
        until = None if draw.random() < 0.5 else draw.randint(after, version + 3)
        limit = None if draw.random() < 0.4 else draw.randint(1, 9)
        return Wanted(aggregate_id, after, until, draw.random() < 0.5, limit, draw.random() < 0.7)

    def _ask_version(self, store: EventStore, aggregate_id: str) -> None:
        least = self._sight.version(aggregate_id)
        version = store.current_version(AggregateRef(AGGREGATE_TYPE, aggregate_id))
        if not least <= version <= self._ledger.versions.get(aggregate_id, 0):
            self._ledger.broken("a version is the newest", f"{aggregate_id} is at {version}, was at {least}")

    def _check(self, wanted: Wanted, events: list[RecordedEvent], least: int) -> None:
        """Check that it is what the aggregate held at one moment since the read began."""
        highest = self._ledger.versions.get(wanted.aggregate_id, 0)
        numbers = [event.sequence_number for event in events]
        detail = f"{wanted} of {least} to {highest}: {numbers}"
        step = -1 if wanted.backwards else 1
        if any(event.aggregate_id != wanted.aggregate_id for event in events):
            self._ledger.broken("a read keeps to its aggregate", detail)
        if any(other - one != step for one, other in pairwise(numbers)):
            self._ledger.broken("a read has no holes", detail)
        for event in events:
            self._sight.check_content(event)
        if wanted.limit is not None and len(numbers) > wanted.limit:
            self._ledger.broken("a read keeps its limit", detail)
        if any(number <= wanted.after or (wanted.until or number) < number for number in numbers):
            self._ledger.broken("a read keeps its bounds", detail)
        moments = [each for each in range(least, highest + 1) if self._sight.is_end(wanted.aggregate_id, each)]
        if numbers in map(wanted.numbers, moments):
            return
        if numbers in map(wanted.numbers, range(least, highest + 1)):
            self._ledger.broken("a read gives whole commits", detail)
        self._ledger.broken("a read misses nothing that was stored before", detail)
