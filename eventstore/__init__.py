"""An event store on DynamoDB: append events to an aggregate once and in order, and read them back.

    from eventstore import AggregateRef, EventStore, NewEvent, connect, Endpoint

Every append also writes an outbox row in the same transaction; the `relay` package tells the rest of the world.

A name is loaded when it is first used, with what it needs and nothing else, so that importing this package is cheap.

The library logs by `logging`, to `eventstore` and loggers below it, and is silent until a program sets logging up.
"""

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eventstore.append.bulk import AppendOutcome, BulkProgress, OnBulkProgress
    from eventstore.append.metrics import AppendCounts, StoreMetrics
    from eventstore.backoff import Backoff
    from eventstore.context import StoreContext, StoreOptions
    from eventstore.dynamodb.aimd import AimdSettings
    from eventstore.dynamodb.connection import Endpoint, connect
    from eventstore.dynamodb.limiter import LimiterState
    from eventstore.dynamodb.store_record import StoreRecord
    from eventstore.dynamodb.table_names import TableNames
    from eventstore.dynamodb.tables import InitResult
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
        NewerRowError,
        NotJsonError,
        NotSettledError,
        OutcomeUnknownError,
        ParkedError,
        RefusedRow,
        RequestRefusedError,
        RowConditionError,
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
    from eventstore.event_codec import AppendableEvent, OnCorrupt
    from eventstore.event_metadata import metadata
    from eventstore.expectation import ANY, EXISTS, NO_EVENTS, Expectation
    from eventstore.model import AggregateRef, Append, AppendResult, NewEvent, RecordedEvent, StoredForm, TypedEvent
    from eventstore.payload.json_text import JsonText
    from eventstore.payload.row_write import RowCheck, RowDelete, RowPut, RowUpdate, RowWrite
    from eventstore.ports import Channel, Clock, ClosableClient, DynamoClient, Flag, Part, Runtime
    from eventstore.repository import (
        NEVER,
        CachePolicy,
        Decide,
        DecideMany,
        Decision,
        Evolve,
        JsonStateCodec,
        Loaded,
        Origin,
        Position,
        Projection,
        ReadModel,
        Repository,
        RepositoryStats,
        SnapshotPolicy,
        StateCodec,
        Transacted,
        TransactedMany,
    )
    from eventstore.schema import EventTypes, SchemaFinding, SchemaFindingKind, SchemaReport, Upcast
    from eventstore.schema.check import OnScanned
    from eventstore.store import EventStore
    from eventstore.timeline.follower import EventStream, OnTrouble
    from eventstore.timeline.query import ByAggregateType, ByTime, ByType, EventQuery
    from eventstore.timeline.reader import Page
    from eventstore.verify import Finding, FindingKind, Severity
    from eventstore.verify.counts import EventCount, StoreStats
    from eventstore.verify.verifier import OnWalked, WalkProgress
    from eventstore.walk import EventWalk

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

_NAMES_BY_MODULE = {
    "eventstore.append.bulk": "AppendOutcome BulkProgress OnBulkProgress",
    "eventstore.append.metrics": "AppendCounts StoreMetrics",
    "eventstore.backoff": "Backoff",
    "eventstore.context": "StoreContext StoreOptions",
    "eventstore.dynamodb.aimd": "AimdSettings",
    "eventstore.dynamodb.connection": "Endpoint connect",
    "eventstore.dynamodb.limiter": "LimiterState",
    "eventstore.dynamodb.store_record": "StoreRecord",
    "eventstore.dynamodb.table_names": "TableNames",
    "eventstore.dynamodb.tables": "InitResult init_tables",
    "eventstore.errors": (
        "AccessDeniedError AggregateTypeError CorruptRowError DecideAgainError EndpointError EventSchemaError "
        "EventStoreError IdempotencyConflictError IndexMissingError InvalidInputError InvalidTokenError "
        "LimitExceededError MissingExtraError NewerRowError NotJsonError NotSettledError OutcomeUnknownError "
        "ParkedError RefusedRow RequestRefusedError RowConditionError SearchExpiredError SearchRefusedError "
        "SearchUnreachableError SetUpError TableLayoutError TableMissingError ThrottledError TryLaterError "
        "UnreachableError WrongExpectedVersionError"
    ),
    "eventstore.event_codec": "AppendableEvent OnCorrupt",
    "eventstore.event_metadata": "metadata",
    "eventstore.expectation": "ANY EXISTS NO_EVENTS Expectation",
    "eventstore.model": "AggregateRef Append AppendResult NewEvent RecordedEvent StoredForm TypedEvent",
    "eventstore.payload.json_text": "JsonText",
    "eventstore.payload.row_write": "RowCheck RowDelete RowPut RowUpdate RowWrite",
    "eventstore.ports": "Channel Clock ClosableClient DynamoClient Flag Part Runtime",
    "eventstore.repository": (
        "NEVER CachePolicy Decide DecideMany Decision Evolve JsonStateCodec Loaded Origin Position Projection "
        "ReadModel Repository RepositoryStats SnapshotPolicy StateCodec Transacted TransactedMany"
    ),
    "eventstore.schema": "EventTypes SchemaFinding SchemaFindingKind SchemaReport Upcast",
    "eventstore.schema.check": "OnScanned",
    "eventstore.store": "EventStore",
    "eventstore.timeline.follower": "EventStream OnTrouble",
    "eventstore.timeline.query": "ByAggregateType ByTime ByType EventQuery",
    "eventstore.timeline.reader": "Page",
    "eventstore.verify": "Finding FindingKind Severity",
    "eventstore.verify.counts": "EventCount StoreStats",
    "eventstore.verify.verifier": "OnWalked WalkProgress",
    "eventstore.walk": "EventWalk",
}
"""Where each public name is defined: the imports above, said again for the running program. A test compares the two."""

logging.getLogger(__name__).addHandler(logging.NullHandler())  # else warnings go to standard error, unasked

_MODULE_BY_NAME = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names.split()}
_ORIGINALS = {"init_tables": "init"}
_SUBMODULES = frozenset({"search", *(module.split(".")[1] for module in _NAMES_BY_MODULE)})


def _load(name: str) -> object:
    """Return a public name, or one of the modules that define them, and keep it for the next time; see PEP 562."""
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    value: object = getattr(import_module(_MODULE_BY_NAME[name]), _ORIGINALS.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:
    __getattr__ = _load  # hidden from type checkers, which would take it for a promise of every other name too
