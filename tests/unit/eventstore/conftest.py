"""A store on the in-memory DynamoDB, and a client that misbehaves on request."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from eventstore import AggregateRef, Backoff, EventStore, NewEvent, StoreOptions, TableNames
from eventstore.dynamodb import tables
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB

ITEM = AggregateRef("ITEM", "item-1")
QUICK = Backoff(attempts_max=4, base_seconds=0.0, cap_seconds=0.0)


def event(number: int = 1, **data: Any) -> NewEvent:
    return NewEvent("COUNTED", {"number": number, **data})


def throttle() -> Exception:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "TransactWriteItems")


def conflict() -> Exception:
    response: Any = {
        "Error": {"Code": "TransactionCanceledException", "Message": "cancelled"},
        "CancellationReasons": [{"Code": "None"}, {"Code": "TransactionConflict"}],
    }
    return ClientError(response, "TransactWriteItems")


def lost() -> Exception:
    return ReadTimeoutError(endpoint_url="http://127.0.0.1")


@dataclass(slots=True)
class FaultyClient:
    """Passes calls on to a client; before or after the next ones it raises what it was told to.

    Attributes:
        inner: The client behind it.
        before: Faults instead of the call, oldest first.
        after: Faults after the call has had its effect.
        sent: Requests of TransactWriteItems, as they came.
    """

    inner: Any
    before: list[Exception | None] = field(default_factory=list)
    after: list[Exception | None] = field(default_factory=list)
    sent: list[Mapping[str, Any]] = field(default_factory=list)

    def transact_write_items(self, **request: Any) -> Any:
        self.sent.append(request)
        if self.before and (fault := self.before.pop(0)) is not None:
            raise fault
        reply = self.inner.transact_write_items(**request)
        if self.after and (fault := self.after.pop(0)) is not None:
            raise fault
        return reply

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found: Callable[..., Any] = getattr(self.inner, name)
        return found


@pytest.fixture
def database() -> InMemoryDynamoDB:
    database = InMemoryDynamoDB()
    tables.init(database.client(), TableNames(), SystemRuntime(), protect=False)
    return database


@pytest.fixture
def client(database: InMemoryDynamoDB) -> FaultyClient:
    return FaultyClient(database.client())


@pytest.fixture
def store(client: FaultyClient) -> EventStore:
    return EventStore.open(client, options=StoreOptions(append_backoff=QUICK, read_backoff=QUICK))  # type: ignore[arg-type]


@pytest.fixture
def rows(database: InMemoryDynamoDB) -> Callable[[str], list[dict[str, Any]]]:
    """Return all rows of a table."""

    def read(table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = database.client().scan(TableName=table)["Items"]
        return found

    return read
