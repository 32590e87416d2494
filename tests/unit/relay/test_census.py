"""Rows of the outbox, counted."""

from eventstore.rows.outbox import OutboxRow
from relay.outbox.debt import Census, Survey
from relay.outbox.row import UnreadableRow

NAMES = ("bus", "index")


def row(
    aggregate_id: str,
    *,
    delivered: frozenset[str] = frozenset(),
    parked: tuple[str, ...] = (),
    committed_at_ms: int = 0,
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
    )


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
