"""Ids, types, keys and metadata names are plain text at the door; payloads hold plain values alone."""

import enum
import json
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    Append,
    EventStore,
    EventTypes,
    InvalidInputError,
    LimitExceededError,
    NewEvent,
    NotJsonError,
    Projection,
    ReadModel,
    Repository,
    TableNames,
    metadata,
)
from eventstore.search import SearchQuery
from eventstore.testing import InMemoryDynamoDB
from eventstore.timeline.query import ByAggregateType, ByType

from .conftest import FaultyClient

Rows = Callable[[str], list[dict[str, Any]]]


class T(str, enum.Enum):  # noqa: UP042 - the kind whose members print as something else
    ADDED = "STOCK_ADDED"
    ITEM = "ITEM"
    ID = "item-1"
    KEY = "key-1"
    USER = "user"
    BUS = "bus"


class N(int, enum.Enum):
    ZERO = 0
    ONE = 1
    TWO = 2


class Odd(str):
    """Text with an equality and a hash of its own, as members of an Enum have."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return "odd"


class Float64(float):
    """A number as NumPy has it."""

    def __repr__(self) -> str:
        return f"np.float64({float(self)})"


class Int64:
    """Same as above; no int."""

    def __index__(self) -> int:
        return 1


REF = AggregateRef(T.ITEM, T.ID)


def added(store: EventStore) -> None:
    event = NewEvent(T.ADDED, {T.ID: T.USER}, {T.USER: T.KEY}, N.TWO, N.ONE)
    store.append(REF, [event], expected_version=N.ZERO, idempotency_key=T.KEY)


def exact(value: Any) -> bool:
    """Tell whether a request holds values of exact types alone."""
    match value:
        case dict():
            return type(value) is dict and all(exact(key) and exact(inner) for key, inner in value.items())
        case list() | tuple():
            return all(map(exact, value))
        case _:
            return type(value) in (str, bool)


def test_names_reach_dynamodb_as_plain_text(store: EventStore, client: FaultyClient, rows: Rows) -> None:
    """
    The type is the same in the row and in its index key; no request holds anything but plain text.
    """
    added(store)
    store.append(REF, [NewEvent(T.ADDED, {})], expected_version=N.ONE)

    assert all(exact(request) for request in client.sent)
    first = rows("inventory_events")[0]
    assert first["eventType"] == {"S": "STOCK_ADDED"}
    assert first["eventTypeShard"]["S"].startswith("STOCK_ADDED#")
    assert first["aggregateTypeShard"]["S"].startswith("ITEM#")
    assert (first["eventData"], first["metadata"]) == ({"S": '{"item-1":"user"}'}, {"S": '{"user":"key-1"}'})
    assert (first["version"], first["timestamp"]) == ({"N": "2"}, {"N": "1"})


def test_values_are_plain_as_soon_as_they_are_made() -> None:
    """
    What a program made of its Enums is the same as what it made of text, also in type.
    """
    made = [
        (REF.type, "ITEM"),
        (REF.id, "item-1"),
        (NewEvent(T.ADDED, {}).type, "STOCK_ADDED"),
        (NewEvent("A", {}, schema_version=N.TWO, timestamp_ms=N.ONE).schema_version, 2),
        (Append(REF, [], N.ONE, T.KEY).idempotency_key, "key-1"),
        (Append(REF, [], N.ONE, T.KEY).expected_version, 1),
        (ByType(T.ADDED).event_type, "STOCK_ADDED"),
        (ByAggregateType(T.ITEM).aggregate_type, "ITEM"),
        (TableNames(T.ITEM).events, "ITEM_events"),
    ]
    assert [(type(value), value) for value, _ in made] == [(type(plain), plain) for _, plain in made]


def test_what_enums_name_is_found_under_its_text(store: EventStore) -> None:
    """
    Every read finds it, by member as by text; the result says text.
    """
    added(store)

    for found in (
        store.load(T.ID),
        store.load(Odd("item-1")),
        store.load(REF),
        list(store.read_type(T.ADDED)),
        list(store.read_type("STOCK_ADDED")),
        list(store.read_aggregate_type(T.ITEM)),
    ):
        assert [(event.type, event.aggregate_id) for event in found] == [("STOCK_ADDED", "item-1")]
        assert {type(found[0].type), type(found[0].aggregate_id), type(found[0].schema_version)} == {str, int}
    assert store.current_version(Odd("item-1")) == 1
    assert list(store.verify(Odd("item-1"))) == []


def test_a_repeat_by_member_and_by_text_is_one(store: EventStore) -> None:
    """
    A key is its text.
    """
    added(store)
    event = NewEvent("STOCK_ADDED", {"item-1": "user"}, schema_version=2)
    again = store.append(AggregateRef("ITEM", "item-1"), [event], expected_version=1, idempotency_key="key-1")
    assert again.already_stored


def test_repositories_and_views_know_text(store: EventStore) -> None:
    """
    States are kept under plain ids and names.
    """
    repository: Repository[int] = Repository(store, aggregate_type=T.ITEM, initial=0, evolve=lambda state, _: state + 1)
    view: Projection[int] = Projection(
        store, T.KEY, initial=0, evolve=lambda state, _: state + 1, aggregate_type=T.ITEM
    )

    done = repository.transact(T.ID, lambda _state, _command: [NewEvent(T.ADDED, {})], None, idempotency_key=T.KEY)
    repeated = repository.transact("item-1", lambda _state, _command: [], None, idempotency_key="key-1")

    assert done.result is not None
    assert repeated.result is not None
    assert repeated.result.commit_id == done.result.commit_id
    assert repository.load(Odd("item-1")).state == view.load(Odd("item-1")).state == 1
    assert ReadModel(store, T.KEY, initial=0, evolve=lambda state, _: state).save() is False


def test_registered_types_are_text(database: InMemoryDynamoDB) -> None:
    """
    A type registered by a member of an Enum is that of stored events.
    """
    events = EventTypes(strict=True)
    events.add_plain(T.ADDED, N.TWO)
    events.add_upcaster(dict, T.ADDED, N.ONE)
    assert {(type(name), name, version) for name, version in events.known()} == {
        (str, "STOCK_ADDED", 1),
        (str, "STOCK_ADDED", 2),
    }
    store = EventStore.open(database.client(), events=events)
    store.append(REF, [NewEvent("STOCK_ADDED", {}), NewEvent(T.ADDED, {}, schema_version=2)], expected_version=0)
    assert [event.schema_version for event in store.load("item-1")] == [2, 2]


def test_searches_hold_text() -> None:
    """
    A query by members is the same value as one by text.
    """
    by_member = SearchQuery().event_type(T.ADDED).aggregate_id(Odd("a")).data(T.KEY, T.USER).promoted_range("n", N.ONE)
    by_text = SearchQuery().event_type("STOCK_ADDED").aggregate_id("a").data("key-1", "user").promoted_range("n", 1)
    assert by_member == by_text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (T.ADDED, '"STOCK_ADDED"'),
        (Odd("a"), '"a"'),
        (N.TWO, "2"),
        (enum.IntFlag("Flag", "A B").B, "2"),
        (Float64(1.5), "1.5"),
        (OrderedDict(a=1), '{"a":1}'),
        (defaultdict(int, a=1), '{"a":1}'),
        (Counter("a"), '{"a":1}'),
        (enum.StrEnum("Word", "ONE").ONE, '"one"'),
        pytest.param(10**4299, "1" + "0" * 4299, id="4,300 digits"),
        ({Odd("a"): 1}, '{"a":1}'),
        (-(2**63) - 1, "-9223372036854775809"),
    ],
)
def test_subclasses_are_stored_as_their_plain_value(store: EventStore, given: Any, text: str) -> None:
    """
    In payloads and in metadata, however deep.
    """
    store.append(REF, [NewEvent("A", {"x": [given]}, {"x": given})], expected_version=0)

    (event,) = store.load("item-1")
    assert (event.data_json, event.metadata_json) == (f'{{"x":[{text}]}}', f'{{"x":{text}}}')
    assert event.data == json.loads(event.data_json)


class Plain(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("given", "place", "says"),
    [
        (Plain.RED, "", "is a Plain; use text"),
        (Int64(), "", "is a Int64; use text"),
        pytest.param(10**4300, "", "more than 4,300 digits, which not all can read; use text", id="4,301 digits"),
        ([-(10**4300)], "[0]", "is an integer of more than 4,300 digits"),
        (Float64("nan"), "", "is nan, which JSON cannot express"),
        (Odd("\ud800"), "", "half of a surrogate pair"),
        ({"a": 1, Odd("a"): 2}, "", "has keys of the same text"),
        ({N.ONE: 1}, "", "has a key of type N; keys are text"),
        ({"b": {None: 1}}, ".b", "has a key of type NoneType"),
        (("a",), "", "is a tuple"),
    ],
)
def test_what_has_no_plain_value_is_refused(
    store: EventStore, client: FaultyClient, given: Any, place: str, says: str
) -> None:
    """
    With the path, in payloads and in metadata; nothing is sent.
    """
    for name, event in (
        ("data", NewEvent("A", {"x": given})),
        ("metadata", NewEvent("A", {}, metadata(correlation_id="c", x=given))),
    ):
        with pytest.raises(NotJsonError, match=says) as caught:
            store.append(REF, [event], expected_version=0)
        assert caught.value.field == f"events[0].{name}.x{place}"
    assert client.sent == []


def test_integers_that_this_process_may_not_write_are_refused(store: EventStore) -> None:
    """
    A process may have set the limit of Python lower, or away.
    """
    before = sys.get_int_max_str_digits()
    try:
        for limit, digits in ((640, 700), (0, 4301)):
            sys.set_int_max_str_digits(limit)
            with pytest.raises(NotJsonError, match="more than 4,300 digits"):
                store.append(REF, [NewEvent("A", {"x": 10 ** (digits - 1)})], expected_version=0)
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize("version", [2**31, pytest.param(10**5000, id="5,001 digits")])
def test_a_schema_version_that_no_index_holds_is_refused(store: EventStore, version: int) -> None:
    """
    Stored, it could never be read again.
    """
    with pytest.raises(InvalidInputError, match="is above 2,147,483,647") as caught:
        store.append(REF, [NewEvent("A", {}, schema_version=version)], expected_version=0)
    assert caught.value.field == "events[0].schema_version"


@pytest.mark.parametrize("given", [b"a", 7, None, ["a"], Plain.RED])
def test_names_that_are_no_text_are_refused(store: EventStore, client: FaultyClient, given: Any) -> None:
    """
    They are named; nothing is sent.
    """
    for field, call in (
        ("aggregate.type", lambda: store.append(AggregateRef(given, "a"), [NewEvent("A", {})], expected_version=0)),
        ("aggregate.id", lambda: store.append(AggregateRef("A", given), [NewEvent("A", {})], expected_version=0)),
        ("events[0].type", lambda: store.append(REF, [NewEvent(given, {})], expected_version=0)),
        ("aggregate.id", lambda: store.load(given)),
        ("event_type", lambda: store.read_type(given)),
    ):
        with pytest.raises(InvalidInputError) as caught:
            call()
        assert caught.value.field == field
    assert client.sent == []


def test_a_key_that_is_too_long_by_its_text_is_refused(store: EventStore) -> None:
    """
    Lengths are those of the plain text.
    """
    with pytest.raises(LimitExceededError):
        store.append(REF, [NewEvent("A", {})], expected_version=0, idempotency_key=Odd("x" * 1025))
