"""The feed is absent, refused or silent: the sweep delivers, everybody says what is wrong, and it heals by itself."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.errors import AccessDeniedError, UnreachableError
from eventstore.ports import Part
from eventstore.testing import ManualRuntime
from eventstore.testing.dynamodb.errors import ServiceError
from relay import metrics
from relay.feed.directory import NoFeedError
from relay.feed.discovery import DiscoverySettings
from relay.feed.health import SILENT_SECONDS, FeedHealth, trouble_of
from relay.feed.lag import FeedLag
from relay.feed.trouble import FeedState
from relay.leases.fleet_table import FleetTable
from relay.leases.worker_report import FeedReport
from relay.observing import gauges
from relay.observing.http.health import Check, ready
from relay.observing.recording import RecordingMeter
from relay.sweep.sweep import SweepSettings
from tests.support.waiting import until

from .test_daemon import World, occurrences
from .test_discovery import Looking

BRISK = DiscoverySettings(interval_seconds=0.3, retry=Backoff(base_seconds=0.1, cap_seconds=0.3))
BUSY = SweepSettings(min_age_seconds=0.0, interval_seconds=0.2)

READS = ("DescribeStream", "GetShardIterator", "GetRecords")

Effect = Callable[[], dict[str, Any]]


class Rights:
    """A role that may not do one thing, until it may."""

    def __init__(self, *lacking: str) -> None:
        self.lacking = frozenset(lacking)

    def __call__(self, operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation in self.lacking:
            raise ServiceError("AccessDeniedException", f"not authorized to perform: dynamodb:{operation}")
        return effect()


def feed_check(world: World) -> Check:
    """Return what readiness says of the feed."""
    (check,) = [each for each in world.daemon.checks() if each.name == "feed"]
    return check


def said_by_workers(world: World) -> list[FeedReport | None]:
    """Return what the workers' records say of the feed."""
    fleet = FleetTable(world.client, TableNames(), world.runtime, Backoff()).look()
    return [worker.report.feed for worker in fleet.workers.values() if worker.report is not None]


@contextmanager
def running(world: World) -> Iterator[Part]:
    """Give a worker whose sweep and looks at the feed are brisk."""
    part = world.start(sweep=BUSY, discovery=BRISK, cooldown_seconds=0.3)
    yield part
    world.end(part)


def assert_delivered_by_the_sweep(world: World, count: int) -> None:
    """Append one more, and see it come though no shard is read."""
    world.append("a")
    world.wait_until_settled()
    assert world.on_bus() == {"a": list(range(1, count + 1))}


def assert_told(world: World, state: str, words: str) -> None:
    """See the check fail, with words, and leave the worker ready; and see its record say it."""
    until(lambda: not feed_check(world).ok, "the check fails")
    assert feed_check(world).reason.startswith(f"{state}: ")
    assert words in feed_check(world).reason
    assert "RELAY_SWEEP_MIN_AGE_SECONDS" in feed_check(world).reason
    assert ready(world.daemon.checks()).code == 200
    until(lambda: [each.state for each in said_by_workers(world) if each] == [state], "its record says it")


def assert_healed(world: World, log_events: list[Any]) -> None:
    """See it read the feed again, without a restart."""
    until(lambda: feed_check(world).ok, "the check is ok")
    until(lambda: occurrences(log_events, "feed.found") > 0, "it is said")
    reads = world.way.count("GetRecords")
    until(lambda: world.way.count("GetRecords") > reads + 2, "the feed is read")


def test_a_relay_starts_with_the_stream_switched_off(log_events: list[Any]) -> None:
    """
    It says so once, as an error, and the sweep delivers; once there is a stream, with a label of its own, it is read.
    """
    world = World()
    world.append("a")
    world.switch_stream(on=False)
    with running(world):
        world.wait_until_settled()
        assert_delivered_by_the_sweep(world, 2)
        assert_told(world, "absent", "switch it on with the view NEW_IMAGE")
        world.switch_stream(on=True)
        assert_healed(world, log_events)
        assert_delivered_by_the_sweep(world, 3)

    absent = [event for event in log_events if event["event"] == "feed.absent"]
    assert [event["log_level"] for event in absent] == ["error"]


def test_a_stream_that_does_not_tell_what_was_written_is_as_good_as_none(log_events: list[Any]) -> None:
    """
    KEYS_ONLY: the words name the view.
    """
    world = World()
    world.switch_stream(on=False)
    view = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    world.client.update_table(TableName="inventory_outbox", StreamSpecification=view)
    with running(world):
        assert_delivered_by_the_sweep(world, 1)
        assert_told(world, "absent", "with the view KEYS_ONLY")

    assert occurrences(log_events, "feed.absent") == 1


@pytest.mark.parametrize("operation", READS)
def test_a_role_that_may_not_read_the_stream_at_the_start(operation: str, log_events: list[Any]) -> None:
    """
    An error that names the rights, once, a failed check and the sweep; rights that are given heal it.
    """
    world = World()
    world.way.trap = Rights(operation)
    world.append("a")
    with running(world):
        assert_told(world, "denied", f"dynamodb:{operation}")
        assert_delivered_by_the_sweep(world, 2)
        looks = world.way.count("DescribeTable")
        until(lambda: world.way.count("DescribeTable") >= looks + 4, "it looks again and again")
        world.way.trap = None
        assert_healed(world, log_events)

    denied = [event for event in log_events if event["event"] == "feed.denied"]
    assert [event["log_level"] for event in denied] == ["error"]
    assert "let the relay's role use dynamodb:DescribeStream" in denied[0]["error"]


@pytest.mark.parametrize("operation", READS)
def test_rights_that_are_taken_away_while_it_runs(operation: str, log_events: list[Any]) -> None:
    """
    The same; of DescribeStream it is told although the open shards go on.
    """
    world = World()
    with running(world):
        world.append("a")
        world.wait_until_settled()
        assert feed_check(world).ok
        world.way.trap = Rights(operation)
        if operation == "GetShardIterator":  # it is asked for only when a shard is opened
            world.switch_stream(on=False)
            world.switch_stream(on=True)
        assert_told(world, "denied", f"dynamodb:{operation}")
        assert_delivered_by_the_sweep(world, 2)
        world.way.trap = None
        assert_healed(world, log_events)

    assert occurrences(log_events, "feed.denied") == 1


def test_a_role_without_list_streams_lacks_nothing(log_events: list[Any]) -> None:
    """
    The table names its stream, so nobody lists any.
    """
    world = World()
    world.way.trap = Rights("ListStreams")
    with running(world):
        assert_delivered_by_the_sweep(world, 1)
        until(lambda: occurrences(log_events, "shard.opened") > 0, "the shard is read")
        assert feed_check(world).ok

    assert world.way.count("ListStreams") == 0


def test_what_a_stream_held_is_read_though_it_is_off(log_events: list[Any]) -> None:
    """
    A worker was ended, and the stream switched off: the next one reads the closed shard to its end, without the sweep.
    """
    world = World()
    part = world.start(discovery=BRISK)
    until(lambda: occurrences(log_events, "shard.opened") > 0, "the shard is read")
    world.end(part)
    world.append("a")
    world.switch_stream(on=False)
    part = world.start(discovery=BRISK)
    world.wait_until_settled()
    until(lambda: occurrences(log_events, "shard.finished") > 0, "the shard is at its end")
    until(lambda: world.leases() == [], "its lease is removed")
    world.end(part)

    assert world.on_bus() == {"a": [1]}


def test_a_worker_that_holds_no_shard_knows_of_its_rights(looking: Looking) -> None:
    """
    It is asked for what it may do before it is needed: at the first look at a stream, and while that is refused.
    """
    way = looking.bench.way
    way.trap = Rights("GetRecords")
    assert looking.look()
    trouble = looking.discovery.trouble
    assert trouble is not None
    assert trouble.state is FeedState.DENIED
    way.trap = None
    assert looking.look()
    assert looking.discovery.trouble is None
    asked = way.count("GetRecords")
    assert looking.look()

    assert way.count("GetRecords") == asked


def test_an_answer_that_is_no_refusal_says_nothing_of_rights(looking: Looking) -> None:
    """
    The oldest record went, or the server is busy: it is asked again at the next look.
    """

    def trimmed(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "GetRecords":
            raise ServiceError("TrimmedDataAccessException", "gone")
        return effect()

    looking.bench.way.trap = trimmed
    assert looking.look()
    assert looking.discovery.trouble is None
    looking.bench.way.trap = Rights("GetRecords")
    assert looking.look()

    assert looking.discovery.trouble is not None


@pytest.fixture
def looking(bench: Any) -> Looking:
    return Looking(bench)


@pytest.fixture
def clock() -> ManualRuntime:
    return ManualRuntime()


def up(meter: RecordingMeter) -> float:
    """Return what the gauge shows."""
    (value,) = meter.series(metrics.FEED_UP).values()
    return value


def test_a_shard_that_stays_silent_is_trouble(clock: ManualRuntime) -> None:
    """
    One read that fails is none; a read that succeeds, or another owner of the shard, ends it.
    """
    health = FeedHealth(clock)
    meter = RecordingMeter(clock)
    gauges.watch_feed(meter, FeedLag(clock), health)
    health.failed("s-1", "no answer")
    assert health.trouble is None
    clock.advance(SILENT_SECONDS)
    health.failed("s-1", "no answer yet")
    trouble = health.trouble
    assert trouble is not None
    assert (trouble.state, trouble.needs_person) == (FeedState.OUTAGE, False)
    assert "shard s-1 does not answer: no answer yet" in trouble.reason
    assert up(meter) == 0.0
    health.read("label", "s-1")
    assert health.trouble is None
    assert up(meter) == 1.0
    health.failed("s-1", "again")
    clock.advance(SILENT_SECONDS)
    health.forget("s-1")

    assert health.trouble is None


def test_rights_are_told_apart_by_stream(clock: ManualRuntime) -> None:
    """
    A policy that names the stream of last year: what is read of one does not hide that another is refused.
    """
    health = FeedHealth(clock)
    health.denied("new", AccessDeniedError("no"))
    health.read("old", "s-1")
    assert health.is_denied("new")
    health.keep({"old"})
    assert health.trouble is None
    health.denied("new", AccessDeniedError("no"))
    health.read("new", "s-2")

    assert health.trouble is None


def test_the_look_comes_first(clock: ManualRuntime) -> None:
    """
    Without a stream nothing else matters; an error that passes needs no person.
    """
    health = FeedHealth(clock)
    health.denied("label", AccessDeniedError("no"))
    for error, state, needs_person in (
        (NoFeedError("none"), FeedState.ABSENT, True),
        (UnreachableError("silence"), FeedState.OUTAGE, False),
    ):
        health.looked(trouble_of(error))
        trouble = health.trouble
        assert trouble is not None
        assert (trouble.state, trouble.needs_person) == (state, needs_person)
    health.looked(None)

    assert health.is_denied("label")
