"""Which rows the sweep takes, how hard it works, and what it survives."""

from collections.abc import Callable, Mapping
from typing import Any

from eventstore.outbox_row import OutboxRow
from eventstore.ports import Flag
from eventstore.testing.dynamodb.errors import ServiceError
from relay.feed.change import UnreadableRow
from relay.page import Page, PageResult
from relay.sweep import SweepSettings, behind_parked, worth_taking
from tests.support.waiting import until

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
    """A flag that is never raised and notes how long it was waited for."""

    def __init__(self, waits: list[float]) -> None:
        self._waits = waits

    def set(self) -> None:
        raise AssertionError

    def is_set(self) -> bool:
        return False

    def wait(self, timeout_seconds: float) -> bool:
        self._waits.append(timeout_seconds)
        return False


def names(log_events: list[Any]) -> list[str]:
    return [event["event"] for event in log_events]


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

    result = bench.relay.sweep().walk(bench.runtime.flag(), age_seconds=0.0)

    assert result.seen == 301
    assert result.taken == 1
    assert bench.on_bus() == [("b", 1)]
    assert bench.way.count("TransactGetItems") == 1
    assert bench.way.count("Query") == 0


def test_a_refusal_while_it_rests_does_not_end_it(bench: Bench, log_events: list[Any]) -> None:
    """
    The right to settle is taken away while a slow index reports: the sweep says so and goes on.
    """

    def refuse(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "BatchWriteItem":
            raise ServiceError("AccessDeniedException", "not any more")
        return effect()

    bench.append("a")
    bench.be_impatient()
    go_on = bench.hold_index()
    stop = bench.runtime.flag()
    sweep = bench.relay.sweep()
    sweep._settings = SweepSettings(min_age_seconds=0.0)
    part = bench.runtime.spawn("sweep", lambda: sweep.run(stop))
    until(lambda: "sweep.walked" in names(log_events), "the bus has it, the index is late")
    bench.way.trap = refuse
    go_on.set()
    until(lambda: "settle.postponed" in names(log_events) or not part.is_alive(), "the refusal was met")
    bench.way.trap = None
    stop.set()

    assert part.join(10)
    assert part.failure is None


def test_pages_that_bring_nothing_are_walked_over_gently(bench: Bench) -> None:
    """
    The first page settles something; the pages after it do not, and each of them is followed by a pause.
    """
    for number in range(6):
        bench.append(f"item-{number}")
    waits: list[float] = []
    stop = NotedWaits(waits)
    settled_once = iter([1])

    def process(_page: Page, _stop: Flag) -> PageResult:
        return PageResult(dealt_with=True, settled=next(settled_once, 0))

    sweep = bench.relay.sweep()
    sweep._settings = SweepSettings(page_max_rows=1, page_pause_seconds=0.001)
    sweep._pipeline.process = process  # type: ignore[method-assign]
    result = sweep.walk(stop, age_seconds=0.0)

    assert result.settled == 1
    assert len(waits) == 5
