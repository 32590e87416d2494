"""A relay that is told to stop ends in time, whatever does not answer."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from eventstore.ports import Part
from relay.daemon import Abandoned, DaemonSettings
from relay.delivery.pumps.bus_pump import BusPumpSettings
from relay.destinations.bus.broker import BrokerLostError
from tests.support.waiting import until

from .test_daemon import World

DRAIN_SECONDS = 2.0
A_LITTLE_SECONDS = 3.0
"""Pumps and settlers get a second each beyond the drain time; the rest is for a busy machine."""

HASTENED_SECONDS = 12.0
"""Some parts get a second each; the rest is for a busy machine, and a fifth of what there would be without haste."""

QUICK = DaemonSettings(drain_seconds=DRAIN_SECONDS)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Give an event for what hangs to wait for; set at the end, so that no thread outlives the test."""
    gate = threading.Event()
    yield gate
    gate.set()


def names(log_events: list[Any]) -> list[str]:
    return [event["event"] for event in log_events]


def ends_in_time(world: World, part: Part) -> bool:
    world.stop.set()
    return part.join(DRAIN_SECONDS + A_LITTLE_SECONDS) and part.failure is None


def test_nothing_to_do(world: World, log_events: list[Any]) -> None:
    """
    A quiet relay ends well within its drain time, and leaves no part behind.
    """
    part = world.start(daemon=QUICK)
    until(lambda: "shard.opened" in names(log_events), "the shard is read")

    assert ends_in_time(world, part)
    assert "part.abandoned" not in names(log_events)
    assert not world.daemon.abandoned


def test_dynamodb_does_not_answer(world: World, gate: threading.Event, log_events: list[Any]) -> None:
    """
    Every call hangs, the look at the feed included.
    """
    hanging = threading.Event()

    def hang(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "DescribeTable":
            hanging.set()
        assert gate.wait(60)
        return effect()

    part = world.start(daemon=QUICK)
    until(lambda: "shard.opened" in names(log_events), "the shard is read")
    world.way.trap = hang
    assert hanging.wait(30)

    assert ends_in_time(world, part)
    abandoned = [event["part"] for event in log_events if event["event"] == "part.abandoned"]
    assert abandoned != []
    assert world.daemon.abandoned == Abandoned(tuple(abandoned))


def test_the_bus_is_down(world: World, log_events: list[Any]) -> None:
    """
    The page in hand is given up; its row stays owed.
    """
    world.broker.refuse_connections(BrokerLostError("down"))
    part = world.start(daemon=QUICK)
    world.append("a")
    until(lambda: "destination.troubled" in names(log_events), "the bus is known to be down")

    assert ends_in_time(world, part)
    assert "part.abandoned" not in names(log_events)
    assert len(world.client.scan(TableName="inventory_outbox")["Items"]) == 1
    assert not world.daemon.abandoned  # nothing was begun, so nothing was cut off


def test_the_broker_takes_messages_and_says_nothing(world: World) -> None:
    """
    The budget ends the wait for confirms, and nothing is tried again: the commit was cut off, and that is told.
    """
    world.broker.stall()
    part = world.start(daemon=QUICK)
    world.append("a")
    until(lambda: world.on_bus() != {}, "the broker took it")

    assert ends_in_time(world, part)
    assert len(world.client.scan(TableName="inventory_outbox")["Items"]) == 1
    assert world.daemon.abandoned == Abandoned(commits=1)


def test_the_index_hangs(world: World, gate: threading.Event, log_events: list[Any]) -> None:
    """
    What the bus has is noted, and the part that hangs is left behind, and named.
    """
    hanging = threading.Event()

    def hang(_body: bytes, _timeout_seconds: float) -> Any:
        hanging.set()
        assert gate.wait(60)
        return []

    world.index.bulk = hang  # type: ignore[method-assign]
    part = world.start(daemon=QUICK)
    world.append("a")
    assert hanging.wait(30)
    until(lambda: world.on_bus() != {}, "the bus has it")

    assert ends_in_time(world, part)
    assert "side-index" in [event["part"] for event in log_events if event["event"] == "part.abandoned"]
    assert world.daemon.abandoned == Abandoned(("side-index",))
    (row,) = world.client.scan(TableName="inventory_outbox")["Items"]
    assert row["delivered"] == {"SS": ["bus"]}


def test_a_second_signal_hastens_the_end(world: World, log_events: list[Any]) -> None:
    """
    A minute to drain, and a broker that says nothing: what was begun is let go at once, and counted.
    """
    world.broker.stall()
    part = world.start(daemon=DaemonSettings(drain_seconds=60.0), pump=BusPumpSettings(budget_seconds=60.0))
    world.append("a")
    until(lambda: world.on_bus() != {}, "the broker took it")
    world.stop.set()
    until(lambda: "relay.draining" in names(log_events), "it drains")
    world.hasten.set()

    assert part.join(HASTENED_SECONDS)
    assert part.failure is None
    assert "relay.hastened" in names(log_events)
    assert world.daemon.abandoned == Abandoned(commits=1)
    assert all("owner" not in lease for lease in world.leases()), "a neighbour takes the shard at once"


def test_what_hangs_is_left_behind_soon_by_a_second_signal(
    world: World, gate: threading.Event, log_events: list[Any]
) -> None:
    """
    No part is waited for until the drain time is over, and those that are left are named.
    """
    hanging = threading.Event()

    def hang(_body: bytes, _timeout_seconds: float) -> Any:
        hanging.set()
        assert gate.wait(60)
        return []

    world.index.bulk = hang  # type: ignore[method-assign]
    part = world.start(daemon=DaemonSettings(drain_seconds=60.0))
    world.append("a")
    assert hanging.wait(30)
    until(lambda: world.on_bus() != {}, "the bus has it")
    world.stop.set()
    until(lambda: "relay.draining" in names(log_events), "it drains")
    world.hasten.set()

    assert part.join(HASTENED_SECONDS)
    assert world.daemon.abandoned == Abandoned(("side-index",))
