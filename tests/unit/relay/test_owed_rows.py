"""Outbox rows and change records as the relay sees them, and what is work, by values."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark
from relay.destination import BUS, FILE, INDEX
from relay.feed import change
from relay.leases.position import Position
from relay.outbox.row import (
    RowId,
    Unreadable,
    UnreadableRow,
    is_settled,
    lacking,
    number_of,
    of_row,
    pause_seconds,
    row_id,
)

ROW = {
    "aggregateId": {"S": "item-1"},
    "sequenceNumber": {"N": "4"},
    "firstSequence": {"N": "3"},
    "commitId": {"S": "commit-1"},
    "aggregateType": {"S": "ITEM"},
    "committedAt": {"N": "1735689600123"},
    "epoch": {"N": "5"},
}
SOUND = OutboxRow("item-1", "ITEM", "commit-1", 3, 4, 1_735_689_600_123, 5, None, frozenset(), {})


def broken(**attributes: Any) -> dict[str, Any]:
    """Return a row whose time is no number, and what else is said; None takes an attribute away."""
    row = {**ROW, "committedAt": {"S": "x"}, **attributes}
    return {name: value for name, value in row.items() if value is not None}


# Rows


def test_a_sound_row_is_its_commit() -> None:
    """
    And has a name that tells it from another commit's row under the same key.
    """
    found = of_row(ROW, "outbox")

    assert found == SOUND
    assert row_id(SOUND) == RowId("item-1", 4, "commit-1")
    assert row_id(replace(SOUND, commit_id="")) == RowId("item-1", 4, None)
    assert RowId("item-1", 4, None).key == ("item-1", 4)


def test_a_broken_row_that_says_where_it_stands_is_a_commit_with_a_defect() -> None:
    """
    What can be read of it is kept, and why it is broken.
    """
    found = of_row(
        broken(delivered={"SS": ["index", "\ud800"]}, parked={"M": {"bus": {"S": "x"}}}, firstSequence={"N": "1"}),
        "outbox",
    )

    assert isinstance(found, OutboxRow)
    assert found.defect is not None
    assert "'committedAt'" in found.defect
    assert replace(found, defect=None) == OutboxRow(
        "item-1", "ITEM", "commit-1", 1, 4, 0, 0, None, frozenset({"index"}), {"bus": "?"}
    )


def test_what_a_broken_row_does_not_say_is_unknown() -> None:
    """
    The commit's id stays empty: no row says that of itself.
    """
    found = of_row(broken(aggregateType={"N": "1"}, commitId={"S": "\ud800"}), "outbox")

    assert isinstance(found, OutboxRow)
    assert (found.aggregate_type, found.commit_id, found.delivered, found.parked) == ("?", "", frozenset(), {})
    of_one_event = of_row(broken(firstSequence={"N": "4"}), "outbox")
    assert isinstance(of_one_event, OutboxRow)
    assert (of_one_event.first, of_one_event.last) == (4, 4)


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({"firstSequence": None}, ("item-1", 4)),
        ({"firstSequence": {"N": "x"}}, ("item-1", 4)),
        ({"firstSequence": {"N": "5"}}, ("item-1", 4)),
        ({"firstSequence": {"N": "0"}}, ("item-1", 4)),
        ({"firstSequence": {"N": "-9223372036854775808"}}, ("item-1", 4)),
        ({"sequenceNumber": {"N": "4.5"}}, ("item-1", 4)),
        ({"sequenceNumber": None}, ("item-1", 0)),
        ({"sequenceNumber": {"N": "9223372036854775808"}}, ("item-1", 9_223_372_036_854_775_808)),
        ({"aggregateId": None}, ("?", 4)),
        ({"aggregateId": {"S": "\ud800"}}, ("?", 4)),
    ],
)
def test_a_row_of_which_the_range_cannot_be_read_is_unreadable(attributes: Any, key: tuple[str, int]) -> None:
    """
    It is known by its key, as far as there is one.
    """
    found = of_row(broken(**attributes), "outbox")

    assert isinstance(found, UnreadableRow)
    assert found.key == key
    assert not found.is_newer
    assert "of outbox: attribute" in found.reason


@pytest.mark.parametrize(("layout", "is_newer"), [({"N": "2"}, True), ({"N": "0"}, False), ({"S": "x"}, False)])
def test_a_row_of_another_layout_is_unreadable_whatever_it_says(layout: Any, is_newer: bool) -> None:  # noqa: FBT001 - a case
    """
    An upgrade helps where a later release wrote it.
    """
    found = of_row({**ROW, "layout": layout}, "outbox")

    assert isinstance(found, UnreadableRow)
    assert (found.key, found.is_newer) == (("item-1", 4), is_newer)
    assert "'layout'" in found.reason


@pytest.mark.parametrize(
    ("text", "number"),
    [("7", 7), ("7.9", 7), ("-0.5", -1), ("x", 0), (None, 0), ("NaN", 0), ("Infinity", 0)],
)
def test_the_number_in_a_key(text: Any, number: int) -> None:
    """
    Of one that is not whole the whole number below it; without one it is 0.
    """
    assert number_of({"sequenceNumber": {"N": text}}) == number
    assert Unreadable() == Unreadable("", is_newer=False)


# What is work


def test_a_destination_lacks_what_it_neither_has_nor_has_parked() -> None:
    """
    Whoever else has it.
    """
    row = replace(SOUND, delivered=frozenset({BUS}), parked={INDEX: "too large"})

    assert lacking(row, [BUS, INDEX, FILE]) == {FILE}
    assert lacking(SOUND, [BUS, INDEX]) == {BUS, INDEX}


@pytest.mark.parametrize(
    ("delivered", "wanted"), [((BUS, INDEX), True), ((BUS, INDEX, FILE), True), ((BUS,), False), ((), False)]
)
def test_a_commit_is_settled_when_all_have_it(delivered: tuple[str, ...], wanted: bool) -> None:  # noqa: FBT001 - a case
    """
    One that is in force no more does not matter.
    """
    assert is_settled(delivered, [BUS, INDEX]) is wanted


@pytest.mark.parametrize(
    ("until_ms", "seconds"), [(10_500, 0.5), (10_000, 0.0), (9_000, 0.0), (610_000, 600.0), (610_001, 0.0)]
)
def test_for_how_long_a_refused_commit_is_left_alone(until_ms: int, seconds: float) -> None:
    """
    Up to 10 minutes: what says more was written by a clock that was wrong. Who has it, or did not refuse it, is not.
    """
    row = replace(SOUND, refused={BUS: RefusedMark(1, 0, until_ms, "nack")})

    assert pause_seconds(row, BUS, 10_000) == seconds
    assert pause_seconds(row, INDEX, 10_000) == 0.0
    assert pause_seconds(replace(row, delivered=frozenset({BUS})), BUS, 10_000) == 0.0


# Change records


def record(name: str, image: Any = ROW, **fields: Any) -> dict[str, Any]:
    return {"eventName": name, "dynamodb": {"NewImage": image, **fields}}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (record("INSERT"), SOUND),
        (record("MODIFY"), None),
        (record("MODIFY", {**ROW, "releasedAt": {"N": "7"}}), SOUND),
        (record("REMOVE", {**ROW, "releasedAt": {"N": "7"}}), None),
        (record("INSERT", "x"), None),
        ({"eventName": "INSERT"}, None),
        ({"eventName": "INSERT", "dynamodb": "x"}, None),
        ({"dynamodb": {"NewImage": ROW}}, None),
    ],
)
def test_what_a_change_asks_for(given: Any, wanted: OutboxRow | None) -> None:
    """
    A new row, and one that an operator has released; nothing else.
    """
    assert change.of_record(given, "outbox") == wanted


def test_a_broken_row_in_a_change_is_named_with_its_table() -> None:
    """
    As one that is read from there.
    """
    found = change.of_record(record("INSERT", broken()), "outbox")

    assert isinstance(found, OutboxRow)
    assert found == of_row(broken(), "outbox")
    assert "of outbox" in str(found.defect)


@pytest.mark.parametrize(("text", "wanted"), [("42", Position(42)), ("x", None), (42, None), (None, None)])
def test_the_place_of_a_change(text: Any, wanted: Position | None) -> None:
    """
    Nothing where it says none.
    """
    assert change.position_of(record("INSERT", SequenceNumber=text)) == wanted
    assert change.position_of({}) is None


@pytest.mark.parametrize(
    ("at", "wanted"),
    [(datetime(2025, 1, 1, tzinfo=UTC), 1_735_689_600_000), (1_735_689_600, None), (None, None)],
)
def test_when_a_change_was_written(at: Any, wanted: int | None) -> None:
    """
    In milliseconds; nothing where it does not say it.
    """
    assert change.written_at_ms(record("INSERT", ApproximateCreationDateTime=at)) == wanted
