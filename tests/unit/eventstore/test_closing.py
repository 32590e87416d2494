"""
A store that is closed, and one that finds its settings by itself.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectionClosedError

from eventstore import (
    AggregateRef,
    Append,
    Endpoint,
    EventStore,
    InvalidInputError,
    NewEvent,
    Repository,
    SetUpError,
    TableMissingError,
    TableNames,
    connect,
    init_tables,
)
from eventstore.aio import AsyncEventStore, AsyncRepository
from eventstore.cli import opened
from eventstore.dynamodb import connection
from eventstore.testing import InMemoryDynamoDB, in_memory_store
from eventstore.testing.http import DevServer

ITEM = AggregateRef("Item", "a-1")
EVENTS = [NewEvent("COUNTED", {"n": 1})]
CLOSED = "is closed; open a new one"


@pytest.fixture
def server() -> Iterator[DevServer]:
    server = DevServer()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield server
    server.stop()
    thread.join(10)
    server.close()


@pytest.fixture
def environment(server: DevServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A process whose environment names a store on the server, and nothing else."""
    monkeypatch.chdir(tmp_path)  # where no .local/env lies
    for name in ("ENV_FILE", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(f"EVENTSTORE_{name}", raising=False)
    monkeypatch.setenv("EVENTSTORE_DYNAMODB_ENDPOINT_URL", server.url)
    monkeypatch.setenv("EVENTSTORE_AWS_REGION", "eu-central-1")
    monkeypatch.setenv("EVENTSTORE_AWS_ACCESS_KEY_ID", "one")
    monkeypatch.setenv("EVENTSTORE_AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("EVENTSTORE_TABLE_PREFIX", "shop")
    init_tables(server.databases.of("one").client(), TableNames("shop"))
    return monkeypatch


def uses(store: EventStore) -> list[Any]:
    """Return one call of each kind on a store, as functions."""
    items = Repository(store, aggregate_type="Item", initial=0, evolve=lambda n, _: n + 1)
    return [
        lambda: store.append(ITEM, EVENTS, expected_version=1),
        lambda: store.append_many([Append(ITEM, EVENTS, 1)]),
        lambda: store.load("a-1"),
        lambda: store.current_version("a-1"),
        lambda: list(store.read_type("COUNTED")),
        lambda: list(store.read_between(0, 1)),
        lambda: list(store.verify()),
        store.stats,
        lambda: items.load("a-1"),
        lambda: items.transact("a-1", lambda _, events: events, EVENTS),
    ]


def test_a_closed_store_refuses_every_call() -> None:
    """
    Whatever was made with the store is refused with it, with words, and the client that it was given is left open.
    """
    database = InMemoryDynamoDB()
    client = database.client()
    init_tables(client)
    with EventStore.open(client) as store:
        calls = uses(store)
        result = store.append(ITEM, EVENTS, expected_version=0)
        running = store.read("a-1")
    store.close()

    for call in (*calls, lambda: next(running), lambda: result.wait_settled(1), lambda: store.wait_settled(result, 1)):
        with pytest.raises(InvalidInputError, match=CLOSED) as caught:
            call()
        assert caught.value.field == "store"
    (outcome,) = store.append_all([Append(ITEM, EVENTS, 1)])
    assert isinstance(outcome.error, InvalidInputError)
    assert store.metrics().counts.appends == 1
    with EventStore.open(client) as again:
        assert again.current_version("a-1") == 1


def test_what_was_sent_goes_on_to_its_end() -> None:
    """
    An append whose first reply is lost while the store is closed asks again, and says what has become of it.
    """
    store = in_memory_store()

    class ClosingClient:
        """Closes the store while an append is on its way, and loses the reply."""

        requests = 0

        def __getattr__(self, name: str) -> Any:
            return getattr(store.context.client, name)

        def transact_write_items(self, **request: Any) -> Any:
            self.requests += 1
            reply = inner.transact_write_items(**request)
            if self.requests == 1:
                closing.close()
                raise ConnectionClosedError(endpoint_url="memory")
            return reply

    inner, client = store.context.client, ClosingClient()
    closing = EventStore.open(client, runtime=store.clock)

    result = closing.append(ITEM, EVENTS, expected_version=0)

    assert (result.version, result.attempts, client.requests) == (1, 2, 2)
    with pytest.raises(InvalidInputError, match=CLOSED):
        closing.append(ITEM, EVENTS, expected_version=1)


def open_sockets(url: str) -> int:
    """Return how many sockets of this process lead to a server."""
    address = f"{int(url.rpartition(':')[2]):04X}"
    lines = Path("/proc/self/net/tcp").read_text("ascii").splitlines()[1:]
    return sum(line.split()[2].endswith(f":{address}") and line.split()[3] == "01" for line in lines)


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="counts sockets as Linux shows them")
def test_a_store_closes_the_connections_that_it_opened(server: DevServer, environment: pytest.MonkeyPatch) -> None:
    """
    The store of the environment has its own client and closes it; one that was handed over is closed by its owner.
    """
    with EventStore.from_environment() as store:
        store.append(ITEM, EVENTS, expected_version=0)
        assert open_sockets(server.url) == 1
    assert open_sockets(server.url) == 0

    with contextlib.closing(connect(Endpoint(server.url, "eu-central-1", "one", "any"))) as client:
        with EventStore.open(client, TableNames("shop")) as store:
            assert store.current_version("a-1") == 1
        assert open_sockets(server.url) == 1
    assert open_sockets(server.url) == 0


def test_the_environment_means_the_same_to_a_program_and_to_the_commands(
    server: DevServer, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """
    Prefix and endpoint come from the same variables, and from the same file where there is one.
    """
    with EventStore.from_environment() as store, contextlib.closing(opened.open_store()) as of_commands:
        store.append(ITEM, EVENTS, expected_version=0)
        assert store.context.tables == of_commands.context.tables == TableNames("shop")
        assert of_commands.current_version("a-1") == 1

    environment.delenv("EVENTSTORE_TABLE_PREFIX")
    with pytest.raises(TableMissingError, match="inventory_"):
        EventStore.from_environment()
    (tmp_path / "env").write_text("EVENTSTORE_TABLE_PREFIX=shop\n", "utf-8")
    environment.setenv("EVENTSTORE_ENV_FILE", str(tmp_path / "env"))
    with EventStore.from_environment() as store:
        assert store.current_version("a-1") == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EVENTSTORE_DYNAMODB_ENDPOINT_URL", "nowhere"),
        ("EVENTSTORE_TABLE_PREFIX", "a b"),
        ("EVENTSTORE_AWS_SECRET_ACCESS_KEY", ""),
        ("EVENTSTORE_ENV_FILE", "missing"),
    ],
)
def test_a_variable_that_is_wrong_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    """
    What cannot be meant is a set-up error that names the variable, before anything is sent.
    """
    environment.setenv(name, value)

    with pytest.raises(SetUpError, match=name):
        EventStore.from_environment()


def test_a_store_that_cannot_be_opened_leaves_no_connection(server: DevServer, environment: pytest.MonkeyPatch) -> None:
    """
    Where the tables are missing, the connection that found it out is closed at once.
    """
    environment.setenv("EVENTSTORE_TABLE_PREFIX", "gone")
    closed = []
    connected = connection.connect

    def watched(endpoint: Endpoint) -> Any:
        client: Any = connected(endpoint)
        close = client.close
        client.close = lambda: (closed.append(True), close())
        return client

    environment.setattr(connection, "connect", watched)
    with pytest.raises(TableMissingError):
        EventStore.from_environment()

    assert closed == [True]


async def in_tasks() -> None:
    async with await AsyncEventStore.from_environment() as store:
        items = AsyncRepository(store, aggregate_type="Item", initial=0, evolve=lambda n, _: n + 1)
        await store.append(ITEM, EVENTS, expected_version=0)
        assert (await items.load("a-1")).state == 1
        blocking = store.blocking
    with pytest.raises(InvalidInputError, match=CLOSED):
        await items.load("a-1")
    with pytest.raises(InvalidInputError, match=CLOSED):
        blocking.load("a-1")

    with EventStore.from_environment() as shared:
        async with AsyncEventStore(shared) as store:
            assert await store.current_version("a-1") == 1
        assert shared.current_version("a-1") == 1


def test_a_store_for_asyncio(server: DevServer, environment: pytest.MonkeyPatch) -> None:
    """
    It closes the store that it opened, and leaves one open that it was given.
    """
    import asyncio  # noqa: PLC0415 - the one test that needs it

    asyncio.run(in_tasks())


def test_connect_gives_one_client(server: DevServer) -> None:
    """
    `connect` returns a client like boto3's, closable more than once; streams have a function of their own.
    """
    endpoint = Endpoint(server.url, "eu-central-1", "one", "any")
    client: Any = connect(endpoint)
    plain, streams = connection.connect_with_streams(endpoint)

    assert {type(each).__name__ for each in (client, plain)} == {"DynamoDB"}
    assert type(client).__mro__[1:] == type(boto3.client("dynamodb", region_name="x")).__mro__[1:]
    assert type(streams).__name__ == "DynamoDBStreams"
    assert client.list_tables()["TableNames"] == []
    assert streams.list_streams()["Streams"] == []
    for each in (client, plain, streams, client):
        each.close()
    with socket.create_connection((server.url.split("/")[2].split(":")[0], int(server.url.rpartition(":")[2])), 5):
        pass  # the server is well
