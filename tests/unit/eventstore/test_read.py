"""Reads of one aggregate: ranges, and an aggregate that is named with its type."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import AggregateRef, AggregateTypeError, CorruptRowError, EventStore, InvalidInputError, NewerRowError
from eventstore.testing import InMemoryDynamoDB

from .conftest import ITEM, event

OTHER = AggregateRef("ORDER", "item-1")


@pytest.fixture
def filled(store: EventStore) -> EventStore:
    """Return a store with an aggregate of five events."""
    store.append(ITEM, [event(number) for number in range(1, 6)], expected_version=0)
    return store


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"after": 2}, [3, 4, 5]),
        ({"after": 1, "until": 3}, [2, 3]),
        ({"after": 3, "until": 3}, []),
        ({"after": 10**15}, []),
        ({"backwards": True, "limit": 2}, [5, 4]),
        ({"until": 4, "backwards": True}, [4, 3, 2, 1]),
        ({"limit": 3, "consistent": False}, [1, 2, 3]),
    ],
)
def test_a_range_is_read(filled: EventStore, arguments: dict[str, Any], expected: list[int]) -> None:
    """
    `after` is left out, `until` is included, and `backwards` turns the order round.
    """
    assert [found.sequence_number for found in filled.read("item-1", **arguments)] == expected


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"after": 3, "until": 2}, "until"),
        ({"after": -1}, "after"),
        ({"after": None}, "after"),
        ({"after": "1"}, "after"),
        ({"until": 2.0}, "until"),
        ({"limit": 0}, "limit"),
        ({"limit": True}, "limit"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused_at_once(store: EventStore, arguments: Any, field: str) -> None:
    """
    The call itself raises, not the first step of the iterator, and names the argument.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.read("item-1", **arguments)

    assert caught.value.field == field


def test_an_aggregate_may_be_named_with_its_type(filled: EventStore) -> None:
    """
    The same events by id and by reference.
    """
    assert list(filled.read(ITEM)) == list(filled.read("item-1"))
    assert filled.load(ITEM) == filled.load("item-1")
    assert filled.current_version(ITEM) == 5
    assert filled.current_version(AggregateRef("ITEM", "nobody")) == 0


@pytest.mark.parametrize(
    "read",
    [
        lambda store: list(store.read(OTHER)),
        lambda store: store.load(OTHER),
        lambda store: store.current_version(OTHER),
    ],
)
def test_an_aggregate_of_another_type_is_said_to_be_one(filled: EventStore, read: Callable[[EventStore], Any]) -> None:
    """
    Whoever expects an order finds out that the id is an item's.
    """
    with pytest.raises(AggregateTypeError) as caught:
        read(filled)

    assert (caught.value.expected, caught.value.actual) == ("ORDER", "ITEM")


def test_a_corrupt_row_does_not_hide_its_neighbours(filled: EventStore, database: InMemoryDynamoDB) -> None:
    """
    Whoever asks to be told reads the rest; also when the row has lost its type.
    """
    key = {"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "3"}}
    database.client().put_item(TableName="inventory_events", Item=key)
    told: list[CorruptRowError] = []

    found = [each.sequence_number for each in filled.read(ITEM, on_corrupt=told.append)]

    assert found == [1, 2, 4, 5]
    assert [error.key for error in told] == ["item-1/3"]
    with pytest.raises(CorruptRowError):
        list(filled.read(ITEM))


def test_an_event_of_a_later_release_says_upgrade(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    The row is sound, so it must not be taken for a broken one, nor be passed over unasked.
    """
    store.append(ITEM, [event(1), event(2)], expected_version=0)
    client = database.client()
    key = {"aggregateId": {"S": ITEM.id}, "sequenceNumber": {"N": "2"}}
    item = client.get_item(TableName="inventory_events", Key=key)["Item"]
    client.put_item(TableName="inventory_events", Item={**item, "layout": {"N": "2"}})

    with pytest.raises(NewerRowError, match="upgrade it") as caught:
        store.load(ITEM.id)

    assert (caught.value.table, caught.value.layout, caught.value.known) == ("inventory_events", 2, 1)
