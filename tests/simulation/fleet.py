"""What is true of workers and leases: who believes in which lease, and who acts under it. Its invariants are here.

Rows of leases are seen as they change; beliefs are seen where the product makes them. The two are compared at every
change of hands, and whenever a worker is about to publish, to park or to write a checkpoint. What a worker may believe
is written here by hand, and not taken from the product.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any
from unittest.mock import patch

from relay.delivery.flow import Flow
from relay.delivery.pumps.bus_pump import BusPump
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.settler import Settler
from relay.destinations.bus.broker import Message
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from relay.destinations.file.local_file import LineFile
from relay.feed.shard_consumer import ShardConsumer
from relay.leases.held import HeldLease, LeasePermit
from relay.leases.keeper import Keeper
from relay.outbox.writer import OutboxWriter
from relay.permit import AnyOfEach
from relay.sweep.sweeper import Sweeper
from tests.simulation.broker import SimulatedSession
from tests.simulation.index import SimulatedIndex
from tests.simulation.ledger import Ledger
from tests.simulation.looking import followed, preceded
from tests.simulation.scheduler import Process, Scheduler, Task

VALID_SHARE = 0.8
"""So much of a lease's duration after its last heartbeat a worker may still act under it."""

_ROUNDING_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """A lease as the table has it.

    Attributes:
        owner: The worker that holds it, by name.
        term: Raised whenever it changes hands.
        counter: Raised as a heartbeat.
        position: Of its checkpoint; -1 before the first record.
        is_finished: The shard is dealt with to its end.
        sign_at: When it was taken or renewed last.
    """

    owner: str | None
    term: int
    counter: int
    position: int
    is_finished: bool
    sign_at: float


COOLDOWN_SECONDS = 12.0
"""Who could not read a shard leaves it to others for 10 s, and looks again soon after that."""

Grant = tuple[str, str, int]
"""A lease as somebody was given it: its key, the owner, and the term."""


class FleetWatch:
    """Looks on while workers share the shards."""

    def __init__(self, ledger: Ledger, scheduler: Scheduler) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._beliefs: dict[HeldLease, Process] = {}
        self._former_beliefs: dict[HeldLease, Process] = {}
        self._at_work: dict[Task, HeldLease] = {}
        self._acting: dict[Task, Sequence[Sequence[HeldLease]]] = {}
        self._workers: dict[str, Process] = {}
        self._seen_paused: set[Process] = set()
        self._is_paused = False
        self._granted: set[Grant] = set()
        self._granted_before: set[Grant] = set()
        self._finished: set[str] = set()
        self._unreadable: dict[tuple[Process, str], float] = {}
        self.rows: dict[str, LeaseRow] = {}

    # What is true of the table.

    def written(self, key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        """Look at a record of the fleet that has just changed."""
        kind, _, name = key.partition("#")
        if kind == "worker" and new is not None:
            self._workers[name] = self._process
        elif key == "pause":
            self._is_paused = new is not None
        elif kind == "lease" and new is None:
            gone = self.rows.pop(key, None)
            if gone is not None and gone.is_finished:
                self._finished.add(key)
        elif kind == "lease":
            self._leased(key, old, new or {})

    def begin_anew(self) -> None:
        """Another generation of the tables begins: leases of the former one, and what is believed of them, are void."""
        self._granted_before |= self._granted
        self._granted.clear()
        former = {**self._former_beliefs, **self._beliefs}
        self._former_beliefs = {
            held: process for held, process in former.items() if not (held._is_over or process.has_crashed)
        }
        self._beliefs.clear()
        self._seen_paused.clear()
        self._is_paused = False
        self._finished.clear()
        self.rows.clear()

    def has_joined(self, process: Process, states: Mapping[str, str]) -> bool:
        """Tell whether a process is a worker at work; `states` are those of the workers' records."""
        return any(states.get(name) == "working" for name in self._names(process))

    def has_left(self, process: Process, states: Mapping[str, str]) -> bool:
        """Tell whether no record of a process is left."""
        return not any(name in states for name in self._names(process))

    def is_alive(self, worker: str | None) -> bool:
        """Tell whether a worker has a process that has not crashed."""
        process = self._workers.get(worker or "")
        return process is not None and not process.has_crashed

    def owned_by(self, process: Process) -> set[str]:
        """Return the keys of what a process owns, as the table says."""
        names = self._names(process)
        return {key for key, row in self.rows.items() if row.owner in names}

    def carried_by(self, key: str) -> Process | None:
        """Return the process that is at work on what a lease is for, under its present term, or None."""
        row = self.rows.get(key)
        for task, held in self._at_work.items():
            if held.key == key and row is not None and held.term == row.term and not task.is_done:
                return None if task.process.has_crashed else task.process
        return None

    def leaves_alone(self, process: Process, key: str) -> bool:
        """Tell whether a process has failed to read a shard not long ago, so that it does not take it again yet."""
        return self._scheduler.seconds < self._unreadable.get((process, key), 0.0)

    def why_uncertain(self, process: Process) -> str | None:
        """Return why a process may not be certain of any lease; None when it may, or cannot know of other tables."""
        believed = {**self._former_beliefs, **self._beliefs}
        held = (each for each, believer in believed.items() if believer is process and not each._is_over)
        faults = [self._fault_of(each) for each in held]
        return None if None in faults else "; ".join(map(str, faults)) or "it believes in none"

    # What workers believe, and do.

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on within the block."""
        publishing, parking = (
            partial(self._acts, f"a fenced worker {does} nothing") for does in ("publishes", "parks")
        )
        with (
            _patched(HeldLease, "__init__", lambda method: followed(method, self._believed)),
            _patched(Keeper, "look", lambda method: followed(method, self._looked)),
            _patched(Keeper, "release", self._releasing),
            _patched(SimulatedSession, "publish", lambda method: preceded(method, publishing)),
            _patched(SimulatedSession, "publish", lambda method: preceded(method, self._publishes)),
            _patched(SimulatedIndex, "bulk", lambda method: preceded(method, publishing)),
            _patched(LineFile, "append", lambda method: preceded(method, publishing)),
            _patched(OutboxWriter, "park", lambda method: preceded(method, parking)),
            _patched(ShardConsumer, "_consume", lambda method: self._noting(method, lambda consumer: consumer._held)),
            _patched(Sweeper, "_carry", lambda method: self._noting(method, lambda _, held, __: held)),
            _patched(BusPump, "_send", lambda method: self._claiming(method, _of_turn)),
            _patched(SidePump, "_deliver", lambda method: self._claiming(preceded(method, self._begins), _of_batch)),
            _patched(OutboxWriter, "park", lambda method: preceded(method, self._begins)),
            _patched(Settler, "_park", lambda method: self._claiming(method, _of_mark)),
        ):
            yield

    def _releasing(self, method: Callable[..., None]) -> Callable[..., None]:
        @wraps(method)
        def release(keeper: Keeper, held: HeldLease, **named: Any) -> None:
            method(keeper, held, **named)
            if named.get("cooldown_seconds"):
                self._unreadable[self._process, held.key] = self._scheduler.seconds + COOLDOWN_SECONDS

        return release

    @property
    def _process(self) -> Process:
        return self._scheduler.current.process

    def _names(self, process: Process) -> set[str]:
        return {name for name, each in self._workers.items() if each is process}

    def _leased(self, key: str, old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> None:
        before, now = self.rows.get(key), self._scheduler.seconds
        row = LeaseRow(
            new.get("owner", {}).get("S"),
            int(new["term"]["N"]),
            int(new["counter"]["N"]),
            int(new["feedPosition"]["S"]) if "feedPosition" in new else -1,
            new["state"]["S"] == "finished",
            now,
        )
        if row.owner is not None:
            self._granted.add((key, row.owner, row.term))
        if before is None or old is None:
            self.rows[key] = row
            return
        changed = (row.owner, row.term) != (before.owner, before.term)
        if row.term < before.term or (row.owner not in {None, before.owner} and row.term == before.term):
            self._broken("a lease changes hands under a new term", f"{key}: {before} became {row}")
        if row.owner is not None and changed:
            self._check_beliefs(key, row)
        if not changed and row.counter != before.counter and self._workers.get(row.owner or "") is not self._process:
            self._broken("only the owner sends a heartbeat", f"{key}: {self._process.name} for {row.owner}")
        if row.position != before.position or row.is_finished != before.is_finished:
            self._check_save(key, before, row)
        if not changed and row.counter == before.counter:
            row = LeaseRow(row.owner, row.term, row.counter, row.position, row.is_finished, before.sign_at)
        self.rows[key] = row

    def _check_beliefs(self, key: str, row: LeaseRow) -> None:
        """Nobody else may believe that the lease is still theirs when it changes hands."""
        for held, process in self._beliefs.items():
            if held.key != key or process.has_crashed or (held._owner, held.term) == (row.owner, row.term):
                continue
            if (held.key, held._owner, held.term) not in self._granted:
                continue  # given before the tables were made anew, and learned of only then
            if not held._is_over and self._scheduler.seconds < held._valid_until:
                self._broken("a shard has one unfenced owner", f"{key}: {row.owner} takes it from {process.name}")

    def _check_save(self, key: str, before: LeaseRow, row: LeaseRow) -> None:
        held = self._at_work.get(self._scheduler.current)
        is_owner = self._workers.get(before.owner or "") is self._process and (held is None or held.term == before.term)
        if not is_owner:
            self._broken("only the owner writes a checkpoint", f"{key}: {self._process.name}, of {before}")
        if row.position < before.position or before.is_finished:
            self._broken("a checkpoint never goes back", f"{key}: {before} became {row}")

    def _acts(self, promise: str, *_: object) -> None:
        """Of each commit somebody who claims it must have sent a heartbeat lately, and nobody else has its lease."""
        for claims in self._acting.get(self._scheduler.current, ()):
            faults = [self._fault_of(held) for held in claims]
            if claims and all(faults):
                self._broken(promise, f"{self._process.name}: {'; '.join(fault or '' for fault in faults)}")

    def _publishes(self, _session: SimulatedSession, message: Message) -> None:
        """Look whether the first event of a commit is sent while delivery is paused; one that was begun goes on."""
        key = (str(message.headers[AGGREGATE_ID]), int(message.headers[SEQUENCE_NUMBER]))
        commit = self._ledger.by_number.get(key)
        if commit is not None and commit.first == key[1]:
            self._begins()

    def _begins(self, *_: object) -> None:
        """Look whether a worker that has seen that delivery is paused begins something under a lease."""
        is_worker = any(self._acting.get(self._scheduler.current, ()))
        if is_worker and self._is_paused and self._process in self._seen_paused:
            self._broken("nothing is begun while delivery is paused", self._process.name)

    def _fault_of(self, held: HeldLease) -> str | None:
        """Return why nothing may be done under a lease; None when it may, or when the tables are others by now."""
        grant = (held.key, held._owner, held.term)
        if grant in self._granted_before and grant not in self._granted:
            return None
        row, now = self.rows.get(held.key), self._scheduler.seconds
        if held.key in self._finished if row is None else row.is_finished:
            return None  # it has just been marked, perhaps removed since, and nobody can have it any more
        if row is None or (row.owner, row.term) != (held._owner, held.term):
            return f"under term {held.term} of {held.key}, there is {row}"
        late = now - row.sign_at - VALID_SHARE * held._lease_seconds
        return f"{late:.3f} s late with {held.key}" if late > _ROUNDING_SECONDS else None

    def _claiming(self, method: Callable[..., Any], claims_of: Callable[..., "_Claims | None"]) -> Callable[..., Any]:
        """Note under which leases a method acts while it does, and whether it begins something."""

        @wraps(method)
        def claiming(*arguments: Any) -> Any:
            claims, task = claims_of(*arguments), self._scheduler.current
            if claims is None:
                return method(*arguments)
            self._acting[task] = claims.leases
            try:
                return method(*arguments)
            finally:
                self._acting.pop(task, None)

        return claiming

    def _believed(self, held: HeldLease, _none: None) -> None:
        self._beliefs = {
            each: process for each, process in self._beliefs.items() if not (each._is_over or process.has_crashed)
        }
        self._beliefs[held] = self._process

    def _looked(self, _keeper: Keeper, view: Any) -> None:
        if view.fleet.pause is None:
            self._seen_paused.discard(self._process)
        else:
            self._seen_paused.add(self._process)

    def _noting(self, method: Callable[..., Any], held_of: Callable[..., HeldLease | None]) -> Callable[..., Any]:
        @wraps(method)
        def noting(*arguments: Any) -> Any:
            held, task = held_of(*arguments), self._scheduler.current
            if held is None:
                return method(*arguments)
            self._at_work[task] = held
            try:
                return method(*arguments)
            finally:
                self._at_work.pop(task, None)

        return noting

    def _broken(self, promise: str, detail: str) -> None:
        self._ledger.broken(promise, detail)


@dataclass(frozen=True, slots=True)
class _Claims:
    """Per commit the leases under which it is acted on."""

    leases: Sequence[Sequence[HeldLease]]


def _of_turn(_pump: BusPump, turn: Any) -> _Claims | None:
    return _claims([turn.permits])


def _of_batch(_pump: SidePump, _commits: Any, permit: AnyOfEach) -> _Claims | None:
    return _claims(permit._permits)


def _of_mark(settler: Settler, commit: Any, *_: Any) -> _Claims | None:
    flow: Flow = settler._flow
    return _claims([flow.permits_of(commit)])


def _claims(groups: Sequence[Sequence[Any]]) -> _Claims | None:
    """Return the leases of permits; None for those of an operator, who needs none."""
    held = [[permit._held for permit in group if isinstance(permit, LeasePermit)] for group in groups]
    return _Claims(held) if any(held) else None


def _patched(
    owner: type[object], name: str, change: Callable[[Callable[..., Any]], Callable[..., Any]]
) -> AbstractContextManager[object]:
    return patch.object(owner, name, change(getattr(owner, name)))
