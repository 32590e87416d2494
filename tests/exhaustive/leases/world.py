"""Workers with the product's keeper on one in-memory table; while time passes, some of them work."""

from collections.abc import Sequence
from itertools import combinations
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
_WRITES = frozenset({"BatchExecuteStatement", "UpdateItem", "PutItem", "DeleteItem"})
CALM_SECONDS = 20
"""Within which all is held again, and shared, once nothing goes wrong."""


class Leases(World):
    """Two workers and some shards. In each span of time some of them work, and the others stand still.

    Args:
        shards: Their names.
        spans: How often time passes.
        seconds: By how much.
        faults: How often each kind may happen: the `reply` or the `request` of a write is lost, or one `stop`s
            or `die`s.
    """

    def __init__(self, shards: Sequence[str], spans: int, seconds: int, **faults: int) -> None:
        with patch.object(tables, "load_template", lambda: _TEMPLATE):
            self.world = worlds.World()
        self.world.runtime.advance(2 * MOMENTS_FROM)
        self.world.offer(*shards)
        for name in "AB":
            self.world.join(name)
        self.shards = list(shards)
        self.spans, self.seconds, self.left = spans, seconds, dict(faults)
        self.handles: dict[HeldLease, str] = {}
        self.armed: tuple[str, str] | None = None  # whose next write is lost, and how
        self.at_work = ""
        self.world.way.carry = self._carry  # type: ignore[method-assign]

    def steps(self) -> Sequence[Step]:
        """See `World`."""
        if not self.spans:
            return []
        members = self.world.members
        steps = [Step("nobody works", lambda: self._work([]))]
        for size in range(1, len(members) + 1):
            for some in combinations(members, size):
                names = " and ".join(member.name for member in some)
                steps.append(Step(f"{names} at work", lambda some=some: self._work(some)))
        for member in members:
            for kind in ("reply", "request"):
                if self.left.get(kind) and self.armed is None:
                    name = f"the {kind} of {member.name}'s next write is lost"
                    steps.append(Step(name, lambda m=member, k=kind: self._arm(m, k), is_fault=True))
            if self.left.get("stop") and len(members) > 1:
                steps.append(Step(f"{member.name} stops", lambda m=member: self._stop(m), is_fault=True))
            if self.left.get("die") and len(members) > 1:
                steps.append(Step(f"{member.name} dies", lambda m=member: self._die(m), is_fault=True))
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
        return (print_.value(), repr(rows), self.spans, self.armed, tuple(sorted(self.left.items())))

    def is_done(self) -> bool:
        """See `World`: when time is used up, all is held and shared after a while without faults."""
        if self.spans:
            return False
        self.armed = None
        for _ in range(CALM_SECONDS):
            self._pass_second(self.world.members)
        held = sorted(shard for member in self.world.members for shard in member.shards())
        assert held == self.shards, f"held in the calm are {held}"
        loads = [len(member.shards()) for member in self.world.members]
        assert max(loads) - min(loads) <= 1, f"in the calm the loads are {loads}"
        return True

    def _work(self, members: Sequence[Member]) -> None:
        self.spans -= 1
        for _ in range(self.seconds):
            self._pass_second(members)

    def _pass_second(self, members: Sequence[Member]) -> None:
        """Let a second pass, in which each has a turn; what must hold is looked at behind each."""
        self.world.runtime.advance(1.0)
        self.check()
        for member in members:
            self.at_work = member.name
            member.keeper.step()
            self._notice(member)
            self.world.hand_over(member)
            self.check()

    def _notice(self, member: Member) -> None:
        self.handles.update(dict.fromkeys(member.keeper._held.values(), member.name))

    def _arm(self, member: Member, kind: str) -> None:
        self.left[kind] -= 1
        self.armed = member.name, kind

    def _stop(self, member: Member) -> None:
        self.left["stop"] -= 1
        self.at_work = member.name
        member.keeper.retire()
        member.keeper.step()
        self._notice(member)
        member.keeper.leave_fleet()
        self.world.members.remove(member)

    def _die(self, member: Member) -> None:
        self.left["die"] -= 1
        self.world.members.remove(member)

    def _carry(self, operation: str, _request: Any, effect: Effect) -> dict[str, Any]:
        if self.armed is None or self.armed[0] != self.at_work or operation not in _WRITES:
            return effect()
        (_, kind), self.armed = self.armed, None
        if kind == "reply":
            effect()
            raise ReadTimeoutError(endpoint_url="memory:")
        raise ConnectTimeoutError(endpoint_url="memory:")


_STATE = ("_held", "_left_alone", "_state", "_view", "_is_nudged", "_counter", "_write_at", "_look_at")
