"""Workers with the product's keeper on one in-memory table; they take their turns, and time passes, in any order."""

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from eventstore.dynamodb import tables
from eventstore.testing import ManualRuntime
from relay.leases.fleet_table import FleetTable
from relay.leases.held import HeldLease
from relay.leases.worker_report import WorkerReport
from tests.exhaustive.explorer import Step, World
from tests.exhaustive.fingerprints import MOMENTS_FROM, Fingerprint
from tests.unit.relay.leases import worlds
from tests.unit.relay.leases.worlds import Effect, Member

_TEMPLATE = tables.load_template()
_SKIPPED = (ManualRuntime, FleetTable, WorkerReport)
_READS = frozenset({"Query", "GetItem"})
CALM_SECONDS = 20
"""Within which all is held again, and shared, once nothing goes wrong."""


class Leases(World):
    """Two workers and some shards.

    Args:
        shards: Their names.
        ticks: How often time passes.
        tick_seconds: By how much.
        faults: How often each kind may happen: a `reply` or a `request` of a write is lost, a `look` fails, or
            one `stop`s.
    """

    def __init__(self, shards: Sequence[str], ticks: int, tick_seconds: float, **faults: int) -> None:
        with patch.object(tables, "load_template", lambda: _TEMPLATE):
            self.world = worlds.World()
        self.world.runtime.advance(2 * MOMENTS_FROM)
        self.world.offer(*shards)
        for name in "AB":
            self.world.join(name)
        self.members = list(self.world.members)
        self.shards = list(shards)
        self.ticks, self.tick_seconds, self.left = ticks, tick_seconds, dict(faults)
        self.handles: dict[HeldLease, str] = {}
        self._notice()

    def steps(self) -> Sequence[Step]:
        """See `World`."""
        steps = []
        if self.ticks:
            steps.append(Step("time passes", self._wait))
        for member in self.world.members:
            steps.append(Step(f"{member.name} has its turn", lambda member=member: self._turn(member)))
            for kind, what in (
                ("reply", "the reply to its first write is lost"),
                ("request", "its first write never arrives"),
                ("look", "its first look fails"),
            ):
                if self.left.get(kind):
                    name = f"{member.name} has its turn, and {what}"
                    steps.append(Step(name, lambda m=member, k=kind: self._turn_badly(m, k), is_fault=True))
            if self.left.get("stop") and len(self.world.members) > 1:
                steps.append(Step(f"{member.name} stops", lambda m=member: self._stop(m), is_fault=True))
        return steps

    def check(self) -> None:
        """See `World`: no lease has two who may deliver under it."""
        believers: dict[str, list[str]] = {}
        for held, name in self.handles.items():
            if not held.is_fenced():
                believers.setdefault(held.key, []).append(name)
        twice = {key: names for key, names in believers.items() if len(names) > 1}
        assert not twice, f"two believe in one lease: {twice}"

    def fingerprint(self) -> object:
        """See `World`."""
        runtime = self.world.runtime
        print_ = Fingerprint(runtime.monotonic(), _SKIPPED)
        for member in self.world.members:
            print_.add(member.name)
            print_.add({name: getattr(member.keeper, name) for name in _STATE})
        for held, name in self.handles.items():
            if not held.is_fenced():
                print_.add((held.key, name, held))
        rows = self.world.client.scan(TableName=worlds.TABLE)["Items"]
        return (print_.value(), repr(rows), self.ticks, tuple(sorted(self.left.items())))

    def is_done(self) -> bool:
        """See `World`: when time is used up, all is held and shared after a while without faults."""
        if self.ticks:
            return False
        for _ in range(CALM_SECONDS):
            self.world.runtime.advance(1.0)
            for member in self.world.members:
                self._turn(member)
                self.check()
        held = sorted(shard for member in self.world.members for shard in member.shards())
        assert held == self.shards, f"held in the calm are {held}"
        loads = [len(member.shards()) for member in self.world.members]
        assert max(loads) - min(loads) <= 1, f"in the calm the loads are {loads}"
        return True

    def _notice(self) -> None:
        for member in self.world.members:
            self.handles.update(dict.fromkeys(member.keeper._held.values(), member.name))

    def _wait(self) -> None:
        self.ticks -= 1
        self.world.runtime.advance(self.tick_seconds)

    def _turn(self, member: Member) -> None:
        member.keeper.step()
        self._notice()
        self.world.hand_over(member)

    def _turn_badly(self, member: Member, kind: str) -> None:
        self.left[kind] -= 1
        self.world.way.carry = _once(kind)  # type: ignore[method-assign]
        try:
            self._turn(member)
        finally:
            del self.world.way.carry

    def _stop(self, member: Member) -> None:
        self.left["stop"] -= 1
        member.keeper.retire()
        member.keeper.step()
        self._notice()
        member.keeper.leave_fleet()
        self.world.members.remove(member)


def _once(kind: str) -> Callable[[str, Any, Effect], dict[str, Any]]:
    """Return a way on which one call is lost."""
    lost = False

    def carry(operation: str, _request: Any, effect: Effect) -> dict[str, Any]:
        nonlocal lost
        if lost or (kind == "look") != (operation in _READS):
            return effect()
        lost = True
        if kind == "reply":
            effect()
            raise ReadTimeoutError(endpoint_url="memory:")
        raise ConnectTimeoutError(endpoint_url="memory:")

    return carry


_STATE = ("_held", "_left_alone", "_state", "_view", "_is_nudged", "_counter", "_write_at", "_look_at")
