"""Rows that somebody wrote by hand, or broke: named, parked in their turn or left owed; never the end of a part."""

import json
from dataclasses import replace
from typing import Any

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from relay.delivery.page import Fate
from relay.destination import BUS, INDEX
from relay.operating.parked.reader import MarkReader
from relay.outbox.row import UnreadableRow, of_row

from .conftest import Bench

OUTBOX = "inventory_outbox"


def stored(bench: Bench, aggregate_id: str, last: str) -> dict[str, Any]:
    """Return a row as it is stored."""
    key = {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": last}}
    item: dict[str, Any] = bench.client.get_item(TableName=OUTBOX, Key=key)["Item"]
    return item


@pytest.mark.parametrize("parked", [{"S": "bus"}, {"L": []}, {"NULL": True}])
def test_a_row_whose_marks_are_no_map_is_parked(bench: Bench, parked: dict[str, Any]) -> None:
    """
    The mark replaces what stands there: otherwise no page with that row could ever be dealt with.
    """
    bench.append("a")
    bench.append("a")
    bench.append("b")
    bench.break_row("a", 1, parked=parked)
    page = bench.process(bench.outbox(), recheck=True)
    bench.rest()
    assert page.is_dealt_with
    marks = set(stored(bench, "a", "1")["parked"]["M"])
    # The mark for the index is the first, and makes the row whole: the bus may have asked before, or not.
    assert (marks, sorted(bench.on_bus())) in (
        ({BUS, INDEX}, [("b", 1)]),
        ({INDEX}, [("a", 1), ("a", 2), ("b", 1)]),
    )
    assert all(row.parked == {} for row in bench.outbox() if row.last == 2)


@pytest.mark.parametrize("delivered", [{"L": [{"S": "bus"}, {"S": "index"}]}, {"S": "bus and index"}, {"NS": ["1"]}])
def test_a_row_whose_deliveries_are_no_set_of_texts_is_parked(bench: Bench, delivered: dict[str, Any]) -> None:
    """
    Though DynamoDB finds the names in it: who believed that would neither send the commit nor ever park it.
    """
    bench.append("a")
    bench.append("a")
    bench.append("b")
    bench.break_row("a", 1, delivered=delivered)
    page = bench.process(bench.outbox(), recheck=True)
    bench.rest()
    assert page.is_dealt_with
    assert set(stored(bench, "a", "1")["parked"]["M"]) == {BUS, INDEX}
    assert bench.on_bus() == [("b", 1)]


@pytest.mark.parametrize("delivered", [{"L": [{"S": "bus"}]}, {"S": "bus"}])
def test_what_is_owed_is_found_whatever_stands_for_the_deliveries(bench: Bench, delivered: dict[str, Any]) -> None:
    """
    Queries agree with how a row is read, or a release would leave behind what a walk calls owed.
    """
    bench.append("a")
    bench.append("a")
    bench.break_row("a", 1, delivered=delivered)
    bench.break_row("a", 2, delivered={"SS": ["bus"]})
    marks = MarkReader(bench.client, TableNames(), bench.runtime, Backoff())

    assert [row.last for row in bench.relay.outbox.earlier("a", 0, 9, 5)[0]] == [1]
    assert marks.count_owed_to_bus("a", 0) == 1
    assert marks.highest_owed_to_bus("a", 0) == 1


def test_a_number_that_is_not_whole_is_unreadable_and_stops_nobody(bench: Bench) -> None:
    """
    DynamoDB takes 1.5 for a key. The row is named, stays owed, and holds up what is above it.
    """
    bench.append("a")
    item = {**stored(bench, "a", "1"), "sequenceNumber": {"N": "1.5"}}
    row = of_row(item, OUTBOX)
    assert isinstance(row, UnreadableRow)
    assert row.key == ("a", 1)


def test_commits_that_overlap_are_parked_and_stop_nobody(bench: Bench) -> None:
    """
    A row that claims events of its neighbour makes the same event be asked for twice, which DynamoDB refuses.
    """
    bench.append("a", text="x" * 2_000)
    bench.append("a", text="x" * 2_000)
    bench.append("b", text="x" * 2_000)
    bench.break_row("a", 2, firstSequence={"N": "1"})
    page = bench.process(bench.outbox(), recheck=True)
    bench.rest()
    assert page.is_dealt_with
    assert ("b", 1) in bench.on_bus()
    assert ("a", 1) in bench.on_bus()
    assert set(bench.row("a", 2).parked) == {BUS, INDEX}


def test_a_page_that_shows_a_complete_row_twice_settles_it(bench: Bench) -> None:
    """
    A released row may change twice after every destination has it; a batch with a key twice would be refused.
    """
    bench.append("a")
    complete = replace(bench.row("a", 1), delivered=frozenset({BUS, INDEX}))
    page = bench.process([complete, complete])
    assert page.fates == {Fate.SETTLED: 2}
    assert bench.outbox() == []


def test_two_events_of_one_id_reach_the_bus_one_after_the_other(bench: Bench) -> None:
    """
    Ids are drawn at random; somebody who copied an aggregate's rows by hand has two of each.
    """
    bench.append("a")
    bench.append("b")
    event_id = json.loads(stored(bench, "a", "1")["events"]["S"])[0]["eventId"]
    (event,) = json.loads(stored(bench, "b", "1")["events"]["S"])
    bench.break_row("b", 1, events={"S": json.dumps([{**event, "eventId": event_id}])})
    page = bench.process(bench.outbox())
    bench.rest()
    assert page.is_dealt_with
    assert sorted(bench.on_bus()) == [("a", 1), ("b", 1)]
    assert bench.outbox() == []


@pytest.mark.parametrize(
    "copy",
    [
        {"S": ""},
        {"S": "["},
        {"S": "[]"},
        {"S": "[" * 100_000 + "]" * 100_000},
        {"S": '[{"eventId":"\\ud800"}]'},
        {"S": "[1e999]"},
        {"N": "1"},
        {"L": []},
        {"NULL": True},
    ],
    ids=lambda copy: str(copy)[:24],
)
def test_a_copy_of_events_that_cannot_be_read_is_read_from_the_table(bench: Bench, copy: dict[str, Any]) -> None:
    """
    The events themselves stand in their own table; the commit goes as if its row carried none.
    """
    bench.append("a", text="x")
    bench.break_row("a", 1, events=copy)
    assert bench.process(bench.outbox()).is_dealt_with
    assert bench.on_bus() == [("a", 1)]
    assert bench.outbox() == []


def test_a_copy_that_cannot_be_read_and_no_events_is_a_defect(bench: Bench) -> None:
    """
    Nothing is left to send; the reason names both.
    """
    bench.append("a")
    bench.append("b")
    bench.break_row("a", 1, events={"S": "["})
    key = {"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "1"}}
    bench.client.delete_item(TableName="inventory_events", Key=key)
    assert bench.process(bench.outbox()).is_dealt_with
    bench.rest()
    assert bench.on_bus() == [("b", 1)]
    reason = bench.row("a", 1).parked[BUS]
    assert "not all of its events 1 to 1 are stored" in reason
    assert "'events' cannot be read" in reason


def test_half_a_character_in_an_event_is_no_end_of_a_part(bench: Bench) -> None:
    """
    JSON can name half of a surrogate pair, which no text in UTF-8 can hold.
    """
    bench.append("a")
    bench.append("b")
    (event,) = json.loads(stored(bench, "a", "1")["events"]["S"])
    bench.break_row("a", 1, events={"S": json.dumps([{**event, "eventType": "\ud800"}])})
    page = bench.process(bench.outbox())
    bench.rest()
    assert page.is_dealt_with
    assert sorted(bench.on_bus()) == [("a", 1), ("b", 1)]


def test_a_row_that_is_unreadable_by_now_is_left_as_it_is(bench: Bench) -> None:
    """
    The feed showed what it was, and the index takes that; asked for itself it cannot be read: the bus gets nothing.
    """
    bench.append("a")
    bench.append("a")
    bench.append("b")
    page = bench.outbox()
    bench.break_row("a", 1, layout={"N": "2"})

    assert bench.process(page, recheck=True).is_dealt_with
    bench.rest()

    assert bench.on_bus() == [("b", 1)]
    assert "parked" not in stored(bench, "a", "1")
    assert "parked" not in stored(bench, "a", "2")
