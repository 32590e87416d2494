"""Services: they load states, decide and append through a repository, with snapshots, memory, and keys of commands."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventstore import CachePolicy, Decision, EventStore, NewEvent, Projection, Repository, SnapshotPolicy
from eventstore.errors import (
    IdempotencyConflictError,
    OutcomeUnknownError,
    TryLaterError,
    WrongExpectedVersionError,
)
from eventstore.model import AppendResult
from eventstore.repository.loader import Loaded
from eventstore.repository.policy import NEVER
from tests.simulation.folding import Tale, begin, event_types, evolve, told
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.requests import new_events
from tests.simulation.visitors import Surroundings, Visitor
from tests.simulation.writers import AGGREGATE_TYPE

STALENESS = (None, None, 0.0, 1.0, 20.0)
SIZES = (0, 1, 1, 2, 3)
"""Events that a decision makes; none is a no-op."""

KEPT_MAX = 6
FAVOURITES = 2


@dataclass(frozen=True, slots=True)
class Command:
    """What is to be done.

    Attributes:
        request: Its name.
        sizes: Events for each aggregate, by its id.
    """

    request: str
    sizes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Carried:
    """A command that was carried out under a key, and its first results by aggregate."""

    key: str
    command: Command
    ids: tuple[str, ...]
    results: Mapping[str, AppendResult]


class Service(Visitor):
    """Uses a repository, and a projection beside it; each process has new ones."""

    visits = (8, 12)
    writes = True

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        draw = self._draw
        self._snapshots = draw.choice((NEVER, *map(SnapshotPolicy.every, (1, 2, 5)), SnapshotPolicy.older_than(2.0)))
        self._cache = CachePolicy(draw.choice((0, 1, 1_000, 1_000)), draw.choice((0.0, 30.0)))
        self._calls = 0
        self._carried: list[Carried] = []

    def begin_anew(self) -> None:
        """Have more to do; the commands of former tables are forgotten."""
        super().begin_anew()
        self._carried.clear()

    def _open(self, runtime: SimulatedRuntime) -> EventStore:
        store = self._around.open_store(runtime, events=event_types())
        how: dict[str, Any] = {"initial": begin, "evolve": evolve, "snapshots": self._snapshots, "cache": self._cache}
        self._repository = Repository[Tale](store, aggregate_type=AGGREGATE_TYPE, state_type=dict, **how)
        self._projection = Projection[Tale](store, "tale", state_type=dict, **how)
        return store

    def _visit(self, _store: EventStore, _runtime: SimulatedRuntime) -> None:
        self._calls += 1
        for _ in range(self._draw.choice((1, 2, 3))):
            self._load()
        kinds = [self._load_as_of, self._transact, self._transact, self._transact_many]
        if self._carried:
            kinds += [self._repeat, self._mistake]
        self._draw.choice(kinds)()

    def _ids(self, count: int) -> list[str]:
        """Return some aggregates, a few of them more often than others: what is in memory is of use there."""
        most = self._around.settings.aggregates
        most = min(most, max(count, FAVOURITES)) if self._draw.random() < 0.7 else most
        return [f"item-{number}" for number in self._draw.sample(range(most), min(count, most))]

    def _staleness(self, given: float | None) -> float:
        """Return how old a state may be."""
        return self._cache.max_staleness_seconds if given is None else given

    def _load(self) -> None:
        (aggregate_id,), staleness = self._ids(1), self._draw.choice(STALENESS)
        least = self._sight.version(aggregate_id, ago=self._staleness(staleness))
        source = self._draw.choice((self._repository, self._repository, self._projection))
        self._check_loaded(aggregate_id, source.load(aggregate_id, max_staleness_seconds=staleness), least)

    def _load_as_of(self) -> None:
        (aggregate_id,), draw = self._ids(1), self._draw
        version = self._ledger.versions.get(aggregate_id, 0)
        least = self._sight.version(aggregate_id)
        if draw.random() < 0.6 or not version:
            number = draw.randint(1, version + 2)
            loaded = self._repository.load(aggregate_id, as_of_sequence=number)
            if loaded.version > number:
                self._ledger.broken("a state is as of when it was asked for", f"{aggregate_id} {loaded.version}")
            self._check_loaded(aggregate_id, loaded, min(least, number))
            return
        at = draw.randint(1, version)
        moment = self._ledger.by_number[aggregate_id, at].event(at).timestamp_ms - draw.choice((0, 0, 1))
        loaded = self._repository.load(aggregate_id, as_of_ms=moment)
        times = [self._ledger.by_number[aggregate_id, each].event(each).timestamp_ms for each in range(1, version + 1)]
        end = next((place for place, time in enumerate(times) if time > moment), version)
        if loaded.version > end and end < version:
            self._ledger.broken("a state is as of when it was asked for", f"{aggregate_id} {loaded.version}, not {end}")
        self._check_loaded(aggregate_id, loaded, min(least, end))

    def _check_loaded(self, aggregate_id: str, loaded: Loaded[Tale], least: int) -> None:
        self._check_state(aggregate_id, loaded.version, loaded.state)
        if loaded.version < least:
            detail = f"{aggregate_id} at {loaded.version} from {loaded.origin}, was at {least}"
            self._ledger.broken("a state is as new as was asked for", detail)
        loaded.state["steps"].append("whoever loads a state may change it")

    def _check_state(self, aggregate_id: str, version: int, state: Tale) -> None:
        if version > self._ledger.versions.get(aggregate_id, 0):
            self._ledger.broken("a state is made of what is stored", f"{aggregate_id} at {version}")
        true = told(self._ledger, aggregate_id, version)
        if state != true:
            self._ledger.broken("a state is made of what is stored", f"{aggregate_id} {version}: {state}, not {true}")

    def _transact(self) -> None:
        (aggregate_id,) = self._ids(1)
        self._carry_out(self._command([aggregate_id]), has_key=self._draw.random() < 0.5)

    def _transact_many(self) -> None:
        """Decide on several, about some of them; the others are only looked at."""
        ids = self._ids(3)
        command = self._command(ids)
        self._carry_out(command, has_key=self._draw.random() < 0.4, ids=ids)

    def _command(self, ids: list[str]) -> Command:
        return Command(f"{self.name}-{self._calls}", {each: self._draw.choice(SIZES) for each in ids})

    def _carry_out(self, command: Command, *, has_key: bool, ids: list[str] | None = None) -> None:
        key = f"key-{command.request}" if has_key else None
        draw = self._draw
        how: dict[str, Any] = {"max_staleness_seconds": draw.choice(STALENESS)}
        how["attempts_max"] = draw.choice((1, 2, 8, 8))
        before = {each: self._ledger.versions.get(each, 0) for each in command.sizes}
        staleness = self._staleness(how["max_staleness_seconds"])
        least = {each: self._sight.version(each, ago=staleness) for each in command.sizes}
        try:
            if ids is None:
                (aggregate_id,) = command.sizes
                done = self._repository.transact(aggregate_id, decide, command, idempotency_key=key, **how)
                loaded, states = {aggregate_id: done.before}, {aggregate_id: done.state}
                results = {} if done.result is None else {aggregate_id: done.result}
            else:
                many = self._repository.transact_many(ids, decide_many, command, idempotency_key=key, **how)
                loaded, states, results = dict(many.before), dict(many.states), dict(many.results)
        except WrongExpectedVersionError as error:
            now = self._ledger.versions.get(error.aggregate_id, 0)
            if now == least[error.aggregate_id] == before[error.aggregate_id]:
                self._ledger.broken("a conflict is a true one", f"{error!r}: it is at {now}, as it was")
            self._refuse(command)
            return
        except OutcomeUnknownError:
            return
        except TryLaterError:
            return  # one that came after the append does not say that nothing is stored
        self._check_done(command, loaded, states, results)
        if key is not None and results:
            self._carried = [*self._carried[-KEPT_MAX + 1 :], Carried(key, command, tuple(ids or ()), results)]

    def _check_done(
        self,
        command: Command,
        loaded: Mapping[str, Loaded[Tale]],
        states: Mapping[str, Tale],
        results: Mapping[str, AppendResult],
    ) -> None:
        for aggregate_id, before in loaded.items():
            result, size = results.get(aggregate_id), command.sizes[aggregate_id]
            self._check_state(aggregate_id, before.version, before.state)
            self._check_state(aggregate_id, before.version if result is None else result.version, states[aggregate_id])
            if (result is None) != (size == 0):
                self._ledger.broken("what was decided is stored", f"{command}: {result} for {aggregate_id}")
            if result is None:
                continue
            self._ledger.acknowledge(request_of(command, aggregate_id), result)
            if (result.first_sequence, result.version) != (before.version + 1, before.version + size):
                self._ledger.broken("what was decided is stored", f"{command} on {before.version}: {result}")

    def _refuse(self, command: Command) -> None:
        for aggregate_id in command.sizes:
            self._ledger.refuse(request_of(command, aggregate_id))

    def _repeat(self) -> None:
        """The same command under its key: its first results, and nothing is stored."""
        carried = self._draw.choice(self._carried)
        results = self._again(carried, carried.command)
        if results is None:
            return
        first = {name: _brief(result) for name, result in carried.results.items()}
        if {name: _brief(result) for name, result in results.items()} != first:
            self._ledger.broken("a repeat gets the first result", f"{carried}, now {results}")

    def _mistake(self) -> None:
        """Another command under a key that was used."""
        carried = self._draw.choice(self._carried)
        other = Command(f"{self.name}-{self._calls}", dict.fromkeys(carried.command.sizes, 1))
        try:
            results = self._again(carried, other)
        except IdempotencyConflictError:
            self._refuse(other)
            return
        if results is not None:
            self._ledger.broken("changed content under a key is refused", f"{other} as {results}")

    def _again(self, carried: Carried, command: Command) -> Mapping[str, AppendResult] | None:
        try:
            if carried.ids:
                many = self._repository.transact_many(carried.ids, decide_many, command, idempotency_key=carried.key)
                return many.results
            (aggregate_id,) = carried.command.sizes
            done = self._repository.transact(aggregate_id, decide, command, idempotency_key=carried.key)
        except (OutcomeUnknownError, WrongExpectedVersionError):
            return None
        return {} if done.result is None else {aggregate_id: done.result}

    def check(self) -> None:
        """Look whether every decision was made on what it was stored upon, of all services."""
        versions: dict[str, int] = {}
        for commit in self._ledger.commits.values():
            data = json.loads(commit.events[0].data_json)
            if "after" in data and data["after"] != commit.first - 1:
                self._ledger.broken("what is decided is stored upon what it was decided on", f"{commit}")
            rests = {name: version for name, version in data.get("rests", {}).items() if name != commit.aggregate_id}
            moved = {name: versions.get(name, 0) for name in rests if versions.get(name, 0) != rests[name]}
            if moved:
                self._ledger.broken("what is decided is stored upon what it was decided on", f"{commit}, at {moved}")
            versions[commit.aggregate_id] = commit.last


def request_of(command: Command, aggregate_id: str) -> str:
    """Return the name of what a command appends to an aggregate."""
    return f"{command.request}.{list(command.sizes).index(aggregate_id)}"


def decide(tale: Tale, command: Command) -> list[NewEvent]:
    """Decide about one aggregate; the events say how many there were before."""
    ((aggregate_id, size),) = command.sizes.items()
    events = new_events(request_of(command, aggregate_id), size, after=len(tale["steps"]))
    tale["steps"].clear()  # whoever decides may change what it decides on
    return events


def decide_many(tales: Mapping[str, Tale], command: Command) -> Decision:
    """Decide about several; the events of each say what all were at."""
    versions = {name: len(tale["steps"]) for name, tale in tales.items()}
    wanted = {name: size for name, size in command.sizes.items() if size}
    events = {
        name: new_events(
            request_of(command, name),
            size,
            group=len(wanted),
            after=versions[name],
            rests={other: version for other, version in versions.items() if other not in wanted},
        )
        for name, size in wanted.items()
    }
    return Decision(events)


def _brief(result: AppendResult) -> tuple[str, int, int]:
    return result.commit_id, result.first_sequence, result.version
