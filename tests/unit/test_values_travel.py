"""
Errors, events and results go to other processes, into queues, caches and logs: by pickle, by copy, and as plain dicts.
"""

import concurrent.futures
import copy
import dataclasses
import importlib
import json
import multiprocessing
import pickle
import pkgutil
from collections.abc import Iterator
from enum import Enum
from types import ModuleType
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError

import eventstore
import relay
from eventstore import (
    EXISTS,
    NO_EVENTS,
    AggregateRef,
    AggregateTypeError,
    AimdSettings,
    Append,
    Backoff,
    BulkProgress,
    ByAggregateType,
    ByTime,
    ByType,
    CachePolicy,
    CorruptRowError,
    Decision,
    Endpoint,
    EventSchemaError,
    EventStore,
    EventTypes,
    IdempotencyConflictError,
    IndexMissingError,
    InitResult,
    InvalidInputError,
    InvalidTokenError,
    JsonText,
    LimitExceededError,
    MissingExtraError,
    NewerRowError,
    NewEvent,
    NotJsonError,
    NotSettledError,
    OutcomeUnknownError,
    Page,
    ParkedError,
    RefusedRow,
    Repository,
    RequestRefusedError,
    RowCheck,
    RowConditionError,
    RowDelete,
    RowPut,
    RowUpdate,
    SearchExpiredError,
    SearchRefusedError,
    SnapshotPolicy,
    StoredForm,
    StoreOptions,
    TableLayoutError,
    TableMissingError,
    TableNames,
    ThrottledError,
    WalkProgress,
    WrongExpectedVersionError,
    init_tables,
)
from eventstore.aio import ThreadPools
from eventstore.dynamodb.errors import (
    CancellationReason,
    ConditionFailedError,
    NotAppliedError,
    RefusedError,
    TransactionCancelledError,
)
from eventstore.payload.plain import _NotPlainError
from eventstore.schema import MissingUpcaster, SchemaFinding, UnknownType, UnknownVersion
from eventstore.search import (
    Between,
    FacetCount,
    Facets,
    IndexLag,
    OneOf,
    PromotedRange,
    PromotedWords,
    SearchOptions,
    SearchPage,
    SearchQuery,
)
from eventstore.search.client import SearchStatusError
from eventstore.testing import InMemoryDynamoDB, Weather
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from eventstore.testing.dynamodb.operations.transactions import _UnfitKeyError
from eventstore.testing.http_body import UnframedError
from eventstore.verify import Finding, FindingKind, Severity
from relay.destination import BusLostError
from relay.destinations.bus.broker import MessageTooLargeError
from relay.destinations.index.client import IndexRefusedError
from relay.leases.errors import FleetSettingsError, LeaseFencedError, LeaseLostError

ITEM = AggregateRef("ITEM", "item-1")
ENDED = AggregateRef("ITEM", "item-2")
CORRUPT = {"key": "item-1/3", "field": "eventData"}

events = EventTypes()


@events.register("COUNTED")
@dataclasses.dataclass
class Counted:
    number: int


@events.register("NAMED")
@dataclasses.dataclass
class Named:
    name: str


def _all_modules(*packages: ModuleType) -> Iterator[ModuleType]:
    for package in packages:
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def _error_classes() -> set[type[Exception]]:
    """Return all but those that an HTTP client is handed to raise, and that leave no call."""
    return {
        value
        for module in _all_modules(eventstore, relay)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__
        if not issubclass(value, BotoCoreError)
    }


def _public_classes() -> set[type]:
    named = ((module, name) for module in _all_modules(eventstore) for name in getattr(module, "__all__", ()))
    values = {getattr(module, name) for module, name in named if not name.islower()}
    values.discard(Any)  # an alias stands for it
    return {value for value in values if isinstance(value, type) and not issubclass(value, Exception)}


MADE_OF_MORE: list[Exception] = [
    InvalidInputError("events[0].data", "is too deep"),
    NotJsonError("events[0].data", "is a set"),
    InvalidTokenError("is damaged"),
    LimitExceededError("events", limit=98, actual=99, unit="events"),
    IdempotencyConflictError(
        "item-1", "k", stored_commit_id="c1", stored_digest="d1", given_commit_id="c2", given_digest="d2"
    ),
    SearchExpiredError(),
    WrongExpectedVersionError("item-1", expected=EXISTS, actual=0),
    AggregateTypeError("item-1", expected="ITEM", actual="ORDER"),
    RowConditionError([RefusedRow("also[1]", 1, "emails", {"email": "a"}), RefusedRow("also[2]", 2, "emails", None)]),
    ThrottledError("too many", retry_after_seconds=1.5),
    NotSettledError("item-1", commit_id="c1", delivered=["bus"], reason="the index did not have it"),
    OutcomeUnknownError("whether", aggregate_id="item-1", commit_id="c1"),
    TableMissingError("inventory_events"),
    TableLayoutError("inventory_events", ["no stream"]),
    IndexMissingError("inventory_events", "byType"),
    MissingExtraError("a JSON Schema", extra="jsonschema"),
    SearchRefusedError(403, "forbidden"),
    CorruptRowError("inventory_events", **CORRUPT, reason="is missing"),
    EventSchemaError("inventory_events", **CORRUPT, reason="does not fit", event_type="COUNTED", schema_version=2),
    NewerRowError("inventory_events", **CORRUPT, layout=2, known=1),
    ParkedError("item-1", commit_id="c1", destination="bus", reason="too large"),
    RequestRefusedError("ValidationException", "no such operand"),
    NotAppliedError("ThrottlingException", "slow down", reached=True),
    ConditionFailedError("the condition failed", {"aggregateId": {"S": "item-1"}}),
    TransactionCancelledError((CancellationReason("ConditionalCheckFailed", "failed", None),)),
    RefusedError("ValidationException", "no such operand"),
    SearchStatusError(404, "index_not_found_exception", "no such index"),
    ServiceError("ValidationException", "no", status=400, members={"Item": {}}),
    _UnfitKeyError("ValidationException", "no"),
    ConnectionLostError("before the reply"),
    BusLostError(None),
    MessageTooLargeError(1024),
    IndexRefusedError(403, "forbidden", "security_exception"),
    _NotPlainError("is a set"),
    UnframedError("SerializationException", "no", status=400),
    LeaseLostError("shard-1", worker_id="w1", term=3),
    LeaseFencedError("shard-1"),
    FleetSettingsError({"RELAY_SHARDS_MAX": ("4", "8")}, ["w1"]),
]
"""One of each class of error whose constructor takes other things than a message."""


def _error_samples() -> list[Exception]:
    by_class = {type(error): error for error in MADE_OF_MORE}
    return [by_class.get(cls) or cls("what happened") for cls in sorted(_error_classes(), key=lambda cls: cls.__name__)]


def _ways(value: Any) -> dict[str, Any]:
    ways = {f"pickle {number}": pickle.loads(pickle.dumps(value, number)) for number in range(2, 6)}  # noqa: S301 - ours
    return {**ways, "copy": copy.copy(value), "deepcopy": copy.deepcopy(value)}


@pytest.mark.parametrize("error", _error_samples(), ids=lambda error: type(error).__name__)
def test_every_error_survives(error: Exception) -> None:
    """
    Class, message and attributes are the same behind pickle, copy and deepcopy.
    """
    error.add_note("while the stock was counted")

    for way, there in _ways(error).items():
        assert type(there) is type(error), way
        assert str(there) == str(error), way
        assert there.args == error.args, way
        assert vars(there) == vars(error), way


def test_the_list_of_errors_holds_each_constructor() -> None:
    """
    Whoever gives an error a constructor adds an example to the list: a message alone would not show what it loses.
    """
    own = {
        cls
        for cls in _error_classes()
        if any(
            "__init__" in vars(base) for base in cls.__mro__[: cls.__mro__.index(Exception)] if base is not ValueError
        )
    }

    assert {type(error) for error in MADE_OF_MORE} == own


@pytest.fixture(scope="module")
def store() -> EventStore:
    client = InMemoryDynamoDB().client()
    init_tables(client)
    store = EventStore.open(client, events=events)
    store.append(ITEM, [Counted(7)], expected_version=NO_EVENTS)
    store.append(ITEM, [NewEvent("PLAIN", {"free": [1]})], expected_version=1)
    return store


def _records(store: EventStore) -> list[Any]:
    """Return one of each public record, those that a store hands out made by a store."""
    counted, _ = store.load(ITEM)
    stats, metrics = store.stats(), store.metrics()
    report = store.schema_check()
    outcome = next(iter(store.append_all([Append(ENDED, [Counted(1)], 5)])))
    repository = Repository(store, aggregate_type="ITEM", initial=0, evolve=lambda state, _: state + 1)
    transacted = repository.transact("item-3", lambda _, command: [Counted(command)], 4)
    many = repository.transact_many(["item-8", "item-9"], lambda *_: {"item-8": Counted(1)}, 4)
    return [
        ITEM,
        AimdSettings(),
        Append(
            ITEM, [Counted(1)], EXISTS, "key", also=[RowPut("emails", {"email": "a"}, "attribute_not_exists(email)")]
        ),
        metrics.counts,
        outcome,
        transacted.result,
        Backoff(),
        BulkProgress(1, 1, 0, 2),
        ByAggregateType("ITEM"),
        ByTime(0, 1),
        ByType("COUNTED"),
        CachePolicy(),
        Endpoint(region="eu-central-1"),
        stats.total,
        Finding(Severity.FAULT, FindingKind.HOLE, "item-1", 2, "is missing"),
        metrics.limiter,
        transacted.before,
        many,
        Decision([Counted(1)], answer="a", also=[RowDelete("emails", {"email": "a"})]),
        NewEvent("COUNTED", {"number": 1}, {"user": "u"}),
        Page((counted,), "token"),
        counted,
        RefusedRow("also[0]", 0, "emails", None),
        repository.stats,
        RowCheck("emails", {"email": "a"}, "n = :n", values={":n": 1}, return_row=True),
        RowDelete("emails", {"email": "a"}),
        RowPut("emails", {"email": "a", "parts": {b"b"}}),
        RowUpdate("emails", {"email": "a"}, "ADD #n :n", values={":n": 1}, names={"#n": "number"}),
        SchemaFinding("gap", "COUNTED", 1, 2, "item-1/1", "an upcaster is missing", is_error=True),
        report,
        SnapshotPolicy(every_events=10),
        metrics,
        StoreOptions(),
        stats,
        StoredForm("COUNTED", 1, "{}"),
        TableNames(),
        transacted,
        NewEvent.of(Counted(1)),
        WalkProgress(1, 1, 0),
        ThreadPools(),
        FacetCount("COUNTED", 3),
        Facets((FacetCount("COUNTED", 3),), 0, 0),
        IndexLag(0.5, 1, 1, 0, 0, complete=True, newest_indexed_ms=None, refresh_seconds=1.0),
        SearchOptions(),
        SearchPage((counted,), None),
        SearchQuery().event_type("COUNTED").between(0, 1),
        Between(0, None),
        OneOf("type", ("COUNTED",)),
        PromotedRange("price", 1, None),
        PromotedWords("note", "late"),
        MissingUpcaster(("COUNTED", 1), 3),
        UnknownType(),
        UnknownVersion(("COUNTED", 9), 3),
        store.context.record,
        InitResult(("events",), (), store.context.record),
        Weather(),
    ]


STAY_IN_THEIR_PROCESS = {
    "AsyncEventSearch",
    "AsyncEventStore",
    "AsyncEventStream",
    "AsyncEventWalk",
    "AsyncProjection",
    "AsyncRepository",
    "AsyncStream",
    "Channel",
    "Clock",
    "ClosableClient",
    "Decided",
    "DeciderSpec",
    "DynamoClient",
    "DynamoDBClient",
    "DynamoDBStreamsClient",
    "EventClass",
    "EventSearch",
    "EventStore",
    "EventStream",
    "EventTypes",
    "EventWalk",
    "Feed",
    "FeedRecord",
    "Flag",
    "Given",
    "InMemoryDynamoDB",
    "InMemoryEventStore",
    "InMemorySearch",
    "JsonStateCodec",
    "ManualRuntime",
    "Part",
    "Passage",
    "PayloadSchema",
    "Placing",
    "Projected",
    "Projection",
    "ProjectionSpec",
    "ReadModel",
    "Repository",
    "Route",
    "Runtime",
    "SearchClient",
    "StateCodec",
    "Step",
    "StoreContext",
    "Threads",
    "WallClock",
}
"""Public classes that hold connections, threads, or a program's functions: nothing to send."""


def test_every_public_class_is_a_record_here_or_stays_in_its_process(store: EventStore) -> None:
    """
    A new public class joins the records of these tests, or is named as one that holds connections or functions.
    """
    values = {cls for cls in _public_classes() if not issubclass(cls, Enum)}

    assert values == {JsonText} | {type(record) for record in _records(store)} | {
        cls for cls in values if cls.__name__ in STAY_IN_THEIR_PROCESS
    }


def test_a_payload_as_text_survives() -> None:
    """
    It is no record, but a mapping, and keeps its digits.
    """
    given = JsonText('{"price":12.50}')
    for way, there in _ways(given).items():
        assert (type(there), there.text, dict(there)) == (JsonText, '{"price":12.50}', {"price": 12.5}), way


def test_every_record_survives(store: EventStore) -> None:
    """
    Events, results and settings are equal behind pickle, copy and deepcopy, and their dicts can be sent as well.
    """
    for record in _records(store):
        for way, there in _ways(record).items():
            assert type(there) is type(record), way
            assert _comparable(there) == _comparable(record), way
        plain = dataclasses.asdict(record)
        assert set(plain) == {field.name for field in dataclasses.fields(record)}
        assert _comparable(pickle.loads(pickle.dumps(plain))) == _comparable(plain)  # noqa: S301 - ours


def _comparable(value: Any) -> Any:
    """Return a record in a form that compares errors too, which are equal to nothing but themselves."""
    if isinstance(value, Exception):
        return type(value), value.args, vars(value)
    if dataclasses.is_dataclass(value):
        return type(value), {each.name: _comparable(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {key: _comparable(each) for key, each in value.items()}
    return value


def test_an_event_takes_the_payload_of_its_class_along(store: EventStore) -> None:
    """
    Where nothing is registered, an event has the object that its registered class made, and can be sent on.
    """
    event = store.load(ITEM)[0]

    there = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(event))))  # noqa: S301 - ours

    assert there.payload == Counted(7)
    assert there.data == {"number": 7}
    assert dataclasses.replace(there, sequence_number=9).payload == Counted(7)
    assert dataclasses.replace(event, data_json='{"number":8}').payload == Counted(8)


def test_an_event_that_its_class_refuses_says_so_elsewhere_too() -> None:
    """
    An event whose payload does not fit its class can be sent, and looking at the payload is the same error there.
    """
    client = InMemoryDynamoDB().client()
    init_tables(client)
    EventStore.open(client).append(ITEM, [NewEvent("COUNTED", {"number": "many"})], expected_version=NO_EVENTS)
    (event,) = EventStore.open(client, events=events).load(ITEM)

    for way, there in _ways(event).items():
        assert there.data == {"number": "many"}, way
        with pytest.raises(EventSchemaError, match="does not fit Counted"):
            _ = there.payload


def test_a_copied_event_shares_nothing(store: EventStore) -> None:
    """
    Changes to a deep copy's payload do not reach the event.
    """
    event = store.load(ITEM)[1]
    copied = copy.deepcopy(event)

    copied.data["free"].append(2)

    assert event.data == {"free": [1]}


def test_an_event_as_dict_is_what_is_stored(store: EventStore) -> None:
    """
    `asdict` gives the event's own attributes, in a form that JSON takes, whatever is registered for it.
    """
    event = store.load(ITEM)[0]

    plain = json.loads(json.dumps(dataclasses.asdict(event)))

    assert list(plain) == [
        "aggregate_id",
        "aggregate_type",
        "sequence_number",
        "type",
        "data_json",
        "metadata_json",
        "schema_version",
        "timestamp_ms",
        "event_id",
        "commit_id",
        "commit_first",
        "commit_last",
        "epoch",
        "upcast_from",
    ]
    assert plain["data_json"] == '{"number":7}'


def test_a_result_as_dict_says_what_the_append_did(store: EventStore) -> None:
    """
    `asdict` gives what an append did, without the way back to the store.
    """
    result = store.append(AggregateRef("ITEM", "item-4"), [Counted(1)], expected_version=NO_EVENTS)

    assert dataclasses.asdict(result) == {
        "aggregate": {"type": "ITEM", "id": "item-4"},
        "commit_id": result.commit_id,
        "first_sequence": 1,
        "version": 1,
        "already_stored": False,
        "attempts": 1,
    }


def test_a_copied_result_keeps_its_store(store: EventStore) -> None:
    """
    In its own process a copy of a result can still wait for the destinations.
    """
    result = store.append(AggregateRef("ITEM", "item-5"), [Counted(1)], expected_version=NO_EVENTS)

    for copied in (copy.copy(result), copy.deepcopy(result), dataclasses.replace(result, attempts=2)):
        with pytest.raises(NotSettledError):
            copied.wait_settled(0.001)


def _conflict(aggregate_id: str) -> None:
    """Fail in a worker process as a writer does that was too late."""
    client = InMemoryDynamoDB().client()
    init_tables(client)
    store = EventStore.open(client, events=events)
    aggregate = AggregateRef("ITEM", aggregate_id)
    store.append(aggregate, [Counted(1)], expected_version=NO_EVENTS)
    store.append(aggregate, [Counted(2)], expected_version=NO_EVENTS)


def _loaded(aggregate_id: str) -> list[Any]:
    client = InMemoryDynamoDB().client()
    init_tables(client)
    store = EventStore.open(client, events=events)
    aggregate = AggregateRef("ITEM", aggregate_id)
    return [store.append(aggregate, [Counted(1)], expected_version=NO_EVENTS), *store.load(aggregate)]


def test_a_conflict_in_a_worker_process_arrives_as_itself() -> None:
    """
    `ProcessPoolExecutor` hands the worker's error to the caller, and its results, and the pool lives on.
    """
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        error = pool.submit(_conflict, "item-1").exception(60)
        result, event = pool.submit(_loaded, "item-1").result(60)

    assert isinstance(error, WrongExpectedVersionError)
    assert (error.aggregate_id, error.expected, error.actual) == ("item-1", 0, 1)
    assert (result.version, event.payload) == (1, Counted(1))


def test_a_conflict_in_a_pool_of_multiprocessing_arrives_as_itself() -> None:
    """
    `multiprocessing.Pool` does so too; with an error that it cannot rebuild it would wait for ever.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        coming = pool.apply_async(_conflict, ("item-1",))
        with pytest.raises(WrongExpectedVersionError, match="at version 1, not 0"):
            coming.get(60)
