"""How long somebody believes, and how long a newcomer waits, when calls are slow or settings differ."""

from dataclasses import replace
from typing import Any

import pytest

from relay.leases.errors import FleetSettingsError
from relay.leases.fleet import WorkerState

from .worlds import LABEL, SETTINGS, Effect, World

BRIEF = replace(SETTINGS, lease_ms=2_000)
LONG = replace(SETTINGS, lease_ms=30_000)


def slowly(world: World, seconds: float) -> Any:
    """Return a way on which a call takes that long."""

    def fault(effect: Effect) -> dict[str, Any]:
        reply = effect()
        world.runtime.advance(seconds)
        return reply

    return fault


def test_a_renewal_counts_from_when_it_was_sent(world: World) -> None:
    """
    Another may have received it at once, so that the time until the answer is time of the lease.
    """
    world.offer("s1")
    w1 = world.join("w1")
    w1.keeper.step()
    world.run(3.0)
    held = w1.lease("s1")
    world.runtime.advance(0.5)
    world.way.always = slowly(world, 2.0)
    w1.keeper._renew_due()
    world.way.always = None
    assert [each.left_seconds() for each in w1.keeper.held().values()] == pytest.approx([8.0 - 2.0] * 2)
    assert held.left_seconds() == pytest.approx(8.0 - 2.0)


def test_a_take_counts_from_when_it_was_sent(world: World) -> None:
    """
    Likewise.
    """
    world.offer("s1")
    w1 = world.join("w1")
    world.way.faults["BatchExecuteStatement"] = [slowly(world, 1.5)]
    w1.keeper.step()
    assert [each.left_seconds() for each in w1.keeper.held().values()] == pytest.approx([8.0 - 1.5] * 2)


def test_a_newcomer_with_shorter_leases_waits_for_the_longer_ones(world: World) -> None:
    """
    A worker whose leases last 30 s sends a heartbeat every 10 s: its silence for 2 s says nothing.
    """
    world.offer("s1")
    old = world.join("old", settings=LONG)
    world.run(0.5)
    assert old.shards() == ["s1"]
    newcomer = world.member("new", settings=BRIEF)
    wait = world.stop.wait

    def let_time_pass(timeout_seconds: float) -> bool:
        world.run(timeout_seconds)
        return wait(0)

    world.stop.wait = let_time_pass  # type: ignore[method-assign]
    with pytest.raises(FleetSettingsError, match="lease_seconds is 30 for them and 2 here"):
        newcomer.keeper.join_fleet(world.stop)
    assert old.shards() == ["s1"]
    assert world.fleet().settings == LONG


def test_the_dead_are_waited_for_as_long_as_their_leases_may_last(world: World) -> None:
    """
    A newcomer with short leases replaces the settings of dead workers with long ones, and does not give up before.
    """
    world.offer("s1")
    old = world.join("old", settings=replace(SETTINGS, lease_ms=120_000))
    world.run(1.0)
    old.is_away = True
    start = world.runtime.monotonic()
    world.join("new", settings=BRIEF)
    assert 120.0 <= world.runtime.monotonic() - start <= 122.0
    assert world.fleet().settings == BRIEF


def test_leases_of_a_newer_release_are_left_to_it(world: World) -> None:
    """
    Who took a lease of a kind or in a state that it does not know would hold it and do nothing.
    """
    world.offer("s1")
    other = {**world.row(f"lease#{LABEL}#s1"), "newer": {"S": "unknown attributes do not matter"}}
    world.put_row(other)
    world.put_row({**other, "recordKey": {"S": "lease#reindex"}})
    world.put_row({**other, "recordKey": {"S": f"lease#{LABEL}#s2"}, "state": {"S": "splitting"}})
    w1 = world.join("w1")
    world.run(15.0)
    assert sorted(w1.keeper.held()) == [f"lease#{LABEL}#s1", "lease#sweep"]
    assert "owner" not in world.row("lease#reindex")
    assert world.row(f"lease#{LABEL}#s1")["newer"] == {"S": "unknown attributes do not matter"}
    assert world.fleet().unreadable == ()


def test_a_lease_without_owner_is_free_whatever_its_counter_says(world: World) -> None:
    """
    A release whose row was written by hand, or restored: nobody waits for a heartbeat of nobody.
    """
    world.offer("s1")
    world.put_row({**world.row(f"lease#{LABEL}#s1"), "counter": {"N": "7"}, "term": {"N": "3"}})
    w1 = world.join("w1")
    world.run(1.25)
    assert w1.shards() == ["s1"]
    assert w1.lease("s1").term == 4


def test_a_retirement_outlives_a_record_that_is_being_written(world: World) -> None:
    """
    Who drains must not be made to take leases again by the heartbeat that was on its way.
    """
    w1 = world.join("w1")
    lock = w1.keeper._lock

    class RetiresBefore:
        """Lets the retirement come right before the part that writes the record gets the lock."""

        def __enter__(self) -> None:
            w1.keeper._lock = lock
            w1.keeper.retire()
            lock.__enter__()

        def __exit__(self, *_: object) -> None:
            lock.__exit__(None, None, None)

    w1.keeper._lock = RetiresBefore()
    w1.keeper.show(WorkerState.WORKING)
    assert w1.keeper.state is WorkerState.LEAVING
    assert world.fleet().workers["w1"].state is WorkerState.LEAVING
