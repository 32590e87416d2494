"""What is still done, and what not, once the leave to deliver is over."""

from collections.abc import Sequence

import pytest

from eventstore.rows.outbox import OutboxRow
from relay.delivery.page import CommitPage, Fate
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.source import FEED, Source
from relay.destination import Report
from relay.permit import AnyOfEach, DeliveryDeadline, FlagPermit
from tests.support.delivering import TestedPermit
from tests.support.waiting import until

from .conftest import Bench


def two_aggregates(bench: Bench) -> list[OutboxRow]:
    for aggregate_id in ("a", "b"):
        bench.append(aggregate_id)
        bench.append(aggregate_id)
    return bench.outbox()


def hand_in(bench: Bench, permit: TestedPermit | FlagPermit, rows: Sequence[OutboxRow]) -> tuple[Source, CommitPage]:
    """Hand rows in under a permit."""
    source = bench.relay.flow.open_source(FEED, permit)
    page = CommitPage(FEED, bench.runtime.monotonic())
    bench.relay.flow.hand_in(source, page, rows, bench.runtime.monotonic())
    page.is_sealed = True
    return source, page


def let_go(bench: Bench, source: Source, page: CommitPage) -> CommitPage:
    """Let a source go as its reader does when its lease is gone, and wait until nothing of it is in hand."""
    bench.relay.flow.withdraw(source)
    bench.wait_for(page)
    bench.rest()
    return page


def test_nothing_is_sent_after_the_lease_is_gone_and_what_was_confirmed_is_settled(bench: Bench) -> None:
    """
    It goes while the first event of each of two aggregates is under way: their confirms count, nothing follows them.
    """
    rows = two_aggregates(bench)
    permit = TestedPermit(5.0)
    bench.broker.stall()
    source, page = hand_in(bench, permit, rows)
    until(lambda: len(bench.on_bus()) == 2, "two are under way")
    until(lambda: bench.index.count() == 4, "the index has all")
    permit.certain_seconds = 0.0
    bench.broker.resume()
    until(lambda: page.fates[Fate.SETTLED] == 2, "their confirms count")

    let_go(bench, source, page)

    assert not page.is_dealt_with
    assert page.fates == {Fate.SETTLED: 2, Fate.WITHDRAWN: 2}
    assert sorted(bench.on_bus()) == [("a", 1), ("b", 1)]
    assert [row.key for row in bench.outbox()] == [("a", 2), ("b", 2)]


def test_what_is_unanswered_when_its_source_lets_go_is_settled_all_the_same(bench: Bench) -> None:
    """
    A confirm is a fact, whoever has the lease by now.
    """
    rows = two_aggregates(bench)
    bench.broker.stall()
    source, page = hand_in(bench, TestedPermit(), rows)
    until(lambda: len(bench.on_bus()) == 2, "two are under way")
    until(lambda: bench.index.count() == 4, "the index has all")

    bench.relay.flow.withdraw(source)
    assert page.fates == {Fate.WITHDRAWN: 2}, "what is unanswered holds its page"
    bench.broker.resume()
    bench.rest()

    assert page.fates == {Fate.SETTLED: 2, Fate.WITHDRAWN: 2}
    assert sorted(bench.on_bus()) == [("a", 1), ("b", 1)]
    assert [(row.key, row.delivered) for row in bench.outbox()] == [(("a", 2), {"index"}), (("b", 2), {"index"})]


def test_who_is_not_certain_of_the_lease_notes_what_was_taken_and_deletes_nothing(bench: Bench) -> None:
    """
    Other destinations may be in force by now, and the row be owed to one that this worker never heard of.
    """
    bench.append("a")
    bench.uncertain.set()

    page = bench.process(bench.outbox())
    bench.rest()

    assert page.fates == {Fate.LATE: 1}
    (row,) = bench.outbox()
    assert row.delivered == {"bus", "index"}

    bench.uncertain.clear()
    assert bench.process(bench.outbox()).fates == {Fate.SETTLED: 1}
    assert bench.outbox() == []
    assert bench.on_bus() == [("a", 1)]


@pytest.mark.parametrize("permit", [TestedPermit(is_over=lambda: True), TestedPermit(0.0)], ids=["stopped", "expired"])
def test_a_page_that_comes_without_leave_is_left_alone(bench: Bench, permit: TestedPermit) -> None:
    """
    Paused, or fenced, before it begins: nothing is sent to anybody, nothing is written, and it is not dealt with.
    """
    rows = two_aggregates(bench)
    bench.way.calls.clear()
    source, page = hand_in(bench, permit, rows)
    left, looked = permit.left_seconds(), []

    def looks() -> float:
        looked.append(left)
        return left

    permit.certain_seconds = looks
    until(lambda: len(looked) > 10, "the parts have looked at it again and again")
    let_go(bench, source, page)

    assert page.fates == {Fate.WITHDRAWN: 4}
    assert bench.way.calls == []
    assert bench.on_bus() == []
    assert bench.index.count() == 0


def test_a_stop_lets_a_commit_that_was_begun_finish(bench: Bench) -> None:
    """
    A commit cut off in the middle would be sent again from its first event; so a stop or a pause cuts off none.
    """
    bench.append("a", count=3)
    bench.append("a")
    stop = bench.runtime.flag()
    bench.broker.stall()
    source, page = hand_in(bench, FlagPermit(stop), bench.outbox())
    until(lambda: bench.on_bus() == [("a", 1)], "it is begun")
    stop.set()
    bench.broker.resume()
    until(lambda: page.fates[Fate.SETTLED] == 1, "it came to its end")

    let_go(bench, source, page)

    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)]
    assert page.fates == {Fate.SETTLED: 1, Fate.WITHDRAWN: 1}
    assert [row.key for row in bench.outbox()] == [("a", 4)]


def test_a_source_that_drains_begins_nothing_and_keeps_what_is_begun(bench: Bench) -> None:
    """
    A hand-over: what was not begun goes to the next holder at once, what is unanswered is waited for.
    """
    bench.append("a", count=2)
    bench.append("a")
    bench.append("b", text="x" * 2_000)
    bench.broker.stall()
    source, page = hand_in(bench, TestedPermit(), bench.outbox())
    until(lambda: {name for name, _ in bench.on_bus()} == {"a", "b"}, "both are begun")

    bench.relay.flow.drain(source)
    assert page.fates == {Fate.WITHDRAWN: 1}
    assert bench.relay.flow.begun(source) == {("a", 2), ("b", 1)}
    bench.broker.resume()
    until(lambda: not bench.relay.flow.begun(source), "what was begun is on the bus")
    let_go(bench, source, page)

    assert sorted(bench.on_bus()) == [("a", 1), ("a", 2), ("b", 1)]
    assert [row.key for row in bench.outbox()] == [("a", 3)]


def test_another_source_that_claims_the_same_carries_it_on(bench: Bench) -> None:
    """
    The first loses its lease; the page of the second is dealt with, and nothing is sent again.
    """
    rows = two_aggregates(bench)
    bench.broker.stall()
    gone, first = hand_in(bench, TestedPermit(), rows)
    _, second = hand_in(bench, TestedPermit(), rows)
    until(lambda: len(bench.on_bus()) == 2, "two are under way")

    bench.relay.flow.withdraw(gone)
    bench.broker.resume()
    bench.wait_for(second)

    assert second.fates == {Fate.SETTLED: 4}
    assert first.fates == {Fate.SETTLED: 4}, "what somebody here delivers is dealt with for all who brought it"
    assert sorted(bench.on_bus()) == [("a", 1), ("a", 2), ("b", 1), ("b", 2)]


def test_a_claim_covers_what_is_below_it(bench: Bench) -> None:
    """
    The predecessor is brought and sent under the leave of the commit above it, and not without it.
    """
    bench.append("a")
    bench.append("a")
    permit = TestedPermit(0.0)
    _, page = hand_in(bench, permit, [bench.row("a", 2)])
    until(lambda: bench.relay.flow.counts()["brought"] == 1, "the predecessor is brought")
    asked: list[float] = []

    def watched() -> float:
        asked.append(0.0)
        return 0.0

    permit.certain_seconds = watched
    until(lambda: len(asked) > 3, "it is looked at again and again")
    assert bench.on_bus() == []
    permit.certain_seconds = 5.0

    bench.wait_for(page)
    bench.rest()
    assert bench.on_bus() == [("a", 1), ("a", 2)]


def test_nothing_is_parked_without_leave(bench: Bench) -> None:
    """
    The index rejects a document for good, the bus has its commit, the lease is gone: whoever has it next parks.
    """
    bench.append("a")
    (row,) = bench.outbox()
    assert row.events is not None
    bench.index.refuse(row.events[0].event_id, 400, "mapper_parsing_exception")
    asked: list[bool] = []

    def over() -> bool:
        asked.append(bench.index.requests > 0)
        return asked[-1]

    source, page = hand_in(bench, TestedPermit(is_over=over), [row])
    until(lambda: sum(asked) > 2, "it is looked at after the verdict, again and again")
    assert bench.row("a", 1).parked == {}
    let_go(bench, source, page)

    assert bench.row("a", 1).parked == {}
    bench.process([bench.row("a", 1)])
    bench.rest()
    assert list(bench.row("a", 1).parked) == ["index"]


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
    source, page = hand_in(bench, TestedPermit(), [row])
    assert bench.wait_for(page).fates == {Fate.LATE: 1}
    bench.relay.flow.withdraw(source)
    go_on.set()
    bench.rest()

    assert bench.row("a", 1).delivered == {"bus"}
    assert bench.row("a", 1).parked == {}


def test_a_side_is_handed_what_somebody_has_leave_for(bench: Bench) -> None:
    """
    Of a batch from two sources, one of which has no leave, the other's goes; it is asked right before.
    """
    for aggregate_id in ("a", "b"):
        bench.append(aggregate_id)
    rows = bench.outbox()
    (pump,) = (each for each in bench.relay.pumps if isinstance(each, SidePump))
    deliver, handed = pump._destination.deliver, []

    def watched(commits: Sequence[OutboxRow], deadline: DeliveryDeadline) -> Report:
        handed.extend(commit.key for commit in commits)
        return deliver(commits, deadline)

    pump._destination.deliver = watched  # type: ignore[method-assign]
    source, page = hand_in(bench, TestedPermit(0.0), rows[:1])
    _, allowed = hand_in(bench, TestedPermit(), rows[1:])

    assert bench.wait_for(allowed).fates == {Fate.SETTLED: 1}
    let_go(bench, source, page)
    assert handed == [("b", 1)]
    assert [row.key for row in bench.outbox()] == [("a", 1)]


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


@pytest.mark.parametrize(
    ("groups", "left_seconds", "is_revoked"),
    [
        ([[(5.0, False)]], 5.0, False),
        ([[(5.0, False), (9.0, False)]], 9.0, False),  # of one commit any permit will do
        ([[(5.0, False)], [(9.0, False)]], 5.0, False),  # of several each needs one
        ([[(5.0, False), (0.0, True)], [(9.0, False)]], 5.0, False),
        ([[(5.0, True)], [(9.0, False)]], 5.0, True),
        ([[(5.0, False)], [(0.0, True), (0.0, True)]], 0.0, True),
        ([[(5.0, False)], []], 0.0, True),
    ],
)
def test_the_permit_of_several_commits(
    groups: list[list[tuple[float, bool]]],
    left_seconds: float,
    is_revoked: bool,  # noqa: FBT001 - a case
) -> None:
    """
    Each of them needs one of its own that holds.
    """
    permit = AnyOfEach(
        [[TestedPermit(left, is_over=lambda over=over: over) for left, over in group] for group in groups]
    )

    assert permit.left_seconds() == left_seconds
    assert permit.is_revoked() is is_revoked
