"""Those who keep a read model: fed by walks over the store, saved, and restored by the next process."""

from eventstore import EventStore, ReadModel, RecordedEvent
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.visitors import Surroundings, Visitor

Numbers = dict[str, list[int]]
"""The state: of each aggregate the numbers that were applied."""


def begin() -> Numbers:
    """Return the state before the first event."""
    return {}


def apply(numbers: Numbers, event: RecordedEvent) -> Numbers:
    """Return the state after an event."""
    numbers.setdefault(event.aggregate_id, []).append(event.sequence_number)
    return numbers


class Modeller(Visitor):
    """Feeds a read model piece by piece; a piece that was not saved is fed again."""

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        self._token: str | None = None
        self._must: dict[str, int] | None = None

    def begin_anew(self) -> None:
        """Feed it from the beginning of other tables."""
        super().begin_anew()
        self._token = self._must = None

    def start_over(self) -> None:
        """Feed it what is there from the beginning; it knows what it has had."""
        super().start_over()
        self._token = self._must = None

    def _open(self, runtime: SimulatedRuntime) -> EventStore:
        store = super()._open(runtime)
        self._model = ReadModel[Numbers](store, "numbers", initial=begin, evolve=apply, state_type=dict[str, list[int]])
        if not self._model.events_applied:  # saved under a former epoch, or never: it has to be fed all of it
            self._token = self._must = None
        self._check()
        return store

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        if self._must is None:
            self._must = self._sight.versions()
        if self._token is None:
            self._tokens_of = self._around.epoch()
        walk, left = store.read_all(self._token), self._draw.choice((3, 10, 1_000))
        for event in walk:
            self._model.feed([event])
            left -= 1
            if not left:
                break
        self._check()
        self._model.save()
        walk.close()
        self._token = walk.token
        if left:
            self._check_whole(self._must)
            self._token = self._must = None

    def _check(self) -> None:
        """Each aggregate was applied from its beginning on, once, and nothing that is not stored."""
        for aggregate_id, numbers in self._model.state.items():
            applicable = self._applicable(aggregate_id)
            if numbers != applicable[: len(numbers)]:
                self._ledger.broken("a read model applies every event once", f"{aggregate_id}: {numbers}")
            commit = self._ledger.by_number.get((aggregate_id, numbers[-1]))
            position = None if commit is None else (commit.event(numbers[-1]).epoch, numbers[-1])
            if self._model.position_of(aggregate_id) != position:
                detail = f"{aggregate_id} at {self._model.position_of(aggregate_id)}, not {position}"
                self._ledger.broken("a read model is of what is stored", detail)
        if self._model.events_applied != sum(map(len, self._model.state.values())):
            self._ledger.broken("a read model applies every event once", f"{self._model.events_applied} by its count")

    def _applicable(self, aggregate_id: str) -> list[int]:
        """Return the numbers that a read model applies: not those of a writer that missed that the epoch was raised."""
        found: list[int] = []
        highest = 0
        for number in range(1, self._ledger.versions.get(aggregate_id, 0) + 1):
            epoch = self._ledger.by_number[aggregate_id, number].event(number).epoch
            if epoch >= highest:
                found.append(number)
                highest = epoch
        return found

    def _check_whole(self, must: dict[str, int]) -> None:
        state = self._model.state
        missing = {}
        for name, least in must.items():
            wanted = [number for number in self._applicable(name) if number <= least]
            if len(state.get(name, ())) < len(wanted):
                missing[name] = least
        if missing:
            self._ledger.broken("a read model applies every event once", f"missing up to {missing}")
