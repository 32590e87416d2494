"""Keeps a worker's leases: renews them, takes free ones, asks for its share, and says what it holds."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import structlog

from eventstore.errors import EventStoreError, TryLaterError
from eventstore.ports import Flag, Runtime
from relay import defaults
from relay.leases import rules
from relay.leases.errors import FleetSettingsError, LeaseLostError
from relay.leases.fleet import SWEEP_KEY, Fleet, FleetSettings, Lease, WorkerRecord, WorkerState
from relay.leases.fleet_table import FleetTable
from relay.leases.held import HeldLease
from relay.leases.identity import WorkerIdentity
from relay.leases.joining import Joining
from relay.leases.lease_writes import LEASES_MAX
from relay.leases.rules import View
from relay.leases.worker_report import WorkerReport
from relay.lifecycle import Service

_TICK_SECONDS = 0.25
_RETRY_SECONDS = 0.5
_TOGETHER_SHARE = 12
"""Leases that are due within this share of a lease's duration are renewed with one that is due, and together from then
on: a heartbeat is at most a quarter of its period early, once."""

_NEVER = float("inf")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    """How leases are kept.

    Attributes:
        fleet: What all workers must agree on, the duration of a lease among it.
        look_seconds: How often the fleet is looked at.
        leases_max: Maximum number of shards of this worker; the sweep comes on top.
        moved_from: A bus that this worker may replace although others work with it; see `Joining`.
    """

    fleet: FleetSettings
    look_seconds: float = 1.0
    leases_max: int = defaults.SHARDS_MAX
    moved_from: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LeaseCounts:
    """What has become of leases since the start.

    Attributes:
        taken: Taken, whether free, abandoned or handed over.
        lost: Found to be another's, or no longer this worker's, without having been released.
        released: Given up, hand-overs included.
    """

    taken: int = 0
    lost: int = 0
    released: int = 0


class Keeper(Service):
    """The part `leases`, one per worker.

    First `join_fleet`, then `start`. In the end `retire`, `stop` once nothing is in flight any more, and `leave_fleet`.

    Its part alone renews and takes. The other methods may be called by any part; a lock guards what they share, and is
    never held during a call to DynamoDB.

    Args:
        table: The fleet's records.
        identity: Who this worker is.
        settings: How leases are kept.
        runtime: Clock and lock.
        report: Says what the worker has to say of itself; called by its part.
    """

    def __init__(
        self,
        table: FleetTable,
        identity: WorkerIdentity,
        settings: KeeperSettings,
        runtime: Runtime,
        report: Callable[[], WorkerReport],
    ) -> None:
        super().__init__(runtime)
        self._table = table
        self._identity = identity
        self._me = identity.worker_id
        self._settings = settings
        self._lease_seconds = settings.fleet.lease_ms / 1000
        self._report = report
        self._lock = runtime.lock()
        self._held: Mapping[str, HeldLease] = {}  # replaced under the lock, never changed
        self._left_alone: Mapping[str, float] = {}  # as above; key → until when
        self._state = WorkerState.JOINING
        self._view = View(Fleet(), self._me, runtime.monotonic(), self._lease_seconds, {}, {})
        self._counts = LeaseCounts()
        self._is_nudged = False
        self._started_at_ms = runtime.now_ms()
        self._counter = 0
        self._write_at = float("-inf")
        self._look_at = float("-inf")
        self._fenced: frozenset[str] = frozenset()
        self._faults: frozenset[str] = frozenset()
        self._log = structlog.get_logger()

    @property
    def worker_id(self) -> str:
        """This worker's name."""
        return self._me

    def join_fleet(self, stop: Flag) -> None:
        """Make sure that this worker may work beside the others, and write its record.

        Takes a moment; when other settings are in force and nobody sends a heartbeat, as long as a lease lasts.

        Raises:
            FleetSettingsError: Workers with other settings live.
            EventStoreError: DynamoDB did not answer, or the relay table is not one.
        """
        try:
            settings = self._settings
            Joining(self._table, settings.fleet, settings.look_seconds, self._runtime, settings.moved_from).go(
                self, stop
            )
            self._table.create_lease(SWEEP_KEY)
        except EventStoreError:
            self._remove_record()
            raise
        self._log.info("worker.joined", worker=self._me)

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {"leases": self._run}

    def _run(self) -> None:
        """Keep the leases until told to stop, which comes when what was begun is finished or let go.

        Raises:
            FleetSettingsError: Other settings came into force while this worker was away for long.
        """
        while not self._stopping.is_set():
            self.step()
            self._stopping.wait(self._pause_seconds())

    def step(self) -> None:
        """Do what is due: renew, write the worker's record, look at the fleet and act on it."""
        self._renew_due()
        if self._runtime.monotonic() >= self._write_at:
            self._write_record()
        with self._lock:
            is_due = self._is_nudged or self._runtime.monotonic() >= self._look_at
            self._is_nudged = False
        if is_due:
            self._look_and_act()

    def offer(self, keys: Collection[str]) -> None:
        """Create the leases of shards that may be read, unless they are there; some worker takes each soon.

        Raises:
            EventStoreError: Some are not there yet; offer them again.
        """
        known = self._view.fleet.leases
        fresh = [key for key in keys if key not in known]
        if not fresh:
            return
        made = self._table.create_leases(fresh)
        self._nudge()
        for answer in made.values():
            if isinstance(answer, EventStoreError):
                raise answer

    def held(self) -> Mapping[str, HeldLease]:
        """Return the leases that this worker holds, by key; the same key may come back under a later term."""
        return MappingProxyType({key: held for key, held in self._held.items() if not held.is_over()})

    def release(self, held: HeldLease, *, to: str | None = None, cooldown_seconds: float = 0.0) -> None:
        """Give up a lease, once nothing is in flight under it. Never raises: a lease that cannot be released expires.

        Args:
            held: The lease.
            to: The worker that gets it; None lets it free.
            cooldown_seconds: How long this worker does not take it again.
        """
        with self._lock:
            was_over = held.is_over()
            held.end()
            if self._held.get(held.key) is held:
                self._held = _without(self._held, held.key)
            self._left_alone = {**self._left_alone, held.key: _NEVER}  # or a look would take it again meanwhile
        try:
            if was_over:
                return
            if self._table.release(held.key, self._me, held.term, to=to):
                self._count(released=1)
                self._log.info("lease.released", lease=held.key, term=held.term, to=to)
            else:  # taken meanwhile: a worker that stood still learns it here when it releases before it renews
                self._count(lost=1)
                self._log.warning("lease.lost", lease=held.key, term=held.term)
        except EventStoreError as error:
            self._log.warning("lease.release_failed", lease=held.key, error=str(error))
        finally:
            until = self._runtime.monotonic() + cooldown_seconds
            with self._lock:
                self._left_alone = {**self._left_alone, held.key: until}

    def retire(self) -> None:
        """Take and request nothing more, and tell the others; what is held stays renewed until it is released."""
        with self._lock:
            self._state = WorkerState.LEAVING
            self._write_at = float("-inf")

    def leave_fleet(self) -> None:
        """Let everything go and remove this worker's record; after its part has ended. Never raises."""
        self.retire()
        for held in self.held().values():
            self.release(held)
        try:
            for lease in self._table.look().leases.values():
                # The reply to a take, or to a release, was lost; or it was asked for, and comes when nobody is there.
                asked = lease.hand_over_to == self._me and lease.owner != self._me
                mine = self._table.ask_no_more(lease.key, self._me) if asked else lease
                if mine is not None and mine.owner == self._me:
                    self._table.release(mine.key, self._me, mine.term)
        except EventStoreError as error:
            self._log.warning("fleet.read_failed", error=str(error))
        self._remove_record()
        self._log.info("worker.left", worker=self._me)

    def fleet(self) -> Fleet:
        """Return the fleet as it was seen last."""
        return self._view.fleet

    def live_workers(self) -> frozenset[str]:
        """Return the workers that count: they send heartbeats and neither join nor leave; this one included."""
        return self._view.live

    def feed_lag_seconds(self) -> float:
        """Return the worst feed lag that live workers report."""
        return rules.feed_lag_seconds(self._view)

    def waiting_shards(self) -> int:
        """Return how many shards nobody reads, as of the last look, since neither this worker nor another has room."""
        return rules.waiting_shards(self._view)

    @property
    def shards_max(self) -> int:
        """How many shards this worker has room for."""
        return self._settings.leases_max

    def is_paused(self) -> bool:
        """Tell whether an operator has stopped delivery, as of the last look."""
        return self._view.fleet.pause is not None

    @property
    def state(self) -> WorkerState:
        """Whether this worker joins, works or leaves."""
        return self._state

    @property
    def lease_seconds(self) -> float:
        """How long a lease lasts without a heartbeat."""
        return self._lease_seconds

    def seen_seconds_ago(self) -> float:
        """Return how long ago the fleet was last seen, or this keeper made."""
        return self._runtime.monotonic() - self._view.now

    def counts(self) -> LeaseCounts:
        """Return what has become of leases since the start."""
        return self._counts

    # What `run` does.

    def _renew_due(self) -> None:
        """Renew what is due, what was tried longest ago first, until DynamoDB does not answer."""
        self._note_fenced()
        for some in _calls_of(self._due(self._runtime.monotonic())):
            if not self._renew(some):
                return  # the others will hardly fare better; each gets its turn

    def _due(self, now: float) -> list[HeldLease]:
        """Return what is to be renewed: what is due, and what would be soon, so that few calls carry all."""
        held = sorted(self.held().values(), key=lambda each: each.tried_at)
        if not any(self._renews_at(each) <= now for each in held):
            return []
        soon = now + self._lease_seconds / _TOGETHER_SHARE
        return [each for each in held if self._renews_at(each) <= (soon if each.tried_at <= each.renew_at else now)]

    def _renews_at(self, held: HeldLease) -> float:
        return held.renew_at if held.tried_at <= held.renew_at else held.tried_at + _RETRY_SECONDS

    def _renew(self, some: Sequence[HeldLease]) -> bool:
        """Renew leases by one call; False when DynamoDB answered for none of them."""
        sent_at = self._runtime.monotonic()
        for held in some:
            held.tried_at = sent_at
        try:
            answers = self._table.renew_all({held.key: held.term for held in some}, self._me)
        except EventStoreError as error:
            answers = dict.fromkeys((held.key for held in some), error)
        failed: dict[str, list[str]] = {}
        for held in some:
            answer = answers[held.key]
            if isinstance(answer, LeaseLostError):
                self._lose(held)
            elif isinstance(answer, EventStoreError):
                failed.setdefault(str(answer), []).append(held.key)
            else:
                held.renewed(answer, sent_at, rules.asker_of(self._view, answer))
        for reason, keys in failed.items():
            self._log.warning("lease.renew_failed", lease=keys[0], leases=len(keys), error=reason)
        return not all(isinstance(answer, TryLaterError) for answer in answers.values())

    def _note_fenced(self) -> None:
        fenced = frozenset(held.key for held in self.held().values() if held.is_fenced())
        for key in sorted(fenced - self._fenced):
            self._log.warning("lease.fenced", lease=key)
        self._fenced = fenced

    def _write_record(self) -> None:
        self._write_at = self._runtime.monotonic() + self._lease_seconds / rules.RENEWALS_PER_LEASE
        try:
            self.show(self._state)
        except EventStoreError as error:
            self._write_at = self._runtime.monotonic() + _RETRY_SECONDS
            self._log.warning("worker.write_failed", error=str(error))

    def show(self, state: WorkerState) -> None:
        """Write this worker's record; for `join`, and for `run`.

        Raises:
            EventStoreError: It may be unwritten.
        """
        with self._lock:  # or a retirement in this very moment would be forgotten
            if self._state is not WorkerState.LEAVING:
                self._state = state
        self._counter += 1
        who = self._identity
        self._table.write_worker(
            WorkerRecord(
                self._me,
                self._counter,
                who.host,
                who.pid,
                who.release,
                self._started_at_ms,
                self._runtime.now_ms(),
                self._report(),
                self._state,
            ),
        )

    def look(self) -> View:
        """Look at the fleet, and return what this worker knows now; for `join`, and for `run`.

        Raises:
            EventStoreError: DynamoDB did not answer, or the relay table is not one.
        """
        fleet = self._table.look()
        now, before = self._runtime.monotonic(), self._view
        blind = rules.blind_seconds(before.now, now, self._settings.look_seconds)
        in_force = 0.0 if fleet.settings is None else fleet.settings.lease_ms / 1000
        with self._lock:
            self._left_alone = {key: until for key, until in self._left_alone.items() if until > now}
            self._view = View(
                fleet,
                self._me,
                now,
                max(self._lease_seconds, in_force),  # who works under a longer one is silent for longer, and lives
                rules.note_heartbeats(before.leases, rules.lease_values(fleet), now, blind),
                rules.note_heartbeats(before.workers, rules.worker_values(fleet), now, blind),
                frozenset(self.held()),
                frozenset(self._left_alone),
                self._settings.leases_max,
            )
        self._tell_changes(before.fleet, fleet)
        return self._view

    def _tell_changes(self, before: Fleet, fleet: Fleet) -> None:
        if fleet.pause is not None and before.pause is None:
            self._log.warning("delivery.paused", by=fleet.pause.by, reason=fleet.pause.reason)
        if fleet.pause is None and before.pause is not None:
            self._log.info("delivery.resumed")
        for fault in sorted(frozenset(fleet.unreadable) - self._faults):
            self._log.error("fleet.unreadable", error=fault)
        self._faults = frozenset(fleet.unreadable)

    def _look_and_act(self) -> None:
        try:
            view = self.look()
        except EventStoreError as error:
            self._look_at = self._runtime.monotonic() + self._settings.look_seconds
            self._log.warning("fleet.read_failed", error=str(error))
            return
        wakes_at = rules.wakes_at(view)
        self._look_at = min(view.now + self._settings.look_seconds, _NEVER if wakes_at is None else wakes_at)
        self._check_held(view)
        if self._state is not WorkerState.WORKING:
            return
        try:
            self._check_settings(view.fleet)
            for some in _calls_of(rules.to_take(view)):
                self._take(some)
                self._renew_due()  # taking many may take long
            for lease in rules.to_give_back(view):
                self._table.release(lease.key, self._me, lease.term)
            asked = rules.to_ask_for(view)
            if asked is not None and self._table.ask_for(asked, self._me):
                self._log.info("lease.requested", lease=asked.key, owner=asked.owner)
            for worker_id in rules.forgettable_workers(view):
                self._table.remove_worker(worker_id, counter=view.fleet.workers[worker_id].counter)
        except FleetSettingsError:
            raise
        except EventStoreError as error:
            self._log.warning(
                "fleet.write_failed", error=str(error)
            )  # a take that was applied is seen at the next look

    def _check_held(self, view: View) -> None:
        for held in self.held().values():
            lease = view.fleet.leases.get(held.key)
            if lease is None:
                continue  # gone or unreadable: the next renewal tells
            if (lease.owner, lease.term) != (self._me, held.term):
                self._lose(held)
            else:
                held.note_wanted(rules.asker_of(view, lease))

    def _check_settings(self, fleet: Fleet) -> None:
        if fleet.settings is None:
            self._table.put_settings(self._settings.fleet, None)  # an operator removed the record
        elif not fleet.settings.agrees_with(self._settings.fleet):
            different = rules.differences(fleet.settings, self._settings.fleet)
            raise FleetSettingsError(different, self.live_workers() - {self._me})

    def _take(self, some: Sequence[Lease]) -> None:
        """Take leases by one call; what was taken is held, whatever became of the others.

        Raises:
            EventStoreError: Of some nobody knows whether they were taken; the next look tells.
        """
        sent_at = self._runtime.monotonic()
        answers = self._table.take_all(some, self._me)
        for lease in some:
            taken = answers[lease.key]
            if isinstance(taken, Lease):  # else somebody was quicker, or the owner sent a heartbeat
                self._hold(lease, taken, sent_at)
        for answer in answers.values():
            if isinstance(answer, EventStoreError):
                raise answer

    def _hold(self, lease: Lease, taken: Lease, sent_at: float) -> None:
        held = HeldLease(
            taken, self._me, sent_at, lease_seconds=self._lease_seconds, table=self._table, runtime=self._runtime
        )
        with self._lock:
            is_welcome = self._state is WorkerState.WORKING
            if is_welcome:
                self._held = {**self._held, held.key: held}
        self._count(taken=1)
        self._log.info("lease.taken", lease=held.key, term=held.term, former=lease.owner)
        if not is_welcome:
            self.release(held)

    def _lose(self, held: HeldLease) -> None:
        with self._lock:
            if held.is_over() or self._held.get(held.key) is not held:
                return  # released or finished, which is not a loss
            held.end()
            self._held = _without(self._held, held.key)
        self._count(lost=1)
        self._log.warning("lease.lost", lease=held.key, term=held.term)

    def _remove_record(self) -> None:
        try:
            self._table.remove_worker(self._me)
        except EventStoreError as error:
            self._log.warning("worker.write_failed", error=str(error))  # the others forget it after a while

    def _pause_seconds(self) -> float:
        moments = [self._look_at, self._write_at]
        moments.extend(self._renews_at(held) for held in self.held().values())
        return max(0.0, min(_TICK_SECONDS, min(moments) - self._runtime.monotonic()))

    def _nudge(self) -> None:
        with self._lock:
            self._is_nudged = True

    def _count(self, *, taken: int = 0, lost: int = 0, released: int = 0) -> None:
        with self._lock:
            so_far = self._counts
            self._counts = LeaseCounts(so_far.taken + taken, so_far.lost + lost, so_far.released + released)


def _calls_of(each: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Cut leases into what one call takes."""
    for start in range(0, len(each), LEASES_MAX):
        yield each[start : start + LEASES_MAX]


def _without(held: Mapping[str, HeldLease], key: str) -> dict[str, HeldLease]:
    return {name: each for name, each in held.items() if name != key}
