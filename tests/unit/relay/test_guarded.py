"""Deletions of who holds no lease: only while the destinations in force are those that were seen."""

from dataclasses import replace

import pytest

from relay.leases.fleet import FleetSettings
from relay.outbox.row import RowId, row_id
from relay.outbox.written import Done, Foreign, Later

from .conftest import Bench

SEEN = FleetSettings(frozenset({"bus", "index"}), "inventory", 10_000, 1)


@pytest.fixture
def rows(bench: Bench) -> list[RowId]:
    for _ in range(3):
        bench.append("a")
    return [row_id(row) for row in bench.outbox()]


def test_rows_go_while_what_was_seen_is_in_force(bench: Bench, rows: list[RowId]) -> None:
    """A row that is gone already counts as gone."""
    assert bench.relay.fleet_table.put_settings(SEEN, None)
    writer = bench.relay.guarded_writer(SEEN)

    assert writer.delete(rows) == dict.fromkeys(rows, Done())
    assert writer.delete(rows) == dict.fromkeys(rows, Done())
    assert bench.outbox() == []
    assert writer.fault is None


def test_rows_go_where_nothing_is_in_force(bench: Bench, rows: list[RowId]) -> None:
    """No relay has run yet."""
    assert bench.relay.guarded_writer(None).delete(rows) == dict.fromkeys(rows, Done())


@pytest.mark.parametrize("seen", [SEEN, None])
def test_nothing_goes_once_another_destination_is_in_force(
    bench: Bench, rows: list[RowId], seen: FleetSettings | None
) -> None:
    """The new one lacks them. It is said what to do."""
    writer = bench.relay.guarded_writer(seen)
    others = replace(SEEN, destinations=frozenset({"bus", "index", "file"}))
    assert bench.relay.fleet_table.put_settings(others, None)

    answers = writer.delete(rows)

    assert {type(answer) for answer in answers.values()} == {Later}
    assert len(bench.outbox()) == 3
    assert writer.fault is not None
    assert "run it again" in writer.fault


def test_nothing_goes_once_another_bus_is_in_force(bench: Bench, rows: list[RowId]) -> None:
    """What was sent to the one before is not on it."""
    seen = replace(SEEN, bus=frozenset({"old:5672/v"}))
    assert bench.relay.fleet_table.put_settings(seen, None)
    writer = bench.relay.guarded_writer(seen)
    assert {type(answer) for answer in writer.delete(rows[:1]).values()} == {Done}
    assert bench.relay.fleet_table.put_settings(replace(seen, bus=frozenset({"new:5672/v"})), seen)

    assert {type(answer) for answer in writer.delete(rows[1:]).values()} == {Later}
    assert len(bench.outbox()) == 2
    assert writer.fault is not None


def test_another_commits_row_stays(bench: Bench, rows: list[RowId]) -> None:
    """The transaction is cancelled for it, and the others are asked for again."""
    writer = bench.relay.guarded_writer(None)
    first, *others = rows
    strange = first._replace(commit_id="another")

    answers = writer.delete([strange, *others])

    assert answers[strange] == Foreign()
    assert {type(answers[row]) for row in others} == {Later}
    assert writer.delete(others) == dict.fromkeys(others, Done())
    assert [row_id(row) for row in bench.outbox()] == [first]
    assert writer.fault is None


def test_many_rows_go_in_several_transactions(bench: Bench) -> None:
    """A transaction takes a hundred actions, the check among them."""
    for _ in range(120):
        bench.append("many")
    rows = [row_id(row) for row in bench.outbox()]
    bench.way.calls.clear()

    answers = bench.relay.guarded_writer(None).delete(rows)

    assert answers == dict.fromkeys(rows, Done())
    assert bench.way.count("TransactWriteItems") == 2
    assert bench.outbox() == []
