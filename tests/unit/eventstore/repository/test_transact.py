"""Load, decide, append: conflicts, races, repeats."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    CachePolicy,
    EventStore,
    NewEvent,
    Repository,
    SnapshotPolicy,
    WrongExpectedVersionError,
)
from eventstore.testing import InMemoryDynamoDB

from .conftest import CountingClient, Stock, changed, evolve

Fill = Callable[..., None]


class SoldOutError(Exception):
    """The domain's own refusal."""


def take(stock: Stock, quantity: int) -> list[NewEvent]:
    if quantity == 0:
        return []
    if stock.quantity < quantity:
        raise SoldOutError
    return [changed(-quantity)]


def items_of(store: EventStore, **arguments: Any) -> Repository[Stock]:
    return Repository(store, aggregate_type="ITEM", initial=Stock(), evolve=evolve, **arguments)


def test_a_decision_is_stored(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    One query, one transaction.
    """
    fill(5)
    done = items_of(stocks).transact("item-1", take, 2)

    assert (done.before.state.quantity, done.version, done.attempts) == (5, 2, 1)
    assert done.events == (changed(-2),)
    assert done.result is not None
    assert counting.calls == {"query": 1, "transact_write_items": 1}
    assert items_of(stocks).load("item-1").state.quantity == 3


def test_nothing_to_store_is_a_no_op(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    No result, the version as it was, and nothing sent.
    """
    fill(5)
    done = items_of(stocks).transact("item-1", take, 0)

    assert (done.result, done.events, done.version, done.attempts) == (None, (), 1, 1)
    assert counting.calls == {"query": 1}


def test_what_the_domain_refuses_reaches_the_caller(stocks: EventStore, fill: Fill) -> None:
    """
    Its own exception, as it is.
    """
    fill(1)
    with pytest.raises(SoldOutError):
        items_of(stocks).transact("item-1", take, 2)


def test_a_conflict_is_decided_anew(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    The other writer's event is in the second decision, which costs one small read.
    """
    fill(5)
    counting.before["transact_write_items"] = lambda _: (counting.before.clear(), fill(-2))
    seen = []

    def decide(stock: Stock, quantity: int) -> list[NewEvent]:
        seen.append(stock.quantity)
        return take(stock, quantity)

    items = items_of(stocks)
    done = items.transact("item-1", decide, 3)

    assert (seen, done.version, done.attempts, items.stats.conflicts) == ([5, 3], 3, 2, 1)
    assert items.load("item-1").state.quantity == 0


def test_a_conflict_outranks_the_staleness_bound(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    Memory may answer the first time; after a conflict the table is asked, or it would be decided alike for ever.
    """
    fill(5)
    items = items_of(stocks, cache=CachePolicy(size=10, max_staleness_seconds=60))
    items.load("item-1")
    fill(-2)
    counting.calls.clear()

    done = items.transact("item-1", take, 3)

    assert (done.before.state.quantity, done.attempts) == (3, 2)
    assert items.stats.answered_from_memory == 1


def test_attempts_are_bounded(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    Where others are quicker each time, the last conflict is raised.
    """
    fill(5)
    counting.before["transact_write_items"] = lambda _: fill(1)

    with pytest.raises(WrongExpectedVersionError):
        items_of(stocks).transact("item-1", take, 1, attempts_max=3)
    assert counting.calls["transact_write_items"] == 3


@pytest.mark.parametrize("shared", [True, False], ids=["one repository", "one each"])
def test_racing_writers_lose_nothing(database: InMemoryDynamoDB, fill: Fill, shared: bool) -> None:  # noqa: FBT001
    """
    Threads take from one item at the same time: each piece is taken once, and what is left is what was not taken.
    """
    fill(60)
    store = EventStore.open(database.client())
    common = items_of(store, snapshots=SnapshotPolicy.every(5))
    taken: list[int] = []
    failures: list[BaseException] = []
    start = threading.Barrier(4)

    def work() -> None:
        items = common if shared else items_of(EventStore.open(database.client()), snapshots=SnapshotPolicy.every(5))
        start.wait(timeout=10)
        try:
            taken.extend(items.transact("item-1", take, 1, attempts_max=100).version for _ in range(12))
        except BaseException as failure:  # noqa: BLE001 - told to the test
            failures.append(failure)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert failures == []
    assert sorted(taken) == list(range(2, 50))
    assert common.load("item-1").state.quantity == 12
    assert items_of(store).load("item-1").state.quantity == 12


def test_a_state_from_a_store_that_was_replaced_is_dropped(
    stocks: EventStore, database: InMemoryDynamoDB, fill: Fill
) -> None:
    """
    Memory and snapshot know events that exist no more: the conflict shows it, and the events decide.
    """
    for _ in range(3):
        fill(1)
    items = items_of(stocks, snapshots=SnapshotPolicy.every(1))
    items.load("item-1")
    for number in ("2", "3"):
        key = {"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": number}}
        database.client().delete_item(TableName="inventory_events", Key=key)
        database.client().delete_item(TableName="inventory_outbox", Key=key)

    done = items.transact("item-1", take, 1)
    assert (done.before.state.quantity, done.version) == (1, 2)


def test_a_repeat_under_a_key_decides_nothing(stocks: EventStore, fill: Fill) -> None:
    """
    The first result, also where the state has moved on and the decision would be another one.
    """
    fill(5)
    first = items_of(stocks).transact("item-1", take, 5, idempotency_key="order-7")
    again = items_of(stocks).transact("item-1", take, 5, idempotency_key="order-7")

    assert first.result is not None
    assert again.result is not None
    assert again.result.commit_id == first.result.commit_id
    assert (again.result.already_stored, again.version, again.attempts, again.events) == (True, 2, 0, ())
    assert stocks.current_version("item-1") == 2


def test_two_at_once_under_one_key_are_stored_once(
    stocks: EventStore, database: InMemoryDynamoDB, counting: CountingClient, fill: Fill
) -> None:
    """
    The slower one meets the quicker one's key, though it has decided otherwise, and gets its result.
    """
    fill(5)
    quick = items_of(EventStore.open(database.client()))
    stored = []

    def overtake(_: Any) -> None:
        counting.before.clear()
        fill(3)
        stored.append(quick.transact("item-1", lambda stock, _: [changed(-stock.quantity)], None, idempotency_key="k"))

    counting.before["transact_write_items"] = overtake
    slow = items_of(stocks).transact("item-1", lambda stock, _: [changed(-stock.quantity)], None, idempotency_key="k")

    assert slow.result is not None
    assert slow.result.commit_id == stored[0].result.commit_id
    assert (slow.events, slow.result.already_stored, stocks.current_version("item-1")) == ((), True, 3)


def test_repositories_of_one_type_see_each_others_events(stocks: EventStore) -> None:
    """
    A new aggregate is made by its first decision, under the repository's type.
    """
    items_of(stocks).transact("item-9", lambda stock, by: [changed(by)], 4)
    (event,) = stocks.load(AggregateRef("ITEM", "item-9"))
    assert event.data == {"by": 4}
