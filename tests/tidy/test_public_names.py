"""The public names: what programs may import. A change here is a change for users, and belongs into the changelog."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import eventstore
import eventstore.aio
import eventstore.search
import eventstore.testing
import relay.testing
import relay.testing.checker
from tests.tidy import api_source

EVENTSTORE = [
    "ANY",
    "EXISTS",
    "NEVER",
    "NO_EVENTS",
    "AccessDeniedError",
    "AggregateRef",
    "AggregateTypeError",
    "AimdSettings",
    "Append",
    "AppendCounts",
    "AppendOutcome",
    "AppendResult",
    "AppendableEvent",
    "Backoff",
    "BulkProgress",
    "ByAggregateType",
    "ByTime",
    "ByType",
    "CachePolicy",
    "Channel",
    "Clock",
    "ClosableClient",
    "CorruptRowError",
    "Decide",
    "DecideAgainError",
    "DecideMany",
    "Decision",
    "DynamoClient",
    "Endpoint",
    "EndpointError",
    "EventCount",
    "EventQuery",
    "EventSchemaError",
    "EventStore",
    "EventStoreError",
    "EventStream",
    "EventTypes",
    "EventWalk",
    "Evolve",
    "Expectation",
    "Finding",
    "FindingKind",
    "Flag",
    "IdempotencyConflictError",
    "IndexMissingError",
    "InitResult",
    "InvalidInputError",
    "InvalidTokenError",
    "JsonStateCodec",
    "JsonText",
    "LimitExceededError",
    "LimiterState",
    "Loaded",
    "MissingExtraError",
    "NewEvent",
    "NewerRowError",
    "NotJsonError",
    "NotSettledError",
    "OnBulkProgress",
    "OnCorrupt",
    "OnScanned",
    "OnTrouble",
    "OnWalked",
    "Origin",
    "OutcomeUnknownError",
    "Page",
    "ParkedError",
    "Part",
    "Position",
    "Projection",
    "ReadModel",
    "RecordedEvent",
    "RefusedRow",
    "Repository",
    "RepositoryStats",
    "RequestRefusedError",
    "RowCheck",
    "RowConditionError",
    "RowDelete",
    "RowPut",
    "RowUpdate",
    "RowWrite",
    "Runtime",
    "SchemaFinding",
    "SchemaFindingKind",
    "SchemaReport",
    "SearchExpiredError",
    "SearchRefusedError",
    "SearchUnreachableError",
    "SetUpError",
    "Severity",
    "SnapshotPolicy",
    "StateCodec",
    "StoreContext",
    "StoreMetrics",
    "StoreOptions",
    "StoreRecord",
    "StoreStats",
    "StoredForm",
    "TableLayoutError",
    "TableMissingError",
    "TableNames",
    "ThrottledError",
    "Transacted",
    "TransactedMany",
    "TryLaterError",
    "TypedEvent",
    "UnreachableError",
    "Upcast",
    "WalkProgress",
    "WrongExpectedVersionError",
    "connect",
    "init_tables",
    "metadata",
]
EVENTSTORE_AIO = [
    "AsyncEventSearch",
    "AsyncEventStore",
    "AsyncEventStream",
    "AsyncEventWalk",
    "AsyncProjection",
    "AsyncRepository",
    "AsyncStream",
    "ThreadPools",
    "Threads",
]
EVENTSTORE_TESTING = [
    "Decided",
    "DeciderSpec",
    "DynamoDBClient",
    "DynamoDBStreamsClient",
    "Feed",
    "FeedRecord",
    "Given",
    "InMemoryDynamoDB",
    "InMemoryEventStore",
    "InMemorySearch",
    "ManualRuntime",
    "Passage",
    "Placing",
    "Projected",
    "ProjectionSpec",
    "WallClock",
    "Weather",
    "history",
    "in_memory_store",
    "recorded",
]
EVENTSTORE_SEARCH = [
    "Between",
    "Bound",
    "Condition",
    "EventSearch",
    "FacetCount",
    "Facets",
    "IndexLag",
    "OneOf",
    "PromotedRange",
    "PromotedType",
    "PromotedWords",
    "Scalar",
    "SearchCallError",
    "SearchClient",
    "SearchLostError",
    "SearchOptions",
    "SearchPage",
    "SearchQuery",
    "SearchStatusError",
]
RELAY_TESTING = [
    "Acked",
    "Blocked",
    "BrokerError",
    "BrokerEvent",
    "FoundEvent",
    "Holding",
    "InMemoryBroker",
    "InMemoryConsumer",
    "InMemoryIndex",
    "InMemorySession",
    "IndexClientError",
    "IndexRefusedError",
    "ItemVerdict",
    "Message",
    "Nacked",
    "Names",
    "ReceivedMessage",
    "Returned",
    "Unblocked",
]

RELAY_TESTING_CHECKER = [
    "Acknowledged",
    "BrokenPromise",
    "CheckVerdict",
    "DeliveryChecker",
    "Discrepancy",
    "IndexedDocument",
    "MeantEvent",
    "Promise",
    "SentMessage",
    "TrueEvent",
    "WrittenCommit",
    "document_discrepancies",
    "index_of",
    "meant_discrepancies",
    "message_discrepancies",
]

PACKAGES = [
    (eventstore, EVENTSTORE),
    (eventstore.aio, EVENTSTORE_AIO),
    (eventstore.testing, EVENTSTORE_TESTING),
    (eventstore.search, EVENTSTORE_SEARCH),
    (relay.testing, RELAY_TESTING),
    (relay.testing.checker, RELAY_TESTING_CHECKER),
]


@pytest.mark.parametrize(("package", "names"), PACKAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_public_names_are_pinned(package: ModuleType, names: list[str]) -> None:
    """A package's `__all__` holds exactly the pinned names, in order."""
    assert package.__all__ == names


@pytest.mark.parametrize(("package", "names"), PACKAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_public_names_can_be_imported_and_explain_themselves(package: ModuleType, names: list[str]) -> None:
    """Every public name is there and has a docstring; of an alias it stands below it in the source."""
    module = importlib.import_module(package.__name__)
    assert [name for name in names if not hasattr(module, name)] == []
    assert [name for name in names if not api_source.find(package.__name__, name).doc.strip()] == []


def test_every_public_error_is_exported() -> None:
    """Whoever can get an error of the library can import it from the library's root."""
    errors = importlib.import_module("eventstore.errors")
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, eventstore.EventStoreError)
    }
    assert defined - set(eventstore.__all__) == set()


def test_names_are_loaded_from_where_type_checkers_see_them() -> None:
    """The imports for type checkers and the table for the running program name the same things."""
    body = ast.parse(Path(eventstore.__file__).read_text("utf-8")).body
    (seen,) = (api_source.imported(each) for each in body if isinstance(each, ast.If) and api_source.imported(each))

    loaded = {
        name: (module, eventstore._ORIGINALS.get(name, name)) for name, module in eventstore._MODULE_BY_NAME.items()
    }

    assert loaded == seen
    assert sorted(loaded) == sorted(eventstore.__all__)


FRESH = """
import eventstore
assert set(eventstore.__all__) <= set(dir(eventstore))
assert eventstore.errors.ThrottledError is eventstore.ThrottledError  # a type checker accepts both
assert "EventStore" not in vars(eventstore)
from eventstore import *
assert EventStore is eventstore.EventStore and vars(eventstore)["EventStore"] is EventStore
assert init_tables.__name__ == "init"
"""


def test_names_of_a_package_that_is_not_loaded_yet() -> None:
    """In a fresh interpreter `dir`, `import *` and modules as attributes work, and a name is kept once it is loaded."""
    subprocess.run([sys.executable, "-c", FRESH], check=True, timeout=60)


def test_a_name_that_does_not_exist() -> None:
    """A slip of the keyboard is told as of any module, with what was perhaps meant."""
    with pytest.raises(AttributeError, match="module 'eventstore' has no attribute 'EventStor'") as caught:
        _ = eventstore.EventStor  # type: ignore[attr-defined]

    assert (caught.value.name, caught.value.obj) == ("EventStor", eventstore)
    with pytest.raises(ImportError, match="cannot import name 'EventStor' from 'eventstore'"):
        exec("from eventstore import EventStor")  # noqa: S102 - a literal
