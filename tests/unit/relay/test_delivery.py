"""A commit's way from a page to its destinations, and what happens when a destination or a row is bad."""

from typing import Any

from relay.delivery.page import Fate
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.index.client import IndexLostError
from tests.support.waiting import until

from .conftest import Bench

AGGREGATE_MAX = 100
"""Commits of one aggregate that are kept at a time."""


def test_a_page_is_delivered_in_order_and_settled(bench: Bench) -> None:
    """
    Rows that arrive swapped reach the bus in order, the index has them, and the outbox is empty.
    """
    for _ in range(3):
        bench.append("a", count=2)
    rows = bench.outbox()

    page = bench.process(rows[::-1])

    assert page.is_dealt_with
    assert page.fates == {Fate.SETTLED: 3}
    assert bench.on_bus() == [("a", number) for number in range(1, 7)]
    assert bench.index.count() == 6
    assert bench.outbox() == []


def test_commits_that_are_not_embedded_are_read_by_key(bench: Bench) -> None:
    """
    A commit of 98 large events comes whole, in order.
    """
    bench.append("a", count=98, text="x" * 2000)
    (row,) = bench.outbox()
    assert row.events is None

    bench.process([row])

    assert bench.on_bus() == [("a", number) for number in range(1, 99)]
    assert bench.outbox() == []


def test_predecessors_that_owe_go_first(bench: Bench) -> None:
    """
    The feed shows only the third commit; the two before it are owed, so they go first.
    """
    for _ in range(3):
        bench.append("a")

    page = bench.process([bench.row("a", 3)])

    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)]
    assert page.fates == {Fate.SETTLED: 1}, "a page is about its own rows"
    bench.rest()
    assert bench.outbox() == []


def test_more_is_owed_below_than_is_kept(bench: Bench) -> None:
    """
    Of one aggregate so many commits are in hand at a time: all of them go, in order, before the page's own.
    """
    count = 2 * AGGREGATE_MAX + 3
    for _ in range(count):
        bench.append("a")

    page = bench.process([bench.row("a", count)])
    bench.rest()

    assert page.is_dealt_with
    assert bench.on_bus() == [("a", number) for number in range(1, count + 1)]
    assert bench.outbox() == []


def test_what_is_settled_is_not_sent_again(bench: Bench) -> None:
    """
    A page that is read a second time, as after a restart, asks for the rows and finds them gone.
    """
    bench.append("a")
    rows = bench.outbox()
    bench.process(rows)

    again = bench.process(rows, recheck=True)
    elsewhere = bench.wait_for(bench.hand_in(rows, recheck=True, relay=bench.another_relay()))

    for page in (again, elsewhere):
        assert page.fates == {Fate.SETTLED: 1}
    assert bench.on_bus() == [("a", 1)]


def test_an_outage_of_the_bus_is_waited_out(bench: Bench, log_events: list[Any]) -> None:
    """
    The page is held until the broker takes connections again, and then goes out once and in order.
    """
    bench.append("a")
    bench.append("a")
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    page = bench.hand_in(bench.outbox())
    until(lambda: "destination.troubled" in [event["event"] for event in log_events], "the outage is seen")
    assert not page.is_over
    bench.broker.refuse_connections(None)

    assert bench.wait_for(page).is_dealt_with
    assert bench.on_bus() == [("a", 1), ("a", 2)]
    assert bench.outbox() == []


def test_who_lets_go_during_an_outage_keeps_facts(bench: Bench) -> None:
    """
    The index took the commit, the bus did not: the page is not dealt with, and the row says who has it.
    """
    bench.append("a")
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    page = bench.hand_in(bench.outbox())
    until(lambda: bench.index.count() == 1, "the index has it")

    bench.relay.flow.withdraw(bench.source)
    bench.wait_for(page)

    assert page.fates == {Fate.WITHDRAWN: 1}
    assert not page.is_dealt_with
    bench.rest()
    assert bench.row("a", 1).delivered == {"index"}
    assert bench.on_bus() == []


def test_a_nack_holds_its_aggregate_and_no_other(bench: Bench) -> None:
    """
    The refused commit is sent again, and what is above it never overtakes it; the page waits for none of them.
    """
    for aggregate_id in ("a", "b"):
        for _ in range(3):
            bench.append(aggregate_id)
    bench.append("c")
    bench.broker.nack_next(2)

    page = bench.process(bench.outbox())
    bench.rest()

    assert page.is_dealt_with
    assert page.fates[Fate.REFUSED] in {2, 3, 4, 6}, "all that waits of one aggregate or two"
    for aggregate_id in ("a", "b"):
        numbers = [number for name, number in bench.on_bus() if name == aggregate_id]
        assert numbers == [1, 2, 3]
    assert bench.outbox() == []


def test_an_index_that_is_down_does_not_hold_up_the_bus(bench: Bench) -> None:
    """
    The bus has the commit, the row stays, owed to the index only.
    """
    bench.append("a")
    bench.index.fail(IndexLostError("down"))

    page = bench.process(bench.outbox())

    assert page.is_dealt_with
    assert page.fates == {Fate.LATE: 1}
    assert bench.on_bus() == [("a", 1)]
    assert bench.row("a", 1).delivered == {"bus"}


def test_an_index_that_is_back_gets_what_it_lacks_and_the_bus_nothing_twice(bench: Bench) -> None:
    """
    The sweep finds the row; the bus is not asked again.
    """
    bench.append("a")
    bench.index.fail(IndexLostError("down"))
    bench.process(bench.outbox())
    bench.index.fail(None)
    bench.forgive()

    assert bench.sweep().settled == 1
    assert bench.outbox() == []
    assert bench.on_bus() == [("a", 1)]
    assert bench.index.count() == 1


def test_a_document_the_index_rejects_is_parked_for_the_index_only(bench: Bench) -> None:
    """
    The bus has it, later commits of the same aggregate are settled, a person sees why it is parked.
    """
    bench.append("a")
    bench.append("a")
    first, second = bench.outbox()
    assert first.events is not None
    bench.index.refuse(first.events[0].event_id, 400, "mapper_parsing_exception", "no such field")

    page = bench.process([first, second])

    assert page.is_dealt_with
    assert bench.on_bus() == [("a", 1), ("a", 2)]
    (left,) = bench.outbox()
    assert left.key == ("a", 1)
    assert left.delivered == {"bus"}
    assert list(left.parked) == ["index"]
    assert "no such field" in left.parked["index"]


def test_an_incomplete_commit_is_parked_and_holds_up_its_aggregate(bench: Bench, log_events: list[Any]) -> None:
    """
    One of its events is gone from the history: nothing of it is sent, what is above it waits, other aggregates flow.
    """
    bench.append("a")
    bench.append("a", count=2, text="x" * 2000)
    bench.append("a")
    bench.append("b")
    key = {"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "3"}}
    bench.client.delete_item(TableName="inventory_events", Key=key)

    page = bench.process(bench.outbox())
    bench.rest()

    assert page.is_dealt_with
    assert (page.fates[Fate.PARKED], page.fates[Fate.WAITING]) == (1, 1)
    assert sorted(bench.on_bus()) == [("a", 1), ("b", 1)]
    broken, behind = bench.outbox()
    assert sorted(broken.parked) == ["bus", "index"]
    assert behind.delivered == {"index"}
    assert "commit.parked" in [event["event"] for event in log_events]


def test_a_row_with_unreadable_events_is_parked_in_its_turn(bench: Bench) -> None:
    """
    The commits below it go out first; it is not passed over.
    """
    bench.append("a")
    bench.append("a")
    bench.append("a")
    bench.break_row("a", 2, events={"S": "[{"})
    key = {"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "2"}}
    bench.client.delete_item(TableName="inventory_events", Key=key)

    bench.process(bench.outbox())
    bench.rest()

    assert bench.on_bus() == [("a", 1)]
    parked, behind = bench.outbox()
    assert "bus" in parked.parked
    assert behind.parked == {}


def test_a_commit_behind_a_parked_one_waits_but_is_indexed(bench: Bench) -> None:
    """
    A new commit of a parked aggregate is not sent to the bus, and the search has it all the same.
    """
    bench.append("a")
    bench.append("a")
    bench.break_row("a", 1, parked={"M": {"bus": {"M": {"reason": {"S": "bad"}}}}})

    page = bench.process([bench.row("a", 2)])
    bench.rest()

    assert page.fates == {Fate.WAITING: 1}
    assert bench.on_bus() == []
    assert bench.row("a", 2).delivered == {"index"}


def test_aggregates_in_one_page_are_independent(bench: Bench) -> None:
    """
    Fifty aggregates with three commits each: each in order, all settled.
    """
    for number in range(150):
        bench.append(f"item-{number % 50}")

    page = bench.process(bench.outbox())

    assert page.fates == {Fate.SETTLED: 150}
    seen: dict[str, list[int]] = {}
    for aggregate_id, number in bench.on_bus():
        seen.setdefault(aggregate_id, []).append(number)
    assert set(map(tuple, seen.values())) == {(1, 2, 3)}
    assert len(seen) == 50


def test_a_page_deletes_rows_that_are_complete(bench: Bench) -> None:
    """
    Every destination has the commit and its row is still there, as after a crash: it goes, and is not sent again.
    """
    bench.append("a")
    bench.append("b")
    bench.break_row("a", 1, delivered={"SS": ["bus", "index"]})

    page = bench.process(bench.outbox())

    assert page.fates == {Fate.SETTLED: 2}
    assert bench.outbox() == []
    assert bench.on_bus() == [("b", 1)]
