"""The sweep under its lease: it walks while it holds it, and not otherwise."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from eventstore.testing.dynamodb.errors import ServiceError
from relay.leases.fleet import SWEEP_KEY
from relay.sweep.sweep import SweepSettings
from relay.sweep.sweeper import Sweeper
from tests.support.waiting import until

from .conftest import Bench
from .leasing import LEASE_SECONDS, ObedientKeeper

EAGER = SweepSettings(min_age_seconds=0.0, interval_seconds=0.1)


class Sweeping:
    """The bench's sweep, its lease, and the part that runs it."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.keeper = ObedientKeeper(bench.runtime)
        sweep = bench.relay.sweep()
        sweep._settings = EAGER
        keeper: Any = self.keeper
        self.sweeper = Sweeper(sweep=sweep, keeper=keeper, runtime=bench.runtime, settings=EAGER)

    def start(self) -> None:
        self.sweeper.start()

    def walks(self) -> int:
        return self.bench.way.count("Scan")


@pytest.fixture
def sweeping(bench: Bench) -> Iterator[Sweeping]:
    sweeping = Sweeping(bench)
    yield sweeping
    sweeping.sweeper.stop()
    assert sweeping.sweeper.join(10)
    assert sweeping.sweeper.dead_part is None


def names(log_events: list[Any]) -> list[str]:
    return [event["event"] for event in log_events]


def test_without_the_lease_it_walks_not(sweeping: Sweeping, log_events: list[Any]) -> None:
    """
    Another worker sweeps; when the lease comes here, so does the sweep, and it says what it found.
    """
    sweeping.bench.append("a")
    sweeping.start()
    assert not sweeping.sweeper.join(0.6)  # longer than it takes to look for the lease once more
    assert len(sweeping.bench.outbox()) == 1
    assert "sweep.started" not in names(log_events)
    sweeping.keeper.give(SWEEP_KEY)
    until(lambda: sweeping.bench.on_bus() == [("a", 1)], "the sweep delivers")
    until(lambda: sweeping.sweeper.report is not None, "it reports")


def test_it_says_what_it_found_and_why(sweeping: Sweeping) -> None:
    """
    One commit lacked both destinations, one the index only, and one was done but for the deletion of its row.
    """
    for name in ("a", "b", "c"):
        sweeping.bench.append(name)
    sweeping.bench.break_row("b", 1, delivered={"SS": ["bus"]})
    sweeping.bench.break_row("c", 1, delivered={"SS": ["bus", "index"]})
    reports: list[Any] = []
    note = sweeping.sweeper._note
    sweeping.sweeper._note = lambda result: (note(result), reports.append(sweeping.sweeper.report))  # type: ignore[assignment, func-returns-value, method-assign]
    sweeping.keeper.give(SWEEP_KEY)
    sweeping.start()
    until(lambda: len(reports) > 0, "a walk has ended")

    assert reports[0].seen == 3
    assert reports[0].taken == {"bus": 1, "index": 2, "none": 1}
    assert reports[0].settled == 3


def test_a_lease_that_ends_ends_the_walk(sweeping: Sweeping, log_events: list[Any]) -> None:
    """
    Another worker has it: no further walk begins, and what was reported is forgotten.
    """
    held = sweeping.keeper.give(SWEEP_KEY)
    sweeping.start()
    until(lambda: sweeping.sweeper.report is not None, "a walk has ended")
    held.end()
    until(lambda: "sweep.ended" in names(log_events), "the sweep has ended")
    walks = sweeping.walks()
    assert not sweeping.sweeper.join(0.6)

    assert sweeping.walks() == walks
    assert sweeping.sweeper.report is None


def test_paused_it_walks_not(sweeping: Sweeping) -> None:
    """
    The lease stays where it is, and the sweep goes on when the operator says so.
    """
    sweeping.keeper.paused = True
    sweeping.keeper.give(SWEEP_KEY)
    sweeping.bench.append("a")
    sweeping.start()
    assert not sweeping.sweeper.join(0.6)
    assert sweeping.bench.on_bus() == []
    assert sweeping.keeper.happened == []
    sweeping.keeper.paused = False
    until(lambda: sweeping.bench.on_bus() == [("a", 1)], "the sweep delivers")


def test_told_to_stop_it_lets_go(sweeping: Sweeping) -> None:
    """
    Another worker can sweep at once.
    """
    sweeping.keeper.give(SWEEP_KEY)
    sweeping.start()
    until(lambda: sweeping.sweeper.report is not None, "a walk has ended")
    sweeping.sweeper.stop()
    assert sweeping.sweeper.join(10)

    assert sweeping.keeper.happened == [("released", None, 0.0)]


def test_it_forgets_blocked_aggregates_from_walk_to_walk(sweeping: Sweeping) -> None:
    """
    A commit waits behind a parked one; when a person removes the mark, the next walk delivers both, in order.
    """
    sweeping.bench.append("a")
    sweeping.bench.append("a")
    sweeping.bench.break_row("a", 1, parked={"M": {"bus": {"M": {"reason": {"S": "bad"}}}}})
    sweeping.keeper.give(SWEEP_KEY)
    sweeping.start()
    until(lambda: sweeping.bench.row("a", 2).delivered == {"index"}, "the walk has passed")
    sweeping.bench.break_row("a", 1, parked=None)
    until(lambda: sweeping.bench.on_bus() == [("a", 1), ("a", 2)], "both are delivered")


def test_a_refusal_while_it_rests_does_not_end_it(sweeping: Sweeping, log_events: list[Any]) -> None:
    """
    The right to settle is taken away while a slow index reports: the sweep says so and goes on.
    """

    def refuse(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "BatchExecuteStatement":
            raise ServiceError("AccessDeniedException", "not any more")
        return effect()

    bench = sweeping.bench
    bench.append("a")
    bench.be_impatient()
    go_on = bench.hold_index()
    sweeping.keeper.give(SWEEP_KEY)
    sweeping.start()
    until(lambda: "sweep.walked" in names(log_events), "the bus has it, the index is late")
    bench.way.trap = refuse
    go_on.set()
    until(lambda: "settle.postponed" in names(log_events), "the refusal was met")
    bench.way.trap = None


def test_a_sweep_that_is_not_certain_of_its_lease_delivers_nothing(sweeping: Sweeping) -> None:
    """
    The heartbeat is late: it waits, and goes on once it was given.
    """
    held = sweeping.keeper.give(SWEEP_KEY)
    held.renewed(held._lease, sweeping.bench.runtime.monotonic() - LEASE_SECONDS, None)
    sweeping.bench.append("a")
    sweeping.start()
    assert not sweeping.sweeper.join(0.6)
    assert sweeping.bench.on_bus() == []
    held.renewed(held._lease, sweeping.bench.runtime.monotonic(), None)
    until(lambda: sweeping.bench.on_bus() == [("a", 1)], "the sweep delivers")
