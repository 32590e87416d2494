"""Any interleaving of workers that look, renew, pause, die, and lose replies: never two who believe in one lease."""

import contextlib
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventstore.testing.dynamodb.errors import ServiceError
from relay.leases.held import HeldLease
from relay.leases.rules import is_shard

from .worlds import TICK_SECONDS, Effect, Fault, Member, World, cut_short, reply_lost, request_lost, throttled

DURATION = 10.0
SHARDS = ("s1", "s2", "s3")
STEPS = ("pause", "pause", "resume", "let go", "retire", "die", "start", "fault", "fault", "outage", "arrive")
WORKERS_MAX = 4
FAULTS = (
    "throttled",
    "request lost",
    "reply lost",
    "one reply lost",
    "cut short",
    "slow request",
    "slow reply",
    "delayed",
)
SLOW_SECONDS = 4.0
DEPTH_MAX = 1
"""Slow calls within slow calls: in an outage that makes every call slow, each would hold four more, without an end."""

CALL_SECONDS = 0.01
OPERATIONS = ("Query", *["BatchExecuteStatement"] * 3, "UpdateItem", "PutItem", "DeleteItem")

actions = st.lists(
    st.tuples(
        st.sampled_from(STEPS),
        st.integers(0, WORKERS_MAX - 1),  # which worker
        st.integers(0, 60),  # ticks that pass first
        st.sampled_from(FAULTS),
        st.sampled_from(OPERATIONS),
    ),
    min_size=5,
    max_size=25,
)


class Checked(World):
    """A world whose calls take time, and that looks at who believes in what before and after each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.delayed: list[Effect] = []
        self._depth = 0
        self.handles: dict[HeldLease, Member] = {}  # all there ever were: a part may still look at an old one
        self.faults: dict[str, Fault] = {
            "throttled": throttled,
            "request lost": request_lost,
            "reply lost": reply_lost,
            "one reply lost": one_reply_lost,
            "cut short": cut_short,
            "slow request": self._slow_request,
            "slow reply": self._slow_reply,
            "delayed": self._delay,
        }
        carry = self.way.carry

        def carry_checked(operation: str, request: Any, effect: Effect) -> dict[str, Any]:
            self.pass_time(CALL_SECONDS)
            try:
                return carry(operation, request, effect)
            finally:
                self.pass_time(CALL_SECONDS)

        self.way.carry = carry_checked  # type: ignore[method-assign]

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and check before and after."""
        self.check()
        self.runtime.advance(seconds)
        self.check()

    def check(self) -> None:
        """No lease has two who may deliver under it; away or not, since a paused one may go on at any moment."""
        for member in self.members:
            self.handles.update(dict.fromkeys(member.keeper._held.values(), member))
        believers: dict[str, list[str]] = {}
        for held, member in list(self.handles.items()):
            if not held.is_fenced():
                if member in self.members:
                    believers.setdefault(held.key, []).append(f"{member.name} under {held.term}")
            elif member.keeper._held.get(held.key) is not held:
                del self.handles[held]  # nobody renews it any more, so it stays fenced
        assert all(len(names) == 1 for names in believers.values()), believers

    def let_delayed_arrive(self) -> None:
        """Let requests arrive that nobody waits for any more."""
        for effect in self.delayed:
            with contextlib.suppress(ServiceError):
                effect()
        self.delayed.clear()

    def _slow_request(self, effect: Effect) -> dict[str, Any]:
        self._meanwhile()
        return effect()

    def _slow_reply(self, effect: Effect) -> dict[str, Any]:
        reply = effect()
        self._meanwhile()
        return reply

    def _meanwhile(self) -> None:
        """Let the others go on, whose calls may be slow as well; deeper than that, only time passes."""
        if self._depth == DEPTH_MAX:
            self.pass_time(SLOW_SECONDS)
            return
        self._depth += 1
        try:
            self.run(SLOW_SECONDS, self.check)
        finally:
            self._depth -= 1

    def _delay(self, effect: Effect) -> dict[str, Any]:
        self.delayed.append(effect)
        return connection_broken()


def one_reply_lost(effect: Effect) -> dict[str, Any]:
    """Lose the answer to one of several writes, or the whole reply where there is but one."""
    reply = effect()
    if "Responses" not in reply:
        raise ReadTimeoutError(endpoint_url="memory:")
    reply["Responses"][-1] = {"Error": {"Code": "InternalServerError", "Message": "oops"}}
    return reply


def connection_broken() -> dict[str, Any]:
    """Break the connection, so that nobody knows whether the request arrives."""
    raise ReadTimeoutError(endpoint_url="memory:")


def act(world: Checked, what: str, member: Member) -> None:
    """Let a worker do something, or have it done to it."""
    keeper = member.keeper
    match what:
        case "pause":
            member.is_away = True
        case "resume":
            member.is_away = False
        case "die":
            world.members.remove(member)
        case _ if member.is_away:
            return
        case "let go":
            for held in list(keeper.held().values())[:1]:
                keeper.release(held)  # by another part than the keeper's own, which may go on meanwhile
        case "retire":
            with world.at_work(member):
                keeper.retire()
                keeper.step()
                keeper.leave_fleet()
            world.members.remove(member)


def happen(world: Checked, action: tuple[str, int, int, str, str], number: int) -> None:
    """Let one thing happen."""
    what, which, ticks, fault, operation = action
    world.run(ticks * TICK_SECONDS, world.check)
    if what == "start" and len(world.members) < WORKERS_MAX:
        world.way.faults.clear()
        world.way.always = None  # nobody joins without DynamoDB
        world.join(f"w{number}")
    elif what == "fault":
        world.way.faults.setdefault(operation, []).append(world.faults[fault])
    elif what == "outage":
        world.way.always = world.faults[fault] if world.way.always is None else None
    elif what == "arrive":
        world.let_delayed_arrive()
    elif world.members:
        act(world, what, world.members[which % len(world.members)])


@pytest.mark.timeout(600)  # a course in which every call is slow takes minutes on a loaded machine
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
def test_a_lease_has_one_believer_at_most_and_is_found_again(course: list[tuple[str, int, int, str, str]]) -> None:
    """
    At no moment do two workers believe in one lease, whatever happens.

    Once it stops happening, every shard is held again within a lease's duration and two seconds, and they are shared.
    """
    world = Checked()
    world.offer(*SHARDS)
    world.join("a")
    world.join("b")
    for number, action in enumerate(course):
        happen(world, action, number)
    world.let_delayed_arrive()
    world.way.always = None
    world.way.faults.clear()
    for member in world.members:
        member.is_away = False
    if not world.members:
        world.join("last")
    survivors = world.members
    within = DURATION + 2.0
    world.seconds_until(
        lambda: sorted(shard for member in survivors for shard in member.shards()) == list(SHARDS), within=within + 0.25
    )
    world.run(60.0, world.check)
    loads = [len(member.shards()) for member in survivors]
    assert sum(loads) == len(SHARDS)
    assert max(loads) - min(loads) <= 1
    assert all(lease.owner is not None for lease in world.fleet().leases.values() if is_shard(lease))
