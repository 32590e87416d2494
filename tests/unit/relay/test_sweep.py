"""Which rows the sweep takes, how hard it works, and what it survives."""

from dataclasses import replace

import pytest

from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark, encode
from relay.assembly import Relay
from relay.destinations.bus.broker import BrokerLostError
from relay.outbox.row import UnreadableRow
from relay.permit import FlagPermit, Permit
from relay.sweep.sweep import SweepSettings, WalkResult, kept_from_bus, worth_taking
from tests.support.waiting import until

from .conftest import QUEUE, Bench

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


def walk(
    bench: Bench, permit: Permit | None = None, settings: SweepSettings | None = None, relay: Relay | None = None
) -> WalkResult:
    """Walk once over the outbox, as a sweep of this relay, or of another, that begins and ends with it."""
    sweep = (relay or bench.relay).sweep()
    sweep._settings = settings or sweep._settings
    permit = permit or bench.permit
    sweep.begin(permit)
    try:
        return sweep.walk(permit, age_seconds=0.0)
    finally:
        sweep.end()


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
    first = kept_from_bus([row(1), row(2, parked="bus"), row(3)], None, 0)
    second = kept_from_bus(
        [row(4), row(1, aggregate="b"), UnreadableRow("c", 5, "broken"), row(6, aggregate="c")], first.blocked, 0
    )

    assert first.keys == {("a", 3)}
    assert second.keys == {("a", 4), ("c", 6)}


def test_a_mark_that_holds_up_nothing() -> None:
    """
    Parked for the index only, or on the bus all the same: what is above flows.
    """
    assert (
        kept_from_bus([row(1, parked="index"), row(2), row(3, parked="bus", on_bus=True), row(4)], None, 0).keys
        == frozenset()
    )


def refused(each: OutboxRow, until_ms: int) -> OutboxRow:
    return replace(each, refused={"bus": RefusedMark(3, 0, until_ms, "nack")})


def test_what_the_bus_refused_is_kept_from_it_until_it_is_due() -> None:
    """
    The commit and what stands above it, over the edge of a stretch; not what is below, nor other aggregates.
    """
    first = kept_from_bus([row(1), refused(row(2), 1_001), row(3)], None, 1_000)
    second = kept_from_bus([row(4), row(1, aggregate="b")], first.blocked, 1_000)

    assert first.keys == {("a", 2), ("a", 3)}
    assert second.keys == {("a", 4)}


@pytest.mark.parametrize(
    "each",
    [
        refused(row(2), 1_000),
        refused(row(2), 1_001 + 600_000),
        refused(row(2, on_bus=True), 1_001),
        replace(row(2), refused={"index": RefusedMark(3, 0, 1_001, "nack")}),
    ],
    ids=["due", "of a clock that was off", "on the bus all the same", "for a side"],
)
def test_a_refusal_that_keeps_nothing(each: OutboxRow) -> None:
    """
    The sweep hands in what it finds, as if there was no mark.
    """
    assert kept_from_bus([row(1), each, row(3)], None, 1_000).keys == frozenset()


def test_a_pause_is_for_the_bus_alone(bench: Bench) -> None:
    """
    The index gets a refused commit and the one above it; the bus gets both once it is due, from a worker that is new.
    """
    for _ in range(2):
        bench.append("a")
    mark = RefusedMark(5, 0, bench.runtime.now_ms() + 300_000, "nack")
    bench.break_row("a", 1, refused=encode({"bus": mark}))

    sweep = bench.relay.sweep()
    sweep.begin(bench.permit)
    result = sweep.walk(bench.permit, age_seconds=0.0)

    assert (result.taken, result.settled, result.lacked) == (2, 0, {"bus": 2, "index": 2})
    until(lambda: [row.delivered for row in bench.outbox()] == [{"index"}, {"index"}], "the index has them")
    assert sweep.walk(bench.permit, age_seconds=0.0).taken == 0
    sweep.end()
    assert bench.on_bus() == []

    bench.break_row("a", 1, refused=encode({"bus": replace(mark, until_ms=bench.runtime.now_ms())}))
    assert walk(bench, relay=bench.another_relay()).settled == 2
    assert bench.on_bus() == [("a", 1), ("a", 2)]


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

    result = walk(bench)

    assert result.seen == 301
    assert result.taken == 1
    assert bench.on_bus() == [("b", 1)]
    assert bench.way.count("TransactGetItems") == 0  # the scan is fresh evidence
    assert bench.way.count("Query") == 0


def test_pages_that_bring_nothing_are_walked_over_gently(bench: Bench) -> None:
    """
    The first page settles something; the pages after it do not, and each of them is followed by a pause.
    """
    for number in range(6):
        bench.append(f"item-{number}")
        if number:
            bench.break_row(f"item-{number}", 1, parked={"M": {"bus": {"M": {"reason": {"S": "bad"}}}}})
    keys = [(row.aggregate_id, row.parked) for row in bench.outbox()]
    assert keys[0] == ("item-0", {})
    waits: list[float] = []

    result = walk(bench, NotedWaits(waits), SweepSettings(page_max_rows=1, page_pause_seconds=0.001))

    assert result.settled == 1
    assert result.seen == 6
    assert waits.count(0.001) == len(waits) == 5


def test_a_row_that_is_complete_and_was_not_deleted_goes(bench: Bench) -> None:
    """
    A relay died between noting the last destination and deleting the row: nothing is sent again, the row goes.
    """
    bench.append("a")
    bench.break_row("a", 1, delivered={"SS": ["bus", "index"]})

    result = walk(bench)

    assert result.settled == 1
    assert bench.outbox() == []
    assert bench.on_bus() == []


def test_what_a_walk_took_and_the_bus_cannot_have_stays_in_hand(bench: Bench) -> None:
    """
    The bus refuses one aggregate: the walk comes to its end all the same, and counts what it took as owed.
    """
    bench.broker.refuse(QUEUE)
    bench.append("a")

    result = walk(bench)

    assert result.complete
    assert (result.taken, result.settled) == (1, 0)
    assert result.survey.owed["bus"] == 1


def test_a_walk_begins_nothing_once_its_permit_is_revoked(bench: Bench) -> None:
    """
    The lease is gone in the middle: what is left of the outbox is not looked at, and nothing of it is sent.
    """
    for number in range(3):
        bench.append(f"item-{number}")
    stop = bench.runtime.flag()
    stop.set()

    result = walk(bench, FlagPermit(stop))

    assert not result.complete
    assert result.seen == 0
    assert bench.on_bus() == []


def test_a_sweep_that_has_ended_claims_nothing(bench: Bench) -> None:
    """
    The bus is down while it ends: what it had handed in is not sent when the bus is back.
    """
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    bench.append("a")
    sweep, stop = bench.relay.sweep(), bench.runtime.flag()
    permit = FlagPermit(stop)
    sweep.begin(permit)
    walks: list[WalkResult] = []
    walker = bench.runtime.spawn("walk", lambda: walks.append(sweep.walk(permit, age_seconds=0.0)))
    until(lambda: bench.relay.flow.counts()["commits"] == 1, "the row is in hand")
    stop.set()
    assert walker.join(10)
    assert walks != []
    sweep.end()
    bench.broker.refuse_connections(None)
    until(lambda: bench.relay.pumps[0].trouble is None, "the bus is back")

    bench.rest()
    assert bench.on_bus() == []
