"""What a relay holds in memory, under loads that try to fill it."""

import gc
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.rows.outbox import OutboxRow
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay import metrics
from relay.assembly import AssemblySettings, Relay
from relay.delivery import pipeline
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.events import EventReader
from relay.delivery.lane import INBOX_MAX
from relay.delivery.pipeline import LATE_TICKETS_MAX
from relay.destination import BUS
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.bus.bus import Bus
from relay.feed import reader
from relay.feed.discovery import DiscoverySettings
from relay.metrics import RecordingMeter
from relay.testing import InMemoryBroker
from tests.support.delivering import TestedPermit
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


def refused(log_events: list[Any], times: int) -> Any:
    return lambda: [event["event"] for event in log_events].count("bus.refused") >= times


def test_an_outage_of_the_bus_does_not_fill_the_memory(
    bench: Bench, log_events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each attempt sends what the page holds already; it reads no further, however often it tries, and nothing again.
    """
    monkeypatch.setattr(pipeline, "READ_MAX_EVENTS", 98)
    for number in range(30):
        bench.append(f"item-{number}", count=10, text=LARGE)
    rows = bench.outbox()
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.way.calls.clear()

    result = bench.pipeline.process(bench.page(rows), TestedPermit(is_over=refused(log_events, 5)))

    assert not result.dealt_with
    assert sum(keys_read(bench)) == 90

    bench.broker.refuse_connections(None)
    assert bench.process(rows, recheck=True).dealt_with
    assert len(bench.on_bus()) == 300
    assert bench.outbox() == []


def test_an_outage_reads_no_further_in_bytes_either(bench: Bench, log_events: list[Any]) -> None:
    """
    The page holds more than its bytes after one question; the attempts after it ask for nothing.
    """
    bench.pipeline._settings = replace(bench.pipeline._settings, read_max_bytes=1)
    for number in range(30):
        bench.append(f"item-{number}", count=10, text=LARGE)
    rows = bench.outbox()
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.way.calls.clear()

    bench.pipeline.process(bench.page(rows), TestedPermit(is_over=refused(log_events, 5)))

    assert keys_read(bench) == [100]


def test_what_one_queue_refuses_does_not_keep_the_others_from_their_turn(
    bench: Bench, log_events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A full queue refuses all that fits; after some attempts the rest of the page is read in its place, and goes.
    """
    monkeypatch.setattr(pipeline, "READ_MAX_EVENTS", 98)
    for number in range(10):
        bench.store.append(
            AggregateRef("ITEM", f"a-{number}"), [NewEvent("STUCK", {"text": LARGE})] * 10, expected_version=0
        )
    for number in range(5):
        bench.append(f"b-{number}", count=10, text=LARGE)
    bench.broker.queue("full", "ITEM.STUCK", max_length=0)

    def all_others_went() -> bool:
        return sum(name.startswith("b-") for name, _ in bench.on_bus()) == 50

    late = refused(log_events, 40)
    result = bench.pipeline.process(
        bench.page(bench.outbox()), TestedPermit(is_over=lambda: all_others_went() or late())
    )

    assert not result.dealt_with
    assert all_others_went()
    assert {row.aggregate_id for row in bench.outbox()} == {f"a-{number}" for number in range(10)}


def test_a_page_reads_no_further_once_it_holds_enough_bytes(
    bench: Bench, log_events: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    One question, of at most 100 events, may go beyond the bound; what it did not ask for goes in a later round.
    """
    bench.pipeline._settings = replace(bench.pipeline._settings, read_max_bytes=1)
    for number in range(25):
        bench.append(f"item-{number:02}", count=10, text=LARGE)
    rows = bench.outbox()
    bench.way.calls.clear()

    assert bench.process(rows).dealt_with
    assert keys_read(bench) == [100, 100, 50]
    assert len(bench.on_bus()) == 250
    assert bench.outbox() == []


def test_a_commit_between_two_questions_is_left_for_the_next_round(bench: Bench) -> None:
    """
    Of a commit whose events were asked for in part only, nothing counts as missing.
    """
    bench.pipeline._settings = replace(bench.pipeline._settings, read_max_bytes=1)
    for number in range(4):
        bench.append(f"item-{number}", count=40, text=LARGE)

    result = bench.process(bench.outbox())

    assert (result.dealt_with, result.parked, result.settled) == (True, 0, 4)


def test_the_first_commit_is_read_whatever_the_bound(bench: Bench) -> None:
    """
    Else a page with it would never come to an end.
    """
    bench.append("a", count=98, text=LARGE)
    (row,) = bench.outbox()

    (whole,) = EventReader(bench.client, TableNames(), bench.runtime, Backoff()).complete([row], 1)

    assert whole.events is not None
    assert len(whole.events) == 98


def test_the_bound_of_a_page_holds_in_bytes(bench: Bench, log_events: list[Any]) -> None:
    """
    12 MB of events wait in a page while the bus is down for eight attempts; the page holds what its setting says.
    """
    read_max_bytes, event_bytes, question_max_events = 1_000_000, 8_000, 100
    for number in range(150):
        bench.append(f"item-{number}", count=10, text="x" * event_bytes)
    rows = bench.outbox()
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.pipeline._settings = replace(bench.pipeline._settings, read_max_bytes=read_max_bytes)
    for lane in bench.relay.lanes[1:]:
        lane.is_breaker_open = lambda: True  # type: ignore[method-assign]
    gc.collect()

    def watched() -> bool:
        bench.way.calls.clear()  # which keep replies
        return refused(log_events, 8)()

    tracemalloc.start()
    try:
        bench.pipeline.process(bench.page(rows), TestedPermit(is_over=watched))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    held = read_max_bytes + question_max_events * event_bytes
    assert peak < 3 * held  # the world in memory copies each reply; nothing of it grows with the page or the attempts
    assert peak < 150 * 10 * event_bytes / 2


def test_an_index_that_hangs_keeps_a_bounded_number_of_commits(bench: Bench) -> None:
    """
    Forty pages pass it by: the lane keeps the one in delivery and those in its inbox, a page remembers eight tickets.
    """
    bench.be_impatient()
    go_on = bench.hold_index()
    size = 10
    for number in range(40):
        for each in range(size):
            bench.append(f"hung-{number}-{each}")
        bench.process([row for row in bench.outbox() if BUS not in row.delivered])
        bench.way.calls.clear()
    gc.collect()
    rows = [each for each in gc.get_objects() if isinstance(each, OutboxRow)]
    kept = sum(row.aggregate_id.startswith("hung-") for row in rows)
    late = len(bench.pipeline._late)
    go_on.set()

    assert kept <= (INBOX_MAX + 1) * size
    assert late <= LATE_TICKETS_MAX


def test_what_the_bus_has_is_remembered_of_so_many_aggregates() -> None:
    """
    The setting bounds it, whatever number of aggregates there are; about 300 bytes each with ids of 36 characters.
    """
    aggregates_max = 2_000
    memory = DeliveredMemory(SystemRuntime(), aggregates_max)
    tracemalloc.start()
    try:
        for number in range(5 * aggregates_max):
            memory.note(f"{number:036}", 1_000 + number)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(memory._known) == aggregates_max
    assert used < 400 * aggregates_max


def test_a_reader_is_at_most_one_page_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The bus is down and a shard has ten pages: one is in hand, one waits for it, and no more is read.
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
        settings=AssemblySettings(discovery=DiscoverySettings(interval_seconds=0.2, brisk_seconds=0.1)),
        meter=meter,
    )
    part = runtime.spawn("relay", relay.daemon(stop).run)

    def records_read() -> float:
        return sum(float(each.value) for each in meter.readings() if each.metric is metrics.RECORDS_READ)  # type: ignore[arg-type]

    def attempts() -> float:
        return sum(float(each.value) for each in meter.readings() if each.metric is metrics.RETRIES)  # type: ignore[arg-type]

    until(lambda: records_read() >= 4, "two pages are read")
    so_far = attempts()
    until(lambda: attempts() >= so_far + 6, "the first page was tried three times more")
    ahead = records_read()
    stop.set()
    assert part.join(30)
    assert part.failure is None

    assert ahead == 4
