"""What is tried in the calm, when everything can be said exactly: a worker dies or leaves, and operators repair.

A fault in the storm may excuse much; here nothing does. So this is where promises with a time in them are kept to it.
"""

from collections.abc import Callable, Mapping

from eventstore.dynamodb.table_names import TableNames
from tests.simulation.checkers import Checkers
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.fleet import FleetWatch, LeaseRow
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.processes import Processes, Slot
from tests.simulation.scheduler import Process
from tests.simulation.settings import WorldSettings

JOIN_SECONDS = 180.0
"""After a storm every worker is at work, or refused for its settings, within so much simulated time."""

DEAD_MARGIN_SECONDS = 2.0
"""Beyond the duration of a lease: a dead worker's shards are carried again by then."""

LEAVE_SECONDS = 25.0
"""A worker that is told to stop is gone by then."""

HAND_OVER_SECONDS = 3.0
"""And its shards are carried by others so soon after it."""

REPAIRS_MAX = 60
"""Each repair settles at least one commit that was parked."""

_LOOK_SECONDS = 0.25
_TABLES = TableNames()


class Trials:
    """Tries a world that is calm.

    Args:
        settle: Lets the world go on until everything that can go is gone.
    """

    def __init__(
        self,
        settings: WorldSettings,
        runtime: SimulatedRuntime,
        *,
        ledger: Ledger,
        checkers: Checkers,
        fleet: FleetWatch,
        passage: SimulatedPassage,
        processes: Processes,
        settle: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._runtime = runtime
        self._ledger = ledger
        self._checkers = checkers
        self._fleet = fleet
        self._passage = passage
        self._processes = processes
        self._settle = settle

    def newest(self) -> dict[str, int]:
        """Return the position of the newest record of each shard of the outbox's feed."""
        feed = self._passage.database._engine.table(_TABLES.outbox).feed
        return {} if feed is None else {each.shard_id: each._positions[-1] for each in feed.shards if each._positions}

    def unread(self, up_to: Mapping[str, int] | None = None) -> list[str]:
        """Return what is wrong with the shards of the outbox's feed, for those that somebody could carry.

        Args:
            up_to: Positions up to which they are to be read; the newest records unless given.
        """
        goal = self.newest() if up_to is None else up_to
        feed = self._passage.database._engine.table(_TABLES.outbox).feed
        if feed is None or not feed.is_enabled:
            return []
        rows, listed = self._fleet.rows, {shard.shard_id for shard in feed.shards}
        is_full = self._is_full()
        found = []
        for shard in feed.shards:
            key = f"lease#{feed.label}#{shard.shard_id}"
            row, parent = rows.get(key), rows.get(f"lease#{feed.label}#{shard.parent_id}")
            if row is None:
                if shard.parent_id not in listed or (parent is not None and parent.is_finished):
                    found.append(f"{shard.shard_id} has no lease")
            elif row.is_finished:
                continue
            elif not self._fleet.is_alive(row.owner):
                found += [] if is_full else [f"{shard.shard_id} has no owner that lives"]
            elif not shard.is_open:
                found.append(f"{shard.shard_id} is closed and not finished")
            elif row.position < goal.get(shard.shard_id, -1):
                found.append(f"{shard.shard_id} is read up to {row.position} of {goal[shard.shard_id]}")
        return found

    def has_room_for_all(self) -> bool:
        """Tell whether the workers at work, without one of them, can carry every shard that is not read to its end."""
        feed = self._passage.database._engine.table(_TABLES.outbox).feed
        if feed is None or not feed.is_enabled:
            return False
        joined = sum(self._has_joined(slot) for slot in self._processes.relays)
        present = [key for key, row in self._fleet.rows.items() if key != "lease#sweep" and not row.is_finished]
        return max(1, joined - 1) * self._settings.relay.shards_max >= len(present)

    def uncarried(self) -> str:
        """Return the first unfinished lease that nobody is at work on; empty when there is none."""
        lying = (key for key, row in self._fleet.rows.items() if not row.is_finished)
        return next((key for key in lying if self._fleet.carried_by(key) is None), "")

    def lose_a_worker(self) -> None:
        """Let a worker die, or stop it; the others carry on in time."""
        slots = self._processes.relays
        if self._settings.trial is None or len(slots) == 1:
            return
        self._wait(self._are_all_at_work, JOIN_SECONDS, "every worker comes to work")
        working = [slot for slot in slots if self._has_joined(slot)]
        victim = working[0]
        assert victim.process is not None, "it is at work"
        keys = self._fleet.owned_by(victim.process)
        if self._settings.trial == "crash":
            self._processes.crash(victim.process)
            seconds, promise = (
                self._lease_seconds(victim) + DEAD_MARGIN_SECONDS,
                "a dead worker's shards are carried on",
            )
        else:
            self._processes.stop(victim)
            self._wait(lambda: not victim.is_running(), LEAVE_SECONDS, "a relay that is told to stop stops")
            if not self._fleet.has_left(victim.process, self._states()):
                self._ledger.broken("a worker that stops leaves nothing behind", f"{victim.process.name}")
            seconds, promise = HAND_OVER_SECONDS, "a worker that stops hands over"
        if len(working) > 1:
            self._wait(lambda: not self._left_lying(keys), seconds, promise, lambda: str(self._left_lying(keys)))

    def repair(self) -> None:
        """Let operators release or drop all that is parked, after which nothing is owed."""
        self._wait(lambda: not self._processes.is_anybody_away(), JOIN_SECONDS, "every worker comes to work")
        for _ in range(REPAIRS_MAX):
            if not self._checkers.owed():
                return
            if self._settings.repair == "release":
                self._heal()
                self._processes.start_operator("release", everything=True)
            else:
                self._processes.start_operator("drop", keys=self._checkers.parked())
            self._wait(lambda: not self._processes.is_operating(), JOIN_SECONDS, "an operator's verb ends")
            before = self._checkers.parked()
            self._settle()
            if self._settings.repair == "release" and self._checkers.owed():
                self._ledger.broken("what is released goes", f"left: {self._checkers.owed()[:5]} of {before[:5]}")
        if self._checkers.owed():
            self._ledger.broken("what is dropped goes", f"left: {self._checkers.owed()[:5]}")

    def _heal(self) -> None:
        """Let the destinations take what they refused; workers and a replay learn of a limit when they start."""
        for slot in self._processes.relays:
            self._processes.stop(slot)
        if self._processes.operator_stop is not None:
            self._processes.operator_stop.set()
        stopped = "a relay that is told to stop stops"
        self._wait(lambda: not self._processes.is_running(), LEAVE_SECONDS, stopped)
        self._checkers.message_max_bytes = self._processes.heal()

    def _left_lying(self, keys: set[str]) -> dict[str, LeaseRow]:
        """Return those leases that nobody who lives is at work on, though somebody could be."""
        is_full = self._is_full()
        lying = {}
        for key in keys:
            row = self._fleet.rows.get(key)
            if row is None or row.is_finished or (is_full and key != "lease#sweep"):
                continue
            if self._fleet.carried_by(key) is None and not self._is_left_alone(key):
                lying[key] = row
        return lying

    def _is_left_alone(self, key: str) -> bool:
        """Tell whether nobody at work could read a shard a while ago: its stream was replaced, say, and is gone."""
        joined = [slot.process for slot in self._processes.relays if slot.process and self._has_joined(slot)]
        return bool(joined) and all(self._fleet.leaves_alone(process, key) for process in joined)

    def _left_lying_by_others(self, keys: set[str], leaver: Process | None) -> dict[str, LeaseRow]:
        """Return those leases that nobody but a worker that leaves is at work on, though somebody could be."""
        lying = self._left_lying(keys)
        carried = {key for key in keys if leaver is not None and self._fleet.carried_by(key) is leaver}
        return lying | {key: self._fleet.rows[key] for key in carried}

    def _is_full(self) -> bool:
        """Tell whether every worker at work carries as many shards as it can; one that is refused carries none."""
        most = self._settings.relay.shards_max
        joined = [slot.process for slot in self._processes.relays if slot.process and self._has_joined(slot)]
        return bool(joined) and all(
            len([key for key in self._fleet.owned_by(process) if key != "lease#sweep"]) >= most for process in joined
        )

    def _are_all_at_work(self) -> bool:
        """Tell whether every worker is at work, but those whose settings the others do not have.

        Two kinds of settings at the same time are not yet the end: whoever slept while others came into force goes down
        as soon as it has looked.
        """
        self._processes.look_after_relays()
        if self._processes.is_anybody_away():
            return False
        states = [self._has_joined(slot) for slot in self._processes.relays]
        joined = [slot for slot in self._processes.relays if self._has_joined(slot)]
        kinds = {slot.kind for slot in joined}
        return len(kinds) == 1 and all(
            has or slot.kind not in kinds for has, slot in zip(states, self._processes.relays, strict=True)
        )

    def _has_joined(self, slot: Slot) -> bool:
        """Tell whether a worker is at work; one that was told to stop is not, though it may not have heard of it."""
        if slot.process is None or slot.stop is None or slot.stop.is_set() or not slot.is_running():
            return False
        return self._fleet.has_joined(slot.process, self._states())

    def _states(self) -> dict[str, str]:
        """Return the states of all workers that have a record, by name."""
        reply = self._passage.database.observer().query(
            TableName=_TABLES.relay,
            KeyConditionExpression="recordType = :type AND begins_with(recordKey, :worker)",
            ExpressionAttributeValues={":type": {"S": "fleet"}, ":worker": {"S": "worker#"}},
        )
        return {item["recordKey"]["S"].partition("#")[2]: item["state"]["S"] for item in reply["Items"]}

    def _lease_seconds(self, slot: Slot) -> float:
        return self._settings.other_lease_seconds if slot.is_odd else self._settings.relay.lease_seconds

    def _wait(
        self,
        is_done: Callable[[], bool],
        seconds: float,
        promise: str,
        tell: Callable[[], str] = lambda: "",
        look: Callable[[], None] = lambda: None,
    ) -> None:
        deadline = self._runtime.monotonic() + seconds
        while not is_done():
            look()
            if self._runtime.monotonic() >= deadline:
                self._ledger.broken(promise, f"not within {seconds:g} s {tell()}")
            self._runtime.sleep(_LOOK_SECONDS)
