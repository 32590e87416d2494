"""The public names: what programs may import. A change here is a change for users, and belongs into the changelog."""

import importlib
from types import ModuleType

import pytest

import eventstore
import eventstore.aio
import eventstore.search
import eventstore.testing
import relay.testing

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
    "Backoff",
    "BulkProgress",
    "ByAggregateType",
    "ByTime",
    "ByType",
    "CachePolicy",
    "CorruptRowError",
    "DecideAgainError",
    "Endpoint",
    "EndpointError",
    "EventCount",
    "EventSchemaError",
    "EventStore",
    "EventStoreError",
    "EventTypes",
    "Expectation",
    "Finding",
    "FindingKind",
    "IdempotencyConflictError",
    "IndexMissingError",
    "InvalidInputError",
    "InvalidTokenError",
    "JsonStateCodec",
    "LimitExceededError",
    "LimiterState",
    "Loaded",
    "MissingExtraError",
    "NewEvent",
    "NotJsonError",
    "NotSettledError",
    "OutcomeUnknownError",
    "Page",
    "ParkedError",
    "Projection",
    "ReadModel",
    "RecordedEvent",
    "Repository",
    "RepositoryStats",
    "RequestRefusedError",
    "SchemaFinding",
    "SchemaReport",
    "SearchExpiredError",
    "SearchRefusedError",
    "SearchUnreachableError",
    "SetUpError",
    "Severity",
    "SnapshotPolicy",
    "StateCodec",
    "StoreMetrics",
    "StoreOptions",
    "StoreStats",
    "StoredForm",
    "TableLayoutError",
    "TableMissingError",
    "TableNames",
    "ThrottledError",
    "Transacted",
    "TryLaterError",
    "TypedEvent",
    "UnreachableError",
    "WalkProgress",
    "WrongExpectedVersionError",
    "connect",
    "init_tables",
    "metadata",
]
EVENTSTORE_AIO = [
    "AsyncEventSearch",
    "AsyncEventStore",
    "AsyncProjection",
    "AsyncRepository",
    "AsyncStream",
    "ThreadPools",
]
EVENTSTORE_TESTING = [
    "DeciderSpec",
    "InMemoryDynamoDB",
    "InMemoryEventStore",
    "InMemorySearch",
    "ManualRuntime",
    "ProjectionSpec",
    "Weather",
    "history",
    "in_memory_store",
    "recorded",
]
EVENTSTORE_SEARCH = [
    "EventSearch",
    "FacetCount",
    "Facets",
    "IndexLag",
    "PromotedType",
    "SearchClient",
    "SearchOptions",
    "SearchPage",
    "SearchQuery",
]
RELAY_TESTING = ["InMemoryBroker", "InMemoryIndex"]

PACKAGES = [
    (eventstore, EVENTSTORE),
    (eventstore.aio, EVENTSTORE_AIO),
    (eventstore.testing, EVENTSTORE_TESTING),
    (eventstore.search, EVENTSTORE_SEARCH),
    (relay.testing, RELAY_TESTING),
]


@pytest.mark.parametrize(("package", "names"), PACKAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_public_names_are_pinned(package: ModuleType, names: list[str]) -> None:
    """A package's `__all__` holds exactly the pinned names, in order."""
    assert package.__all__ == names


@pytest.mark.parametrize(("package", "names"), PACKAGES, ids=lambda value: getattr(value, "__name__", ""))
def test_public_names_can_be_imported_and_explain_themselves(package: ModuleType, names: list[str]) -> None:
    """Every public name is there and has a docstring."""
    module = importlib.import_module(package.__name__)
    assert [name for name in names if not (getattr(module, name).__doc__ or "").strip()] == []


def test_every_public_error_is_exported() -> None:
    """Whoever can get an error of the library can import it from the library's root."""
    errors = importlib.import_module("eventstore.errors")
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, eventstore.EventStoreError)
    }
    assert defined - set(eventstore.__all__) == set()
