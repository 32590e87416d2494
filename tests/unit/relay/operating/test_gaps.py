"""Gaps: owed for too long, in nobody's hands, by aggregate."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark, encode
from eventstore.system import SystemRuntime
from relay.leases.fleet import Pause
from relay.leases.worker_report import DestinationReport, HeldUpReport, WorkerReport
from relay.operating import gaps
from relay.operating.gap_reasons import Conditions, reasons
from relay.operating.overview import DestinationView
from relay.operating.replay import ReplayRequest, preview
from relay.outbox import survey
from relay.outbox.debt import Ledger, Meant
from relay.outbox.reader import ScanPage
from relay.outbox.row import UnreadableRow
from relay.testing.commits import commit

from .conftest import OLD_MS, Night

NAMES = ("bus", "index")


def row(aggregate_id: str, number: int, **changed: Any) -> OutboxRow:
    return replace(commit(aggregate_id, number), **changed)


def test_what_is_owed_of_each_row() -> None:
    """
    Per destination; what stands behind a mark, over other rows of its aggregate, not in other aggregates.
    """
    ledger = Ledger(NAMES)
    rows = [
        row("a", 1, parked={"index": "bad"}),
        row("a", 2, parked={"bus": "large", "index": "bad"}, delivered=frozenset({"index"})),
        row("a", 3),
        row("a", 4, delivered=frozenset({"bus", "index"})),
        UnreadableRow("b", 5, "broken"),
        row("b", 6, delivered=frozenset({"index"})),
    ]

    debts = [ledger.debt(each) for each in rows]

    assert [sorted(each.lacking) for each in debts] == [["bus"], [], ["bus", "index"], [], ["bus", "index"], ["bus"]]
    assert [each.parked for each in debts[:2]] == [{"index": "bad"}, {"bus": "large"}]
    assert [each.behind for each in debts] == [None, None, 2, None, None, 5]
    assert [each.can_go() for each in debts] == [True, False, True, True, True, False]
    assert [each.can_go(["index"]) for each in debts[:4]] == [True, False, False, True]
    assert [each.is_readable for each in debts] == [True, True, True, True, False, True]
    assert [each.is_complete for each in debts] == [False, False, False, True, False, False]


def test_what_is_refused_of_each_row() -> None:
    """
    As far as it is owed: not what is delivered, parked, or for a destination that is not in force.
    """
    mark = RefusedMark(3, 0, 1_000, "nack")
    ledger = Ledger(NAMES)
    rows = [
        row("a", 1, refused={"bus": mark, "file": mark}),
        row("b", 1, refused={"bus": mark}, delivered=frozenset({"bus"})),
        row("c", 1, refused={"bus": mark}, parked={"bus": "large"}),
    ]

    debts = [ledger.debt(each) for each in rows]

    assert [each.refused for each in debts] == [{"bus": mark}, {}, {}]
    assert [each.behind for each in debts] == [None] * 3
    assert debts[0].can_go()  # a delivery by hand heeds the pause by itself


def test_which_rows_are_meant() -> None:
    """
    A row that does not say when it was committed is old.
    """
    young, broken = row("a", 1, committed_at_ms=1_000_000), row("a", 2, committed_at_ms=0)

    assert Meant(older_than_seconds=10.0).includes(young, 1_010_000)
    assert not Meant(older_than_seconds=10.0).includes(young, 1_009_999)
    assert Meant(older_than_seconds=10.0).includes(broken, 1_009_999)
    assert Meant(older_than_seconds=10.0).includes(UnreadableRow("a", 3, "broken"), 1_009_999)
    assert Meant(since_ms=1_000_000).includes(young, 0)
    assert not Meant(since_ms=1_000_001).includes(young, 0)
    assert not Meant(aggregate_id="b").includes(young, 0)


def test_no_gap(night: Night) -> None:
    """
    Young rows are the relay's business; exit code 0.
    """
    night.append("a")

    found = night.type("gaps")

    assert (found.code, found.out) == (0, "no gap: nothing has been owed for 60 s or longer.\n")


def test_gaps_by_aggregate_with_the_reason(night: Night) -> None:
    """
    The oldest first, and what holds each up; exit code 1.
    """
    night.append("a", 3)
    night.append("b", 2)
    night.append("c")
    night.make_old()
    night.park("a", 2, "bus")
    night.change("b", 1, committedAt={"N": str(OLD_MS - 1)})
    for last in (1, 2):
        night.change("b", last, delivered={"SS": ["bus"]})
    night.change("c", 1, firstSequence={"S": "x"})
    night.append("young")

    found = night.type("gaps", "--json", "--older-than", "1h")
    text = night.type("gaps", "--older-than", "1h")

    assert found.code == text.code == 1
    data = found.data
    assert (data["aggregates"], data["commits"], data["in_flight"], data["rows"]) == (3, 6, 0, 7)
    shown = {each["aggregate_id"]: each for each in data["oldest"]}
    assert [each["aggregate_id"] for each in data["oldest"]] == ["c", "b", "a"]
    assert shown["a"]["parked"] == {"bus": "2: bus cannot take it"}
    assert (shown["a"]["commits"], shown["a"]["first"], shown["a"]["last"], shown["a"]["waiting"]) == (3, 1, 3, 1)
    assert shown["b"]["lacking"] == {"index": 2}
    assert shown["c"]["unreadable"] == 1
    rows = {cells[0]: cells for cells in text.rows}
    assert rows["a"][4] == "parked for bus, 2: bus cannot take it; 1 behind it; index lacks 3: no relay runs"
    assert rows["b"][1:3] + rows["b"][4:] == ["2", "1 to 2", "index lacks 2: no relay runs"]
    fault = "row c/1 of inventory_outbox: attribute 'firstSequence' is of kind S, not N"
    assert shown["c"]["fault"] == fault
    assert rows["c"][3:] == ["-", f"1 unreadable, {fault}"]
    assert "6 commits of 3 aggregates owed for 1 h 0 min or longer." in text.out
    assert "`relay parked list`" in text.out


def test_an_aggregate_that_waits_alone_is_a_gap_though_it_is_in_hand(night: Night) -> None:
    """
    A queue rejects its next event: what it is owed is named with cause and remedy, others' in flight are not.
    """
    night.append("a", 2)
    night.append("b")
    night.make_old()
    waits = HeldUpReport("a", 1, "nack", 9, night.runtime.now_ms() - 600_000)
    report = WorkerReport(in_flight=(("a", 1), ("a", 2), ("b", 1)), held_up=(waits,), held_up_count=1)
    night.write_worker("w", report=report)

    found = night.type("gaps", "--json")
    text = night.type("gaps")

    assert found.code == text.code == 1
    assert (found.data["aggregates"], found.data["commits"], found.data["in_flight"]) == (1, 2, 1)
    (shown,) = found.data["oldest"]
    assert (shown["aggregate_id"], shown["held_up"]) == ("a", "nack")
    assert shown["cause"] == "a queue bound to the exchange rejects its next event"
    assert "reject-publish" in shown["remedy"]
    (row,) = [cells for cells in text.rows if cells[0] == "a"]
    waits_alone = "waits alone (nack): a queue bound to the exchange rejects its next event"
    assert row[4] == f"{waits_alone}; index lacks 2: no worker reports on it"
    assert "Next: look for full queues with overflow reject-publish" in text.out


def test_a_mark_says_that_an_aggregate_waits_alone_though_no_worker_runs(night: Night) -> None:
    """
    With cause, remedy and when it is tried again; also while a worker that has not heard of it has it in hand.
    """
    night.append("a", 2)
    night.append("b")
    night.make_old()
    now_ms = night.runtime.now_ms()
    night.change("a", 1, refused=encode({"bus": RefusedMark(12, now_ms - 600_000, now_ms + 250_000, "silent")}))

    found, text = night.type("gaps", "--json"), night.type("gaps")

    shown = found.data["oldest"][0]
    assert (shown["aggregate_id"], shown["held_up"], shown["commits"]) == ("a", "silent", 2)
    assert shown["cause"] == "the broker does not confirm its next event, though it confirms others"
    mark = shown["refused"]["bus"]
    assert (mark["attempts"], mark["reason"]) == (12, "silent")
    assert 600.0 <= mark["since_seconds"] < 660.0
    assert 190.0 < mark["next_seconds"] <= 250.0
    (cells,) = [cells for cells in text.rows if cells[0] == "a"]
    refused = f"waits alone (silent): {shown['cause']}; refused by bus 12 times (silent)"
    assert cells[4] == f"{refused}; index lacks 2: no relay runs"
    assert "Next: look for a queue without a majority of its members" in text.out
    assert found.data["oldest"][1]["refused"] == {}

    night.write_worker("w", report=WorkerReport(in_flight=(("a", 1), ("a", 2), ("b", 1))))
    held = night.type("gaps", "--json").data
    assert (held["aggregates"], held["commits"], held["in_flight"]) == (1, 2, 1)


UP = DestinationReport("bus", "up")


@pytest.mark.parametrize(
    ("reports", "pause", "sweeps", "why"),
    [
        ([], None, False, "no relay runs"),
        ([], "ann", False, "no relay runs"),
        ([UP], "ann", True, "delivery is paused by ann: a migration"),
        ([], None, True, "no worker reports on it"),
        ([UP], None, True, "nothing is wrong; it goes when the feed or the sweep comes to it"),
        ([UP], None, False, "the feed has not brought it, and no worker sweeps"),
        ([DestinationReport("bus", "outage", "refused")], None, True, "it is out of reach or too slow, refused"),
        ([DestinationReport("bus", "misconfigured", "no right")], None, True, "it refuses everything, no right"),
        ([DestinationReport("bus", "asleep", "zzz")], None, True, "asleep, zzz"),
    ],
)
def test_why_a_destination_lacks_what_nothing_is_wrong_with(
    reports: list[DestinationReport], *, pause: str | None, sweeps: bool, why: str
) -> None:
    """
    The most that is known, in this order: no worker, a pause, trouble, no sweep. Nothing is left without a reason.
    """
    alive = [] if why == "no relay runs" else ["w"]
    gap = gaps.Gap("a", 2, 1, 2, OLD_MS, {"bus": 2}, {}, 0, 0, 0)
    found = Conditions(
        live_workers=len(alive),
        pause=None if pause is None else Pause(pause, 1, "a migration"),
        has_sweep=sweeps,
        destinations={each.name: DestinationView(each.name, each.state, each.reason, ("w",)) for each in reports},
    )

    assert reasons(gap, found) == [f"bus lacks 2: {why}"]


def test_what_the_fleet_says_of_a_gap(night: Night) -> None:
    """
    The index is down by a live worker's word, and a dead one holds the sweep; for a program as well.
    """
    night.append("a")
    night.make_old()
    night.write_settings("bus", "index")
    down = DestinationReport("index", "breaker_open", "connection refused")
    night.write_worker("alive", report=WorkerReport(destinations=(UP, down)))

    (shown,) = night.type("gaps", "--json").data["oldest"]

    assert shown["reasons"] == [
        "bus lacks 1: the feed has not brought it, and no worker sweeps",
        "index lacks 1: it is out of reach or refuses, and is left alone for a while, connection refused",
    ]


def test_a_dead_workers_word_that_an_aggregate_waits_alone_counts_for_nothing(night: Night) -> None:
    """
    Its row is a gap since it is in nobody's hands, with what it lacks.
    """
    night.append("a")
    night.make_old()
    report = WorkerReport(held_up=(HeldUpReport("a", 1, "nack", 9, 0),), held_up_count=1)
    night.write_worker("w", silent_seconds=3600.0, report=report)

    (shown,) = night.type("gaps", "--json").data["oldest"]

    assert (shown["held_up"], shown["cause"], shown["remedy"]) == (None, None, None)


def test_what_a_live_worker_has_in_hand_is_no_gap(night: Night) -> None:
    """
    A dead one's report counts for nothing.
    """
    night.append("a")
    night.append("b")
    night.make_old()
    night.write_settings("bus", "index")
    night.write_worker("alive", report=WorkerReport(in_flight=(("a", 1),)))
    night.write_worker("dead", silent_seconds=60.0, report=WorkerReport(in_flight=(("b", 1),)))

    found = night.type("gaps", "--json")

    assert found.code == 1
    assert [each["aggregate_id"] for each in found.data["oldest"]] == ["b"]
    assert found.data["in_flight"] == 1
    assert "1 commit of 1 aggregate owed for 60 s or longer; 1 commit more in flight." in night.type("gaps").out


def test_what_is_in_flight_for_long_is_said_although_it_is_no_gap(night: Night) -> None:
    """
    While the bus refuses, a page stays in a worker's hands: nobody may read that nothing is owed.
    """
    night.append("a")
    night.make_old()
    night.write_settings("bus", "index")
    night.write_worker("alive", report=WorkerReport(in_flight=(("a", 1),)))

    found = night.type("gaps")

    assert found.code == 0
    assert found.out.splitlines() == [
        "no gap: 1 commit owed for 60 s or longer, but in flight at a live worker.",
        "Next: `relay status` shows whether the destinations take them.",
    ]


def test_only_the_oldest_are_shown_and_all_are_counted(night: Night) -> None:
    """
    However many there are.
    """
    for number in range(5):
        night.append(f"item-{number}")
        night.change(f"item-{number}", 1, committedAt={"N": str(OLD_MS + number)})

    found = night.type("gaps", "--rows", "2", "--json")
    text = night.type("gaps", "--rows", "2")

    assert [each["aggregate_id"] for each in found.data["oldest"]] == ["item-0", "item-1"]
    assert found.data["aggregates"] == 5
    assert "5 commits of 5 aggregates owed for 60 s or longer, the oldest 2 shown." in text.out
    assert "with none running, `relay replay`" in text.out


@pytest.mark.parametrize("given", ["soon", "-5s", "1y", "", "9999999999s"])
def test_lengths_of_time_that_are_none(night: Night, given: str) -> None:
    """
    Exit code 2, and how to write one.
    """
    found = night.type("gaps", "--older-than", given)

    assert found.code == 2
    assert "write 90s, 5m, 2h, 7d, or a number of seconds" in found.err


class ManyRows:
    """An outbox of very many rows, each its own aggregate, made as they are read."""

    def __init__(self, count: int) -> None:
        self._count = count

    def walk(self, _aggregate_id: str | None, limit: int) -> Iterator[tuple[OutboxRow, ...]]:
        template = commit("x")
        for start in range(0, self._count, limit):
            numbers = range(start, min(start + limit, self._count))
            yield tuple(
                OutboxRow(f"item-{n}", "T", f"c-{n}", 1, 1, OLD_MS + n, 1, template.events, frozenset(), {})
                for n in numbers
            )

    def scan(self, start: Any, limit: int) -> ScanPage:
        first = start or 0
        rows = next(iter(ManyRows(limit).walk(None, limit)))
        return ScanPage(rows, first + limit if first + limit < self._count else None)


def peak_of(walk: Any) -> tuple[Any, int]:
    tracemalloc.start()
    try:
        return walk(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_outbox_of_very_many_rows_is_walked_over_in_little_memory() -> None:
    """
    Gaps, survey and the preview of a replay: all keep counts, and a page.
    """
    reader: Any = ManyRows(20_000)
    runtime = SystemRuntime()

    found, gaps_peak = peak_of(lambda: gaps.find(reader, NAMES, (), 60.0, 10, runtime))
    counted, survey_peak = peak_of(lambda: survey.take(reader, NAMES, 1_000_000))
    shown, preview_peak = peak_of(lambda: preview(reader, NAMES, ReplayRequest(), runtime))

    assert (found.aggregates, [gap.aggregate_id for gap in found.oldest[:2]]) == (20_000, ["item-0", "item-1"])
    assert counted.rows == shown.handed_over == 20_000
    assert max(gaps_peak, survey_peak, preview_peak) < 2_000_000
