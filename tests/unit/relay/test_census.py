"""Rows of the outbox, counted."""

from collections.abc import Mapping

from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark
from relay.outbox.debt import Census, Survey
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
