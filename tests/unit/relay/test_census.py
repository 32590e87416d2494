"""Rows of the outbox, counted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark
from relay.outbox.debt import Census, Debt, Ledger, Meant, Survey
from relay.outbox.row import UnreadableRow

NAMES = ("bus", "index")


def row(
    aggregate_id: str,
    *,
    delivered: frozenset[str] = frozenset(),
    parked: tuple[str, ...] = (),
    committed_at_ms: int = 0,
    refused: Mapping[str, str] | None = None,
) -> OutboxRow:
    return OutboxRow(
        aggregate_id=aggregate_id,
        aggregate_type="ITEM",
        commit_id=aggregate_id,
        first=1,
        last=1,
        committed_at_ms=committed_at_ms,
        epoch=1,
        events=None,
        delivered=delivered,
        parked=dict.fromkeys(parked, "bad"),
        refused={name: RefusedMark(3, 0, 0, reason) for name, reason in (refused or {}).items()},
    )


def test_rows_are_counted_per_destination() -> None:
    """
    Delivered outranks parked; the oldest is of what is owed and says when it was committed.
    """
    census = Census(NAMES)
    for each in (
        row("a", committed_at_ms=50),
        row("b", parked=("bus",), committed_at_ms=20),
        row("c", delivered=frozenset({"bus"}), committed_at_ms=40),
        row("d", delivered=frozenset({"bus", "index", "file"}), committed_at_ms=5),
        row("e", parked=("bus", "index"), committed_at_ms=1),
        row("f", parked=("index",), delivered=frozenset({"index"}), committed_at_ms=30),
        row("g", committed_at_ms=0),
        row("h", parked=("file",), committed_at_ms=60),
        UnreadableRow("i", 1, "broken"),
    ):
        census.add(each)

    assert census.survey(complete=False) == Survey(
        rows=9,
        owed={"bus": 4, "index": 5},
        owed_to_others_only=1,
        parked={"bus": 2, "index": 1, "file": 1},
        parked_rows=3,
        unreadable=1,
        complete_rows=1,
        oldest_committed_at_ms=20,
        complete=False,
        refused={"bus": 0, "index": 0},
    )


def test_what_is_refused_is_owed_all_the_same() -> None:
    """
    By destination and by reason; not what is parked, delivered, or for a destination that is not in force.
    """
    census = Census(NAMES)
    for each in (
        row("a", refused={"bus": "nack"}),
        row("b", refused={"bus": "silent"}, committed_at_ms=7),
        row("c", refused={"bus": "nack", "index": "nack"}, delivered=frozenset({"index"})),
        row("d", refused={"bus": "nack"}, parked=("bus",)),
        row("e", refused={"bus": "nack"}, delivered=frozenset({"bus"})),
        row("f", refused={"file": "nack"}),
    ):
        census.add(each)

    found = census.survey(complete=True)

    assert (found.refused, found.refusal_reasons) == ({"bus": 3, "index": 0}, {"nack": 2, "silent": 1})
    assert (found.owed_to_bus, found.parked["bus"], found.oldest_committed_at_ms) == (4, 1, 7)


def test_reasons_that_say_anything_take_no_more_memory_than_fifty() -> None:
    """
    A mark's reason is stored text, too.
    """
    census = Census(NAMES)
    for number in range(60):
        census.add(row("a", refused={"bus": f"reason-{number}"}))

    found = census.survey(complete=True)

    assert (len(found.refusal_reasons), found.refusal_reasons["other"]) == (51, 10)
    assert found.refused["bus"] == 60


def test_marks_that_name_anything_take_no_more_memory_than_fifty_names() -> None:
    """
    What a row is parked for is stored text; beyond fifty names it is counted under one, and none is lost.
    """
    census = Census(NAMES)
    for number in range(60):
        census.add(row("a", parked=(f"name-{number}",)))

    parked = census.survey(complete=True).parked

    assert (len(parked), parked["name-47"], parked["other"]) == (51, 1, 12)
    assert sum(parked.values()) == 60


def test_of_more_than_fifty_names_the_rest_is_counted_together() -> None:
    """
    Those that are in force count among them.
    """
    census = Census(["bus"])
    for number in range(60):
        census.add(row(f"a-{number}", parked=(f"d-{number}",)))

    parked = census.survey(complete=True).parked
    assert len(parked) == 51
    assert (parked["bus"], parked["d-48"], parked["other"]) == (0, 1, 11)
    assert census.rows == 60


def test_rows_of_a_later_release_are_counted_among_the_unreadable() -> None:
    """
    An upgrade is all they take.
    """
    census = Census(NAMES)
    for is_newer in (True, False, True):
        census.add(UnreadableRow("a", 1, "broken", is_newer=is_newer))

    counted = census.survey(complete=True)
    assert (counted.rows, counted.unreadable, counted.newer, counted.owed_to_bus) == (3, 3, 2, 0)
    assert Survey(owed={"bus": 7}).owed_to_bus == 7
    assert Survey() == Survey(0, {}, 0, {}, 0, 0, 0, 0, None, True, {}, {})


@pytest.mark.parametrize(
    ("meant", "wanted"),
    [
        (Meant(), True),
        (Meant("a"), True),
        (Meant("b"), False),
        (Meant(since_ms=5_000), True),
        (Meant(since_ms=5_001), False),
        (Meant(older_than_seconds=5), True),
        (Meant(older_than_seconds=5.001), False),
        (Meant("a", 5_000, 5), True),
        (Meant("a", 5_001, 5), False),
    ],
)
def test_which_rows_are_meant(meant: Meant, wanted: bool) -> None:  # noqa: FBT001 - a case
    """
    Those that match every condition.
    """
    assert meant.includes(row("a", committed_at_ms=5_000), 10_000) is wanted


def test_a_row_that_does_not_say_when_it_was_committed_counts_as_old() -> None:
    """
    It is not newer than anything.
    """
    unreadable = UnreadableRow("a", 1, "broken")

    assert Meant(older_than_seconds=10).includes(unreadable, 10_000)
    assert not Meant(since_ms=1).includes(unreadable, 10_000)
    assert not Meant("b").includes(unreadable, 10_000)


def owed(number: int, **attributes: Any) -> OutboxRow:
    return replace(row("a", committed_at_ms=7, **attributes), first=number, last=number)


def test_what_is_owed_of_one_row() -> None:
    """
    To whom, for whom it is parked, and who does not take it for now.
    """
    given = owed(1, delivered=frozenset({"index"}), parked=("file", "index"), refused={"bus": "nack", "index": "nack"})

    assert Ledger(["bus", "index", "file"]).debt(given) == Debt(
        ("a", 1),
        7,
        frozenset({"bus"}),
        {"file": "bad"},
        None,
        is_readable=True,
        is_complete=False,
        refused={"bus": RefusedMark(3, 0, 0, "nack")},
    )
    complete = Ledger(["bus"]).debt(replace(owed(1, delivered=frozenset({"bus"})), committed_at_ms=0))
    assert (complete.is_complete, complete.committed_at_ms, complete.lacking, complete.fault) == (
        True,
        None,
        set(),
        None,
    )


def test_what_is_parked_for_the_bus_holds_up_what_is_above_it() -> None:
    """
    Up to the end of its aggregate, except for what the bus has; the lowest one is named.
    """
    ledger = Ledger(NAMES)
    rows = [
        owed(1),
        owed(2, parked=("bus",)),
        owed(3),
        owed(4, parked=("bus",)),
        owed(5, delivered=frozenset({"bus"})),
        owed(6),
        replace(owed(7), aggregate_id="b"),
    ]

    assert [ledger.debt(each).behind for each in rows] == [None, None, 2, 2, None, 2, None]


def test_an_unreadable_row_holds_up_what_is_above_it() -> None:
    """
    It is owed to all, and says why it cannot be read.
    """
    ledger = Ledger(NAMES)

    assert ledger.debt(UnreadableRow("a", 2, "broken", is_newer=True)) == Debt(
        ("a", 2),
        None,
        frozenset(NAMES),
        {},
        None,
        is_readable=False,
        is_complete=False,
        fault="broken",
        is_newer=True,
    )
    assert [ledger.debt(each).behind for each in (UnreadableRow("a", 3, "x"), owed(4))] == [2, 2]


@pytest.mark.parametrize(
    ("lacking", "behind", "is_complete", "closed_off", "wanted"),
    [
        ({"bus"}, None, False, (), True),
        ({"bus"}, 3, False, (), False),
        ({"bus", "index"}, 3, False, (), True),
        ({"bus", "index"}, 3, False, ("index",), False),
        ({"bus"}, None, False, ("bus",), False),
        (set(), None, False, (), False),
        (set(), None, True, (), True),
    ],
)
def test_what_a_delivery_could_do_something_for(
    lacking: set[str],
    behind: int | None,
    is_complete: bool,  # noqa: FBT001 - a case
    closed_off: tuple[str, ...],
    wanted: bool,  # noqa: FBT001 - a case
) -> None:
    """
    One whose row must only go, or that somebody lacks who may have it now.
    """
    debt = Debt(("a", 1), None, frozenset(lacking), {}, behind, is_readable=True, is_complete=is_complete)

    assert debt.can_go(closed_off) is wanted
    assert (debt.is_newer, debt.refused) == (False, {})
