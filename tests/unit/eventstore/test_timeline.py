"""Reads over many aggregates: merged in one order, lazily, with bounded memory and countable requests."""

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any
from zlib import crc32

import pytest

from eventstore import (
    AggregateRef,
    Backoff,
    ByAggregateType,
    ByTime,
    ByType,
    CorruptRowError,
    EventStore,
    IndexMissingError,
    InvalidInputError,
    InvalidTokenError,
    LimitExceededError,
    NewEvent,
    StoreOptions,
    TableNames,
    ThrottledError,
    init_tables,
)
from eventstore.dynamodb import tables
from eventstore.dynamodb.store_record import StoreRecord
from eventstore.testing import InMemoryDynamoDB
from eventstore.timeline import partition_reader
from eventstore.timeline.query import DAY_MS

from .worlds import TurnedRuntime, Watched, append, keys

DAY = 1_700_006_400_000
"""2023-11-15 00:00 UTC."""


@pytest.fixture
def watched(database: InMemoryDynamoDB) -> Watched:
    return Watched(database.client())


@pytest.fixture
def store(watched: Watched) -> EventStore:
    options = StoreOptions(read_backoff=Backoff(attempts_max=3, base_seconds=0.0, cap_seconds=0.0))
    return EventStore.open(watched, options=options, runtime=TurnedRuntime(DAY))  # type: ignore[arg-type]


def test_events_of_a_type_come_in_order_of_time(store: EventStore) -> None:
    """
    Over all aggregates and write shards; other types are left out.
    """
    append(store, "b", DAY + 3, DAY + 9)
    append(store, "a", DAY + 5, DAY + 1)
    append(store, "c", DAY + 4, kind="OTHER")

    assert keys(store.read_type("COUNTED")) == [("a", 2), ("b", 1), ("a", 1), ("b", 2)]
    assert keys(store.read_type("COUNTED", backwards=True, limit=3)) == [("b", 2), ("a", 1), ("b", 1)]
    assert keys(store.read_type("COUNTED", from_ms=DAY + 3, until_ms=DAY + 9)) == [("b", 1), ("a", 1)]
    assert keys(store.read_type("NEVER")) == []


def test_events_of_an_aggregate_type_come_in_order_of_time(store: EventStore) -> None:
    """
    Whatever their own types are.
    """
    append(store, "b", DAY + 3, kind="X")
    append(store, "a", DAY + 1, DAY + 5, kind="Y")
    append(store, "c", DAY + 2, of="ORDER")

    assert keys(store.read_aggregate_type("ITEM")) == [("a", 1), ("b", 1), ("a", 2)]


def test_events_of_one_moment_come_by_aggregate_and_number(store: EventStore) -> None:
    """
    A commit with one time for all of its events keeps its order.
    """
    append(store, "b", *[DAY] * 12)
    append(store, "a", *[DAY] * 3)

    expected = [*(("a", number) for number in range(1, 4)), *(("b", number) for number in range(1, 13))]
    assert keys(store.read_between(DAY, DAY + 1)) == expected
    assert keys(store.read_between(DAY, DAY + 1, backwards=True)) == expected[::-1]


class Whimsical(Watched):
    """Answers Queries of indexes with equal timestamps in an order of its own, as DynamoDB may."""

    def query(self, **request: Any) -> Any:
        reply = super().query(**request)
        if "IndexName" in request:
            assert "LastEvaluatedKey" not in reply, "the whim needs all of a moment in one reply"
            sign = 1 if request["ScanIndexForward"] else -1
            reply["Items"].sort(key=lambda item: (sign * int(item["timestamp"]["N"]), crc32(repr(item).encode())))
        return reply


@pytest.mark.parametrize("room", [1_000, 7])
def test_the_order_does_not_depend_on_the_index(
    store: EventStore, database: InMemoryDynamoDB, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """
    An index promises nothing about entries of one timestamp; reads do, within and beyond what is sorted in memory.
    """
    append(store, "b", DAY - 1, *[DAY] * 60)
    append(store, "a", *[DAY] * 60, DAY + 1)
    monkeypatch.setattr(partition_reader, "RUN_MAX_PLACES", room)
    whimsical = EventStore.open(Whimsical(database.client()))  # type: ignore[arg-type]
    expected = [("b", 1), *(("a", n) for n in range(1, 61)), *(("b", n) for n in range(2, 62)), ("a", 61)]

    assert keys(whimsical.read_type("COUNTED")) == expected
    assert keys(whimsical.read_type("COUNTED", backwards=True)) == expected[::-1]
    assert keys(paged(whimsical, ByType("COUNTED"), 100)) == expected


def test_days_follow_one_another(store: EventStore, watched: Watched) -> None:
    """
    A range is read over midnights and over days without events, at one request per write shard and day.
    """
    append(store, "a", DAY - 1, DAY, DAY + 3 * DAY_MS)
    watched.calls.clear()

    assert keys(store.read_between(DAY - 1, DAY + 3 * DAY_MS + 1)) == [("a", 1), ("a", 2), ("a", 3)]
    assert watched.calls == {"query": 5 * 4, "batch_get_item": 1}


def test_nothing_is_read_before_it_is_needed(store: EventStore, watched: Watched) -> None:
    """
    The first event of a year costs the requests of its day.
    """
    append(store, "a", *(DAY + day * DAY_MS for day in range(50)))
    append(store, "b", *(DAY + number for number in range(98)))
    append(store, "c", *(DAY + number for number in range(98)))
    watched.calls.clear()

    events = store.read_between(DAY, DAY + 365 * DAY_MS)
    assert watched.calls == {}
    assert keys(islice(events, 1)) == [("a", 1)]
    assert watched.calls == {"query": 4, "batch_get_item": 1}


def test_a_limit_asks_for_no_more_than_it_needs(store: EventStore, watched: Watched) -> None:
    """
    One entry more than the limit shows that the last moment is complete.
    """
    append(store, "a", *range(DAY, DAY + 50))
    watched.asked.clear()

    assert len(list(store.read_type("COUNTED", limit=5))) == 5
    assert {request["Limit"] for request in watched.asked} == {6}


@pytest.mark.parametrize("seed", range(6))
def test_any_history_is_merged_into_one_order(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With any number of shards, pages of any size and many events of one moment, reads and pages give the same.
    """
    chance = random.Random(seed)
    client, names = InMemoryDynamoDB().client(), TableNames("t")
    tables.init(client, names, index_shards=chance.choice([1, 3, 4]))
    store = EventStore.open(client, names)
    monkeypatch.setattr(partition_reader, "PAGE_MAX_PLACES", chance.choice([2, 3, 7]))
    monkeypatch.setattr(partition_reader, "RUN_MAX_PLACES", chance.choice([2, 3, 7]))
    for _ in range(12):
        times = [DAY + chance.choice([0, 0, 1, 5, DAY_MS, 2 * DAY_MS + 7]) for _ in range(chance.randint(1, 6))]
        append(store, f"aggregate-{chance.randint(1, 4)}", *times)
    everything = [
        (event.timestamp_ms, event.aggregate_id, event.sequence_number)
        for number in range(1, 5)
        for event in store.load(f"aggregate-{number}")
    ]
    low, high = DAY + chance.choice([0, 1]), DAY + chance.choice([DAY_MS, 3 * DAY_MS])
    for backwards in (False, True):
        expected = sorted((each for each in everything if low <= each[0] < high), reverse=backwards)
        for query, read in (
            (ByTime(low, high, backwards), store.read_between(low, high, backwards=backwards)),
            (
                ByType("COUNTED", low, high, backwards),
                store.read_type("COUNTED", from_ms=low, until_ms=high, backwards=backwards),
            ),
        ):
            found = [(each.timestamp_ms, each.aggregate_id, each.sequence_number) for each in read]
            assert found == expected
            assert keys(paged(store, query, chance.randint(1, 9))) == [each[1:] for each in expected]


def paged(store: EventStore, query: Any, size: int) -> Iterator[Any]:
    """Yield a query's events page by page."""
    token: str | None = None
    while True:
        page = store.read_page(query, size=size, token=token)
        yield from page.events
        token = page.token
        if token is None:
            return
        assert len(page.events) == size


def test_pages_end_exactly(store: EventStore) -> None:
    """
    Where the events end with a page, that page is the last.
    """
    append(store, "a", DAY, DAY + 1, DAY + 2, DAY + 3)
    query = ByAggregateType("ITEM")

    first = store.read_page(query, size=2)
    second = store.read_page(query, size=2, token=first.token)

    assert keys(first.events) == [("a", 1), ("a", 2)]
    assert keys(second.events) == [("a", 3), ("a", 4)]
    assert second.token is None
    assert store.read_page(ByType("NEVER")) == type(first)((), None)


def test_events_added_meanwhile_move_no_page(store: EventStore) -> None:
    """
    None is given twice; what is behind the page's end comes, what is before it does not.
    """
    append(store, "b", DAY + 10, DAY + 20, DAY + 30)
    query = ByTime(DAY, DAY + DAY_MS)
    first = store.read_page(query, size=2)

    append(store, "a", DAY + 5, DAY + 20, DAY + 25)
    append(store, "c", DAY + 20)

    assert keys(first.events) == [("b", 1), ("b", 2)]
    assert keys(store.read_page(query, token=first.token).events) == [("c", 1), ("a", 3), ("b", 3)]


def test_a_token_outlives_more_write_shards(database: InMemoryDynamoDB) -> None:
    """
    It holds a place among events, nothing of the index.
    """
    client, names = database.client(), TableNames()
    store = EventStore.open(client)
    append(store, "a", *range(DAY, DAY + 10))
    query = ByType("COUNTED")
    token = store.read_page(query, size=4).token
    record = {"recordType": {"S": "store"}, "recordKey": {"S": "settings"}}
    client.put_item(TableName=names.relay, Item={**record, "epoch": {"N": "1"}, "indexShards": {"N": "7"}})
    wider = EventStore.open(client)
    append(wider, "a", DAY + 10)

    assert wider.context.record == StoreRecord(1, 7)
    assert keys(wider.read_page(query, token=token).events) == [("a", number) for number in range(5, 12)]


def test_a_token_of_another_query_is_refused(store: EventStore) -> None:
    """
    Before anything is asked.
    """
    append(store, "a", DAY, DAY + 1)
    token = store.read_page(ByType("COUNTED"), size=1).token

    with pytest.raises(InvalidTokenError, match="another query"):
        store.read_page(ByType("OTHER"), token=token)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, 1_001])
def test_a_page_has_a_sensible_size(store: EventStore, size: Any) -> None:
    """
    1 to 1,000 events.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.read_page(ByType("COUNTED"), size=size)

    assert caught.value.field == "size"


def test_bad_arguments_are_refused_by_the_call_itself(store: EventStore) -> None:
    """
    Not by the first step of the iterator.
    """
    with pytest.raises(InvalidInputError, match="reversed"):
        store.read_type("COUNTED", from_ms=5, until_ms=4)
    with pytest.raises(InvalidInputError, match="at least one"):
        store.read_aggregate_type("ITEM", limit=0)
    with pytest.raises(LimitExceededError, match="days"):
        store.read_between(0, DAY)


def test_bodies_that_come_in_parts_and_out_of_order_are_put_in_order(store: EventStore, watched: Watched) -> None:
    """
    BatchGetItem promises neither order nor completeness.
    """
    append(store, "a", *range(DAY, DAY + 30))
    watched.batch_max = 7
    watched.calls.clear()

    assert keys(store.read_type("COUNTED")) == [("a", number) for number in range(1, 31)]
    assert watched.calls["batch_get_item"] == 5


def test_bodies_that_never_come_are_an_error(store: EventStore, watched: Watched) -> None:
    """
    After as many attempts in vain as reads have.
    """
    append(store, "a", DAY)
    watched.inner = NothingRead(watched.inner)
    watched.calls.clear()

    with pytest.raises(ThrottledError):
        list(store.read_type("COUNTED"))
    assert watched.calls["batch_get_item"] == 3


class NothingRead:
    """A client that leaves all keys of a batch unread."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def batch_get_item(self, **request: Any) -> Any:
        ((table, wanted),) = request["RequestItems"].items()
        return {"Responses": {table: []}, "UnprocessedKeys": {table: wanted}}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_corrupt_row_does_not_hide_its_neighbours(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    Neither a row without a payload, nor an index entry that has no whole timestamp.
    """
    append(store, "a", DAY, DAY + 1, DAY + 2, DAY + 3)
    client = database.client()
    for number, change in ((2, "REMOVE eventData"), (3, "SET #time = :time")):
        client.update_item(
            TableName="inventory_events",
            Key={"aggregateId": {"S": "a"}, "sequenceNumber": {"N": str(number)}},
            UpdateExpression=change,
            **({"ExpressionAttributeNames": {"#time": "timestamp"}} if number == 3 else {}),
            **({"ExpressionAttributeValues": {":time": {"N": f"{DAY}.5"}}} if number == 3 else {}),
        )
    told: list[CorruptRowError] = []

    assert keys(store.read_type("COUNTED", on_corrupt=told.append)) == [("a", 1), ("a", 4)]
    assert sorted(error.field for error in told) == ["eventData", "timestamp"]
    assert keys(store.read_page(ByType("COUNTED"), size=3, on_corrupt=told.append).events) == [("a", 1), ("a", 4)]
    with pytest.raises(CorruptRowError):
        list(store.read_type("COUNTED"))


def test_a_table_without_the_index_says_which(database: InMemoryDynamoDB) -> None:
    """
    An index may be left out; the reads that need it say so, and the others go on.
    """
    client = InMemoryDynamoDB().client()
    for request in tables.create_requests(tables.load_template(), TableNames()):
        request.pop("GlobalSecondaryIndexes", None)
        used = {key["AttributeName"] for key in request["KeySchema"]}
        request["AttributeDefinitions"] = [
            each for each in request["AttributeDefinitions"] if each["AttributeName"] in used
        ]
        client.create_table(**request)
    init_tables(client)
    store = EventStore.open(client)
    append(store, "a", DAY)

    assert keys(store.read("a")) == [("a", 1)]
    with pytest.raises(IndexMissingError) as caught:
        list(store.read_type("COUNTED"))
    assert (caught.value.table, caught.value.index) == ("inventory_events", "EventTypeIndex")


def test_latest_of_a_day_are_its_newest_events(store: EventStore) -> None:
    """
    Oldest first, and only of that day.
    """
    append(store, "a", DAY - 1, DAY, DAY + 5, DAY + DAY_MS)
    append(store, "b", DAY + 4)

    assert keys(store.latest_of_day("2023-11-15", limit=2)) == [("b", 1), ("a", 3)]
    assert keys(store.latest_of_day("2023-11-15", limit=9, since_ms=DAY + 5)) == [("a", 3)]
    assert keys(store.latest_of_day("2023-11-15", limit=9, since_ms=DAY + 9 * DAY_MS)) == []
    with pytest.raises(InvalidInputError, match="not a day"):
        store.latest_of_day("15.11.2023", limit=2)


def test_names_of_aggregates_do_not_matter(store: EventStore) -> None:
    """
    Ids that look like index keys or hold anything are read like all others.
    """
    for aggregate_id in ("x#1", "ü\x00", "a/b", " "):
        store.append(
            AggregateRef("ITEM", aggregate_id), [NewEvent("COUNTED", {}, timestamp_ms=DAY)], expected_version=0
        )

    assert sorted(keys(store.read_between(DAY, DAY + 1))) == [(" ", 1), ("a/b", 1), ("x#1", 1), ("ü\x00", 1)]
