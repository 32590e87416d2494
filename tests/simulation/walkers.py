"""Those who walk over the whole store: all events in segments, resumed by tokens; all aggregates; counts; findings."""

from collections import defaultdict
from dataclasses import dataclass, field

from eventstore import AggregateRef, EventStore
from eventstore.errors import InvalidTokenError
from eventstore.model import RecordedEvent
from eventstore.verify.finding import FindingKind
from eventstore.walk import EventWalk
from tests.simulation.checkers import TORN
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.sight import EVENTUAL, INDEXED
from tests.simulation.visitors import Surroundings, Visitor
from tests.simulation.writers import AGGREGATE_TYPE


@dataclass(slots=True)
class Walk:
    """One walk, by as many processes as it takes.

    Attributes:
        segments: How many the table is read in.
        apart: Each segment is walked for itself, with a token of its own.
        consistent: Whether it must see what was stored right before.
        must: Versions that it must give, by aggregate.
        tokens: Where each of its walks goes on; one for all segments, or one per segment.
        left: Which of them have not ended.
        given: The numbers of each aggregate, in the order in which they came.
        events: What was given.
    """

    segments: int
    apart: bool
    consistent: bool
    must: dict[str, int]
    tokens: dict[int, str | None]
    left: list[int]
    given: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    events: list[RecordedEvent] = field(default_factory=list)


class Walker(Visitor):
    """Walks, stops somewhere, and goes on with the token, in the same process or in the next one."""

    visits = (6, 12)

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        self._walk: Walk | None = None
        self._former: tuple[str, int] | None = None

    def begin_anew(self) -> None:
        """Have more to do; a token of the former tables must be refused."""
        super().begin_anew()
        if self._walk is not None:
            tokens = [token for token in self._walk.tokens.values() if token is not None]
            self._former = (tokens[0], self._ledger.generation) if tokens else self._former
        self._walk = None

    def start_over(self) -> None:
        """Walk from the beginning."""
        super().start_over()
        self._walk = None

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        if self._former is not None:
            self._try_former(store, *self._former)
            return
        walk = self._walk = self._walk or self._begin()
        number = walk.left[0]
        segment = number if walk.apart else None
        events = store.read_all(
            walk.tokens[number], segments=walk.segments, segment=segment, consistent=walk.consistent
        )
        if self._take(walk, number, events):
            walk.left.pop(0)
        if not walk.left:
            self._check(walk)
            self._walk = None

    def _begin(self) -> Walk:
        draw, self._tokens_of = self._draw, self._around.epoch()
        segments, apart, consistent = draw.choice((1, 1, 2, 3)), draw.random() < 0.5, draw.random() < 0.6
        must = self._sight.versions(0.0 if consistent else EVENTUAL)
        numbers = list(range(segments)) if apart else [0]
        return Walk(segments, apart, consistent, must, dict.fromkeys(numbers), numbers)

    def _take(self, walk: Walk, number: int, events: EventWalk) -> bool:
        """Take some events, and the token after each; tell whether the walk came to its end."""
        most = self._draw.choice((2, 5, 1_000, 1_000))
        for count, event in enumerate(events, start=1):
            walk.tokens[number] = events.token
            self._sight.check_content(event)
            given = walk.given[event.aggregate_id]
            if event.sequence_number != len(given) + 1:
                promise = "a walk gives nothing twice" if event.sequence_number in given else "a walk has no holes"
                self._ledger.broken(promise, f"{event.aggregate_id} {event.sequence_number} after {given[-5:]}")
            given.append(event.sequence_number)
            if count == most:
                events.close()
                return False
        return True

    def _check(self, walk: Walk) -> None:
        for aggregate_id, least in walk.must.items():
            if len(walk.given[aggregate_id]) < least:
                detail = f"{aggregate_id} {walk.given[aggregate_id][-3:]} of {least} in {walk.segments} segments"
                self._ledger.broken("a walk gives all that was stored before", detail)
        for aggregate_id, given in walk.given.items():
            if not self._sight.is_end(aggregate_id, len(given)):
                self._ledger.broken("a walk gives whole commits", f"{aggregate_id} up to {len(given)}")

    def _try_former(self, store: EventStore, token: str, generation: int) -> None:
        try:
            event = next(store.read_all(token), None)
        except InvalidTokenError:
            self._former = None
            return
        self._ledger.broken("a token of former tables is refused", f"of generation {generation}, it gave {event}")


class Auditor(Visitor):
    """Looks at the store as a whole, as operators do: all aggregates, counts, findings."""

    visits = (3, 6)

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        self._draw.choice((self._list_aggregates, self._count, self._verify, self._verify))(store)

    def _list_aggregates(self, store: EventStore) -> None:
        must = {name for name, version in self._sight.versions(INDEXED).items() if version}
        kind = self._draw.choice((None, AGGREGATE_TYPE))
        found = list(store.aggregates(kind))
        there = {AggregateRef(AGGREGATE_TYPE, name) for name in self._ledger.versions}
        if len(set(found)) < len(found):
            self._ledger.broken("each aggregate is listed once", f"{found}")
        if set(found) - there:
            self._ledger.broken("only what is there is listed", f"{set(found) - there}")
        if must - {each.id for each in found}:
            self._ledger.broken("all aggregates are listed", f"missing: {must - {each.id for each in found}}")

    def _count(self, store: EventStore) -> None:
        """Each count lies between what was there when it began and what is there now."""
        seen = [commit for commit in self._ledger.commits.values() if self._sight.is_seen(commit, EVENTUAL)]
        must = [event for commit in seen for event in commit.events]
        stats = store.stats()
        now = list(self._sight.events())
        for name, low, found, high in (
            ("events", len(must), stats.total.events, len(now)),
            ("commits", len(seen), stats.commits, len(self._ledger.commits)),
            ("aggregates", len({event.aggregate_id for event in must}), stats.aggregates, len(self._ledger.versions)),
            ("unreadable rows", 0, stats.corrupt_rows, 0),
            *(
                (kind, sum(each.type == kind for each in must), counted.events, sum(each.type == kind for each in now))
                for kind, counted in stats.by_type.items()
            ),
        ):
            if not low <= found <= high:
                self._ledger.broken("counts are true", f"{found} {name}, not {low} to {high}")

    def _verify(self, store: EventStore) -> None:
        ids = sorted(self._ledger.versions)
        one = self._draw.choice(ids) if ids and self._draw.random() < 0.5 else None
        must = self._sight.versions()
        findings = [each for each in store.verify(one) if not str(each.aggregate_id).startswith(TORN)]
        for finding in findings:
            if finding.kind is not FindingKind.TIME_BACKWARDS:
                self._ledger.broken("a sound store has no findings", f"{finding}")
        noted = {(finding.aggregate_id, finding.number) for finding in findings}
        backwards = {place for place in self._backwards() if one in {None, place[0]}}
        missing = {(name, number) for name, number in backwards - noted if number <= must.get(name, 0)}
        if noted - backwards or missing:
            self._ledger.broken("notes are true", f"false: {noted - backwards}, missing: {missing}")

    def _backwards(self) -> set[tuple[str, int]]:
        """Return the events that are older than the one before them."""
        found = set()
        for name, version in self._ledger.versions.items():
            numbers = range(1, version + 1)
            times = [self._ledger.by_number[name, number].event(number).timestamp_ms for number in numbers]
            found |= {(name, number) for number in numbers[1:] if times[number - 1] < times[number - 2]}
        return found
