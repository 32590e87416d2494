"""The daemon on the in-memory servers: shards that rotate, restarts, and a part that dies."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.ports import Flag, Part
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.errors import ServiceError
from relay.assembly import AssemblySettings, Relay
from relay.daemon import Daemon, DaemonSettings, PartDiedError
from relay.delivery.pumps.bus_pump import BusPumpSettings
from relay.destinations.bus.bus import Bus
from relay.destinations.index.index import Index
from relay.feed.discovery import DiscoverySettings
from relay.feed.shard_consumer import ShardConsumerSettings
from relay.leases.fleet import lease_key
from relay.leases.fleet_table import FleetTable
from relay.leases.worker_report import HeldUpReport
from relay.observing.http.health import Check, ready
from relay.sweep.sweep import SweepSettings
from relay.testing import InMemoryBroker, InMemoryIndex
from tests.support.waiting import until

from .conftest import Way

NO_SWEEP = SweepSettings(min_age_seconds=3600.0, age_max_seconds=3600.0)
"""So that a test of the feed is not helped by the sweep."""

LEASE_SECONDS = 3.0

BRISK = DiscoverySettings(interval_seconds=1.0)


class World:
    """A database with a feed, a bus, an index, and workers that come and go."""

    def __init__(self, shard_count: int = 1) -> None:
        self.runtime = SystemRuntime()
        self.way = Way()
        self.database = InMemoryDynamoDB(passage=self.way, shard_count=shard_count)
        self.client: Any = self.database.client()
        tables.init(self.client, TableNames(), self.runtime)
        self.store = EventStore.open(self.client)
        self.broker, self.index = InMemoryBroker(runtime=self.runtime), InMemoryIndex(self.runtime)
        self.broker.queue("all")
        self.stop = self.hasten = self.runtime.flag()
        self.appended: dict[str, int] = {}
        self.daemon: Daemon

    def append(self, aggregate_id: str) -> None:
        version = self.appended.get(aggregate_id, 0)
        self.store.append(AggregateRef("ITEM", aggregate_id), [NewEvent("E", {})], expected_version=version)
        self.appended[aggregate_id] = version + 1

    def start(
        self,
        bus: Any = None,
        sweep: SweepSettings = NO_SWEEP,
        daemon: DaemonSettings | None = None,
        discovery: DiscoverySettings = BRISK,
        cooldown_seconds: float = 1.0,
        pump: BusPumpSettings | None = None,
        **others: Any,
    ) -> Part:
        """Start a worker; `stop` is raised to end the one that was started last."""
        stop = self.stop = self.runtime.flag()
        relay = Relay(
            client=self.client,
            streams=self.database.streams_client(),
            tables=TableNames(),
            bus=bus or Bus(self.broker, self.runtime),
            sides=(Index(self.index, self.runtime),),
            runtime=self.runtime,
            settings=AssemblySettings(
                sweep=sweep,
                daemon=daemon or DaemonSettings(),
                discovery=discovery,
                shard_consumer=replace(ShardConsumerSettings(), cooldown_seconds=cooldown_seconds),
                **{"bus": pump or BusPumpSettings(budget_seconds=1.0), "lease_seconds": LEASE_SECONDS, **others},
            ),
        )
        self.hasten = self.runtime.flag()
        self.daemon = relay.daemon(stop, self.hasten)
        return self.runtime.spawn("relay", self.daemon.run)

    def leases(self) -> list[dict[str, Any]]:
        """Return the rows of the shards' leases."""
        items = self.database.observer().scan(TableName="inventory_relay")["Items"]
        return [item for item in items if item["recordKey"]["S"].count("#") == 2]

    def switch_stream(self, *, on: bool) -> None:
        view = {"StreamViewType": "NEW_IMAGE"} if on else {}
        self.client.update_table(TableName="inventory_outbox", StreamSpecification={"StreamEnabled": on, **view})

    def end(self, part: Part, stop: Flag | None = None) -> None:
        (stop or self.stop).set()
        assert part.join(30)
        assert part.failure is None

    def wait_until_settled(self) -> None:
        until(lambda: not self.client.scan(TableName="inventory_outbox")["Items"], "the outbox is empty")

    def on_bus(self) -> dict[str, list[int]]:
        numbers: dict[str, list[int]] = {}
        for message in self.broker.messages("all"):
            numbers.setdefault(str(message.headers["cloudEvents_subject"]), []).append(
                int(message.headers["cloudEvents_sequencenumber"]),
            )
        return numbers


def test_it_follows_shards_from_parent_to_child() -> None:
    """
    The feed rotates while commits come; each reaches the bus once, in order, without the sweep's help.
    """
    world = World()
    part = world.start()
    for turn in range(4):
        for number in range(10):
            world.append(f"item-{number % 3}")
        world.wait_until_settled()
        if turn < 3:
            world.database.rotate_shards("inventory_outbox")
    world.end(part)

    assert world.on_bus() == {name: list(range(1, last + 1)) for name, last in world.appended.items()}


def test_a_restart_goes_on_where_the_checkpoint_is() -> None:
    """
    What was settled before the restart is not sent again, what came meanwhile is.
    """
    world = World()
    for _ in range(5):
        world.append("a")
    part = world.start()
    world.wait_until_settled()
    world.end(part)
    world.append("a")
    part = world.start()
    world.wait_until_settled()
    world.end(part)

    assert world.on_bus() == {"a": [1, 2, 3, 4, 5, 6]}


def test_lost_checkpoints_repeat_nothing_that_is_settled() -> None:
    """
    All checkpoints are gone: the feed is read from its beginning, and the outbox says that nothing is owed.
    """
    world = World()
    for _ in range(5):
        world.append("a")
    part = world.start()
    world.wait_until_settled()
    world.end(part)
    for item in world.client.scan(TableName="inventory_relay")["Items"]:
        if item["recordKey"]["S"].startswith("lease#"):
            key = {name: item[name] for name in ("recordType", "recordKey")}
            world.client.delete_item(TableName="inventory_relay", Key=key)
    part = world.start()
    world.append("b")
    world.wait_until_settled()
    world.end(part)

    assert world.on_bus() == {"a": [1, 2, 3, 4, 5], "b": [1]}


def test_what_the_feed_never_said_the_sweep_finds() -> None:
    """
    The stream is replaced while no relay runs, so the new one knows nothing of what is owed.
    """
    world = World()
    for _ in range(3):
        world.append("a")
    world.switch_stream(on=False)
    world.switch_stream(on=True)
    part = world.start(sweep=SweepSettings(min_age_seconds=0.0, interval_seconds=0.5))
    world.wait_until_settled()
    world.end(part)

    assert world.on_bus() == {"a": [1, 2, 3]}


def test_a_dead_part_takes_the_process_down() -> None:
    """
    Half a relay is worse than none: the error says which part died, and of what.
    """
    world = World()

    class Broken(Bus):
        def listen(self, timeout_seconds: float) -> Any:
            raise RuntimeError("a defect")

    part = world.start(bus=Broken(world.broker, world.runtime))

    assert part.join(60)
    assert isinstance(part.failure, PartDiedError)
    with pytest.raises(PartDiedError, match="bus: RuntimeError"):
        raise part.failure


class Refusal:
    """A trap that refuses one operation, on one table if named, and lets the others through."""

    def __init__(self, operation: str, table: str | None = None) -> None:
        self._operation = operation
        self._table = table

    def __call__(
        self, operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if operation == self._operation and self._table in (None, request.get("TableName")):
            raise ServiceError("AccessDeniedException", "told to refuse")
        return effect()


def occurrences(log_events: list[Any], name: str) -> int:
    return sum(1 for event in log_events if event["event"] == name)


def test_a_shard_that_cannot_be_read_is_left_alone_for_a_while(log_events: list[Any]) -> None:
    """
    The right to read the feed is missing: the shard is not opened again at each look at the feed.
    """
    world = World()
    world.way.trap = Refusal("GetShardIterator")
    part = world.start(cooldown_seconds=3600.0)
    until(lambda: occurrences(log_events, "shard.lost") > 0, "the shard is lost")
    looks = world.way.count("DescribeStream")
    until(lambda: world.way.count("DescribeStream") >= looks + 2, "the feed is looked at twice more")
    world.end(part)

    assert occurrences(log_events, "shard.lost") == 1


def test_a_shard_whose_end_cannot_be_noted_is_left_alone_for_a_while(log_events: list[Any]) -> None:
    """
    The right to write checkpoints is missing: a finished shard is not read again and again, its child is read.
    """
    world = World()

    def refuse_to_finish(
        operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if operation == "UpdateItem" and {"S": "finished"} in request.get("ExpressionAttributeValues", {}).values():
            raise ServiceError("AccessDeniedException", "told to refuse")
        return effect()

    world.way.trap = refuse_to_finish
    part = world.start(cooldown_seconds=3600.0)
    until(lambda: occurrences(log_events, "shard.opened") > 0, "the shard is read")
    (child,) = world.database.rotate_shards("inventory_outbox")
    until(lambda: occurrences(log_events, "checkpoint.write_failed") > 0, "its end cannot be noted")
    looks = world.way.count("DescribeStream")
    until(lambda: world.way.count("DescribeStream") >= looks + 2, "the feed is looked at twice more")
    world.append("a")
    world.wait_until_settled()
    world.end(part)

    opened = [event["shard"] for event in log_events if event["event"] == "shard.opened"]
    assert len(opened) == 2
    assert opened[1] == child


def test_a_lease_nobody_can_read_is_named(log_events: list[Any]) -> None:
    """
    The shard is not read by guesswork and the relay does not fall over: an error names the row, the sweep delivers.
    """
    world = World()
    world.append("a")
    label = world.client.describe_table(TableName="inventory_outbox")["Table"]["LatestStreamLabel"]
    (shard_id,) = world.database.open_shard_ids("inventory_outbox")
    world.client.put_item(
        TableName="inventory_relay",
        Item={
            "recordType": {"S": "fleet"},
            "recordKey": {"S": lease_key(label, shard_id)},
            "term": {"N": "1"},
            "counter": {"N": "1"},
            "state": {"S": "reading"},
            "updatedAt": {"N": "0"},
            "feedPosition": {"S": "next to the door"},
        },
    )
    part = world.start(sweep=SweepSettings(min_age_seconds=0.0, interval_seconds=0.5))
    world.wait_until_settled()
    world.end(part)

    (reason,) = {event["error"] for event in log_events if event["event"] == "fleet.unreadable"}
    assert shard_id in reason
    assert "feedPosition" in reason
    assert occurrences(log_events, "shard.opened") == 0


def test_a_stream_that_is_replaced_while_it_runs_is_followed(log_events: list[Any]) -> None:
    """
    What the former one holds is read to its end, and what comes goes through the new one, without the sweep.
    """
    world = World()
    part = world.start()
    world.append("a")
    world.wait_until_settled()
    world.append("a")
    world.switch_stream(on=False)
    world.switch_stream(on=True)
    world.append("a")
    world.wait_until_settled()
    until(lambda: len(world.leases()) == 1, "the former stream's lease is removed")
    world.end(part)

    assert world.on_bus() == {"a": [1, 2, 3]}
    assert occurrences(log_events, "feed.replaced") == 1


def test_a_stream_that_is_switched_off_while_it_runs_is_waited_for(log_events: list[Any]) -> None:
    """
    The relay says so once and does not fall over; when there is a stream again it goes on.
    """
    world = World()
    part = world.start(
        discovery=DiscoverySettings(interval_seconds=0.5, retry=Backoff(base_seconds=0.2, cap_seconds=0.5))
    )
    world.append("a")
    world.wait_until_settled()
    world.switch_stream(on=False)
    until(lambda: occurrences(log_events, "feed.absent") > 0, "it is said")
    looks = world.way.count("DescribeTable")
    until(lambda: world.way.count("DescribeTable") >= looks + 3, "the table is looked at again and again")
    world.switch_stream(on=True)
    until(lambda: occurrences(log_events, "feed.found") > 0, "it is back")
    world.append("a")
    world.wait_until_settled()
    world.end(part)

    assert occurrences(log_events, "feed.absent") == 1
    assert world.on_bus() == {"a": [1, 2]}


def test_shards_beyond_its_room_wait_and_are_spoken_of_once(log_events: list[Any]) -> None:
    """
    Four shards and room for one: a worker says how many wait when that changes, not at each look.
    """
    world = World(shard_count=4)
    part = world.start(shards_max=1)
    until(lambda: occurrences(log_events, "shards.waiting") > 0, "it is said")
    (check,) = [each for each in world.daemon.checks() if each.name == "room for all shards"]
    assert not check.ok
    assert "raise RELAY_SHARDS_MAX (1 now)" in check.reason
    assert ready(world.daemon.checks()).code == 200
    looks = world.way.count("DescribeStream")
    until(lambda: world.way.count("DescribeStream") >= looks + 3, "the feed is looked at again and again")
    world.end(part)

    said = [event["waiting"] for event in log_events if event["event"] == "shards.waiting"]
    assert said[-1] == 3
    assert len(said) == len(set(said))
    assert occurrences(log_events, "shard.opened") == 1


def test_an_aggregate_that_the_bus_refuses_is_told_everywhere() -> None:
    """
    Health names it and the worker stays ready; its record says it to whoever looks; healed, all is well again.
    """
    world = World()
    world.broker.refuse("all")
    part = world.start()
    world.append("a")

    def refused() -> Check:
        (check,) = [each for each in world.daemon.checks() if each.name == "nothing refused"]
        return check

    def said() -> tuple[HeldUpReport, ...]:
        fleet = FleetTable(world.client, TableNames(), world.runtime, Backoff()).look()
        reports = [worker.report for worker in fleet.workers.values()]
        return tuple(each for report in reports if report is not None for each in report.held_up)

    until(lambda: not refused().ok, "health names it")
    assert "a at 1" in refused().reason
    assert ready(world.daemon.checks()).code == 200
    until(lambda: said() != (), "the worker's record names it")
    (found,) = said()
    assert (found.aggregate_id, found.last, found.reason) == ("a", 1, "nack")

    world.broker.heal("all")
    world.wait_until_settled()
    assert refused().ok
    until(lambda: said() == (), "the worker's record names nothing any more")
    world.end(part)
    assert not world.daemon.abandoned


def test_a_dead_keeper_takes_the_process_down() -> None:
    """
    Without it no lease is kept: the process goes down rather than to wait until all are fenced.
    """
    world = World()

    def defect(operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "Query" and request["TableName"] == "inventory_relay":
            raise RuntimeError("a defect")
        return effect()

    part = world.start()
    until(lambda: bool(world.leases()), "it is at work")
    world.way.trap = defect

    assert part.join(60)
    with pytest.raises(PartDiedError, match="leases: RuntimeError"):
        raise part.failure or AssertionError
