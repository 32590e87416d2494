"""An event store on DynamoDB: append events to an aggregate once and in order, and read them back.

    from eventstore import AggregateRef, EventStore, NewEvent, connect, Endpoint

Every append also writes an outbox row in the same transaction; the `relay` package tells the rest of the world.
"""

from eventstore.backoff import Backoff
from eventstore.context import StoreOptions
from eventstore.dynamo import Endpoint, connect
from eventstore.errors import (
    AccessDeniedError,
    AggregateTypeError,
    CorruptRowError,
    DecideAgainError,
    EndpointError,
    EventStoreError,
    InvalidInputError,
    LimitExceededError,
    NotJsonError,
    OutcomeUnknownError,
    RequestRefusedError,
    SetUpError,
    TableLayoutError,
    TableMissingError,
    ThrottledError,
    TryLaterError,
    UnreachableError,
    WrongExpectedVersionError,
)
from eventstore.model import AggregateRef, AppendResult, NewEvent, RecordedEvent
from eventstore.store import EventStore
from eventstore.table_names import TableNames
from eventstore.tables import init as init_tables

__all__ = [
    "AccessDeniedError",
    "AggregateRef",
    "AggregateTypeError",
    "AppendResult",
    "Backoff",
    "CorruptRowError",
    "DecideAgainError",
    "Endpoint",
    "EndpointError",
    "EventStore",
    "EventStoreError",
    "InvalidInputError",
    "LimitExceededError",
    "NewEvent",
    "NotJsonError",
    "OutcomeUnknownError",
    "RecordedEvent",
    "RequestRefusedError",
    "SetUpError",
    "StoreOptions",
    "TableLayoutError",
    "TableMissingError",
    "TableNames",
    "ThrottledError",
    "TryLaterError",
    "UnreachableError",
    "WrongExpectedVersionError",
    "connect",
    "init_tables",
]
