"""The small user's project runs: what type checkers accept there is what a program does."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from eventstore import AppendResult, EventStore, WrongExpectedVersionError
from eventstore.testing import InMemoryDynamoDB, InMemorySearch
from tests.tidy.shop import examples, opening, reading, tasks
from tests.tidy.shop.events import Received, item, late, till_changed
from tests.tidy.shop.stock import Remove, Shelf, SoldOutError, Stock


@pytest.fixture
def store() -> EventStore:
    return opening.on(InMemoryDynamoDB().client())


def test_items_are_sold_once(store: EventStore) -> None:
    """
    States from a class, an object, a dict and a function; an order that comes twice counts once.
    """
    shelf = Shelf(store)
    store.append(item("bolts"), [late(10, datetime(2025, 1, 1, tzinfo=UTC))], expected_version=0)

    assert [shelf.sell("bolts", Remove(3, "A-1")) for _ in range(2)] == [7, 7]
    with pytest.raises(SoldOutError):
        shelf.sell("bolts", Remove(8, "A-2"))
    tally = {"STOCK_RECEIVED": 1, "STOCK_REMOVED": 1}
    assert shelf.views("bolts") == {
        "tally": tally,
        "empty": tally,
        "made": 8,
        "last": Received(10),
        "length": 2,
    }


def test_reads_imports_and_checks(store: EventStore) -> None:
    """
    Many items at once, a conflict, times, pages, the plain type, and a store without faults.
    """
    start = datetime.now(UTC)
    first, second, third = reading.store_all(store, {"bolts": 5, "nuts": 6, "caps": 7})
    (again,) = reading.store_all(store, {"bolts": 5})
    (other,) = reading.store_all(store, {"": 5})
    store.append(item("till"), [till_changed(100)], expected_version=0)
    end = datetime.now(UTC) + timedelta(seconds=1)

    assert all(isinstance(each, AppendResult) and each.version == 1 for each in (first, second, third, again))
    assert not isinstance(other, AppendResult)
    assert [reading.version_or_conflict(store, "bolts") for _ in range(2)] == [2, 2]
    assert isinstance(WrongExpectedVersionError("a", expected=1, actual=2).actual, int)
    assert {event.aggregate_id for event in reading.between(store, start, end)} == {"bolts", "nuts", "caps", "till"}
    assert reading.pages(store, start) == [2, 2]
    assert reading.found(store, InMemorySearch(), start) == []
    assert reading.faults(store) == []


def test_tasks_and_examples() -> None:
    """
    The same in asyncio, and the rules without a store.
    """
    client = InMemoryDynamoDB().client()
    opening.on(client)

    assert asyncio.run(tasks.sell(client)).state == Stock(4, ("N-1",))
    examples.check_rules()
    assert examples.check_clock() == 1_735_689_660_000
