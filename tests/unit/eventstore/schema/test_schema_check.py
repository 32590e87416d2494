"""The schema check finds what a program cannot read, before somebody meets it."""

from typing import Any

import msgspec
import pytest

from eventstore import EventStore, EventTypes, InvalidInputError, NewEvent, SchemaFinding
from eventstore.testing import InMemoryDynamoDB
from tests.unit.eventstore.conftest import ITEM


class Counted(msgspec.Struct):
    number: int


def seen(findings: tuple[SchemaFinding, ...]) -> list[tuple[Any, ...]]:
    return [(each.kind, each.event_type, each.schema_version, each.stored, each.is_error) for each in findings]


def test_gaps_and_missing_classes_are_found_without_a_store(database: InMemoryDynamoDB) -> None:
    """
    The registry alone shows what its chains lack; types without a class are a note.
    """
    events = EventTypes()
    events.add_class(Counted, "COUNTED", 4)
    events.add_upcaster(dict, "COUNTED", 1)
    events.add_plain("MOVED")

    report = EventStore.open(database.client(), events=events).schema_check(scan=False)

    assert seen(report.findings) == [
        ("gap", "COUNTED", 1, None, True),
        ("gap", "COUNTED", 2, None, True),
        ("no_class", "MOVED", 1, None, False),
    ]
    assert (
        report.findings[0].message
        == "no upcaster leads from 'COUNTED' version 2 towards 4; register `upcaster('COUNTED', 2)`"
    )
    assert not report.ok
    assert report.stored == {}


def test_what_the_store_holds_is_counted_and_tried(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    Unknown types and versions are named with their number and an example; an event of each kind is read on trial.
    """
    stored = [
        NewEvent("COUNTED", {"number": 1}, schema_version=2),
        NewEvent("COUNTED", {"number": "x"}, schema_version=1),
        NewEvent("COUNTED", {"number": 1}, schema_version=3),
        NewEvent("TYPO", {}),
        NewEvent("TYPO", {}),
    ]
    store.append(ITEM, stored, expected_version=0)
    events = EventTypes()
    events.add_class(Counted, "COUNTED", 2)
    events.add_upcaster(lambda data: data, "COUNTED", 1)
    told: list[int] = []

    report = EventStore.open(database.client(), events=events).schema_check(on_scanned=told.append)

    assert seen(report.findings) == [
        ("unreadable", "COUNTED", 1, 1, True),
        ("unknown_version", "COUNTED", 3, 1, True),
        ("unknown_type", "TYPO", 1, 2, False),
    ]
    assert "does not fit Counted" in report.findings[0].message
    assert report.findings[0].example == "item-1/2"
    assert report.stored == {("COUNTED", 1): 1, ("COUNTED", 2): 1, ("COUNTED", 3): 1, ("TYPO", 1): 2}
    assert told == [5]


def test_strict_makes_unknown_kinds_errors(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    What strict reading refuses is an error.
    """
    store.append(ITEM, [NewEvent("TYPO", {})], expected_version=0)

    report = EventStore.open(database.client(), events=EventTypes(strict=True)).schema_check()

    assert seen(report.findings) == [("unknown_type", "TYPO", 1, 1, True)]


def test_a_store_that_can_be_read_has_no_findings(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    All is well: no errors, no notes.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"number": 1})], expected_version=0)
    events = EventTypes()
    events.add_class(Counted, "COUNTED")

    report = EventStore.open(database.client(), events=events).schema_check()

    assert (report.findings, report.ok) == ((), True)


def test_broken_rows_are_findings(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    A row without a readable version is named, and the others are counted.
    """
    store.append(ITEM, [NewEvent("COUNTED", {}), NewEvent("COUNTED", {})], expected_version=0)
    database.client().update_item(
        TableName="inventory_events",
        Key={"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "2"}},
        UpdateExpression="REMOVE #version",
        ExpressionAttributeNames={"#version": "version"},
    )
    events = EventTypes()
    events.add_class(Counted, "OTHER")
    events.add_plain("COUNTED")

    report = EventStore.open(database.client(), events=events).schema_check()

    assert ("corrupt", "", 0, 1, True) in seen(report.findings)
    assert report.stored == {("COUNTED", 1): 1}


def test_a_store_without_types_has_nothing_to_check(store: EventStore) -> None:
    """
    The error says how to open it.
    """
    with pytest.raises(InvalidInputError, match="open the store with its `EventTypes`"):
        store.schema_check()
