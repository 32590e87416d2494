"""Many shards and a DynamoDB that is slow: leases are taken in time, and none is ever late with its heartbeat."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from relay.leases.fleet import lease_key
from relay.leases.rules import RENEWALS_PER_LEASE

from .worlds import LABEL, World

DURATION = 10.0
SLOW_SECONDS = 0.22
WRITES = frozenset({"BatchExecuteStatement", "UpdateItem", "PutItem", "DeleteItem"})


class SlowWorld(World):
    """A world in which every write takes a while, and a look a tenth of it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []
        carry = self.way.carry

        def carry_slowly(operation: str, request: Mapping[str, Any], effect: Callable[[], Any]) -> Any:
            is_write = operation in WRITES
            if is_write:
                self.writes.append(operation)
            self.runtime.advance(SLOW_SECONDS if is_write else SLOW_SECONDS / 10)
            return carry(operation, request, effect)

        self.way.carry = carry_slowly  # type: ignore[method-assign]

    def offer_many(self, count: int) -> None:
        """Create the leases of so many shards, without letting time pass."""
        keys = [lease_key(LABEL, f"s{number:03}") for number in range(count)]
        self.table().create_leases(keys)


def all_held(world: World, count: int) -> Callable[[], bool]:
    """Tell whether the workers that are not away hold so many shards together, for certain."""
    return lambda: sum(len(member.shards()) for member in world.members if not member.is_away) == count


@pytest.mark.parametrize(("count", "seconds"), [(16, 1.0), (100, 2.0), (250, 4.0)])
def test_all_are_taken_soon_and_none_is_ever_late(count: int, seconds: float) -> None:
    """
    Alone, at 220 ms a write: 16 shards in a second, and every heartbeat comes in time.
    """
    world = SlowWorld()
    world.offer_many(count)
    w1 = world.join("w1", leases_max=256)
    began = world.runtime.monotonic()
    w1.keeper.step()
    took = world.runtime.monotonic() - began
    assert len(w1.shards()) == count
    assert took <= seconds
    lowest: list[float] = []
    world.run(15.0, lambda: lowest.append(min(each.left_seconds() for each in w1.keeper.held().values())))

    assert min(lowest) > 0.0
    assert w1.keeper.counts().lost == 0


@pytest.mark.parametrize(("count", "beyond"), [(16, 2.0), (50, 2.0), (100, 2.5), (250, 4.0)])
def test_a_dead_worker_of_many_shards_is_replaced(count: int, beyond: float) -> None:
    """
    Within a lease's duration and 2 s up to 50 shards; 25 more cost a call more.
    """
    world = SlowWorld()
    world.offer_many(count)
    dead = world.join("w1", leases_max=256)
    dead.keeper.step()
    world.join("w2", leases_max=256)
    dead.is_away = True

    assert world.seconds_until(all_held(world, count), within=60.0) <= DURATION + beyond


def test_heartbeats_cost_few_calls() -> None:
    """
    Leases that came one by one are renewed together: 100 shards are four calls a third of a lease, not a hundred.
    """
    world = SlowWorld()
    w1 = world.join("w1", leases_max=256)
    for number in range(100):
        world.offer(f"s{number:03}")
        world.run(0.25)
    assert len(w1.shards()) == 100
    world.run(30.0)
    world.writes.clear()
    began = world.runtime.monotonic()
    world.run(60.0)
    periods = (world.runtime.monotonic() - began) / (DURATION / RENEWALS_PER_LEASE)

    assert world.writes.count("BatchExecuteStatement") / periods <= 6.5  # five for 101 leases, and the odd straggler


def test_two_take_many_shards_side_by_side() -> None:
    """
    All are held within seconds, by both, and nobody loses one.
    """
    world = SlowWorld()
    world.offer_many(120)
    w1, w2 = world.join("w1", leases_max=256), world.join("w2", leases_max=256)
    assert world.seconds_until(all_held(world, 120), within=30.0) <= 5.0
    world.run(10.0)

    assert min(len(w1.shards()), len(w2.shards())) > 0
    assert w1.keeper.counts().lost == w2.keeper.counts().lost == 0
