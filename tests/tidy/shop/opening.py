"""The ways to a store: boto3's own clients, the library's, and that of the environment."""

# pyright: reportUnknownMemberType=false
# boto3-stubs types `client` service by service: those whose stubs are not installed are unknown to pyright.

import contextlib
from collections.abc import Generator

import boto3
from mypy_boto3_dynamodb import DynamoDBClient

from eventstore import (
    Backoff,
    DynamoClient,
    Endpoint,
    EventStore,
    InitResult,
    StoreOptions,
    TableNames,
    connect,
    init_tables,
)

from .events import types

OPTIONS = StoreOptions(append_backoff=Backoff(attempts_max=4))


def of_boto3() -> EventStore:
    """Return a store on a client of boto3."""
    return EventStore.open(boto3.client("dynamodb"), events=types)


def of_a_typed_client(client: DynamoDBClient) -> EventStore:
    """Return a store on a client as boto3-stubs types it."""
    return EventStore.open(client)


def of_a_session(profile: str) -> EventStore:
    """Return a store on a client of a session of boto3."""
    session = boto3.session.Session(profile_name=profile)
    return EventStore.open(session.client("dynamodb", region_name="eu-central-1"), TableNames("shop"), options=OPTIONS)


def of_a_resource() -> EventStore:
    """Return a store on the client of a resource of boto3."""
    return EventStore.open(boto3.resource("dynamodb").meta.client)


@contextlib.contextmanager
def of_the_library(endpoint: Endpoint) -> Generator[EventStore, None, None]:
    """Give a store on a client that is bounded, and closed at the end."""
    with contextlib.closing(connect(endpoint, connections_max=8)) as client, EventStore.open(client) as store:
        yield store


def of_the_environment() -> EventStore:
    """Return the store that the environment names."""
    return EventStore.from_environment(events=types)


def on(client: DynamoClient) -> EventStore:
    """Return a store on any client, its tables made."""
    made: InitResult = init_tables(client)
    assert made.created or made.existing
    return EventStore.open(client, events=types)
