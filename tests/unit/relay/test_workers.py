"""Several workers on the in-memory servers: who carries what, hand-overs, and what they must agree on."""

from typing import Any

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.ports import Flag, Part
from relay.leases.errors import FleetSettingsError
from relay.leases.fleet import Pause
from relay.leases.fleet_table import FleetTable
from tests.support.waiting import until

from .test_daemon import World, occurrences


class Crew:
    """Workers in one world, each with a flag of its own."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._workers: list[tuple[Part, Flag]] = []

    def hire(self, **settings: Any) -> int:
        """Start a worker and return its number."""
        self._workers.append((self.world.start(**settings), self.world.stop))
        return len(self._workers) - 1

    def dismiss(self, number: int) -> None:
        """Let a worker end as SIGTERM does."""
        part, stop = self._workers[number]
        self.world.end(part, stop)

    def dismiss_all(self) -> None:
        for part, stop in self._workers:
            if part.is_alive():
                self.world.end(part, stop)

    def loads(self) -> dict[str, int]:
        """Return how many shards each owner has that are not finished."""
        counts: dict[str, int] = {}
        for lease in self.world.leases():
            owner = lease.get("owner", {"S": "nobody"})["S"]
            counts[owner] = counts.get(owner, 0) + (lease["state"]["S"] != "finished")
        return counts


@pytest.fixture
def world() -> World:
    return World(shard_count=4)


def fleet_of(world: World) -> FleetTable:
    return FleetTable(world.client, TableNames(), world.runtime, Backoff())


def test_workers_share_the_shards(world: World) -> None:
    """
    The first carries all four; a second asks for its share, one at a time; nothing is repeated, nothing is missing.
    """
    crew = Crew(world)
    crew.hire()
    until(lambda: list(crew.loads().values()) == [4], "the first carries everything")
    crew.hire()
    number = 0
    while sorted(crew.loads().values()) != [2, 2]:
        world.append(f"item-{number % 7}")
        number += 1
        assert number < 5_000, "the shards are not shared"
    world.wait_until_settled()
    crew.dismiss_all()

    assert world.on_bus() == {name: list(range(1, last + 1)) for name, last in world.appended.items()}


def test_a_worker_that_is_told_to_stop_hands_over(world: World, log_events: list[Any]) -> None:
    """
    The other carries on long before a lease would run out, and not one message comes twice.
    """
    crew = Crew(world)
    first = crew.hire(lease_seconds=60.0)
    until(lambda: list(crew.loads().values()) == [4], "the first carries everything")
    crew.hire(lease_seconds=60.0)
    until(lambda: sorted(crew.loads().values()) == [2, 2], "the second has its share", timeout_seconds=60)
    for number in range(40):
        world.append(f"item-{number % 7}")
    crew.dismiss(first)
    told_at = world.runtime.monotonic()
    for number in range(40):
        world.append(f"item-{number % 7}")
    world.wait_until_settled()
    seconds = world.runtime.monotonic() - told_at
    crew.dismiss_all()

    assert seconds < 10
    assert world.on_bus() == {name: list(range(1, last + 1)) for name, last in world.appended.items()}
    assert occurrences(log_events, "lease.lost") == 0
    assert (
        world.database.observer().query(
            TableName="inventory_relay",
            KeyConditionExpression="recordType = :type AND begins_with(recordKey, :worker)",
            ExpressionAttributeValues={":type": {"S": "fleet"}, ":worker": {"S": "worker#"}},
        )["Items"]
        == []
    )


def test_the_last_worker_lets_everything_go(world: World) -> None:
    """
    No lease has an owner afterwards, and each says how far its shard was dealt with.
    """
    crew = Crew(world)
    crew.hire()
    until(lambda: list(crew.loads().values()) == [4], "it carries everything")
    for number in range(20):
        world.append(f"item-{number}")
    world.wait_until_settled()
    crew.dismiss_all()

    assert crew.loads() == {"nobody": 4}
    assert all("feedPosition" in lease for lease in world.leases())


def test_a_worker_with_other_settings_does_not_start(world: World) -> None:
    """
    The message names both values; the worker that was there first goes on.
    """
    crew = Crew(world)
    crew.hire()
    until(lambda: list(crew.loads().values()) == [4], "the first carries everything")
    other = world.start(name_prefix="other")
    assert other.join(60)
    world.append("a")
    world.wait_until_settled()
    crew.dismiss_all()

    with pytest.raises(FleetSettingsError, match="name_prefix is inventory for them and other here"):
        raise other.failure or AssertionError


def test_a_pause_stops_all_workers_and_their_leases_live_on(world: World, log_events: list[Any]) -> None:
    """
    Nothing is delivered while it lasts, however long a lease is, and everything after it, once and in order.
    """
    crew = Crew(world)
    crew.hire()
    crew.hire()
    until(lambda: sorted(crew.loads().values()) == [2, 2], "both carry their share", timeout_seconds=60)
    fleet_of(world).pause(Pause("a person", 0, "a test"))
    until(lambda: occurrences(log_events, "delivery.paused") == 2, "both have heard of it")
    before = world.on_bus()
    for number in range(20):
        world.append(f"item-{number % 7}")
    shares = {lease["recordKey"]["S"]: lease["owner"]["S"] for lease in world.leases()}
    counters = {lease["recordKey"]["S"]: int(lease["counter"]["N"]) for lease in world.leases()}
    until(
        lambda: all(int(lease["counter"]["N"]) >= counters[lease["recordKey"]["S"]] + 4 for lease in world.leases()),
        "the leases are renewed for longer than they last",
    )
    assert world.on_bus() == before
    assert {lease["recordKey"]["S"]: lease["owner"]["S"] for lease in world.leases()} == shares
    fleet_of(world).resume()
    world.wait_until_settled()
    crew.dismiss_all()

    assert world.on_bus() == {name: list(range(1, last + 1)) for name, last in world.appended.items()}
