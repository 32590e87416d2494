"""Deliberate bugs of leases, shards, parking and operators' verbs; see `bugs`."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from weakref import WeakKeyDictionary

from eventstore.dynamodb.errors import ConditionFailedError, DynamoError
from eventstore.dynamodb.statements import WriteStatement
from eventstore.errors import EventStoreError
from eventstore.rows.item import row_key
from relay.delivery.commit import OwedCommit
from relay.delivery.flow import Flow
from relay.delivery.page import CommitPage, Fate
from relay.delivery.pumps.bus_pump import BusPump
from relay.destination import BUS, CommitKey
from relay.feed.shard_consumer import ShardConsumer, ShardState
from relay.feed.shard_consumers import ShardConsumers
from relay.leases import rules
from relay.leases.errors import LeaseLostError
from relay.leases.fleet import Lease
from relay.leases.held import HeldLease
from relay.leases.keeper import Keeper
from relay.leases.lease_writes import LeaseWrites
from relay.operating.parked import drop as drops
from relay.operating.parked.drop import Dropper
from relay.operating.parked.mark import Mark, MarkedRow
from relay.operating.parked.release import ReleaseFate, Releaser
from relay.outbox.row import RowId, lacking
from relay.outbox.writer import OutboxWriter
from relay.outbox.written import Done, Later, Written
from relay.sweep import sweep as sweeps
from relay.sweep.sweep import Sweep
from tests.simulation.bugs import planted


@planted("fence-ignored", "a fenced worker publishes nothing", "a fenced worker parks nothing")
def _fence_ignored() -> Iterator[None]:
    """A worker believes in its leases until it is told otherwise, however late its heartbeat is."""

    def left_seconds(self: HeldLease) -> float:
        return 0.0 if self._is_over else float("inf")

    with patch.object(HeldLease, "left_seconds", left_seconds):
        yield


@planted("lease-believed-too-long", "a shard has one unfenced owner", "a fenced worker publishes nothing")
def _lease_believed_too_long() -> Iterator[None]:
    """A worker believes in its lease for longer than the others wait."""
    with patch.object(rules, "VALID_SHARE", 3.0):
        yield


@planted("checkpoint-by-a-former-owner", "only the owner writes a checkpoint")
def _checkpoint_by_a_former_owner() -> Iterator[None]:
    """A checkpoint is written whoever has the lease by now, and also by a shard consumer that has lost it."""
    honest, release = HeldLease.save, ShardConsumer._release

    def save(self: HeldLease, position: Any, *, finished: bool = False) -> None:
        if finished or position is None:
            honest(self, position, finished=finished)
            return
        values = {":position": {"S": str(position)}, ":now": {"N": str(self._runtime.now_ms())}}
        with suppress(ConditionFailedError):  # the lease is gone
            self._table._update(self.key, "SET #position = :position, #at = :now", "attribute_exists(#key)", values)
        self._position = position

    def release_late(self: ShardConsumer, state: ShardState) -> ShardState:
        if state is ShardState.LEASE_LOST:
            with suppress(EventStoreError):
                self._held.save(self._dealt_with or self._held.position)
        return release(self, state)

    with (
        patch.object(HeldLease, "save", save),
        patch.object(ShardConsumer, "_release", release_late),
    ):
        yield


@planted("two-workers-renew-one-term", "a lease changes hands under a new term", "only the owner sends a heartbeat")
def _two_workers_renew_one_term() -> Iterator[None]:
    """Who takes an abandoned lease goes on under its term, and a renewal asks for the term alone."""
    honest = LeaseWrites._take_of

    def take_of(self: LeaseWrites, seen: Lease, owner: str) -> WriteStatement:
        statement = honest(self, seen, owner)
        if seen.owner is None:
            return statement
        me, _, *rest = statement.parameters
        return replace(statement, parameters=[me, {"N": str(seen.term)}, *rest])

    def renew(self: LeaseWrites, terms: Mapping[str, int], owner: str) -> dict[str, Any]:
        text = self._renew.replace(' AND "owner" = ?', "")
        made = {
            key: WriteStatement(text, [{"N": "1"}, {"S": "fleet"}, {"S": key}, {"N": str(term)}])
            for key, term in terms.items()
        }
        return {
            key: LeaseLostError(key, worker_id=owner, term=terms[key])
            if isinstance(answer, ConditionFailedError)
            else self._decoded(answer)
            for key, answer in self._each(made, wants_item=True).items()
        }

    with patch.object(LeaseWrites, "_take_of", take_of), patch.object(LeaseWrites, "renew", renew):
        yield


@planted(
    "expired-lease-never-taken",
    "a dead worker's shards are carried on",
    "every shard is read to its end",
    "everything drains when faults stop",
)
def _expired_lease_never_taken() -> Iterator[None]:
    """What a dead worker has left stays its own."""

    def expired(_view: rules.View) -> list[str]:
        return []

    with patch.object(rules, "_expired", expired):
        yield


@planted("handed-over-while-at-work", "a shard has one unfenced owner")
def _handed_over_while_at_work() -> Iterator[None]:
    """A lease that another worker asks for changes hands at once, and the page in hand goes on."""
    honest = ShardConsumers.tend

    def tend(self: ShardConsumers) -> None:
        keeper = self._keeper
        for held in keeper.held().values():
            if held.is_wanted():
                keeper._table.release(held.key, keeper.worker_id, held.term, to=held.wanted_by)
                held.note_wanted(None)
        honest(self)

    with patch.object(ShardConsumers, "tend", tend):
        yield


@planted("pause-ignored", "nothing is begun while delivery is paused")
def _pause_ignored() -> Iterator[None]:
    """Workers go on though an operator has stopped delivery."""

    def is_paused(_self: Keeper) -> bool:
        return False

    with patch.object(Keeper, "is_paused", is_paused):
        yield


@planted("parked-row-stops-the-shard", "every shard is read to its end")
def _parked_row_stops_the_shard() -> Iterator[None]:
    """A page with a commit that waits for a person is never dealt with."""
    honest = CommitPage.is_dealt_with.fget  # type: ignore[attr-defined]

    def is_dealt_with(self: CommitPage) -> bool:
        return bool(honest(self)) and not (self.fates[Fate.PARKED] or self.fates[Fate.WAITING])

    with patch.object(CommitPage, "is_dealt_with", property(is_dealt_with)):
        yield


@planted("stranded-behind-a-released-one", "everything drains when faults stop")
def _stranded_behind_a_released_one() -> Iterator[None]:
    """What the sweep once saw behind a parked commit it leaves to the release, which brings only that commit."""
    seen: WeakKeyDictionary[Sweep, set[CommitKey]] = WeakKeyDictionary()
    honest = Sweep._choose

    def choose(self: Sweep, rows: Any, behind: Collection[CommitKey], now_ms: int, age_seconds: float | None) -> Any:
        remembered = seen.setdefault(self, set())
        remembered.update(behind)
        return honest(self, rows, remembered, now_ms, age_seconds)

    with patch.object(Sweep, "_choose", choose):
        yield


@planted("sweep-remembers-blocked-aggregates", "everything drains when faults stop")
def _sweep_remembers_blocked_aggregates() -> Iterator[None]:
    """An aggregate that was once blocked is none of the sweep's business any more."""
    blocked: WeakKeyDictionary[Sweep, set[str]] = WeakKeyDictionary()
    honest = Sweep._choose

    def choose(self: Sweep, rows: Any, behind: Collection[CommitKey], now_ms: int, age_seconds: float | None) -> Any:
        remembered = blocked.setdefault(self, set())
        remembered.update(row.aggregate_id for row in rows if BUS in row.parked)
        return honest(
            self, rows, {row.key for row in rows if row.aggregate_id in remembered} | set(behind), now_ms, age_seconds
        )

    with patch.object(Sweep, "_choose", choose):
        yield


@planted("complete-row-stays", "everything drains when faults stop")
def _complete_row_stays() -> Iterator[None]:
    """Nobody looks whether a note has made a row complete, and the sweep takes only what is work."""
    worth, honest = sweeps.worth_taking, Flow.noted

    def noted(self: Flow, notes: Mapping[OwedCommit, frozenset[str]]) -> None:
        honest(self, {commit: names & commit.delivered for commit, names in notes.items()})

    def worth_taking(row: Any, names: Collection[str], *rest: Any) -> bool:
        return bool(lacking(row, names)) and worth(row, names, *rest)

    with patch.object(Flow, "noted", noted), patch.object(sweeps, "worth_taking", worth_taking):
        yield


@planted("delivered-overwritten", "who has a commit is only added to")
def _delivered_overwritten() -> Iterator[None]:
    """Who notes that a destination has a commit forgets the others that have it."""
    honest = OutboxWriter.note

    def note(self: OutboxWriter, notes: Mapping[RowId, Collection[str]]) -> dict[RowId, Written]:
        written = honest(self, notes)
        for row, names in notes.items():
            if written[row] == Done(frozenset(names)) or not isinstance(written[row], Done):
                continue
            try:
                self._caller.once(
                    self._client.update_item,
                    TableName=self._table,
                    Key=row_key(*row.key),
                    UpdateExpression="SET delivered = :names",
                    ConditionExpression="commitId = :commit",
                    ExpressionAttributeValues={":names": {"SS": sorted(names)}, ":commit": {"S": str(row.commit_id)}},
                )
            except DynamoError as error:
                written[row] = Later(str(error), cause=error)
        return written

    with patch.object(OutboxWriter, "note", note):
        yield


@planted("parked-out-of-turn", "what is parked has nothing owed below it")
def _parked_out_of_turn() -> Iterator[None]:
    """A commit that is too large is parked though what is below it was not taken."""
    honest = BusPump._fill

    def fill(self: BusPump) -> None:
        flow = self._flow
        with flow._lock:
            for commit in [each for aggregate in flow._aggregates.values() for each in aggregate.owing]:
                if commit.row.events is None:
                    flow._fetch(commit)
                elif commit.fault is None and BUS not in commit.row.parked:
                    commit.fault = self._bus.unsendable(commit.row)
                    if commit.fault is not None:
                        flow._mark(commit, BUS, commit.fault)
        honest(self)

    with patch.object(BusPump, "_fill", fill):
        yield


@planted("drop-without-predecessor", "a drop leaves nothing owed below it")
def _drop_without_predecessor() -> Iterator[None]:
    """A parked commit is dropped though what is below it may still come."""

    def check_turn(_self: Dropper, _row: MarkedRow) -> None:
        return

    def turn_check(table: str, before: CommitKey) -> dict[str, Any]:
        key = {"aggregateId": {"S": before[0]}, "sequenceNumber": {"N": str(before[1])}}
        return {
            "ConditionCheck": {"TableName": table, "Key": key, "ConditionExpression": "attribute_not_exists(nothing)"}
        }

    with patch.object(Dropper, "_check_turn", check_turn), patch.object(drops, "_turn_check", turn_check):
        yield


@planted("release-forgets-the-index", "what is released goes")
def _release_forgets_the_index() -> Iterator[None]:
    """Only marks for the bus go."""
    honest = Releaser._remove

    def remove(self: Releaser, row: MarkedRow, marks: tuple[Mark, ...]) -> ReleaseFate:
        for_bus = tuple(mark for mark in marks if mark.destination == BUS)
        return honest(self, row, for_bus) if for_bus else ReleaseFate.RELEASED

    with patch.object(Releaser, "_remove", remove):
        yield
