"""Deadlines hold, whatever DynamoDB does: a call ends when its time is over, and says honestly how.

Seconds are measured here on purpose, with a wide margin: each call has 0.6 s, and the time-outs of the client alone
would let it last for 10.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from eventstore import (
    ANY,
    EXISTS,
    Append,
    Endpoint,
    EventStore,
    NotSettledError,
    OutcomeUnknownError,
    SearchUnreachableError,
    ThrottledError,
    TryLaterError,
    UnreachableError,
    WrongExpectedVersionError,
    connect,
    init_tables,
)
from eventstore.context import StoreContext, StoreOptions
from eventstore.dynamodb.store_record import StoreRecord
from eventstore.dynamodb.table_names import TableNames
from eventstore.search import EventSearch, SearchOptions, SearchQuery
from eventstore.search.elasticsearch import ElasticsearchSearch
from eventstore.system import SystemRuntime
from tests.support.stuck_server import Passage, stuck_server

from .conftest import ITEM, event

SECONDS = 0.6
LATE_SECONDS = 1.0
"""Of a machine that does other work meanwhile; what is late by a whole time-out of the client is later still."""


class Stuck:
    """A store on a server that can get stuck."""

    def __init__(self, url: str, passage: Passage) -> None:
        client = connect(Endpoint(url, "eu-central-1", "local", "local"))
        init_tables(client)
        self.passage = passage
        self.store = EventStore.open(client)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    with stuck_server() as (url, passage):
        yield Stuck(url, passage)


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield listening.getsockname()[1]


HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 500\r\n\r\n"
DRIPS: dict[str, tuple[float, list[bytes]]] = {
    "half a body, then nothing": (0.0, [HEADERS + b'{"a":']),
    "headers late, then nothing": (SECONDS * 0.8, [HEADERS]),
    "a body byte by byte": (0.0, [HEADERS, *[b" "] * 100]),
    "headers byte by byte": (0.0, [bytes([byte]) for byte in HEADERS]),
}


@pytest.fixture(params=list(DRIPS))
def dripping_port(request: pytest.FixtureRequest) -> Iterator[int]:
    """A server whose answers come so slowly that no single wait for bytes is long."""
    delay, pieces = DRIPS[request.param]
    over = threading.Event()

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.recv(65_536)
            over.wait(delay)
            for piece in pieces:
                connection.sendall(piece)
                if over.wait(SECONDS / 6):
                    return
            over.wait(60)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=answer, args=(listening.accept()[0],), daemon=True).start()

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        over.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def unreachable_store(port: int) -> EventStore:
    client = connect(Endpoint(f"http://127.0.0.1:{port}", "eu-central-1", "local", "local"))
    return EventStore(StoreContext(client, TableNames(), StoreRecord(), StoreOptions(), SystemRuntime()))


def in_time(call: Callable[[], object], error: type[Exception]) -> Exception:
    """Make a call that fails, and return its error; it takes its time and no more."""
    began = time.monotonic()
    with pytest.raises(error) as caught:
        call()
    assert time.monotonic() - began < SECONDS + LATE_SECONDS
    return caught.value


def append(store: EventStore, expected: object = 0, key: str | None = None) -> Callable[[], object]:
    return lambda: store.append(
        ITEM, [event()], expected_version=expected, idempotency_key=key, deadline_seconds=SECONDS
    )


def test_an_append_whose_write_hangs(stuck: Stuck) -> None:
    """
    It ends in time, and says that the outcome is unknown; never that it may simply be repeated.
    """
    stuck.passage.hangs = {"TransactWriteItems"}

    error = in_time(append(stuck.store), OutcomeUnknownError)

    assert isinstance(error, OutcomeUnknownError)
    assert error.aggregate_id == ITEM.id
    assert not isinstance(error, TryLaterError)


@pytest.mark.parametrize("expected", [ANY, EXISTS])
def test_an_append_whose_first_read_hangs(stuck: Stuck, expected: object) -> None:
    """
    The read has the append's deadline; nothing was sent, so it may be repeated.
    """
    stuck.passage.hangs = {"Query"}
    in_time(append(stuck.store, expected), UnreachableError)
    assert "TransactWriteItems" not in stuck.passage.calls


def test_an_append_that_is_refused_and_whose_look_hangs(stuck: Stuck) -> None:
    """
    Another writer came first, and the read that would say the version hangs: that it is another one is sure.
    """
    stuck.store.append(ITEM, [event()], expected_version=0)
    stuck.passage.hangs = {"Query"}

    error = in_time(append(stuck.store), WrongExpectedVersionError)

    assert isinstance(error, WrongExpectedVersionError)
    assert (error.actual, error.at_least) == (None, 1)


def test_a_repeated_key_whose_row_cannot_be_read(stuck: Stuck) -> None:
    """
    The key was used; the wait for its commit to be readable has the append's deadline.
    """
    append(stuck.store, 0, "k")()
    stuck.passage.hangs = {"TransactGetItems"}
    in_time(append(stuck.store, 0, "k"), UnreachableError)


def test_append_many_whose_write_hangs(stuck: Stuck) -> None:
    """
    As for one.
    """
    stuck.passage.hangs = {"TransactWriteItems"}
    several = [Append(ITEM, [event()], 0)]
    in_time(lambda: stuck.store.append_many(several, deadline_seconds=SECONDS), OutcomeUnknownError)


def test_wait_settled_whose_reads_hang(stuck: Stuck) -> None:
    """
    It ends in time, and the commit is not with the destinations as far as anybody knows.
    """
    result = stuck.store.append(ITEM, [event()], expected_version=0)
    stuck.passage.hangs = {"TransactGetItems"}
    in_time(lambda: result.wait_settled(SECONDS), NotSettledError)


@pytest.mark.parametrize("operation", ["TransactWriteItems", "Query"])
def test_an_append_that_is_throttled(stuck: Stuck, operation: str) -> None:
    """
    It ends in time, before a delay that would go beyond it.
    """
    stuck.passage.throttles = {operation}
    in_time(append(stuck.store, 0 if operation == "TransactWriteItems" else ANY), ThrottledError)


@pytest.mark.parametrize("expected", [0, ANY])
def test_an_append_to_a_port_that_never_answers(deaf_port: int, expected: object) -> None:
    """
    The kernel takes the connection and the request; the answer never comes.
    """
    error = in_time(append(unreachable_store(deaf_port), expected), (OutcomeUnknownError, UnreachableError))  # type: ignore[arg-type]
    assert isinstance(error, OutcomeUnknownError) == (expected == 0)


@pytest.mark.parametrize("expected", [0, ANY])
def test_an_append_whose_answer_drips_in(dripping_port: int, expected: object) -> None:
    """
    A time-out that begins again with each byte would never end; the deadline is of the whole call.
    """
    error = in_time(append(unreachable_store(dripping_port), expected), (OutcomeUnknownError, UnreachableError))  # type: ignore[arg-type]
    assert isinstance(error, OutcomeUnknownError) == (expected == 0)


@pytest.mark.parametrize("expected", [0, ANY])
def test_an_append_to_a_closed_port(expected: object) -> None:
    """
    Nothing is stored, and the error names the endpoint and the cause.
    """
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        error = in_time(append(unreachable_store(port), expected), UnreachableError)
    assert str(port) in f"{error} {error.__cause__}"


def test_a_search_whose_server_never_answers(deaf_port: int) -> None:
    """
    `timeout_seconds` is the time of the whole call, its attempts included.
    """
    client = ElasticsearchSearch(f"http://127.0.0.1:{deaf_port}")
    search = EventSearch(client, SearchOptions(timeout_seconds=SECONDS))
    try:
        in_time(lambda: search.find(SearchQuery()), SearchUnreachableError)
        in_time(lambda: search.page(SearchQuery()), SearchUnreachableError)
        in_time(lambda: search.count(SearchQuery()), SearchUnreachableError)
        in_time(lambda: next(search.events(SearchQuery())), SearchUnreachableError)
    finally:
        client.close()


def test_a_search_whose_answer_drips_in(dripping_port: int) -> None:
    """
    As for an append.
    """
    client = ElasticsearchSearch(f"http://127.0.0.1:{dripping_port}")
    search = EventSearch(client, SearchOptions(timeout_seconds=SECONDS))
    try:
        in_time(lambda: search.find(SearchQuery()), SearchUnreachableError)
    finally:
        client.close()


def test_calls_without_a_deadline_keep_the_clients_time_outs(stuck: Stuck) -> None:
    """
    A deadline of one call is not that of the next one on the same connection.
    """
    append(stuck.store)()
    client = stuck.store.context.client
    pool = client._endpoint.http_session._manager.connection_pool_kw["timeout"]  # type: ignore[attr-defined]
    assert (pool.clone().connect_timeout, pool.clone()._read) == (3.0, 10.0)
