"""What a relay holds in memory, under loads that try to fill it."""

import gc
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay import metrics
from relay.assembly import AssemblySettings, Relay
from relay.delivery.commit import OwedCommit
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.events import EventReader
from relay.delivery.page import Fate
from relay.delivery.pumps.bus_pump import BusPumpSettings
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.settings import FlowSettings
from relay.destination import BUS
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.bus.bus import Bus
from relay.feed import reader
from relay.feed.discovery import DiscoverySettings
from relay.observing.recording import RecordingMeter
from relay.testing import InMemoryBroker
from tests.support.waiting import until

from .conftest import Bench

LARGE = "x" * 2_000
"""Too large to be embedded, so that events are read by key."""


def keys_read(bench: Bench) -> list[int]:
    """Return how many events each question for events by key asked for."""
    return [
        len(request["RequestItems"]["inventory_events"]["Keys"])
        for name, request, _ in bench.way.calls
        if name == "BatchGetItem"
    ]


def read_at_most(bench: Bench, read_max_bytes: int) -> None:
    """Let no more events be read by key once that much of them is held."""
    flow = bench.relay.flow
    flow._settings = replace(flow._settings, read_max_bytes=read_max_bytes)


def leave_index_alone(bench: Bench) -> None:
    (pump,) = (each for each in bench.relay.pumps if isinstance(each, SidePump))
    pump.is_breaker_open = lambda: True  # type: ignore[method-assign]
    bench.relay.flow.close_side(pump.name)


def fail_more_often(bench: Bench, times: int) -> None:
    """Wait until the bus could not be reached so many times more."""
    bus = bench.relay.pumps[0]
    so_far = bus.failures
    until(lambda: bus.failures >= so_far + times, "it is tried again and again")


@pytest.mark.parametrize("side", ["well", "left alone"])
def test_an_outage_of_the_bus_does_not_fill_the_memory(bench: Bench, side: str) -> None:
    """
    What is held once enough was read is kept for the next attempt; nothing more is read, however often it is tried.
    """
    read_at_most(bench, 1)
    if side == "left alone":
        leave_index_alone(bench)
    for number in range(30):
        bench.append(f"item-{number}", count=10, text=LARGE)
    rows = bench.outbox()
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    bench.way.calls.clear()
    page = bench.hand_in(rows)
    fail_more_often(bench, 5)

    assert not page.is_over
    if side == "left alone":
        assert keys_read(bench) == [100], "one question, of at most 100 events, may go beyond the bound"
    assert bench.relay.flow.counts()["read_bytes"] <= 100 * (len(LARGE) + 100)

    bench.broker.refuse_connections(None)
    assert bench.wait_for(page, 30).is_dealt_with
    bench.rest()
    assert len(bench.on_bus()) == 300


def test_what_one_queue_refuses_does_not_keep_the_others_from_their_turn(bench: Bench) -> None:
    """
    A full queue refuses all that there is room for; that is put away, and what others take is read in its place.
    """
    read_at_most(bench, 1)
    bench.broker.queue("full", "ITEM.STUCK", max_length=0)
    for number in range(10):
        bench.store.append(
            AggregateRef("ITEM", f"a-{number}"), [NewEvent("STUCK", {"text": LARGE})] * 10, expected_version=0
        )
    for number in range(5):
        bench.append(f"b-{number}", count=10, text=LARGE)

    page = bench.process(bench.outbox(), seconds=30)

    assert page.is_dealt_with
    assert page.fates[Fate.REFUSED] == 10
    until(lambda: sum(name.startswith("b-") for name, _ in bench.on_bus()) == 50, "all others went")
    until(
        lambda: {row.aggregate_id for row in bench.outbox()} == {f"a-{number}" for number in range(10)},
        "what the others took is settled",
    )


def test_no_more_is_read_once_enough_is_held(bench: Bench) -> None:
    """
    One question, of at most 100 events, may go beyond the bound; what it did not ask for comes later.
    """
    read_at_most(bench, 1)
    for number in range(25):
        bench.append(f"item-{number:02}", count=10, text=LARGE)
    rows = bench.outbox()
    held: list[int] = []

    def watched(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "BatchGetItem":
            held.append(bench.relay.flow.counts()["read_bytes"])
        return effect()

    bench.way.calls.clear()
    bench.way.trap = watched

    assert bench.process(rows, seconds=30).is_dealt_with
    assert set(held) == {0}
    assert max(keys_read(bench)) <= 100
    assert len(bench.on_bus()) == 250
    assert bench.outbox() == []


def test_a_commit_between_two_questions_is_left_for_the_next(bench: Bench) -> None:
    """
    Of a commit whose events were asked for in part only, nothing counts as missing.
    """
    read_at_most(bench, 1)
    for number in range(4):
        bench.append(f"item-{number}", count=40, text=LARGE)

    assert bench.process(bench.outbox()).fates == {Fate.SETTLED: 4}


def test_the_first_commit_is_read_whatever_the_bound(bench: Bench) -> None:
    """
    Else it would never go.
    """
    bench.append("a", count=98, text=LARGE)
    (row,) = bench.outbox()

    (whole,) = EventReader(bench.client, TableNames(), bench.runtime, Backoff()).complete([row], 1)

    assert whole.events is not None
    assert len(whole.events) == 98


def test_the_bound_holds_in_bytes(bench: Bench) -> None:
    """
    12 MB of events wait while the bus is down for eight attempts; what is held is what the setting says.
    """
    read_max_bytes, event_bytes, question_max_events = 1_000_000, 8_000, 100
    for number in range(150):
        bench.append(f"item-{number}", count=10, text="x" * event_bytes)
    rows = bench.outbox()
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    read_at_most(bench, read_max_bytes)
    leave_index_alone(bench)
    bench.way.remembers = False
    gc.collect()

    tracemalloc.start()
    try:
        page = bench.hand_in(rows)
        fail_more_often(bench, 8)
        held_bytes = bench.relay.flow.counts()["read_bytes"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    held = read_max_bytes + question_max_events * event_bytes
    assert not page.is_over
    assert read_max_bytes <= held_bytes <= 1.1 * held
    assert peak < 3 * held  # the world in memory copies each reply; nothing of it grows with the rows or the attempts
    assert peak < 150 * 10 * event_bytes / 2


def test_an_index_that_hangs_keeps_a_bounded_number_of_commits(bench: Bench) -> None:
    """
    Forty pages pass it by: so many commits that it alone lacks are kept, and the one batch that it was handed.
    """
    side_max, size = 30, 10
    flow = bench.relay.flow
    flow._settings = replace(flow._settings, side_max=side_max)
    go_on = bench.hold_index()
    for number in range(40):
        for each in range(size):
            bench.append(f"hung-{number}-{each}")
        bench.hand_in([row for row in bench.outbox() if BUS not in row.delivered])
        until(lambda: len(bench.on_bus()) == (number + 1) * size, "the bus takes them")  # noqa: B023 - called at once
        bench.way.calls.clear()
    until(lambda: flow.counts()["commits"] <= side_max + size, "the others are late, as their rows say")
    gc.collect()
    commits = [each for each in gc.get_objects() if isinstance(each, OwedCommit)]
    kept = sum(commit.row.aggregate_id.startswith("hung-") for commit in commits)
    late = sum(row.delivered == {BUS} for row in bench.outbox())
    go_on.set()
    bench.rest()

    assert late >= 40 * size - side_max - size
    assert kept <= 2 * (side_max + size)
    assert len(bench.on_bus()) == 40 * size


def test_what_the_bus_has_is_remembered_of_so_many_aggregates() -> None:
    """
    The setting bounds it, whatever number of aggregates there are; about 300 bytes each with ids of 36 characters.
    """
    aggregates_max = 2_000
    memory = DeliveredMemory(SystemRuntime(), aggregates_max)
    tracemalloc.start()
    try:
        for number in range(5 * aggregates_max):
            memory.note(f"{number:036}", 0, 1_000 + number)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(memory._known) == aggregates_max
    assert used < 400 * aggregates_max


def test_a_reader_reads_as_far_as_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The bus is down and a shard has ten pages: two of them fill the room, and no more is read.
    """
    monkeypatch.setattr(reader, "PAGE_MAX_RECORDS", 2)
    runtime = SystemRuntime()
    database = InMemoryDynamoDB()
    tables.init(database.client(), TableNames(), runtime)
    store = EventStore.open(database.client())
    for number in range(20):
        store.append(AggregateRef("ITEM", f"item-{number}"), [NewEvent("E", {})], expected_version=0)
    broker = InMemoryBroker(runtime=runtime)
    broker.refuse_connections(BrokerLostError("down"))
    meter, stop = RecordingMeter(runtime), runtime.flag()
    relay = Relay(
        client=database.client(),
        streams=database.streams_client(),
        tables=TableNames(),
        bus=Bus(broker, runtime),
        sides=(),
        runtime=runtime,
        settings=AssemblySettings(
            flow=FlowSettings(commits_max=4),
            bus=BusPumpSettings(retry=Backoff(base_seconds=0.01, cap_seconds=0.05)),
            discovery=DiscoverySettings(interval_seconds=0.2, brisk_seconds=0.1),
        ),
        meter=meter,
    )
    part = runtime.spawn("relay", relay.daemon(stop).run)

    def records_read() -> float:
        return sum(meter.series(metrics.RECORDS_READ).values())

    until(lambda: records_read() >= 4, "two pages are read")
    so_far = relay.pumps[0].failures
    until(lambda: relay.pumps[0].failures >= so_far + 20, "the bus was tried again and again")
    ahead = records_read()
    stop.set()
    assert part.join(30)
    assert part.failure is None

    assert ahead == 4
