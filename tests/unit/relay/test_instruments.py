"""What the relay's parts tell the meter, the readiness checks and the heartbeats."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from eventstore.testing.manual_runtime import ManualRuntime
from relay import metrics
from relay.delivery import lane as lanes
from relay.delivery.lane import Lane
from relay.delivery.pipeline import Pipeline
from relay.destination import Chain, Confirmed, Report, Trouble, TroubleKind
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.index.client import IndexLostError
from relay.feed.lag import FeedLag
from relay.leases.fleet import Fleet, Pause, WorkerState
from relay.metrics import HistogramReading, Labels, Metric, RecordingMeter
from relay.observing import gauges, readiness
from relay.observing.http.health import Check
from relay.outbox.debt import Census, Survey
from relay.permit import DeliveryDeadline, NotedPermit
from relay.progress import Progress
from relay.sweep.sweeper import LastWalk
from relay.testing.commits import commit
from tests.support.delivering import TestedPermit
from tests.support.waiting import until

from .conftest import Bench


@pytest.fixture
def meter(bench: Bench) -> RecordingMeter:
    """A meter that the bench's parts tell their numbers to."""
    made = RecordingMeter(bench.runtime)
    bench.relay._meter = made
    for lane in bench.relay.lanes:
        lane._meter = made
    bench.pipeline = bench.relay.pipeline()
    return made


def read(meter: RecordingMeter, metric: Metric) -> dict[Labels, float]:
    """Return the series of a metric; of a histogram how much was observed."""
    return {
        reading.labels: reading.value.counts[-1] if isinstance(reading.value, HistogramReading) else reading.value
        for reading in meter.readings()
        if reading.metric is metric
    }


def test_a_page_is_counted_on_its_way(bench: Bench, meter: RecordingMeter) -> None:
    """
    Two commits, the first of which the bus refuses once: three attempts at the bus, two at the index, two settled.
    """
    bench.append("a")
    bench.append("b")
    bench.broker.nack_next(1)

    bench.process(bench.outbox())

    assert read(meter, metrics.COMMITS_READ) == {("feed",): 2}
    assert read(meter, metrics.DELIVERED) == {
        ("bus", "confirmed"): 2,
        ("bus", "retry"): 1,
        ("index", "confirmed"): 2,
    }
    assert read(meter, metrics.RETRIES) == {("bus", "nack"): 1}
    assert read(meter, metrics.SETTLED) == {("feed",): 2}
    assert read(meter, metrics.PAGES) == {("feed", "dealt_with"): 1}
    assert read(meter, metrics.PAGES_IN_FLIGHT) == {(): 0}
    assert read(meter, metrics.STAGE_SECONDS) == {("order",): 2, ("deliver",): 2, ("settle",): 2}
    assert read(meter, metrics.COMMIT_TO_CONFIRM) == {("bus",): 2, ("index",): 2}
    assert read(meter, metrics.PARKED) == {}


def test_commit_to_confirm_counts_from_the_commits_own_time(bench: Bench, meter: RecordingMeter) -> None:
    """
    A commit of an hour ago was confirmed after an hour; one from a clock that is ahead after no time.
    """
    now_ms = bench.runtime.now_ms()
    (lane, *_) = bench.relay.lanes
    rows = [commit("old", timestamp_ms=now_ms - 3_000_000), commit("ahead", timestamp_ms=now_ms + 3_000_000)]
    ticket = lane.submit([[row] for row in rows], TestedPermit(), 1.0)
    assert ticket is not None
    report: Any = ticket.reply.get(10.0)
    assert set(report.outcomes.values()) == {Confirmed()}

    (reading,) = [each for each in meter.readings() if each.metric is metrics.COMMIT_TO_CONFIRM]
    assert isinstance(reading.value, HistogramReading)
    ends = dict(zip((*metrics.DELAY_BUCKETS, float("inf")), reading.value.counts, strict=True))
    assert (ends[0.01], ends[300.0], ends[3600.0]) == (1, 1, 2)


def test_what_is_parked_late_and_given_up_is_counted(bench: Bench, meter: RecordingMeter) -> None:
    """
    Each under its own name.
    """
    bench.append("a")
    bench.append("b")
    first, second = bench.outbox()
    assert first.events is not None
    bench.index.refuse(first.events[0].event_id, 400, "mapper_parsing_exception")
    bench.relay._settings = replace(
        bench.relay._settings, pipeline=replace(bench.relay._settings.pipeline, side_patience_seconds=0.0)
    )
    bench.pipeline = bench.relay.pipeline()
    go_on = bench.hold_index()
    bench.process([first, second])
    go_on.set()
    assert bench.pipeline.finish_late(10.0) == 1
    bench.pipeline.process(bench.page(bench.outbox()), TestedPermit(is_over=lambda: True))

    assert read(meter, metrics.SETTLED) == {("late",): 1, ("feed",): 0}
    assert read(meter, metrics.PARKED) == {("index",): 1}
    assert read(meter, metrics.DELIVERED)["index", "park"] == 1


def test_a_page_that_dynamodb_fails_is_counted_as_such(bench: Bench, meter: RecordingMeter) -> None:
    """
    And it is not in flight any more.
    """
    bench.append("a")
    rows = bench.outbox()

    def fail(_rows: Sequence[Any], *, recheck: bool) -> Any:
        raise RuntimeError("told to fail")

    bench.pipeline._sequencer.order = fail  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="told to fail"):
        bench.process(rows)

    assert read(meter, metrics.PAGES) == {("feed", "failed"): 1}
    assert read(meter, metrics.PAGES_IN_FLIGHT) == {(): 0}
    assert read(meter, metrics.STAGE_SECONDS) == {("order",): 1}


def test_lanes_show_their_breaker_and_their_trouble(bench: Bench, meter: RecordingMeter) -> None:
    """
    The bus has no breaker; the index's opens at its first trouble.
    """
    gauges.watch_lanes(meter, bench.relay.lanes)
    assert read(meter, metrics.BREAKER_OPEN) == {("index",): 0.0}
    assert read(meter, metrics.DESTINATION_UP) == {("bus",): 1.0, ("index",): 1.0}

    bench.append("a")
    bench.index.fail(IndexLostError("down"))
    bench.process(bench.outbox())

    assert read(meter, metrics.BREAKER_OPEN) == {("index",): 1.0}
    assert read(meter, metrics.DESTINATION_UP) == {("bus",): 1.0, ("index",): 0.0}


def test_feed_lag_and_trim_headroom_go_on_while_a_reader_hangs() -> None:
    """
    The gauge is computed when somebody looks, so that a reader which stopped noting shows a growing lag.
    """
    clock = ManualRuntime()
    meter, lag = RecordingMeter(clock), FeedLag(clock)
    gauges.watch_feed(meter, lag)
    lag.note("s-1", clock.now_ms() - 10_000, at_end=False)
    lag.note("s-2", clock.now_ms(), at_end=True)
    clock.advance(5.0)

    assert read(meter, metrics.FEED_LAG) == {("s-1",): 15.0, ("s-2",): 0.0}
    assert read(meter, metrics.TRIM_HEADROOM) == {("s-1",): 86_385.0, ("s-2",): 86_400.0}

    lag.forget("s-1")
    clock.advance(100_000.0)
    lag.note("s-3", clock.now_ms() - 90_000_000, at_end=False)
    assert read(meter, metrics.FEED_LAG) == {("s-2",): 0.0, ("s-3",): 90_000.0}
    assert read(meter, metrics.TRIM_HEADROOM) == {("s-2",): 86_400.0, ("s-3",): 0.0}


def test_the_outbox_is_shown_by_whoever_sweeps() -> None:
    """
    What the last complete walk saw, its age growing; nothing from a worker that does not hold the sweep's lease.
    """
    clock = ManualRuntime()
    meter = RecordingMeter(clock)
    sweeper: Any = SimpleNamespace(seen=None)
    gauges.watch_sweep(meter, sweeper, clock)
    outbox = (
        metrics.OUTBOX_OWED,
        metrics.OUTBOX_PARKED,
        metrics.OUTBOX_UNREADABLE,
        metrics.OUTBOX_OLDEST,
        metrics.OUTBOX_WALK_AGE,
    )
    assert [read(meter, metric) for metric in outbox] == [{}, {}, {}, {}, {}]

    survey = Survey(owed={"bus": 1}, parked={"bus": 0}, unreadable=2, oldest_committed_at_ms=clock.now_ms() - 4_000)
    sweeper.seen = LastWalk(survey, clock.monotonic())
    clock.advance(6.0)
    assert [read(meter, metric) for metric in outbox] == [
        {("bus",): 1.0},
        {("bus",): 0.0},
        {(): 2.0},
        {(): 10.0},
        {(): 6.0},
    ]

    sweeper.seen = LastWalk(Census(["bus"]).survey(complete=True), clock.monotonic())
    assert [read(meter, metric) for metric in outbox] == [
        {("bus",): 0.0},
        {("bus",): 0.0},
        {(): 0.0},
        {(): 0.0},
        {(): 0.0},
    ]


def keeper(**changed: Any) -> Any:
    """Return what stands for a keeper that works as it should, with changes."""
    return SimpleNamespace(
        **{
            "state": WorkerState.WORKING,
            "lease_seconds": 10.0,
            "seen_seconds_ago": lambda: 1.0,
            "held": lambda: {"lease#s": SimpleNamespace(is_fenced=lambda: False)},
            "fleet": Fleet,
            **changed,
        }
    )


def lane(name: str, *, in_order: bool, trouble: Trouble | None = None) -> Any:
    return SimpleNamespace(name=name, in_order=in_order, trouble=trouble)


def failed(checks: Sequence[Check]) -> dict[str, tuple[bool, str]]:
    """Return what is not ok: whether it is required, and why."""
    return {check.name: (check.required, check.reason) for check in checks if not check.ok}


def test_a_worker_in_order_is_ready() -> None:
    """
    One check per thing it needs.
    """
    checks = readiness.checks(keeper(), [lane("bus", in_order=True), lane("index", in_order=False)])

    assert [check.name for check in checks] == [
        "dynamodb",
        "leases",
        "destination bus",
        "destination index",
        "not paused",
    ]
    assert failed(checks) == {}


def test_each_check_fails_by_itself_and_says_why() -> None:
    """
    DynamoDB, leases and the bus are required; the index and a pause are shown only.
    """
    trouble = Trouble(TroubleKind.OUTAGE, "it is down")
    pause = Pause("ann", 1, "a migration")
    fenced = {"lease#s": SimpleNamespace(is_fenced=lambda: True)}

    assert failed(readiness.checks(keeper(seen_seconds_ago=lambda: 10.1), [])) == {
        "dynamodb": (True, "the relay table was last read 10 s ago; see fleet.read_failed in the log")
    }
    assert failed(readiness.checks(keeper(seen_seconds_ago=lambda: 20.0, lease_seconds=20.0), [])) == {}
    assert failed(readiness.checks(keeper(held=lambda: fenced), [])) == {
        "leases": (True, "not renewed in time: lease#s; nothing is delivered there")
    }
    assert failed(readiness.checks(keeper(state=WorkerState.JOINING), [])) == {
        "leases": (True, "this worker is joining")
    }
    both = [lane("bus", in_order=True, trouble=trouble), lane("index", in_order=False, trouble=trouble)]
    assert failed(readiness.checks(keeper(fleet=lambda: Fleet(pause=pause)), both)) == {
        "destination bus": (True, "outage: it is down"),
        "destination index": (False, "outage: it is down"),
        "not paused": (False, "by ann: a migration; `relay resume` ends it"),
    }


def test_a_page_that_waits_for_the_bus_is_no_hang(bench: Bench) -> None:
    """
    The bus is out of reach; the part that carries the page turns with every attempt, so nobody starts it again.
    """
    bench.append("a")
    bench.broker.refuse_connections(BrokerLostError("down"))
    turns: list[str] = []
    permit = NotedPermit(TestedPermit(is_over=lambda: len(turns) >= 8), lambda: turns.append("deliver"))
    pipeline: Pipeline = bench.pipeline

    assert not pipeline.process(bench.page(bench.outbox()), permit).dealt_with
    assert permit.left_seconds() == float("inf")
    assert len(turns) >= 8


def test_a_lane_turns_while_it_is_idle_and_ends(bench: Bench) -> None:
    """
    Its heartbeat goes when its part ends as it should.
    """
    progress = Progress(bench.runtime)
    made = Lane(bench.bus, bench.runtime, 1.0, progress=progress)
    made.start()
    ticket = made.submit([[commit("a")]], TestedPermit(), 1.0)
    assert ticket is not None
    assert ticket.reply.get(10.0) is not None

    assert list(progress.ages_seconds()) == ["lane-bus"]
    assert progress.overdue() == frozenset()
    made.stop()
    assert made.join(10.0)
    assert progress.ages_seconds() == {}


def test_a_destination_that_never_comes_back_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Its client ignores every time-out: the lane has not turned when it should have, and nobody else is blamed.
    """
    monkeypatch.setattr(lanes, "TURN_MARGIN_SECONDS", 0.1)
    progress, go_on = Progress(bench.runtime), threading.Event()
    deliver = bench.bus.deliver

    def hang(chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        assert go_on.wait(30)
        return deliver(chains, deadline)

    bench.bus.deliver = hang  # type: ignore[method-assign]
    made = Lane(bench.bus, bench.runtime, 0.6, progress=progress)
    progress.turned("main", 60.0)
    made.start()
    assert made.submit([[commit("a")]], TestedPermit(), 1.0) is not None

    until(lambda: progress.overdue() == {"lane-bus"}, "the hang is seen")
    go_on.set()
    until(lambda: not progress.overdue(), "the lane turns again")
    made.stop()
    assert made.join(10.0)
