"""Counts of a store: by type, aggregate type and day, with sizes as DynamoDB counts them."""

import pytest

from eventstore import EventCount, EventStore
from eventstore.rows.item import item_size
from eventstore.testing import InMemoryDynamoDB
from eventstore.timeline.query import DAY_MS
from eventstore.verify import counts
from eventstore.verify.verifier import WalkProgress

from .worlds import append

DAY = 1_700_006_400_000
"""2023-11-15 00:00 UTC."""


def test_a_store_is_counted(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    Types come with most events first, days in their order.
    """
    append(store, "a", DAY + DAY_MS, DAY, kind="B")
    append(store, "a", DAY, kind="A")
    append(store, "b", DAY, kind="B", of="ORDER")
    sizes = [item_size(row) for row in database.client().scan(TableName="inventory_events")["Items"]]

    found = store.stats()

    assert found.total == EventCount(4, sum(sizes))
    assert found.largest_bytes == max(sizes)
    assert [(name, count.events) for name, count in found.by_type.items()] == [("B", 3), ("A", 1)]
    assert [(name, count.events) for name, count in found.by_aggregate_type.items()] == [("ITEM", 3), ("ORDER", 1)]
    assert [(day, count.events) for day, count in found.by_day.items()] == [("2023-11-15", 3), ("2023-11-16", 1)]
    assert sum(count.size_bytes for count in found.by_day.values()) == sum(sizes)
    assert (found.aggregates, found.commits, found.outbox_rows, found.idempotency_rows) == (2, 3, 3, 0)
    assert found.corrupt_rows == 0


def test_an_empty_store_is_counted(store: EventStore) -> None:
    """
    Nothing is nothing.
    """
    assert store.stats().total == EventCount(0, 0)


def test_a_corrupt_row_is_counted_as_one(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    In the total, and nowhere else; whatever kinds of values it holds.
    """
    append(store, "a", DAY)
    key = {"aggregateId": {"S": "z"}, "sequenceNumber": {"N": "1"}}
    more = {"numbers": {"NS": ["1", "22"]}, "bytes": {"BS": [b"ab"]}}
    database.client().put_item(TableName="inventory_events", Item={**key, **more})

    found = store.stats()

    assert (found.total.events, found.corrupt_rows, found.aggregates) == (2, 1, 2)
    assert sum(count.events for count in found.by_type.values()) == 1


def test_names_are_counted_within_a_bound(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What has more types than anybody can read is summed up.
    """
    monkeypatch.setattr(counts, "NAMES_MAX", 2)
    for number in range(5):
        append(store, "a", DAY, kind=f"KIND_{number}")

    found = {name: count.events for name, count in store.stats().by_type.items()}

    assert found == {"(others)": 3, "KIND_0": 1, "KIND_1": 1}


def test_progress_is_told(store: EventStore) -> None:
    """
    After each page, and at the end.
    """
    append(store, "a", DAY, DAY)
    told: list[WalkProgress] = []
    store.stats(progress=told.append)

    assert told == [WalkProgress(2, 1, 0), WalkProgress(2, 1, 1)]
