"""Events come back at their latest version, with typed payloads, on every read path."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
import pytest

from eventstore import (
    AggregateRef,
    CorruptRowError,
    EventSchemaError,
    EventStore,
    EventTypes,
    InvalidInputError,
    NewEvent,
    RecordedEvent,
    Repository,
    SnapshotPolicy,
)
from eventstore.testing import InMemoryDynamoDB
from eventstore.timeline.query import ByType
from tests.unit.eventstore.conftest import ITEM

Open = Callable[[EventTypes], EventStore]


@pytest.fixture
def opened(database: InMemoryDynamoDB) -> Open:
    """Open the same tables with other registries."""
    return lambda events: EventStore.open(database.client(), events=events)


def three_versions(**options: bool) -> EventTypes:
    events = EventTypes(**options)

    @events.upcaster("COUNTED", 1)
    def add_unit(data: dict[str, Any]) -> dict[str, Any]:
        data["unit"] = "piece"
        return data

    @events.upcaster("COUNTED", 2)
    def rename(data: dict[str, Any]) -> dict[str, Any]:
        return {"quantity": data["number"], "unit": data["unit"]}

    return events


def test_old_events_are_lifted_to_the_latest_version(store: EventStore, opened: Open) -> None:
    """
    Type, version, data and text are the latest, and what is stored can still be seen.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"number": 3})], expected_version=0)

    (event,) = opened(three_versions()).load("item-1")

    assert event.schema_version == 3
    assert event.data == {"quantity": 3, "unit": "piece"}
    assert event.data_json == '{"quantity":3,"unit":"piece"}'
    assert (event.stored.type, event.stored.schema_version) == ("COUNTED", 1)
    assert event.stored.data_json == '{"number":3}'


def test_new_events_are_left_as_they_are(store: EventStore, opened: Open) -> None:
    """
    What is at the latest version is not decoded and encoded again: floats keep their digits.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"quantity": 1.50}, schema_version=3)], expected_version=0)

    (event,) = opened(three_versions()).load("item-1")

    assert event.upcast_from is None
    assert event == store.load("item-1")[0]


def test_a_type_can_be_renamed_on_the_way(store: EventStore, opened: Open) -> None:
    """
    A link may lead to another type; the stored name stays visible.
    """
    events = EventTypes()
    events.add_upcaster(lambda data: {"n": data["number"]}, "TALLIED", 1, to_type="COUNTED")
    store.append(ITEM, [NewEvent("TALLIED", {"number": 3})], expected_version=0)

    (event,) = opened(events).load("item-1")

    assert (event.type, event.schema_version, event.data) == ("COUNTED", 2, {"n": 3})
    assert event.stored.type == "TALLIED"


def test_every_read_path_lifts(store: EventStore, opened: Open) -> None:
    """
    By aggregate, backwards, by type and by time: the same latest version.
    """
    result = store.append(ITEM, [NewEvent("COUNTED", {"number": 3}, timestamp_ms=5)], expected_version=0)
    lifted = opened(three_versions())

    ways: list[list[RecordedEvent]] = [
        list(lifted.read("item-1")),
        list(lifted.read("item-1", backwards=True)),
        list(lifted.read_type("COUNTED")),
        list(lifted.read_aggregate_type("ITEM")),
        list(lifted.read_between(0, 10)),
        lifted.latest_of_day("1970-01-01", limit=5),
        list(lifted.read_page(ByType("COUNTED"), size=5).events),
    ]

    assert result.version == 1
    assert [[event.data for event in way] for way in ways] == [[{"quantity": 3, "unit": "piece"}]] * 7


def gap() -> EventTypes:
    events = EventTypes()
    events.add_upcaster(lambda data: data, "COUNTED", 2)
    return events


def raising() -> EventTypes:
    events = EventTypes()
    events.add_upcaster(lambda data: {"n": data["no such key"]}, "COUNTED", 1)
    return events


def returning_nothing() -> EventTypes:
    events = EventTypes()
    events.add_upcaster(lambda data: None, "COUNTED", 1)  # type: ignore[arg-type,return-value]
    return events


def making_a_date() -> EventTypes:
    events = EventTypes()
    events.add_upcaster(lambda data: {"at": datetime(2025, 1, 1, tzinfo=UTC)}, "COUNTED", 1)
    return events


def of_yesterday() -> EventTypes:
    events = EventTypes(strict=True)
    events.add_plain("OTHER")
    return events


FAULTS: list[tuple[Callable[[], EventTypes], str, tuple[str, int]]] = [
    (gap, r"version 1 of 'COUNTED', below 3: register `upcaster\('COUNTED', 1\)`", ("COUNTED", 1)),
    (raising, r"the upcaster of 'COUNTED' version 1 raised KeyError: 'no such key'; fix", ("COUNTED", 1)),
    (returning_nothing, "returned a NoneType, not a dict", ("COUNTED", 1)),
    (making_a_date, r"not plain JSON: data.at: is a datetime", ("COUNTED", 1)),
    (of_yesterday, "is 'COUNTED', which is not registered", ("COUNTED", 1)),
]


@pytest.mark.parametrize(("events", "says", "kind"), FAULTS)
def test_what_cannot_be_read_is_a_typed_error(
    store: EventStore,
    opened: Open,
    events: Callable[[], EventTypes],
    says: str,
    kind: tuple[str, int],
) -> None:
    """
    The error names type, version and what to do.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"number": 3})], expected_version=0)

    with pytest.raises(EventSchemaError, match=says) as caught:
        opened(events()).load("item-1")

    assert (caught.value.event_type, caught.value.schema_version) == kind
    assert caught.value.key == "item-1/1"


@pytest.mark.parametrize(("events", "says", "kind"), FAULTS)
def test_what_cannot_be_read_does_not_hide_its_neighbours(
    store: EventStore,
    opened: Open,
    events: Callable[[], EventTypes],
    says: str,
    kind: tuple[str, int],
) -> None:
    """
    Who asks to be told of such rows reads on.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"number": 3}), NewEvent("OTHER", {})], expected_version=0)
    told: list[CorruptRowError] = []

    found = list(opened(events()).read("item-1", on_corrupt=told.append))

    assert [event.type for event in found] == ["OTHER"]
    assert [type(error) for error in told] == [EventSchemaError]


@pytest.mark.parametrize("strict", [False, True])
def test_versions_of_newer_programs_are_errors(store: EventStore, opened: Open, *, strict: bool) -> None:
    """
    A later version of a registered type is never folded by accident; the error says who is too old.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"new": 1}, schema_version=9)], expected_version=0)

    with pytest.raises(EventSchemaError, match=r"is 9, above 3.*this program is older than the event") as caught:
        opened(three_versions(strict=strict)).load("item-1")
    assert (caught.value.event_type, caught.value.schema_version) == ("COUNTED", 9)


def test_an_old_program_decides_nothing_on_newer_events(store: EventStore, opened: Open) -> None:
    """
    Neither a decision nor a snapshot comes of a state that lacks what a newer program has stored.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"quantity": 3}, schema_version=3)], expected_version=0)
    store.append(ITEM, [NewEvent("COUNTED", {"pieces": -3}, schema_version=4)], expected_version=1)
    old = opened(three_versions())
    items = Repository(old, aggregate_type="ITEM", initial=0, evolve=add_quantity, snapshots=SnapshotPolicy.every(1))

    with pytest.raises(EventSchemaError, match="update it"):
        items.transact("item-1", lambda _stock, _: [NewEvent("TAKEN", {})], None)
    assert store.current_version("item-1") == 2
    assert items.stats.snapshots_written == 0


def add_quantity(stock: int, event: RecordedEvent) -> int:
    return stock + int(event.data.get("quantity", 0))


def test_types_that_nobody_registered_are_plain_dicts(store: EventStore, opened: Open) -> None:
    """
    Unless the registry is strict, a type of another program does not stop the reader.
    """
    store.append(ITEM, [NewEvent("MOVED", {"to": "B"}, schema_version=7)], expected_version=0)

    (event,) = opened(three_versions()).load("item-1")

    assert (event.payload, event.schema_version) == ({"to": "B"}, 7)
    with pytest.raises(EventSchemaError, match="'MOVED', which is not registered"):
        opened(three_versions(strict=True)).load("item-1")


@pytest.mark.parametrize(
    ("version", "says"),
    [(9, "is 9, above 3, the latest of 'COUNTED'"), (1, "no upcaster leads from 'COUNTED' version 1 to 3")],
)
def test_no_version_is_stored_that_the_program_cannot_read(opened: Open, version: int, says: str) -> None:
    """
    An append of it is refused before anything is sent, by the field's name.
    """
    events = EventTypes()
    events.add_upcaster(lambda data: data, "COUNTED", 2)
    store = opened(events)

    with pytest.raises(InvalidInputError, match=says) as caught:
        store.append(ITEM, [NewEvent("COUNTED", {}, schema_version=version)], expected_version=0)
    assert caught.value.field == "events[0].schema_version"
    assert store.load("item-1") == []


@dataclass(frozen=True)
class Counted:
    quantity: int
    price: Decimal
    at: datetime
    tags: tuple[str, ...] = ()


class Moved(msgspec.Struct, frozen=True):
    place: str
    quantity: int = 1


class Sold(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)

    customer: str
    price: Decimal


OBJECTS = [
    Counted(2**70, Decimal("1.50"), datetime(2025, 1, 2, tzinfo=UTC), ("a", "b")),
    Moved("A1", 3),
    Sold(customer="c-1", price=Decimal("9.90")),
]


def classes() -> EventTypes:
    events = EventTypes()
    events.add_class(Counted, "COUNTED", 2)
    events.add_upcaster(lambda data: {**data, "quantity": data["number"]}, "COUNTED", 1)
    events.register("MOVED")(Moved)
    events.add_class(Sold, "SOLD", 7)
    return events


def test_objects_go_in_and_come_out(opened: Open) -> None:
    """
    Objects of registered classes are events; what is read has equal ones as payload, and plain data beside them.
    """
    store = opened(classes())
    store.append(ITEM, OBJECTS, expected_version=0)

    found = store.load("item-1")

    assert [event.payload for event in found] == OBJECTS
    assert [(event.type, event.schema_version) for event in found] == [("COUNTED", 2), ("MOVED", 1), ("SOLD", 7)]
    assert found[0].data == {
        "quantity": 2**70,
        "price": "1.50",
        "at": "2025-01-02T00:00:00Z",
        "tags": ["a", "b"],
    }
    assert found[2].data == {"customer": "c-1", "price": "9.90"}


def test_an_object_can_bring_metadata_and_a_time(opened: Open) -> None:
    """
    `NewEvent.of` wraps an object for what it does not say itself.
    """
    store = opened(classes())
    store.append(ITEM, [NewEvent.of(Moved("A1"), metadata={"user": "u"}, timestamp_ms=7)], expected_version=0)

    (event,) = store.load("item-1")
    assert (event.payload, event.metadata["user"], event.timestamp_ms) == (Moved("A1"), "u", 7)


def test_upcast_payloads_are_objects_too(store: EventStore, opened: Open) -> None:
    """
    A plain dict of an old version comes back as the class of the latest one.
    """
    data = {"number": 4, "price": "2.00", "at": "2025-01-02T00:00:00Z"}
    store.append(ITEM, [NewEvent("COUNTED", data)], expected_version=0)

    (event,) = opened(classes()).load("item-1")
    assert event.payload == Counted(4, Decimal("2.00"), datetime(2025, 1, 2, tzinfo=UTC))


def test_without_a_class_the_payload_is_the_plain_dict(store: EventStore) -> None:
    """
    `payload` is `data` where nothing is registered.
    """
    store.append(ITEM, [NewEvent("COUNTED", {"number": 3})], expected_version=0)

    assert store.load("item-1")[0].payload == {"number": 3}


def test_a_payload_that_does_not_fit_is_found_when_it_is_looked_at(store: EventStore, opened: Open) -> None:
    """
    Objects are made at the first look, so data can still be read; the error names class, type and version.
    """
    store.append(ITEM, [NewEvent("MOVED", {"place": 5})], expected_version=0)

    (event,) = opened(classes()).load("item-1")
    assert event.data == {"place": 5}
    with pytest.raises(EventSchemaError, match="does not fit Moved, the class of 'MOVED' version 1"):
        _ = event.payload


def test_objects_of_unknown_classes_are_refused(store: EventStore, opened: Open) -> None:
    """
    Nothing is sent, and the error says what to do.
    """
    with pytest.raises(InvalidInputError, match=r"events\[1\]: is a Place, whose class is not registered"):
        opened(classes()).append(ITEM, [Moved("A1"), Place()], expected_version=0)
    with pytest.raises(InvalidInputError, match=r"events\[0\]: is a Moved, and this store was opened without"):
        store.append(ITEM, [Moved("A1")], expected_version=0)


@dataclass
class Place:
    name: str = ""


def test_a_class_without_text_in_json_is_refused(opened: Open) -> None:
    """
    What cannot be said in JSON is named.
    """
    events = EventTypes()
    events.add_class(Place, "PLACED")

    with pytest.raises(InvalidInputError, match=r"events\[0\].data"):
        opened(events).append(ITEM, [Place(name=object())], expected_version=0)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"events\[0\].data.name"):
        opened(events).append(ITEM, [Place(name=float("nan"))], expected_version=0)  # type: ignore[arg-type]


class Row(msgspec.Struct, array_like=True):
    a: int


@pytest.mark.parametrize(
    ("register", "says"),
    [
        (lambda events: events.add_class(dict, "COUNTED"), "dict is neither a dataclass"),
        (lambda events: events.add_class(Moved("x"), "COUNTED"), "give a dataclass"),
        (lambda events: events.add_class(Row, "COUNTED"), "array_like"),
        (lambda events: events.add_class(Place, "MOVED"), "'MOVED' version 1 already has the class Moved"),
        (lambda events: events.add_class(Moved, "OTHER"), "Moved is registered as 'MOVED' version 1 already"),
        (lambda events: events.add_upcaster(dict, "COUNTED", 1), "'COUNTED' version 1 already has an upcaster"),
        (lambda events: events.add_upcaster(dict, "COUNTED", 0), "schema versions count from 1"),
        (lambda events: events.add_plain("", 1), "give the type's name"),
    ],
)
def test_registrations_that_cannot_be_meant_are_refused(register: Callable[[EventTypes], None], says: str) -> None:
    """
    A registry says at once what is wrong with it.
    """
    with pytest.raises(InvalidInputError, match=says):
        register(classes())


def test_a_registry_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    `module:attribute` leads to a registry, or to an error that says what is there.
    """
    events = EventTypes()
    monkeypatch.setattr("tests.unit.eventstore.conftest.events", events, raising=False)

    assert EventTypes.load("tests.unit.eventstore.conftest:events") is events
    with pytest.raises(InvalidInputError, match="is a AggregateRef, not an `EventTypes`"):
        EventTypes.load("tests.unit.eventstore.conftest:ITEM")
    with pytest.raises(InvalidInputError, match="cannot be imported: ModuleNotFoundError"):
        EventTypes.load("no_such_module:events")
    with pytest.raises(InvalidInputError, match="write `module:attribute`"):
        EventTypes.load("events")


def test_who_never_uses_an_extra_does_not_pay_for_its_import() -> None:
    """
    The library, a registry and a store on it load neither pydantic nor jsonschema.
    """
    program = (
        "import sys, dataclasses, eventstore, eventstore.repository\n"
        "events = eventstore.EventTypes()\n"
        "events.add_class(dataclasses.make_dataclass('C', ['a']), 'COUNTED')\n"
        "print([name for name in ('pydantic', 'jsonschema') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_refs_are_not_mistaken_for_events(opened: Open) -> None:
    """
    A dataclass of the library itself is not an event.
    """
    with pytest.raises(InvalidInputError, match="AggregateRef"):
        opened(classes()).append(ITEM, [AggregateRef("A", "b")], expected_version=0)
