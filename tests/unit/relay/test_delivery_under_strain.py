"""A commit's way when it is long, late, throttled, refused, or shared with somebody else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from eventstore import AggregateRef, NewEvent
from eventstore.backoff import Backoff
from eventstore.rows.outbox import OutboxRow
from eventstore.testing.dynamodb.errors import ServiceError
from relay.assembly import Relay
from relay.delivery.page import Fate
from relay.delivery.pumps.breaker import Breaker
from relay.delivery.pumps.side_pump import SidePump
from relay.destination import Report
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.index.client import IndexLostError
from relay.permit import DeliveryDeadline
from tests.support.waiting import until

from .conftest import QUEUE, Bench

Effect = Callable[[], dict[str, Any]]


def index_pump(bench: Bench) -> SidePump:
    (pump,) = (each for each in bench.relay.pumps if isinstance(each, SidePump))
    return pump


def read_at_most(bench: Bench, read_max_bytes: int) -> None:
    """Let no more events be read by key once that much of them is held."""
    flow = bench.relay.flow
    flow._settings = replace(flow._settings, read_max_bytes=read_max_bytes)


def test_large_commits_are_read_one_after_the_other(bench: Bench) -> None:
    """
    Their events are never all in memory together; all of them go.
    """
    read_at_most(bench, 1)
    for number in range(4):
        bench.append(f"item-{number % 2}", count=60, text="x" * 200)
    rows = bench.outbox()
    bench.way.calls.clear()
    held: list[int] = []

    def watched(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "BatchGetItem":
            held.append(bench.relay.flow.counts()["read_bytes"])
        return effect()

    bench.way.trap = watched
    page = bench.process(rows)

    assert page.fates == {Fate.SETTLED: 4}
    assert sorted(bench.on_bus()) == [(name, number) for name in ("item-0", "item-1") for number in range(1, 121)]
    assert bench.index.count() == 240
    assert set(held) == {0}
    asked = [request for name, request, _ in bench.way.calls if name == "BatchGetItem"]
    assert len(asked) == 4


def test_what_is_read_for_the_index_alone_is_bounded_as_well(bench: Bench) -> None:
    """
    The bus has them all; the index takes them one after the other.
    """
    read_at_most(bench, 1)
    for number in range(3):
        bench.append(f"item-{number}", count=60, text="x" * 200)
        bench.break_row(f"item-{number}", 60, delivered={"SS": ["bus"]})

    page = bench.process(bench.outbox())

    assert page.fates == {Fate.SETTLED: 3}
    assert bench.on_bus() == []
    assert bench.index.count() == 180


def test_what_the_bus_has_is_noted_many_rows_at_a_time(bench: Bench) -> None:
    """
    The index is down and a long chain goes: its rows are noted by 25 a call, and nobody waits for a note.
    """
    count = 100
    for _ in range(count):
        bench.append("a")
    bench.index.fail(IndexLostError("down"))
    rows = bench.outbox()
    bench.process(rows[:1])
    bench.way.calls.clear()

    page = bench.process(rows[1:])

    assert page.fates == {Fate.LATE: count - 1}
    assert {row.delivered for row in bench.outbox()} == {frozenset({"bus"})}
    noted = [len(request["Statements"]) for name, request, _ in bench.way.calls if name == "BatchExecuteStatement"]
    assert sum(noted) == count - 1
    assert len(noted) <= count // 5, "a write waits a moment for others to go with it"


def test_a_late_report_settles_without_another_note(bench: Bench) -> None:
    """
    The row says already that the bus has it; once the index reports, the row goes by one delete.
    """
    for _ in range(3):
        bench.append("a")
    bench.be_impatient()
    go_on = bench.hold_index()
    page = bench.process(bench.outbox())
    assert page.fates == {Fate.LATE: 3}
    bench.way.calls.clear()
    go_on.set()
    bench.rest()

    statements = [
        each["Statement"].split()[0]
        for name, request, _ in bench.way.calls
        if name == "BatchExecuteStatement"
        for each in request["Statements"]
    ]
    assert statements == ["DELETE"] * 3
    assert bench.outbox() == []


def test_a_commit_whose_connection_breaks_in_its_middle_goes_on_where_it_was(bench: Bench) -> None:
    """
    What was confirmed of it is not sent again by this process.
    """
    bench.append("a", count=5)
    bench.broker.drop_after(3, taken=False)

    page = bench.process(bench.outbox())

    assert page.fates == {Fate.SETTLED: 1}
    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3), ("a", 4), ("a", 5)]


def test_one_full_queue_gets_few_copies_into_the_others(bench: Bench) -> None:
    """
    The broker nacks what one queue rejects, although the others took it: it comes again, rarely, and alone.
    """
    bench.broker.queue("full", "ITEM.STUCK", max_length=0)
    bench.store.append(
        AggregateRef("ITEM", "stuck"),
        [NewEvent("COUNTED", {}), NewEvent("STUCK", {}), NewEvent("COUNTED", {})],
        expected_version=0,
    )
    for _ in range(20):
        bench.append("well")

    page = bench.process(bench.outbox())

    assert page.is_dealt_with
    assert page.fates[Fate.REFUSED] == 1
    assert [number for name, number in bench.on_bus() if name == "well"] == list(range(1, 21))
    until(lambda: bench.relay.flow.held_up()[0].attempts >= 3, "it was tried three times")
    stuck = [number for name, number in bench.on_bus() if name == "stuck"]
    (held_up,) = bench.relay.flow.held_up()
    assert (held_up.key, held_up.reason) == (("stuck", 3), "nack")
    assert bench.relay.flow.count_held_up() == {"nack": 1}
    assert stuck[0] == 1, "what was taken is not sent again"
    assert set(stuck[1:]) == {2}, "and nothing goes before its time"
    assert 3 <= len(stuck[1:]) <= held_up.attempts


def test_a_queue_that_takes_again_gets_what_it_refused(bench: Bench) -> None:
    """
    The rest of the commit and what is above it follow in order; nobody waits alone any more.
    """
    bench.broker.refuse(QUEUE)
    bench.append("a", count=2)
    bench.append("a")
    page = bench.process(bench.outbox())
    assert page.fates == {Fate.REFUSED: 2}
    bench.broker.heal(QUEUE)
    bench.rest()

    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)]
    assert bench.outbox() == []
    assert bench.relay.flow.count_held_up() == {}


def test_throttled_settling_is_repeated_and_nothing_is_sent_twice(bench: Bench, log_events: list[Any]) -> None:
    """
    DynamoDB takes half of the deletes and throttles for a while: the bus hears nothing of it.
    """
    for number in range(50):
        bench.append(f"item-{number % 10}")
    takes = iter([True, False, False, False])

    def throttle(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "BatchExecuteStatement" and not next(takes, True):
            raise ServiceError("ProvisionedThroughputExceededException", "slow down")
        return effect()

    bench.way.trap = throttle
    page = bench.process(bench.outbox())

    assert page.fates == {Fate.SETTLED: 50}
    assert "settle.postponed" in [event["event"] for event in log_events]
    assert len(bench.on_bus()) == 50
    assert bench.outbox() == []


def test_an_answer_to_a_delete_that_is_lost_costs_another_delete_only(bench: Bench) -> None:
    """
    The rows are gone, and nobody here knows: they are deleted again, which is harmless, and not asked for.
    """
    for aggregate_id in ("a", "b"):
        bench.append(aggregate_id)
    rows = bench.outbox()
    losses = iter([True])

    def lose(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        reply = effect()
        if operation == "BatchExecuteStatement" and next(losses, False):
            raise ServiceError("InternalServerError", "the reply is lost", status=500)
        return reply

    bench.way.trap = lose
    page = bench.process(rows)

    assert page.fates == {Fate.SETTLED: 2}
    assert sorted(bench.on_bus()) == [("a", 1), ("b", 1)]
    assert bench.way.count("TransactGetItems") == 0


def test_two_relays_on_the_same_aggregate_keep_the_order_of_first_deliveries(bench: Bench) -> None:
    """
    Both carry the same commits, in pieces of different size, at the same time.
    """
    for _ in range(60):
        bench.append("a")
    rows = bench.outbox()
    other = bench.another_relay()

    def carry(relay: Relay, size: int) -> None:
        for start in range(0, 60, size):
            page = bench.hand_in(rows[start : start + size][::-1], relay=relay)
            assert bench.wait_for(page, 30).is_dealt_with

    parts = [
        bench.runtime.spawn("first", lambda: carry(bench.relay, 7)),
        bench.runtime.spawn("second", lambda: carry(other, 11)),
    ]
    for part in parts:
        assert part.join(60)
        assert part.failure is None
    bench.rest()
    until(lambda: not any(other.flow.counts().values()), "the other has nothing in hand either")

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

    later = bench.process(rows[10:])
    earlier = bench.process(rows[:10], recheck=True)

    assert later.is_dealt_with
    assert earlier.is_dealt_with
    assert bench.on_bus() == [("a", number) for number in range(1, 21)]
    assert bench.outbox() == []


def test_the_same_commit_from_two_sources_goes_once(bench: Bench) -> None:
    """
    The feed and the sweep bring it while the bus is down: both pages are dealt with by one delivery.
    """
    for _ in range(3):
        bench.append("a")
    rows = bench.outbox()
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    first = bench.hand_in(rows)
    second = bench.hand_in(rows[::-1])
    bench.broker.refuse_connections(None)

    for page in (first, second):
        assert bench.wait_for(page).fates == {Fate.SETTLED: 3}
    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)]


def test_a_hot_aggregate_does_not_keep_others_from_their_turn(bench: Bench) -> None:
    """
    It owes two hundred commits and its confirm does not come: a commit of another goes all the same.
    """
    for _ in range(200):
        bench.append("hot")
    bench.append("other")
    bench.broker.stall()
    pages = [bench.hand_in([row for row in bench.outbox() if row.aggregate_id == name]) for name in ("hot", "other")]
    until(lambda: bench.on_bus() == [("hot", 1), ("other", 1)], "one event of each is under way")
    bench.broker.resume()

    for page in pages:
        assert bench.wait_for(page).is_dealt_with
    bench.rest()
    assert [number for name, number in bench.on_bus() if name == "hot"] == list(range(1, 201))


def test_a_breaker_that_opens_on_the_way_leaves_the_commit_owed(bench: Bench) -> None:
    """
    The index was well when the commit came, and is in trouble when it is handed over.
    """
    bench.append("a")
    pump = index_pump(bench)
    deliver = pump._destination.deliver

    def fail_first(commits: Sequence[OutboxRow], deadline: DeliveryDeadline) -> Report:
        bench.index.fail(IndexLostError("down"))
        return deliver(commits, deadline)

    pump._destination.deliver = fail_first  # type: ignore[method-assign]

    page = bench.process(bench.outbox())

    assert page.fates == {Fate.LATE: 1}
    assert pump.is_breaker_open()
    assert bench.row("a", 1).delivered == {"bus"}
    assert bench.index.count() == 0


def test_a_side_that_is_left_alone_is_handed_nothing(bench: Bench) -> None:
    """
    While its breaker is open its client is not called; what comes meanwhile is noted for it at once.
    """
    bench.index.fail(IndexLostError("down"))
    bench.append("a")
    bench.process(bench.outbox())
    index_pump(bench)._breaker = Breaker(Backoff(base_seconds=60.0, cap_seconds=60.0)).failed(bench.runtime.monotonic())
    requests = bench.index.requests
    bench.append("b")

    page = bench.process([bench.row("b", 1)])

    assert page.fates == {Fate.LATE: 1}
    assert bench.index.requests == requests


def test_an_exception_of_a_sides_client_is_that_sides_outage(bench: Bench, log_events: list[Any]) -> None:
    """
    It ends no part; the bus goes on; the log has the stack.
    """

    def broken(_commits: Sequence[OutboxRow], _deadline: DeliveryDeadline) -> Report:
        raise ZeroDivisionError

    pump = index_pump(bench)
    pump._destination.deliver = broken  # type: ignore[method-assign]
    bench.append("a")

    page = bench.process(bench.outbox())

    assert page.fates == {Fate.LATE: 1}
    assert pump.trouble is not None
    assert pump.dead_part is None
    assert "destination.failed" in [event["event"] for event in log_events]


@pytest.mark.parametrize("text", ["", "x" * 2_000])
def test_a_commit_longer_than_the_budget_comes_to_its_end(bench: Bench, text: str) -> None:
    """
    The connection breaks every seven messages: no commit begins again from its first event.
    """
    bench.append("a", count=40, text=text)
    page = bench.hand_in(bench.outbox())
    while not page.is_over:
        sent = len(bench.on_bus())
        bench.broker.drop_after(7, taken=False)
        until(lambda: len(bench.on_bus()) > sent or page.is_over, "it goes on")  # noqa: B023 - called at once

    assert bench.on_bus() == [("a", number) for number in range(1, 41)]
    assert bench.outbox() == []
