"""Which rows the sweep takes, how hard it works, and what it survives."""

from eventstore.rows.outbox import OutboxRow
from relay.delivery.page import CommitPage, PageResult
from relay.outbox.row import UnreadableRow
from relay.permit import FlagPermit, Permit
from relay.sweep.sweep import SweepSettings, behind_parked, worth_taking

from .conftest import Bench

NAMES = ("bus", "index")


def row(
    last: int, *, aggregate: str = "a", committed_at_ms: int = 0, parked: str = "", on_bus: bool = False
) -> OutboxRow:
    return OutboxRow(
        aggregate_id=aggregate,
        aggregate_type="T",
        commit_id=f"c{last}",
        first=last,
        last=last,
        committed_at_ms=committed_at_ms,
        epoch=1,
        events=None,
        delivered=frozenset({"bus"}) if on_bus else frozenset(),
        parked={parked: "broken"} if parked else {},
    )


class NotedWaits:
    """A permit that is never revoked and notes how long it was waited for."""

    def __init__(self, waits: list[float]) -> None:
        self._waits = waits

    def left_seconds(self) -> float:
        return float("inf")

    def is_revoked(self) -> bool:
        return False

    def wait(self, timeout_seconds: float) -> bool:
        self._waits.append(timeout_seconds)
        return False


def test_a_row_from_a_far_future_is_taken() -> None:
    """
    A writer's clock may be years ahead: should the feed never speak of its row, the sweep still must.
    """
    now_ms = 1_000_000_000

    assert worth_taking(row(1, committed_at_ms=now_ms + 3_600_000), NAMES, (), now_ms, age_seconds=60.0)
    assert not worth_taking(row(1, committed_at_ms=now_ms + 30_000), NAMES, (), now_ms, age_seconds=60.0)


def test_what_stands_behind_a_parked_commit_is_known_from_the_scan() -> None:
    """
    Above a commit parked for the bus, or one that cannot be read; over the edge of a stretch; not in other aggregates.
    """
    first = behind_parked([row(1), row(2, parked="bus"), row(3)], None)
    second = behind_parked(
        [row(4), row(1, aggregate="b"), UnreadableRow("c", 5, "broken"), row(6, aggregate="c")], first.blocked
    )

    assert first.keys == {("a", 3)}
    assert second.keys == {("a", 4), ("c", 6)}


def test_a_mark_that_holds_up_nothing() -> None:
    """
    Parked for the index only, or on the bus all the same: what is above flows.
    """
    assert (
        behind_parked([row(1, parked="index"), row(2), row(3, parked="bus", on_bus=True), row(4)], None).keys
        == frozenset()
    )


def test_a_tail_behind_a_parked_commit_costs_a_walk_nothing_but_the_scan(bench: Bench) -> None:
    """
    Hundreds of commits wait for a person; walking past them asks no questions.
    """
    for _ in range(300):
        bench.append("a")
    for last in range(1, 301):
        parked = {"M": {"bus": {"M": {"reason": {"S": "bad"}}}}} if last == 1 else {"M": {}}
        bench.break_row("a", last, parked=parked, delivered={"SS": ["index"]})
    bench.append("b")
    bench.way.calls.clear()

    result = bench.relay.sweep().walk(FlagPermit(bench.runtime.flag()), age_seconds=0.0)

    assert result.seen == 301
    assert result.taken == 1
    assert bench.on_bus() == [("b", 1)]
    assert bench.way.count("TransactGetItems") == 1
    assert bench.way.count("Query") == 0


def test_pages_that_bring_nothing_are_walked_over_gently(bench: Bench) -> None:
    """
    The first page settles something; the pages after it do not, and each of them is followed by a pause.
    """
    for number in range(6):
        bench.append(f"item-{number}")
    waits: list[float] = []
    stop = NotedWaits(waits)
    settled_once = iter([1])

    def process(_page: CommitPage, _permit: Permit) -> PageResult:
        return PageResult(dealt_with=True, settled=next(settled_once, 0))

    sweep = bench.relay.sweep()
    sweep._settings = SweepSettings(page_max_rows=1, page_pause_seconds=0.001)
    sweep._pipeline.process = process  # type: ignore[method-assign]
    result = sweep.walk(stop, age_seconds=0.0)

    assert result.settled == 1
    assert len(waits) == 5


def test_a_row_that_is_complete_and_was_not_deleted_goes(bench: Bench) -> None:
    """
    A relay died between noting the last destination and deleting the row: nothing is sent again, the row goes.
    """
    bench.append("a")
    bench.break_row("a", 1, delivered={"SS": ["bus", "index"]})

    result = bench.relay.sweep().walk(FlagPermit(bench.runtime.flag()), age_seconds=0.0)

    assert result.settled == 1
    assert bench.outbox() == []
    assert bench.on_bus() == []
