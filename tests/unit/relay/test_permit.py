"""What is still done, and what not, once the leave to deliver is over."""

import threading
from collections.abc import Sequence
from typing import Any

from relay.delivery.page import CommitPage
from relay.destination import Chain, Report, Retry
from relay.permit import DeliveryDeadline, FlagPermit
from relay.testing.commits import chain
from tests.support.delivering import TestedPermit
from tests.support.waiting import until

from .conftest import Bench


def two_aggregates(bench: Bench) -> CommitPage:
    for aggregate_id in ("a", "b"):
        bench.append(aggregate_id)
        bench.append(aggregate_id)
    return bench.page(bench.outbox())


def test_nothing_is_sent_after_the_lease_is_gone_and_what_was_confirmed_is_settled(bench: Bench) -> None:
    """
    It goes while the first event of each of two aggregates is under way: their confirms count, nothing follows them.
    """
    page = two_aggregates(bench)
    permit = TestedPermit(lambda: 0.0 if len(bench.on_bus()) == 2 else 5.0)

    result = bench.pipeline.process(page, permit)

    assert not result.dealt_with
    assert bench.on_bus() == [("a", 1), ("b", 1)]
    owed = [row.key for row in bench.outbox() if "bus" not in row.delivered]
    assert owed == [("a", 2), ("b", 2)]  # what was confirmed is gone, or noted where the index did not have it in time


def test_who_is_not_certain_of_the_lease_notes_what_was_taken_and_deletes_nothing(bench: Bench) -> None:
    """
    Other destinations may be in force by now, and the row be owed to one that this worker never heard of.
    """
    bench.append("a")
    taken = threading.Event()
    deliver = bench.bus.deliver

    def fenced_meanwhile(chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        report = deliver(chains, deadline)
        until(lambda: bench.index.count() == 1, "the index has it too")
        taken.set()
        return report

    bench.bus.deliver = fenced_meanwhile  # type: ignore[method-assign]

    bench.pipeline.process(bench.page(bench.outbox()), TestedPermit(lambda: 0.0 if taken.is_set() else 5.0))

    (row,) = bench.outbox()
    assert row.delivered == {"bus", "index"}

    bench.pipeline.process(bench.page(bench.outbox()), TestedPermit())
    assert bench.outbox() == []
    assert bench.on_bus() == [("a", 1)]


def test_a_page_that_comes_without_leave_is_left_alone(bench: Bench) -> None:
    """
    Paused, or fenced, before it begins: no question is asked and nothing is sent.
    """
    page = two_aggregates(bench)
    bench.way.calls.clear()

    result = bench.pipeline.process(page, TestedPermit(is_over=lambda: True))

    assert not result.dealt_with
    assert bench.way.calls == []
    assert bench.on_bus() == []
    assert bench.index.count() == 0


def test_a_stop_lets_the_delivery_under_way_finish(bench: Bench) -> None:
    """
    A commit cut off in the middle would be sent again from its first event; so a stop or a pause cuts off none.
    """
    bench.append("a", count=3)
    stop = bench.runtime.flag()
    deliver = bench.bus.deliver

    def stopped_meanwhile(chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        stop.set()
        return deliver(chains, deadline)

    bench.bus.deliver = stopped_meanwhile  # type: ignore[method-assign]

    result = bench.pipeline.process(bench.page(bench.outbox()), FlagPermit(stop))

    assert result.dealt_with
    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)]
    assert bench.outbox() == []


def test_nothing_is_parked_without_leave(bench: Bench) -> None:
    """
    The index rejects a document for good, the bus has its commit, the lease is gone: whoever has it next parks.
    """
    bench.append("a")
    (row,) = bench.outbox()
    assert row.events is not None
    bench.index.refuse(row.events[0].event_id, 400, "mapper_parsing_exception")
    over = TestedPermit(is_over=lambda: bool(bench.on_bus()))

    result = bench.pipeline.process(bench.page([row]), over)

    assert not result.dealt_with
    assert bench.row("a", 1).delivered == {"bus"}
    assert bench.row("a", 1).parked == {}
    assert bench.process([bench.row("a", 1)]).parked == 1


def test_a_late_verdict_parks_nothing_without_leave(bench: Bench) -> None:
    """
    The index rejects after the page has gone on and the lease is gone: the row stays owed to it.
    """
    bench.append("a")
    (row,) = bench.outbox()
    assert row.events is not None
    bench.index.refuse(row.events[0].event_id, 400, "mapper_parsing_exception")
    bench.be_impatient()
    go_on = bench.hold_index()
    over: list[bool] = []
    result = bench.pipeline.process(bench.page([row]), TestedPermit(is_over=lambda: bool(over)))
    assert result.late == 1
    over.append(True)
    go_on.set()
    bench.pipeline.finish_late(10.0)

    assert bench.row("a", 1).parked == {}


def test_a_delivery_that_waited_too_long_for_its_turn_is_not_begun(bench: Bench) -> None:
    """
    Another page keeps the bus busy while the lease goes; the destination is not even asked.
    """
    (lane, *_) = bench.relay.lanes
    deliver, begun, go_on = bench.bus.deliver, threading.Event(), threading.Event()
    asked: list[str] = []

    def slow(chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        asked.extend(each[0].aggregate_id for each in chains)
        begun.set()
        assert go_on.wait(30)
        return deliver(chains, deadline)

    bench.bus.deliver = slow  # type: ignore[method-assign]
    permit = TestedPermit()
    first = lane.submit([chain("a", 1)], TestedPermit(), 1.0)
    assert first is not None
    assert begun.wait(30)
    second = lane.submit([chain("b", 1)], permit, 1.0)
    assert second is not None
    permit.certain_seconds = 0.0
    go_on.set()

    report: Any = second.reply.get(10.0)
    assert report.outcomes == {("b", 1): Retry("permit_expired")}
    assert report.trouble is None
    assert asked == ["a"]


def test_a_deadline_grows_with_a_renewed_lease_up_to_its_budget(bench: Bench) -> None:
    """
    Sending ends with whatever ends first; answers are waited for as long as the budget lasts.
    """
    permit = TestedPermit(2.0)
    deadline = DeliveryDeadline(bench.runtime, 1000.0, permit)
    assert deadline.left_seconds() == 2.0

    permit.certain_seconds = 0.0
    assert deadline.left_seconds() == 0.0
    assert deadline.is_permit_expired()
    assert deadline.answer_seconds() > 900.0

    permit.certain_seconds = 5000.0
    assert 900.0 < deadline.left_seconds() <= 1000.0
    assert not deadline.is_permit_expired()


def test_a_raised_flag_revokes_and_shortens_nothing(bench: Bench) -> None:
    """
    The leave of a replay has no lease behind it: a stop means that nothing new is begun.
    """
    stop = bench.runtime.flag()
    permit = FlagPermit(stop)
    assert not permit.is_revoked()
    assert not permit.wait(0.0)
    stop.set()

    assert permit.is_revoked()
    assert permit.wait(10.0)
    assert permit.left_seconds() == float("inf")
