"""JSON Schemas are checked before anything is sent."""

import sys

import msgspec
import pytest

from eventstore import EventStore, EventTypes, InvalidInputError, MissingExtraError, NewEvent
from eventstore.testing import InMemoryDynamoDB
from tests.unit.eventstore.conftest import ITEM, FaultyClient

SCHEMA = {
    "type": "object",
    "required": ["lines"],
    "properties": {
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"quantity": {"type": "integer", "minimum": 1}}},
        },
    },
}


class Ordered(msgspec.Struct):
    lines: list[dict[str, int]]


@pytest.fixture
def events() -> EventTypes:
    events = EventTypes()
    events.add_class(Ordered, "ORDERED", 2)
    events.add_schema("ORDERED", 2, SCHEMA)
    return events


@pytest.fixture
def checked(client: FaultyClient, events: EventTypes) -> EventStore:
    return EventStore.open(client, events=events)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("payload", "field", "says"),
    [
        (
            {"lines": [{"quantity": 1}, {"quantity": 0}]},
            "events[0].data.lines[1].quantity",
            "0 is less than the minimum",
        ),
        ({}, "events[0].data", "'lines' is a required property"),
        ({"lines": "many"}, "events[0].data.lines", "'many' is not of type 'array'"),
    ],
)
def test_a_payload_that_breaks_its_schema_is_not_sent(
    checked: EventStore,
    client: FaultyClient,
    payload: dict[str, object],
    field: str,
    says: str,
) -> None:
    """
    The error leads to the fault and names type and version.
    """
    with pytest.raises(InvalidInputError, match=says) as caught:
        checked.append(ITEM, [NewEvent("ORDERED", payload, schema_version=2)], expected_version=0)

    assert caught.value.field == field
    assert "'ORDERED' version 2" in caught.value.reason
    assert client.sent == []


def test_objects_are_checked_as_well(checked: EventStore, client: FaultyClient) -> None:
    """
    A class may allow what the schema does not.
    """
    with pytest.raises(InvalidInputError, match="less than the minimum"):
        checked.append(ITEM, [Ordered([{"quantity": -1}])], expected_version=0)
    checked.append(ITEM, [Ordered([{"quantity": 1}])], expected_version=0)
    assert len(client.sent) == 1


def test_other_versions_are_not_checked(checked: EventStore, events: EventTypes) -> None:
    """
    A schema speaks of one version of one type.
    """
    events.add_upcaster(lambda data: {"lines": []}, "ORDERED", 1)
    checked.append(ITEM, [NewEvent("ORDERED", {}), NewEvent("OTHER", {})], expected_version=0)
    assert checked.current_version("item-1") == 2


def test_a_schema_that_is_none_is_refused_at_once() -> None:
    """
    The error leads to the fault inside of the schema.
    """
    with pytest.raises(InvalidInputError, match="'whole' is not valid") as caught:
        EventTypes().add_schema("ORDERED", 1, {"properties": {"a": {"type": "whole"}}})
    assert caught.value.field == "schema.properties.a.type"


def test_references_to_elsewhere_are_never_fetched(database: InMemoryDynamoDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Such a schema cannot be used, and the append that needs it says so; nobody opens an address.
    """
    opened: list[object] = []
    monkeypatch.setattr("urllib.request.urlopen", opened.append)
    events = EventTypes()
    events.add_schema("ORDERED", 1, {"$ref": "http://127.0.0.1:9/schema.json"})
    store = EventStore.open(database.client(), events=events)

    with pytest.raises(InvalidInputError, match=r"refers to 'http://127.0.0.1:9/schema.json', which is not inside"):
        store.append(ITEM, [NewEvent("ORDERED", {})], expected_version=0)
    assert opened == []


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A registry without schemas does not need it.
    """
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    with pytest.raises(MissingExtraError, match=r"install `dynamo-eventstore\[jsonschema\]`"):
        EventTypes().add_schema("ORDERED", 1, {})


def test_strict_refuses_to_append_what_it_could_not_read(database: InMemoryDynamoDB) -> None:
    """
    Types and versions that are not registered are refused, plain ones that are registered pass.
    """
    events = EventTypes(strict=True)
    events.add_plain("COUNTED", 2)
    store = EventStore.open(database.client(), events=events)

    store.append(ITEM, [NewEvent("COUNTED", {}, schema_version=2)], expected_version=0)
    for refused in (NewEvent("COUNTED", {}), NewEvent("OTHER", {})):
        with pytest.raises(InvalidInputError, match="is not registered, and strict is on"):
            store.append(ITEM, [refused], expected_version=1)
