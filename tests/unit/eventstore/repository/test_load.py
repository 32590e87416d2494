"""Loads: from events, snapshots and memory, and what each of them costs."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from eventstore import (
    NEVER,
    AggregateRef,
    AggregateTypeError,
    CachePolicy,
    CorruptRowError,
    EventStore,
    InvalidInputError,
    Loaded,
    NewEvent,
    RecordedEvent,
    Repository,
    SnapshotPolicy,
)
from eventstore.testing import InMemoryDynamoDB

from .conftest import CountingClient, SteppedRuntime, Stock, evolve

NO_CACHE = CachePolicy(size=0)
Fill = Callable[..., None]


def repository(store: EventStore, **arguments: Any) -> Repository[Stock]:
    settings: dict[str, Any] = {"aggregate_type": "ITEM", "initial": Stock(), "evolve": evolve, **arguments}
    return Repository(store, **settings)


def snapshot_of(database: InMemoryDynamoDB, key: str = "item-1") -> dict[str, Any] | None:
    reply = database.client().get_item(TableName="inventory_snapshots", Key={"aggregateId": {"S": key}})
    found: dict[str, Any] | None = reply.get("Item")
    return found


def test_an_aggregate_without_events_is_the_initial_state(stocks: EventStore) -> None:
    """
    At version 0, ready to be appended to.
    """
    assert repository(stocks).load("item-1") == Loaded(Stock(), 0, "events", 0)


def test_events_are_folded_in_order(stocks: EventStore, fill: Fill) -> None:
    """
    The state is what the events say, at the number of the last one.
    """
    fill(5, -2, 10)
    assert repository(stocks).load("item-1") == Loaded(Stock(13, (1, 2, 3)), 3, "events", 3)


def test_a_hit_in_memory_reads_only_newer_events(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    One query above the version in memory; the answer is as new as the call.
    """
    items = repository(stocks)
    fill(5, -2)
    items.load("item-1")
    fill(10)
    asked: list[dict[str, Any]] = []
    counting.before["query"] = asked.append

    assert items.load("item-1") == Loaded(Stock(13, (1, 2, 3)), 3, "cache", 1)
    assert [request["ExpressionAttributeValues"][":from"] for request in asked] == [{"N": "3"}]
    assert asked[0]["ConsistentRead"] is True


def test_within_the_staleness_bound_memory_answers(
    stocks: EventStore,
    counting: CountingClient,
    runtime: SteppedRuntime,
    fill: Fill,
) -> None:
    """
    No request up to the bound, which counts from the last time the table was asked; afterwards newer events.
    """
    items = repository(stocks, cache=CachePolicy(size=10, max_staleness_seconds=5))
    fill(5)
    items.load("item-1")
    fill(10)
    counting.calls.clear()
    runtime.seconds += 5

    assert items.load("item-1") == Loaded(Stock(5, (1,)), 1, "cache", 0)
    assert counting.calls == {}
    runtime.seconds += 0.001
    assert items.load("item-1").state.quantity == 15
    assert counting.calls == {"query": 1}
    assert items.stats.answered_from_memory == 1


def test_memory_keeps_the_most_recently_used(stocks: EventStore, fill: Fill) -> None:
    """
    At the bound the state that was unused for longest goes.
    """
    items = repository(stocks, cache=CachePolicy(size=2))
    for item in ("a", "b", "c"):
        fill(1, item=item)
    for item in ("a", "b", "a", "c"):
        items.load(item)

    assert [items.load(item).origin for item in ("a", "c", "b")] == ["cache", "cache", "events"]


def test_snapshots_follow_the_policy(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    Every three events: a snapshot at 3, none at 5, the next at 7.
    """
    items = repository(stocks, snapshots=SnapshotPolicy.every(3), cache=NO_CACHE)
    versions = []
    for amounts in ((1, 1), (1,), (1, 1), (1, 1)):
        fill(*amounts)
        items.load("item-1")
        row = snapshot_of(database)
        versions.append(row and row["sequenceNumber"]["N"])

    assert versions == [None, "3", "3", "7"]


def test_a_snapshot_spares_the_events_below_it(
    stocks: EventStore, database: InMemoryDynamoDB, counting: CountingClient, fill: Fill
) -> None:
    """
    Another process reads the snapshot and what lies above it.
    """
    fill(*[1] * 200)
    repository(stocks, snapshots=SnapshotPolicy.every(100)).load("item-1")
    fill(2)
    items = repository(stocks, snapshots=SnapshotPolicy.every(100))
    counting.calls.clear()

    assert items.load("item-1") == Loaded(Stock(202, (199, 200, 201)), 201, "snapshot", 1)
    assert counting.calls == {"get_item": 1, "query": 1}
    row = snapshot_of(database)
    assert row is not None
    assert row["state"] == {"S": '{"quantity":200,"history":[198,199,200]}'}


def test_snapshots_by_age(stocks: EventStore, database: InMemoryDynamoDB, runtime: SteppedRuntime, fill: Fill) -> None:
    """
    The first load writes one; the next is written once that one is old and there are newer events.
    """
    items = repository(stocks, snapshots=SnapshotPolicy.older_than(60), cache=NO_CACHE)
    versions = []
    for seconds, amounts in ((0, (1,)), (59, (1,)), (1, (1,)), (100, ())):
        runtime.seconds += seconds
        if amounts:
            fill(*amounts)
        items.load("item-1")
        row = snapshot_of(database)
        versions.append(row and row["sequenceNumber"]["N"])

    assert versions == ["1", "1", "3", "3"]


def test_never_neither_reads_nor_writes_snapshots(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    One query is all.
    """
    fill(1)
    repository(stocks, snapshots=NEVER).load("item-1")
    assert counting.calls == {"query": 1}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("SET fold = :x", id="another fold"),
        pytest.param("SET epoch = :n", id="another epoch"),
        pytest.param("SET #state = :x", id="no JSON"),
        pytest.param("REMOVE takenAt", id="broken row"),
    ],
)
def test_snapshots_that_may_not_be_used_are_ignored(
    stocks: EventStore, database: InMemoryDynamoDB, fill: Fill, change: str
) -> None:
    """
    Of another fold or epoch, or unreadable: the events answer.
    """
    fill(1, 1, 1)
    repository(stocks, snapshots=SnapshotPolicy.every(3)).load("item-1")
    request: dict[str, Any] = {"UpdateExpression": change}
    if ":" in change:
        request["ExpressionAttributeValues"] = {":n": {"N": "2"}} if ":n" in change else {":x": {"S": "{other"}}
    if "#" in change:
        request["ExpressionAttributeNames"] = {"#state": "state"}
    database.client().update_item(TableName="inventory_snapshots", Key={"aggregateId": {"S": "item-1"}}, **request)
    items = repository(stocks, snapshots=SnapshotPolicy.every(3))

    assert items.load("item-1") == Loaded(Stock(3, (1, 2, 3)), 3, "events", 3)
    assert items.stats.snapshots_ignored == 1


def test_a_changed_fold_makes_its_own_snapshots(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    Raising the fold's version leaves the old snapshot aside and replaces it.
    """
    fill(1, 1, 1)
    repository(stocks, snapshots=SnapshotPolicy.every(3)).load("item-1")
    doubled = repository(
        stocks,
        snapshots=SnapshotPolicy.every(3),
        fold_version=2,
        fold_name="doubled",
        evolve=lambda stock, event: Stock(stock.quantity + 2 * event.data["by"]),
    )

    assert doubled.load("item-1").state.quantity == 6
    row = snapshot_of(database)
    assert row is not None
    assert row["fold"]["S"].endswith("@2")
    assert repository(stocks, snapshots=SnapshotPolicy.every(3)).load("item-1").state.quantity == 3


def test_an_older_snapshot_never_replaces_a_newer_one(
    stocks: EventStore, counting: CountingClient, database: InMemoryDynamoDB, fill: Fill
) -> None:
    """
    A slow process that writes last changes nothing.
    """
    fill(1, 1)
    quick = repository(EventStore.open(database.client()), snapshots=SnapshotPolicy.every(1))

    def overtake(request: dict[str, Any]) -> None:
        del counting.before["put_item"]
        fill(1)
        quick.load("item-1")

    counting.before["put_item"] = overtake
    slow = repository(stocks, snapshots=SnapshotPolicy.every(1))

    assert slow.load("item-1").version == 2
    assert slow.stats.snapshots_superseded == 1
    row = snapshot_of(database)
    assert row is not None
    assert row["sequenceNumber"] == {"N": "3"}


@pytest.mark.parametrize("call", ["put_item", "get_item"])
def test_a_snapshot_table_that_refuses_fails_no_load(
    stocks: EventStore, counting: CountingClient, fill: Fill, call: str
) -> None:
    """
    The events answer; one attempt is made and counted, and a state in memory does not ask again at once.
    """

    def refuse(request: dict[str, Any]) -> None:
        if request["TableName"] == "inventory_snapshots":
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, call)

    counting.before[call] = refuse
    fill(1, 1, 1)
    items = repository(stocks, snapshots=SnapshotPolicy.every(3))

    assert items.load("item-1").state.quantity == 3
    assert items.load("item-1").state.quantity == 3
    assert counting.calls[call] == 1
    assert (items.stats.snapshots_failed, items.stats.snapshots_unread) == ((1, 0) if call == "put_item" else (0, 1))


class Text(msgspec.Struct, frozen=True):
    text: str = ""


def test_states_too_large_for_a_row_are_counted(
    stocks: EventStore, counting: CountingClient, database: InMemoryDynamoDB, fill: Fill
) -> None:
    """
    Over 400 KB nothing is sent, the load works, and the count says so.
    """
    fill(1)
    items = Repository(
        stocks,
        aggregate_type="ITEM",
        initial=Text(),
        evolve=lambda _, event: Text("x" * 410_000),
        fold_name="long text",
        snapshots=SnapshotPolicy.every(1),
    )

    assert len(items.load("item-1").state.text) == 410_000
    assert items.stats.snapshots_too_large == 1
    assert counting.calls["put_item"] == 0


def test_states_that_do_not_come_back_equal_are_not_snapshotted(stocks: EventStore, fill: Fill) -> None:
    """
    A tuple would come back as a list: such a snapshot would answer otherwise than the events.
    """
    fill(1)
    items: Repository[Any] = Repository(
        stocks,
        aggregate_type="ITEM",
        initial=None,
        evolve=lambda _, event: Stock(1, (1,)),
        fold_name="one",
        snapshots=SnapshotPolicy.every(1),
    )
    named: Repository[Any] = Repository(
        stocks,
        aggregate_type="ITEM",
        initial=None,
        evolve=lambda _, event: Stock(1, (1,)),
        fold_name="one",
        snapshots=SnapshotPolicy.every(1),
        state_type=Stock | None,
    )

    assert items.load("item-1").state == named.load("item-1").state == Stock(1, (1,))
    assert (items.stats.snapshots_unencodable, items.stats.snapshots_written) == (1, 0)
    assert (named.stats.snapshots_unencodable, named.stats.snapshots_written) == (0, 1)


def test_states_that_can_be_changed_are_copied(stocks: EventStore, fill: Fill) -> None:
    """
    An evolve that changes its dict, or a caller that does, reaches neither memory nor other callers.
    """

    def count(state: dict[str, int], event: RecordedEvent) -> dict[str, int]:
        state["quantity"] = state.get("quantity", 0) + event.data["by"]
        return state

    initial: dict[str, int] = {}
    items: Repository[dict[str, int]] = Repository(stocks, aggregate_type="ITEM", initial=initial, evolve=count)
    fill(1)
    first = items.load("item-1")
    fill(1)
    second = items.load("item-1")
    second.state["quantity"] = 99

    assert (first.state, initial) == ({"quantity": 1}, {})
    assert items.load("item-1").state == {"quantity": 2}


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        ({"as_of_sequence": 0}, Loaded(Stock(), 0, "events", 0)),
        ({"as_of_sequence": 2}, Loaded(Stock(11, (1, 2)), 2, "events", 2)),
        ({"as_of_sequence": 4}, Loaded(Stock(1111, (2, 3, 4)), 4, "snapshot", 1)),
        ({"as_of_sequence": 99}, Loaded(Stock(1111, (2, 3, 4)), 4, "snapshot", 1)),
        ({"as_of_ms": 999}, Loaded(Stock(), 0, "events", 0)),
        ({"as_of_ms": 2500}, Loaded(Stock(11, (1, 2)), 2, "events", 2)),
        ({"as_of_ms": 3000}, Loaded(Stock(1111, (2, 3, 4)), 4, "events", 4)),
    ],
)
def test_states_of_the_past(stocks: EventStore, fill: Fill, as_of: dict[str, int], expected: Loaded[Stock]) -> None:
    """
    Up to a number, or right before the first event of a later time; a snapshot helps where it is older.
    """
    fill(1, 10, 100, timestamps_ms=(1000, 2000, 3000))
    repository(stocks, snapshots=SnapshotPolicy.every(3)).load("item-1")
    fill(1000, timestamps_ms=(2900,))  # a clock that runs behind

    assert repository(stocks, snapshots=SnapshotPolicy.every(3)).load("item-1", **as_of) == expected


def test_the_past_is_not_kept(stocks: EventStore, fill: Fill) -> None:
    """
    A look back does not turn memory back.
    """
    fill(1, 10)
    items = repository(stocks)
    items.load("item-1")
    items.load("item-1", as_of_sequence=1)
    assert items.load("item-1") == Loaded(Stock(11, (1, 2)), 2, "cache", 0)


@pytest.mark.parametrize("as_of", [{"as_of_sequence": -1}, {"as_of_ms": True}, {"as_of_sequence": 1, "as_of_ms": 1}])
def test_pasts_that_cannot_be_meant_are_refused(stocks: EventStore, as_of: dict[str, int]) -> None:
    """
    Below zero, no number, or both at once.
    """
    with pytest.raises(InvalidInputError):
        repository(stocks).load("item-1", **as_of)


def test_other_types_are_refused(stocks: EventStore, fill: Fill) -> None:
    """
    An id belongs to one type; folding another's events would make nonsense.
    """
    stocks.append(AggregateRef("ORDER", "item-1"), [NewEvent("PLACED", {})], expected_version=0)
    with pytest.raises(AggregateTypeError):
        repository(stocks).load("item-1")


def test_a_missing_event_is_an_error(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    A state that lacks an event would be wrong, so there is none.
    """
    fill(1, 1, 1)
    key = {"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "2"}}
    database.client().delete_item(TableName="inventory_events", Key=key)
    with pytest.raises(CorruptRowError, match=r"item-1/2 .*is missing"):
        repository(stocks).load("item-1")


def test_snapshots_of_a_restored_store_start_anew(stocks: EventStore, database: InMemoryDynamoDB, fill: Fill) -> None:
    """
    After the epoch was raised, snapshots from before are ignored and replaced, also where their numbers are higher.
    """
    for _ in range(3):
        fill(1)
    repository(stocks, snapshots=SnapshotPolicy.every(1)).load("item-1")
    client = database.client()
    client.delete_item(
        TableName="inventory_events",
        Key={"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "3"}},
    )
    client.update_item(
        TableName="inventory_relay",
        Key={"recordType": {"S": "store"}, "recordKey": {"S": "settings"}},
        UpdateExpression="SET epoch = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
    )
    items = repository(EventStore.open(client), snapshots=SnapshotPolicy.every(1))

    assert items.load("item-1").version == 2
    row = snapshot_of(database)
    assert row is not None
    assert (row["sequenceNumber"], row["epoch"]) == ({"N": "2"}, {"N": "2"})
