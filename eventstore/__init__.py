"""An event store on DynamoDB: append events to an aggregate once and in order, and read them back.

    from eventstore import AggregateRef, EventStore, NewEvent, connect, Endpoint

Every append also writes an outbox row in the same transaction; the `relay` package tells the rest of the world.
"""

from eventstore.append.bulk import AppendOutcome, BulkProgress
from eventstore.append.metrics import AppendCounts, StoreMetrics
from eventstore.backoff import Backoff
from eventstore.context import StoreOptions
from eventstore.dynamodb.aimd import AimdSettings
from eventstore.dynamodb.connection import Endpoint, connect
from eventstore.dynamodb.limiter import LimiterState
from eventstore.dynamodb.table_names import TableNames
from eventstore.dynamodb.tables import init as init_tables
from eventstore.errors import (
    AccessDeniedError,
    AggregateTypeError,
    CorruptRowError,
    DecideAgainError,
    EndpointError,
    EventSchemaError,
    EventStoreError,
    IdempotencyConflictError,
    IndexMissingError,
    InvalidInputError,
    InvalidTokenError,
    LimitExceededError,
    MissingExtraError,
    NotJsonError,
    NotSettledError,
    OutcomeUnknownError,
    ParkedError,
    RequestRefusedError,
    SearchExpiredError,
    SearchRefusedError,
    SearchUnreachableError,
    SetUpError,
    TableLayoutError,
    TableMissingError,
    ThrottledError,
    TryLaterError,
    UnreachableError,
    WrongExpectedVersionError,
)
from eventstore.event_metadata import metadata
from eventstore.expectation import ANY, EXISTS, NO_EVENTS, Expectation
from eventstore.model import AggregateRef, Append, AppendResult, NewEvent, RecordedEvent, StoredForm, TypedEvent
from eventstore.repository import (
    NEVER,
    CachePolicy,
    JsonStateCodec,
    Loaded,
    Projection,
    ReadModel,
    Repository,
    RepositoryStats,
    SnapshotPolicy,
    StateCodec,
    Transacted,
)
from eventstore.schema import EventTypes, SchemaFinding, SchemaReport
from eventstore.store import EventStore
from eventstore.timeline.query import ByAggregateType, ByTime, ByType
from eventstore.timeline.reader import Page
from eventstore.verify import Finding, FindingKind, Severity
from eventstore.verify.counts import EventCount, StoreStats
from eventstore.verify.verifier import WalkProgress

__all__ = [
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
