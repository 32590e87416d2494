"""What the relay's parts tell the meter, the readiness checks and the heartbeats."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.manual_runtime import ManualRuntime
from relay import metrics
from relay.delivery.flow import Flow
from relay.delivery.page import Fate
from relay.delivery.pumps import side_pump
from relay.delivery.source import FEED
from relay.delivery.work.turns import HeldUp
from relay.destination import Trouble, TroubleKind
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.index.client import IndexLostError
from relay.feed.health import FeedHealth
from relay.feed.lag import FeedLag
from relay.leases.fleet import Fleet, Pause, WorkerState
from relay.metrics import Labels, Metric
from relay.observing import gauges, readiness
from relay.observing.http.health import Check, ready
from relay.observing.recording import RecordingMeter
from relay.observing.remedies import remedy
from relay.outbox.debt import Census, Survey
from relay.sweep.sweeper import LastWalk
from tests.support.waiting import until

from .conftest import QUEUE, Bench


@pytest.fixture
def meter(bench: Bench) -> Iterator[RecordingMeter]:
    """A meter that the bench's parts tell their numbers to."""
    made, relay = RecordingMeter(bench.runtime), bench.another_relay(started=False)
    relay._meter = relay.flow._meter = made
    for pump in relay.pumps:
        pump._meter = made
    services = (*relay.pumps, *relay.scribes(lambda: True))
    bench.relay, bench.source = relay, relay.flow.open_source(FEED, bench.permit)
    for service in services:
        service.start()
    yield made
    for service in services:
        service.stop()
    assert all(service.join(10.0) for service in services)


def read(meter: RecordingMeter, metric: Metric) -> dict[Labels, float]:
    """Return the series of a metric; of a histogram how much was observed."""
    return meter.series(metric)


def test_commits_are_counted_on_their_way(bench: Bench, meter: RecordingMeter) -> None:
    """
    Two commits, the first of which the bus refuses once: both destinations take two, and two are settled.
    """
    bench.append("a")
    bench.append("b")
    bench.broker.nack_next(1)

    bench.process(bench.outbox())
    bench.rest()

    assert read(meter, metrics.COMMITS_READ) == {("feed",): 2}
    assert read(meter, metrics.DELIVERED) == {("bus", "confirmed"): 2, ("index", "confirmed"): 2}
    assert read(meter, metrics.RETRIES) == {("bus", "nack"): 1}
    assert read(meter, metrics.SETTLED) == {("feed",): 2}
    assert set(read(meter, metrics.STAGE_SECONDS)) == {("ask",), ("settle",), ("index",)}  # asked before the retry
    assert read(meter, metrics.COMMIT_TO_CONFIRM) == {("bus",): 2, ("index",): 2}
    assert read(meter, metrics.PARKED) == {}


def test_commit_to_confirm_counts_from_the_commits_own_time(bench: Bench, meter: RecordingMeter) -> None:
    """
    A commit of an hour ago was confirmed after an hour; one from a clock that is ahead after no time.
    """
    now_ms = bench.runtime.now_ms()
    bench.append("old")
    bench.append("ahead")
    bench.break_row("old", 1, committedAt={"N": str(now_ms - 3_000_000)}, delivered={"SS": ["index"]})
    bench.break_row("ahead", 1, committedAt={"N": str(now_ms + 3_000_000)}, delivered={"SS": ["index"]})
    bench.process(bench.outbox())

    (family,) = [each for each in meter.collect() if each.name == metrics.COMMIT_TO_CONFIRM.name]
    ends = {sample.labels["le"]: sample.value for sample in family.samples if "le" in sample.labels}
    assert (ends["0.01"], ends["300.0"], ends["3600.0"]) == (1, 1, 2)


def test_what_is_parked_and_what_is_late_is_counted(bench: Bench, meter: RecordingMeter) -> None:
    """
    Each under its own name.
    """
    bench.append("a")
    bench.append("b")
    first, second = bench.outbox()
    assert first.events is not None
    bench.index.refuse(first.events[0].event_id, 400, "mapper_parsing_exception")
    bench.be_impatient()
    go_on = bench.hold_index()
    assert bench.process([first, second]).fates == {Fate.LATE: 2}
    go_on.set()
    bench.rest()

    assert read(meter, metrics.SETTLED) == {("late",): 1}
    assert read(meter, metrics.PARKED) == {("index",): 1}
    assert read(meter, metrics.DELIVERED)["index", "park"] == 1


def test_a_question_that_dynamodb_fails_takes_its_time_all_the_same(bench: Bench, meter: RecordingMeter) -> None:
    """
    And what waits for the answer stays in hand, to be seen in the gauges.
    """
    gauges.watch_flow(meter, bench.relay.flow)

    def refuse(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "TransactGetItems":
            raise ServiceError("ThrottlingException", "slow down")
        return effect()

    bench.append("a")
    rows = bench.outbox()
    bench.way.trap = refuse
    page = bench.hand_in(rows, recheck=True)
    until(lambda: read(meter, metrics.STAGE_SECONDS).get(("ask",), 0) >= 2, "it is asked twice")

    assert read(meter, metrics.FLOW_COMMITS) == {("claimed",): 1, ("brought",): 0}
    assert read(meter, metrics.FLOW_BYTES)[()] > 0
    bench.way.trap = None
    bench.wait_for(page)
    bench.rest()
    assert read(meter, metrics.FLOW_COMMITS) == {("claimed",): 0, ("brought",): 0}
    assert read(meter, metrics.FLOW_BYTES) == {(): 0}


def test_aggregates_that_wait_alone_are_shown_by_reason(bench: Bench, meter: RecordingMeter) -> None:
    """
    Zeros at first, so that an alert has something to compare with; one refuses, then none.
    """
    gauges.watch_flow(meter, bench.relay.flow)
    assert read(meter, metrics.HELD_UP) == {("nack",): 0, ("silent",): 0, ("defect",): 0}
    bench.append("a")
    bench.broker.refuse(QUEUE)

    bench.process(bench.outbox())

    assert read(meter, metrics.HELD_UP) == {("nack",): 1, ("silent",): 0, ("defect",): 0}
    bench.broker.heal(QUEUE)
    bench.rest()
    assert read(meter, metrics.HELD_UP) == {("nack",): 0, ("silent",): 0, ("defect",): 0}


def test_pumps_show_their_breaker_and_their_trouble(bench: Bench, meter: RecordingMeter) -> None:
    """
    The bus has no breaker; the index's opens at its first trouble.
    """
    gauges.watch_pumps(meter, bench.relay.pumps)
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
    gauges.watch_feed(meter, lag, FeedHealth(clock))
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
        metrics.OUTBOX_REFUSED,
        metrics.OUTBOX_UNREADABLE,
        metrics.OUTBOX_OLDEST,
        metrics.OUTBOX_WALK_AGE,
    )
    assert [read(meter, metric) for metric in outbox] == [{}] * 6

    survey = Survey(
        owed={"bus": 5},
        parked={"bus": 0},
        refused={"bus": 3},
        unreadable=2,
        oldest_committed_at_ms=clock.now_ms() - 4_000,
    )
    sweeper.seen = LastWalk(survey, clock.monotonic())
    clock.advance(6.0)
    assert [read(meter, metric) for metric in outbox] == [
        {("bus",): 5.0},
        {("bus",): 0.0},
        {("bus",): 3.0},
        {(): 2.0},
        {(): 10.0},
        {(): 6.0},
    ]

    sweeper.seen = LastWalk(Census(["bus"]).survey(complete=True), clock.monotonic())
    assert [read(meter, metric) for metric in outbox] == [
        {("bus",): 0.0},
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
            "waiting_shards": lambda: 0,
            "shards_max": 16,
            "held": lambda: {"lease#s": SimpleNamespace(is_fenced=lambda: False)},
            "fleet": Fleet,
            **changed,
        }
    )


def holding_up(*found: HeldUp) -> Flow:
    """Return what stands for a flow in which some aggregates wait alone."""
    counts = Counter(each.reason for each in found)
    made: Any = SimpleNamespace(held_up=lambda: list(found), count_held_up=lambda: counts)
    return made  # type: ignore[no-any-return]


ALL_WELL = holding_up()


def pump(name: str, *, in_order: bool, trouble: Trouble | None = None, warning: str | None = None) -> Any:
    return SimpleNamespace(name=name, in_order=in_order, trouble=trouble, warning=warning)


def failed(checks: Sequence[Check]) -> dict[str, tuple[bool, str]]:
    """Return what is not ok: whether it is required, and why."""
    return {check.name: (check.required, check.reason) for check in checks if not check.ok}


def test_a_worker_in_order_is_ready() -> None:
    """
    One check per thing it needs.
    """
    checks = readiness.checks(keeper(), [pump("bus", in_order=True), pump("index", in_order=False)], ALL_WELL)

    assert [check.name for check in checks] == [
        "dynamodb",
        "leases",
        "feed",
        "room for all shards",
        "destination bus",
        "destination index",
        "everything routed",
        "nothing refused",
        "not paused",
    ]
    assert failed(checks) == {}


def test_events_that_no_binding_wants_are_shown() -> None:
    """
    They lie safe on the bus, so the worker stays ready.
    """
    bus = pump("bus", in_order=True, warning="exchange inventory.events was gone")

    assert failed(readiness.checks(keeper(), [bus, pump("index", in_order=False)], ALL_WELL)) == {
        "everything routed": (False, "exchange inventory.events was gone")
    }


def test_each_check_fails_by_itself_and_says_why() -> None:
    """
    DynamoDB, leases and the bus are required; the index and a pause are shown only.
    """
    trouble = Trouble(TroubleKind.OUTAGE, "it is down")
    pause = Pause("ann", 1, "a migration")
    fenced = {"lease#s": SimpleNamespace(is_fenced=lambda: True)}

    assert failed(readiness.checks(keeper(seen_seconds_ago=lambda: 10.1), [], ALL_WELL)) == {
        "dynamodb": (True, "the relay table was last read 10 s ago; see fleet.read_failed in the log")
    }
    assert failed(readiness.checks(keeper(seen_seconds_ago=lambda: 20.0, lease_seconds=20.0), [], ALL_WELL)) == {}
    assert failed(readiness.checks(keeper(held=lambda: fenced), [], ALL_WELL)) == {
        "leases": (True, "not renewed in time: lease#s; nothing is delivered there")
    }
    assert failed(readiness.checks(keeper(state=WorkerState.JOINING), [], ALL_WELL)) == {
        "leases": (True, "this worker is joining")
    }
    assert failed(readiness.checks(keeper(waiting_shards=lambda: 3), [], ALL_WELL)) == {
        "room for all shards": (
            False,
            (
                "shards that nobody reads: 3; raise RELAY_SHARDS_MAX (16 now), or start another worker. Until then the"
                " sweep delivers, later by RELAY_SWEEP_MIN_AGE_SECONDS"
            ),
        )
    }
    both = [pump("bus", in_order=True, trouble=trouble), pump("index", in_order=False, trouble=trouble)]
    assert failed(readiness.checks(keeper(fleet=lambda: Fleet(pause=pause)), both, ALL_WELL)) == {
        "destination bus": (True, "outage: it is down"),
        "destination index": (False, "outage: it is down"),
        "not paused": (False, "by ann: a migration; `relay resume` ends it"),
    }


def test_what_the_bus_refuses_is_named_and_leaves_the_worker_ready() -> None:
    """
    With cause and remedy of each reason; the number counts them all, though some only are named.
    """
    found = (HeldUp(("a", 3), "nack", 4, 60.0, 8.0), HeldUp(("b", 1), "silent", 1, 9.0, 0.0))
    flow: Any = holding_up(*found)
    flow.count_held_up = lambda: Counter(nack=25, silent=1)

    checks = readiness.checks(keeper(), [pump("bus", in_order=True)], flow)

    assert ready(checks).code == 200
    assert failed(checks) == {
        "nothing refused": (
            False,
            (
                "aggregates that wait alone (nack): 25, such as a at 3; a queue bound to the exchange rejects its next"
                " event: look for full queues with overflow reject-publish, and let their consumers catch up or raise"
                " their limits; aggregates that wait alone (silent): 1, such as b at 1; the broker does not confirm its"
                " next event, though it confirms others: look for a queue without a majority of its members, and bring"
                " its nodes back"
            ),
        )
    }


def test_a_reason_of_a_newer_release_has_a_remedy_too() -> None:
    """
    Its name is shown, and where to look.
    """
    assert "(odd)" in remedy("odd").cause
    assert remedy("odd").action


def test_a_bus_that_is_out_of_reach_is_no_hang(bench: Bench) -> None:
    """
    Its part turns with every attempt, so nobody starts the process again.
    """
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    turns = Counter[str]()
    progress, turned = bench.relay._progress, bench.relay._progress.turned

    def counted(part: str, again_seconds: float) -> None:
        turns[part] += 1
        turned(part, again_seconds)

    progress.turned = counted  # type: ignore[method-assign]
    bench.append("a")
    page = bench.hand_in(bench.outbox())
    until(lambda: turns["bus"] >= 5, "it turns")

    assert not page.is_over
    assert progress.overdue() == frozenset()


def test_pumps_turn_while_they_are_idle_and_end(bench: Bench) -> None:
    """
    Their heartbeats go when their parts end as they should.
    """
    relay = bench.another_relay(started=False)
    services = (*relay.pumps, *relay.scribes(lambda: True))
    for service in services:
        service.start()
    parts = ["ask", "bus", "settle-1", "settle-2", "side-index"]
    until(lambda: list(relay._progress.ages_seconds()) == parts, "all turn")

    assert relay._progress.overdue() == frozenset()
    for service in services:
        service.stop()
    assert all(service.join(10.0) for service in services)
    assert relay._progress.ages_seconds() == {}


def test_a_side_that_never_comes_back_is_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Its client ignores every time-out: its part has not turned when it should have, and nobody else is blamed.
    """
    monkeypatch.setattr(side_pump, "TURN_MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(bench.relay.pumps[1], "_budget_seconds", 0.6)
    progress = bench.relay._progress
    go_on = bench.hold_index()
    bench.append("a")
    bench.hand_in(bench.outbox())

    until(lambda: progress.overdue() == {"side-index"}, "the hang is seen")
    go_on.set()
    until(lambda: not progress.overdue(), "it turns again")
    bench.rest()
