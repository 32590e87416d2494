"""The aggregates of a store: each once, with its type, from the keys of an index alone."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    CorruptRowError,
    EventStore,
    IndexMissingError,
    InvalidInputError,
    NewEvent,
    TableNames,
    init_tables,
)
from eventstore.dynamodb import tables
from eventstore.limits import STORE_RECORD_FRESH_SECONDS
from eventstore.testing import InMemoryDynamoDB, InMemoryEventStore, ManualRuntime, in_memory_store

ITEMS = [AggregateRef("ITEM", name) for name in ("a#1", "ü\x00", "b", "c")]
ORDERS = [AggregateRef("ORDER", name) for name in ("x", "y")]


@pytest.fixture
def store() -> InMemoryEventStore[ManualRuntime]:
    made = in_memory_store()
    for number, aggregate in enumerate(ITEMS + ORDERS):
        made.append(aggregate, [NewEvent("COUNTED", {})] * (19 * number + 1), expected_version=0)
        made.append(aggregate, [NewEvent("COUNTED", {})], expected_version=19 * number + 1)
    return made


def in_order(found: Iterable[AggregateRef]) -> list[tuple[str, str]]:
    return sorted((each.type, each.id) for each in found)


class Limited:
    """A client whose Scans and Queries look at few rows at a time; counts calls."""

    def __init__(self, inner: Any, rows: int) -> None:
        self._inner, self._rows = inner, rows
        self.calls: Counter[str] = Counter()
        self.asked: list[dict[str, Any]] = []

    def scan(self, **request: Any) -> Any:
        self.calls["scan"] += 1
        self.asked.append(request)
        return self._inner.scan(**request, Limit=self._rows)

    def query(self, **request: Any) -> Any:
        self.calls["query"] += 1
        self.asked.append(request)
        return self._inner.query(**request, Limit=self._rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("rows", [1, 7, 10_000])
def test_each_aggregate_comes_once(store: InMemoryEventStore[Any], rows: int) -> None:
    """
    However many events it has, and however the pages cut these.
    """
    reader = EventStore.open(Limited(store.database.client(), rows))  # type: ignore[arg-type]

    assert in_order(reader.aggregates()) == in_order(ITEMS + ORDERS)
    assert in_order(reader.aggregates("ITEM")) == in_order(ITEMS)
    assert in_order(reader.aggregates("ORDER")) == in_order(ORDERS)
    assert in_order(reader.aggregates("NEVER")) == []


def test_no_event_is_read(store: InMemoryEventStore[Any]) -> None:
    """
    A Scan of the index, or a Query per write shard, when it is used and not before.
    """
    client = Limited(store.database.client(), 10_000)
    reader = EventStore.open(client)  # type: ignore[arg-type]

    found = reader.aggregates("ITEM")
    assert client.calls == {}
    list(found)
    list(reader.aggregates())

    assert client.calls == {"query": 4, "scan": 1}
    assert {each["IndexName"] for each in client.asked} == {"AggregateTypeIndex"}


def test_what_it_gives_can_be_loaded(store: InMemoryEventStore[Any]) -> None:
    """
    It is a reference, which reads take and check.
    """
    assert sum(len(store.load(each)) for each in store.aggregates("ORDER")) == (19 * 4 + 2) + (19 * 5 + 2)


@pytest.mark.parametrize("kind", ["", 7, "\ud800"])
def test_a_type_that_cannot_be_is_refused_by_the_call(store: InMemoryEventStore[Any], kind: Any) -> None:
    """
    The error names the argument.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.aggregates(kind)

    assert caught.value.field == "aggregate_type"


def test_new_write_shards_are_asked_within_half_a_minute(store: InMemoryEventStore[ManualRuntime]) -> None:
    """
    An operator may raise their number while the store is open.
    """
    client = store.database.client()
    client.update_item(
        TableName="inventory_relay",
        Key={"recordType": {"S": "store"}, "recordKey": {"S": "settings"}},
        UpdateExpression="SET indexShards = :shards",
        ExpressionAttributeValues={":shards": {"N": "64"}},
    )
    writer = EventStore.open(client)
    new = [AggregateRef("NEW", f"n-{number}") for number in range(9)]
    for each in new:
        writer.append(each, [NewEvent("COUNTED", {})], expected_version=0)
    store.clock.advance(STORE_RECORD_FRESH_SECONDS + 1)

    assert in_order(store.aggregates("NEW")) == in_order(new)


def test_a_table_without_the_index_says_so() -> None:
    """
    With a type and without.
    """
    client = InMemoryDynamoDB().client()
    for request in tables.create_requests(tables.load_template(), TableNames()):
        request.pop("GlobalSecondaryIndexes", None)
        used = {key["AttributeName"] for key in request["KeySchema"]}
        request["AttributeDefinitions"] = [
            each for each in request["AttributeDefinitions"] if each["AttributeName"] in used
        ]
        client.create_table(**request)
    init_tables(client, protect=False)
    store = EventStore.open(client)

    for kind in ("ITEM", None):
        with pytest.raises(IndexMissingError) as caught:
            list(store.aggregates(kind))
        assert caught.value.index == "AggregateTypeIndex"


def test_an_index_key_that_is_none_of_ours_is_named(store: InMemoryEventStore[Any]) -> None:
    """
    Somebody wrote past the library.
    """
    store.database.client().update_item(
        TableName="inventory_events",
        Key={"aggregateId": {"S": "b"}, "sequenceNumber": {"N": "1"}},
        UpdateExpression="SET aggregateTypeShard = :key",
        ExpressionAttributeValues={":key": {"S": "ITEM"}},
    )

    with pytest.raises(CorruptRowError, match="row b/1 of inventory_events: attribute 'aggregateTypeShard'"):
        list(store.aggregates())
