"""What is asked of the outbox to put a page in order."""

from eventstore import AggregateRef, NewEvent
from relay.delivery.sequencer import CHAIN_MAX
from relay.destinations.index.client import IndexLostError

from .conftest import Bench

REF = AggregateRef("ITEM", "a")


def test_rows_that_only_the_index_lacks_are_not_in_the_way_of_a_long_chain(bench: Bench) -> None:
    """
    The index is down, so what the bus has stays in the outbox; few questions find the lowest commits owed to the bus.
    """
    count = CHAIN_MAX * 4
    for number in range(count):
        bench.store.append(REF, [NewEvent("COUNTED", {})], expected_version=number)
    bench.index.fail(IndexLostError("down"))
    before = bench.way.count("TransactGetItems")

    result = bench.process([bench.row("a", count)])

    assert result.dealt_with
    assert bench.on_bus() == [("a", number) for number in range(1, count + 1)]
    assert bench.way.count("TransactGetItems") - before <= 2 * 4


def test_after_a_restart_rows_that_the_bus_has_are_passed_over(bench: Bench) -> None:
    """
    Nothing is remembered, and far more rows than one round takes lie below, owed to the index only.
    """
    count = CHAIN_MAX + 300
    for number in range(count):
        bench.store.append(REF, [NewEvent("COUNTED", {})], expected_version=number)
    for last in range(1, CHAIN_MAX + 101):
        bench.break_row("a", last, delivered={"SS": ["bus"]})
    before = bench.way.count("TransactGetItems")

    bench.process([bench.row("a", count)])

    assert [number for _, number in bench.on_bus()] == list(range(CHAIN_MAX + 101, count + 1))
    assert bench.way.count("TransactGetItems") - before <= 4
