"""What settling costs: requests to DynamoDB, read units and write units, for commits of one small event.

Every number here is money for whoever runs the relay, so a change that raises one must say why.
"""

from collections import Counter

import pytest

from eventstore.rows.outbox import OutboxRow
from relay.delivery.page import Fate

from .conftest import READS, WRITES, Bench

SIZES = (1, 10, 100)


@pytest.fixture(params=SIZES, ids=[f"{size} commits" for size in SIZES])
def size(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def second_commits(bench: Bench, size: int, *, known: bool, text: str = "") -> list[OutboxRow]:
    """Return a page with the second commits of that many aggregates; this relay settled the first, or another did."""
    for number in range(size):
        bench.append(f"item-{number}")
    if known:
        bench.process(bench.outbox())
    else:
        bench.wait_for(bench.hand_in(bench.outbox(), relay=bench.another_relay()))
    bench.rest()
    for number in range(size):
        bench.append(f"item-{number}", text=text)
    rows = bench.outbox()
    bench.way.calls.clear()
    bench.way.counts_units = True
    return rows


def requests(bench: Bench) -> dict[str, int]:
    return dict(Counter(name for name, _, _ in bench.way.calls))


def settling_max(size: int) -> int:
    """Return the most calls that settle so many rows: 25 in one, and some are not full since they wait 20 ms at most.

    Destinations report in parts, so how many rows a call has depends on their pace; what is charged does not.
    """
    return max(1, 2 * -(-size // 25))


def test_at_steady_state(bench: Bench, size: int) -> None:
    """
    The relay remembers what the bus has and the rows carry their events: nothing is read, rows go 25 at a time.
    """
    bench.process(second_commits(bench, size, known=True))

    assert set(requests(bench)) == {"BatchExecuteStatement"}
    assert bench.way.count("BatchExecuteStatement") <= settling_max(size)
    assert bench.way.units(*READS) == 0
    assert bench.way.units(*WRITES) == size


def test_aggregates_the_relay_does_not_remember(bench: Bench, size: int) -> None:
    """
    Each predecessor is asked for, up to 100 in a request; a read in a transaction costs two units.
    """
    bench.process(second_commits(bench, size, known=False))

    assert set(requests(bench)) == {"TransactGetItems", "BatchExecuteStatement"}
    assert bench.way.count("TransactGetItems") <= {1: 1, 10: 1, 100: 3}[size]  # the first begins while rows come in
    assert bench.way.count("BatchExecuteStatement") <= settling_max(size)
    assert bench.way.units(*READS) == 2 * size
    assert bench.way.units(*WRITES) == size


def test_rows_that_may_be_settled_already(bench: Bench, size: int) -> None:
    """
    After a start and in the sweep each row is asked for itself; memory spares the question about the one before.
    """
    rows = second_commits(bench, size, known=True)

    bench.process(rows, recheck=True)

    assert set(requests(bench)) == {"TransactGetItems", "BatchExecuteStatement"}
    assert bench.way.count("TransactGetItems") <= {1: 1, 10: 1, 100: 3}[size]  # the first begins while rows come in
    assert bench.way.count("BatchExecuteStatement") <= settling_max(size)
    assert bench.way.units(*READS) == 2 * size


def test_events_that_the_rows_do_not_carry(bench: Bench, size: int) -> None:
    """
    They are read by key, up to 25 commits in a request; a consistent read of up to 4 KiB costs one unit.
    """
    bench.process(second_commits(bench, size, known=True, text="x" * 2000))

    assert set(requests(bench)) == {"BatchGetItem", "BatchExecuteStatement"}
    assert bench.way.count("BatchGetItem") <= {1: 1, 10: 1, 100: 5}[size]
    assert bench.way.count("BatchExecuteStatement") <= settling_max(size)
    assert bench.way.units(*READS) == size
    assert bench.way.units(*WRITES) == size


def test_an_index_that_is_late(bench: Bench, size: int) -> None:
    """
    One note per row that the bus has it, 25 at a time, and then the same deletes.
    """
    bench.be_impatient()
    rows = second_commits(bench, size, known=True)
    go_on = bench.hold_index()

    assert bench.process(rows).fates == {Fate.LATE: size}
    go_on.set()
    bench.rest()

    assert set(requests(bench)) == {"BatchExecuteStatement"}
    assert bench.way.count("BatchExecuteStatement") <= 2 * settling_max(size)
    assert bench.way.units(*WRITES) == 2 * size
