"""
Rows that others wrote: numbered between the numbers, or nested without measure. They are corrupt rows, not defects.
"""

from typing import Any

import pytest

from eventstore import ANY, CorruptRowError, EventStore, FindingKind
from eventstore.testing import InMemoryDynamoDB

from .conftest import ITEM, event


@pytest.fixture
def filled(store: EventStore) -> EventStore:
    store.append(ITEM, [event(1), event(2), event(3)], expected_version=0)
    return store


def put_copy(database: InMemoryDynamoDB, number: str, **changes: Any) -> None:
    """Put a row like that of event 2, with another number."""
    client = database.client()
    key = {"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "2"}}
    row = client.get_item(TableName="inventory_events", Key=key)["Item"]
    client.put_item(
        TableName="inventory_events",
        Item={**row, "sequenceNumber": {"N": number}, "eventId": {"S": f"id of {number}"}, **changes},
    )


@pytest.mark.parametrize("number", ["1.5", "0.5", "3.5", "2.000001"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_row_between_the_numbers_is_a_corrupt_row(
    filled: EventStore,
    database: InMemoryDynamoDB,
    number: str,
    backwards: bool,  # noqa: FBT001
) -> None:
    """
    Whoever reads over it is told once, by its key, and gets its neighbours; without `on_corrupt` it is raised.
    """
    put_copy(database, number)
    told: list[CorruptRowError] = []

    found = [each.sequence_number for each in filled.read(ITEM, after=0, backwards=backwards, on_corrupt=told.append)]

    is_in_range = number != "0.5"
    assert sorted(found) == [1, 2, 3]
    assert [error.key for error in told] == [f"item-1/{number}"] * is_in_range
    if is_in_range:
        with pytest.raises(CorruptRowError, match="not a whole number"):
            list(filled.read(ITEM, backwards=backwards))


def test_the_version_of_a_history_that_ends_between_the_numbers(filled: EventStore, database: InMemoryDynamoDB) -> None:
    """
    It is not guessed: asking for it, and appending at whatever it is, name the row. With a number nothing is read.
    """
    put_copy(database, "3.5")

    with pytest.raises(CorruptRowError, match=r"item-1/3\.5"):
        filled.current_version(ITEM)
    with pytest.raises(CorruptRowError, match=r"item-1/3\.5"):
        filled.append(ITEM, [event()], expected_version=ANY)
    assert filled.append(ITEM, [event()], expected_version=3).version == 4


@pytest.mark.parametrize("number", ["0", "-1", "1.5"])
def test_numbers_that_no_event_can_have(filled: EventStore, database: InMemoryDynamoDB, number: str) -> None:
    """
    Reads over many aggregates and the verification name them too.
    """
    put_copy(database, number)
    told: list[CorruptRowError] = []

    assert sorted(each.sequence_number for each in filled.read_type("COUNTED", on_corrupt=told.append)) == [1, 2, 3]
    assert [error.key for error in told] == [f"item-1/{number}"]
    assert [finding.kind for finding in filled.verify()] == [FindingKind.CORRUPT_ROW]


NESTED = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize("attribute", ["eventData", "metadata"])
@pytest.mark.parametrize("text", [NESTED, '{"a":' * 1_200 + "1" + "}" * 1_200, "1" + "0" * 5_000 + "e999999999"])
def test_text_without_measure_is_a_finding(
    filled: EventStore, database: InMemoryDynamoDB, attribute: str, text: str
) -> None:
    """
    A verification survives it, in the whole store, in one aggregate and since a time, and reports its neighbours.
    """
    since_ms = filled.load(ITEM)[0].timestamp_ms
    put_copy(database, "2", **{attribute: {"S": text}})
    put_copy(database, "9")

    for found in (filled.verify(), filled.verify("item-1"), filled.verify(since_ms=since_ms)):
        kinds = {(finding.kind, finding.number) for finding in found}
        assert (FindingKind.CORRUPT_ROW, 2) in kinds
        assert (FindingKind.HOLE, 4) in kinds


def test_an_outbox_row_without_measure_is_a_finding(filled: EventStore, database: InMemoryDynamoDB) -> None:
    """
    What an outbox row carries may be nested without measure as well.
    """
    client = database.client()
    (row,) = client.scan(TableName="inventory_outbox")["Items"]
    client.put_item(TableName="inventory_outbox", Item={**row, "events": {"S": NESTED}})

    assert [(finding.kind, finding.number) for finding in filled.verify()] == [(FindingKind.CORRUPT_ROW, 3)]
