"""What is asked of the outbox to keep the order, and what an answer that does not come costs."""

from collections.abc import Callable, Mapping
from typing import Any

from eventstore import AggregateRef, NewEvent
from eventstore.testing.dynamodb.errors import ServiceError, transaction_cancelled
from relay.delivery.page import Fate
from relay.destinations.index.client import IndexLostError
from tests.support.waiting import until

from .conftest import Bench

REF = AggregateRef("ITEM", "a")

AGGREGATE_MAX = 100
"""Commits of one aggregate that are kept at a time."""

Effect = Callable[[], dict[str, Any]]


def append_plain(bench: Bench, count: int) -> None:
    for number in range(count):
        bench.store.append(REF, [NewEvent("COUNTED", {})], expected_version=number)


def questions(bench: Bench) -> tuple[int, int]:
    """Return how often rows were asked for, and stretches of an aggregate."""
    return bench.way.count("TransactGetItems"), bench.way.count("Query")


def test_what_comes_in_order_is_not_asked_for(bench: Bench) -> None:
    """
    Number 1 has nothing before it, and what this process has sent it remembers.
    """
    append_plain(bench, 20)
    rows = bench.outbox()
    bench.way.calls.clear()

    for start in range(0, 20, 5):
        bench.process(rows[start : start + 5])

    assert bench.on_bus() == [("a", number) for number in range(1, 21)]
    assert questions(bench) == (0, 0)


def test_rows_that_only_the_index_lacks_are_not_in_the_way_of_a_long_chain(bench: Bench) -> None:
    """
    The index is down, so what the bus has stays in the outbox; few questions find the lowest commits owed to the bus.
    """
    count = AGGREGATE_MAX * 4
    append_plain(bench, count)
    bench.index.fail(IndexLostError("down"))
    last = bench.row("a", count)
    bench.way.calls.clear()

    page = bench.process([last])
    bench.rest()

    assert page.fates == {Fate.BEYOND: 1}, "nobody waits for what is far above the lowest"
    assert bench.on_bus() == [("a", number) for number in range(1, count + 1)]
    asked, brought = questions(bench)
    assert asked <= 4
    assert brought <= 6


def test_after_a_restart_rows_that_the_bus_has_are_passed_over(bench: Bench) -> None:
    """
    Nothing is remembered, and far more rows than are kept lie below, owed to the index only.
    """
    count = AGGREGATE_MAX + 300
    append_plain(bench, count)
    for last in range(1, AGGREGATE_MAX + 101):
        bench.break_row("a", last, delivered={"SS": ["bus"]})
    row = bench.row("a", count)
    bench.way.calls.clear()

    bench.process([row])
    bench.rest()

    assert [number for _, number in bench.on_bus()] == list(range(AGGREGATE_MAX + 101, count + 1))
    asked, brought = questions(bench)
    assert asked <= 4
    assert brought <= 6


def test_a_predecessor_that_is_still_being_applied_is_waited_for(bench: Bench) -> None:
    """
    Plain reads do not show it yet and transactional ones are in conflict with it: nobody takes it for settled.
    """
    append_plain(bench, 2)
    conflicts = iter([True, True])

    def hide(operation: str, request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
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

    assert next(conflicts, None) is None
    assert bench.on_bus() == [("a", 1), ("a", 2)]


def test_a_row_in_conflict_delays_nobody_elses_answer(bench: Bench) -> None:
    """
    A writer is at work on one row for long: the others asked for in the same call go meanwhile.
    """
    for aggregate_id in ("a", "b", "c"):
        bench.append(aggregate_id)
        bench.append(aggregate_id)
    rows = [bench.row(aggregate_id, 2) for aggregate_id in ("a", "b", "c")]
    is_over = bench.runtime.flag()

    def busy(operation: str, request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "TransactGetItems" and not is_over.is_set():
            keys = [each["Get"]["Key"]["aggregateId"]["S"] for each in request["TransactItems"]]
            if "b" in keys:
                codes = ["TransactionConflict" if key == "b" else "None" for key in keys]
                raise transaction_cancelled([{"Code": code, "Message": ""} for code in codes])
        return effect()

    bench.way.trap = busy
    page = bench.hand_in(rows)
    until(lambda: sorted(bench.on_bus()) == [("a", 1), ("a", 2), ("c", 1), ("c", 2)], "the others have gone")
    assert not page.is_over
    is_over.set()

    assert bench.wait_for(page).is_dealt_with
    assert [each for each in bench.on_bus() if each[0] == "b"] == [("b", 1), ("b", 2)]


def test_a_table_that_does_not_answer_is_asked_again(bench: Bench, log_events: list[Any]) -> None:
    """
    Questions of every kind fail three times; what needs none goes meanwhile, and nothing is taken for an answer.
    """
    append_plain(bench, 2)
    bench.append("whole", text="x" * 2_000)
    bench.append("plain")
    failures = iter([True] * 9)

    def fail(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation in {"TransactGetItems", "Query", "BatchGetItem"} and next(failures, False):
            raise ServiceError("InternalServerError", "no", status=500)
        return effect()

    rows = [bench.row("a", 2), bench.row("whole", 1), bench.row("plain", 1)]
    bench.way.trap = fail
    page = bench.process(rows)

    assert page.is_dealt_with
    assert next(failures, None) is None
    assert "question.postponed" in [event["event"] for event in log_events]
    assert sorted(bench.on_bus()) == [("a", 1), ("a", 2), ("plain", 1), ("whole", 1)]
    bench.rest()
    assert bench.outbox() == []


def test_a_question_that_is_refused_is_asked_again_and_named(bench: Bench, log_events: list[Any]) -> None:
    """
    An operator may set a policy right while we wait; what needs no question goes.
    """
    append_plain(bench, 2)
    refusals = iter([True, True])

    def refuse(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "TransactGetItems" and next(refusals, False):
            raise ServiceError("AccessDeniedException", "no", status=400)
        return effect()

    second = bench.row("a", 2)
    bench.way.trap = refuse
    bench.process([second])

    assert [event["log_level"] for event in log_events if event["event"] == "question.failed"] == ["error"] * 2
    assert bench.on_bus() == [("a", 1), ("a", 2)]


def test_evidence_that_is_too_old_is_asked_for_once_more(bench: Bench) -> None:
    """
    Somebody else delivered and settled the commit since its row was read: it is not sent once more.
    """
    append_plain(bench, 1)
    (row,) = rows = bench.outbox()
    bench.client.delete_item(
        TableName="inventory_outbox", Key={"aggregateId": {"S": "a"}, "sequenceNumber": {"N": str(row.last)}}
    )

    page = bench.process(rows, recheck=True)

    assert page.is_dealt_with
    assert bench.on_bus() == []
