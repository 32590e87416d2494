"""A page's way when it is long, late, throttled, or shared with somebody else."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from eventstore.backoff import Backoff
from eventstore.errors import ThrottledError
from eventstore.testing.dynamodb.errors import ServiceError, transaction_cancelled
from relay.delivery import pipeline
from relay.delivery.breaker import Breaker
from relay.delivery.lane import Ticket
from relay.delivery.page import CommitPage
from relay.delivery.pipeline import Pipeline
from relay.delivery.sequencer import CHAIN_MAX
from relay.destination import Chain, Report, Retry
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.index.client import IndexLostError
from relay.permit import DeliveryDeadline, FlagPermit, Permit
from tests.support.delivering import TestedPermit
from tests.support.waiting import until

from .conftest import Bench


def test_a_round_reads_no_more_events_than_fit(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Large commits are read, sent and settled one after the other; their events are never all in memory together.
    """
    monkeypatch.setattr(pipeline, "READ_MAX_EVENTS", 98)
    for number in range(4):
        bench.append(f"item-{number % 2}", count=60, text="x" * 200)
    bench.way.calls.clear()

    result = bench.process(bench.outbox())

    assert result.settled == 4
    assert sorted(bench.on_bus()) == [(name, number) for name in ("item-0", "item-1") for number in range(1, 121)]
    assert bench.index.count() == 240
    steps = [name for name, _, _ in bench.way.calls if name in ("BatchGetItem", "BatchExecuteStatement")]
    assert steps == ["BatchGetItem", "BatchExecuteStatement"] * 4


def test_what_is_read_for_the_index_alone_is_bounded_as_well(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The bus has them all; the index takes them in several rounds of one page.
    """
    monkeypatch.setattr(pipeline, "READ_MAX_EVENTS", 98)
    for number in range(3):
        bench.append(f"item-{number}", count=60, text="x" * 200)
        bench.break_row(f"item-{number}", 60, delivered={"SS": ["bus"]})

    result = bench.process(bench.outbox())

    assert result.settled == 3
    assert bench.on_bus() == []
    assert bench.index.count() == 180


def test_a_page_lets_go_of_what_is_dealt_with(bench: Bench) -> None:
    """
    The index is down and a long chain goes in rounds: what the bus has is noted round by round, in order.
    """
    count = CHAIN_MAX + 5
    for _ in range(count):
        bench.append("a")
    bench.index.fail(IndexLostError("down"))
    bench.way.calls.clear()

    result = bench.process([bench.row("a", count)])

    assert result.late == count
    assert {row.delivered for row in bench.outbox()} == {frozenset({"bus"})}
    steps = [name for name, _, _ in bench.way.calls if name in ("Query", "BatchExecuteStatement")]
    notes = "BatchExecuteStatement"
    assert steps == ["Query", *[notes] * (CHAIN_MAX // 25), "Query", notes]


def test_a_stop_ends_a_long_chain_between_rounds(bench: Bench) -> None:
    """
    What was sent is settled; the page is not dealt with, so it is read again after the next start.
    """
    count = CHAIN_MAX + 5
    for _ in range(count):
        bench.append("a")
    permit = TestedPermit(is_over=lambda: bool(bench.on_bus()))

    result = bench.pipeline.process(CommitPage("feed", [bench.row("a", count)], recheck=False), permit)

    assert not result.dealt_with
    assert bench.on_bus() == [("a", number) for number in range(1, CHAIN_MAX + 1)]
    assert [row.last for row in bench.outbox()] == list(range(CHAIN_MAX + 1, count + 1))


def test_a_page_held_up_for_long_asks_again_what_is_owed(bench: Bench, log_events: list[Any]) -> None:
    """
    During an outage of our connection another relay delivers and settles the commit: it is not sent once more.
    """
    bench.append("a")
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.pipeline._settings = replace(bench.pipeline._settings, recheck_after_seconds=0.0)
    page = bench.runtime.spawn("page", lambda: bench.process(bench.outbox()) and None)
    until(lambda: "bus.refused" in [event["event"] for event in log_events], "the bus refused")
    key = {"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "1"}}
    bench.client.delete_item(TableName="inventory_outbox", Key=key)

    assert page.join(10)
    assert page.failure is None
    assert bench.on_bus() == []


def test_progress_is_no_refusal(bench: Bench) -> None:
    """
    A replay gives up after two attempts in vain; a broker that takes little at a time, but something, is no such case.
    """
    for _ in range(6):
        bench.append("a")
    bench.pipeline._settings = replace(bench.pipeline._settings, refusals_max=2)
    deliver = bench.bus.deliver

    def one_at_a_time(chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        (chain,) = chains
        rest = {row.key: Retry("timeout") for row in chain[1:]}
        return Report({**deliver([chain[:1]], deadline).outcomes, **rest})

    bench.bus.deliver = one_at_a_time  # type: ignore[method-assign]

    result = bench.process(bench.outbox())

    assert result.dealt_with
    assert bench.on_bus() == [("a", number) for number in range(1, 7)]


def test_a_late_report_settles_without_another_note(bench: Bench) -> None:
    """
    The row says already that the bus has it; once the index reports, the row goes by one delete.
    """
    for _ in range(3):
        bench.append("a")
    bench.be_impatient()
    go_on = bench.hold_index()
    result = bench.process(bench.outbox())
    assert result.late == 3
    bench.way.calls.clear()
    go_on.set()

    assert bench.pipeline.finish_late(10.0) == 3
    assert bench.outbox() == []
    assert [name for name, _, _ in bench.way.calls if name != "Scan"] == ["BatchExecuteStatement"]


def test_a_delivery_nobody_waits_for_is_not_made(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The bus hangs for longer than a page waits: attempts do not pile up behind it and go out one after the other.
    """
    monkeypatch.setattr(pipeline, "_LANE_MARGIN_SECONDS", 0.0)
    bench.relay.lanes[0]._budget_seconds = 0.05
    bench.append("a")
    attempts: list[Sequence[Chain]] = []
    deliver, go_on = bench.bus.deliver, threading.Event()

    def hang(chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        attempts.append(chains)
        assert go_on.wait(30)
        return deliver(chains, DeliveryDeadline(bench.runtime, 10.0))

    bench.bus.deliver = hang  # type: ignore[method-assign]
    bench.pipeline._settings = replace(bench.pipeline._settings, refusals_max=4)
    result = bench.process(bench.outbox())
    assert not result.dealt_with
    go_on.set()
    bench.relay.lanes[0]._budget_seconds = 10.0
    bench.append("b")
    bench.process([bench.row("b", 1)])

    assert [chain[0].aggregate_id for (chain,) in attempts] == ["a", "b"]


def test_throttled_settling_is_repeated_and_nothing_is_sent_twice(bench: Bench) -> None:
    """
    DynamoDB takes half of the deletes and throttles: the page is processed again, and the bus hears nothing of it.
    """
    for number in range(50):
        bench.append(f"item-{number % 10}")
    rows = bench.outbox()
    takes = iter([True])

    def throttle(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "BatchExecuteStatement" and not next(takes, False):
            raise ServiceError("ProvisionedThroughputExceededException", "slow down")
        return effect()

    bench.way.trap = throttle
    with pytest.raises(ThrottledError):
        bench.process(rows)
    bench.way.trap = None
    assert len(bench.outbox()) == 25
    result = bench.process(rows, recheck=True)

    assert result.dealt_with
    assert len(bench.on_bus()) == 50
    assert bench.outbox() == []


def test_two_relays_on_the_same_aggregate_keep_the_order_of_first_deliveries(bench: Bench) -> None:
    """
    Both carry the same commits, in pieces of different size, at the same time.
    """
    for _ in range(60):
        bench.append("a")
    rows = bench.outbox()
    other = bench.another_relay()

    def carry(pipeline: Pipeline, size: int) -> None:
        for start in range(0, 60, size):
            pipeline.process(
                CommitPage("feed", rows[start : start + size][::-1], recheck=False), FlagPermit(bench.runtime.flag())
            )

    parts = [
        bench.runtime.spawn("first", lambda: carry(bench.pipeline, 7)),
        bench.runtime.spawn("second", lambda: carry(other.pipeline(), 11)),
    ]
    for part in parts:
        assert part.join(30)
        assert part.failure is None

    first_deliveries = list(dict.fromkeys(number for _, number in bench.on_bus()))
    assert first_deliveries == list(range(1, 61))
    assert bench.outbox() == []


def test_pages_of_one_aggregate_in_the_wrong_order(bench: Bench) -> None:
    """
    The later half comes first, as from two shards: it brings the earlier half along, whose own page sends nothing more.
    """
    for _ in range(20):
        bench.append("a")
    rows = bench.outbox()

    bench.process(rows[10:])
    result = bench.process(rows[:10])

    assert result.dealt_with
    assert bench.on_bus() == [("a", number) for number in range(1, 21)]
    assert bench.outbox() == []


def test_a_predecessor_that_is_still_being_applied_is_waited_for(bench: Bench) -> None:
    """
    Plain reads do not show it yet and transactional ones are in conflict with it: nobody takes it for settled.
    """
    bench.append("a")
    bench.append("a")
    conflicts = iter([True, True])

    def hide(operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "TransactGetItems" and next(conflicts, False):
            reasons = [{"Code": "TransactionConflict", "Message": "busy"} for _ in request["TransactItems"]]
            raise transaction_cancelled(reasons)
        if operation == "Query":
            return {"Items": [], "Count": 0, "ScannedCount": 0}
        return effect()

    second = bench.row("a", 2)
    bench.way.trap = hide
    bench.process([second])
    bench.way.trap = None

    assert bench.on_bus() == [("a", 1), ("a", 2)]


def test_a_breaker_that_opens_on_the_way_leaves_the_commit_owed(bench: Bench) -> None:
    """
    The index was well when the page was planned, and is closed off when its delivery's turn comes.
    """
    bench.append("a")
    (side,) = bench.relay.lanes[1:]
    submit = side.submit

    def open_first(chains: Sequence[Chain], permit: Permit, timeout_seconds: float) -> Ticket | None:
        side._breaker = Breaker(Backoff(base_seconds=60.0, cap_seconds=60.0)).failed(bench.runtime.monotonic())
        return submit(chains, permit, timeout_seconds)

    side.submit = open_first  # type: ignore[method-assign]

    result = bench.process(bench.outbox())

    assert result.dealt_with
    assert result.late == 1
    assert bench.row("a", 1).delivered == {"bus"}
    assert bench.index.count() == 0
