"""Clients that say nothing, half of it, or all of it over and over: probes are answered all the same."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.observing.http import connections
from relay.observing.http.answering import reply
from relay.observing.http.connections import Connection, Connections
from relay.observing.http.server import HttpServer
from tests.support.waiting import until

from .serving import hello, probe, served

PROBE_SECONDS = 1.0
"""What Kubernetes gives a probe unless told otherwise. On a quiet machine the slowest here takes a tenth of it."""

REQUEST = b"GET /hello HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def made() -> Iterator[HttpServer]:
    with served(hello=hello) as server:
        yield server


@pytest.fixture
def clients(made: HttpServer) -> Iterator[Callable[..., list[socket.socket]]]:
    """Opens connections that say something, and never hang up by themselves."""
    held: list[socket.socket] = []

    def connect(count: int, words: bytes = b"") -> list[socket.socket]:
        opened = [socket.create_connection(("127.0.0.1", made.port), 10) for _ in range(count)]
        held.extend(opened)
        for each in opened:
            with contextlib.suppress(OSError):  # it may have had to give way already
                each.sendall(words)
        return opened

    yield connect
    for each in held:
        each.close()


@pytest.mark.parametrize("count", [4, 500])
@pytest.mark.parametrize(
    "words",
    [b"", REQUEST, REQUEST + b"\r\n", REQUEST + b"Connection: keep-alive\r\n\r\n", (REQUEST + b"\r\n") * 50],
    ids=["nothing", "half a request", "a request", "keep-alive", "pipelined"],
)
def test_probes_do_not_wait_for_strangers(
    made: HttpServer, clients: Callable[..., list[socket.socket]], words: bytes, count: int
) -> None:
    """
    Few connections, and more than there is room for.
    """
    clients(count, words)

    slowest = max(probe(made) for _ in range(5))
    assert slowest < PROBE_SECONDS


def test_probes_do_not_wait_while_silent_connections_keep_coming(
    made: HttpServer, clients: Callable[..., list[socket.socket]]
) -> None:
    """
    More of them in all than there is room for, none of which ends before its time.
    """
    slowest = 0.0
    for _ in range(40):
        clients(10)
        slowest = max(slowest, probe(made))

    assert slowest < PROBE_SECONDS


def test_no_thread_is_added_for_a_client(made: HttpServer, clients: Callable[..., list[socket.socket]]) -> None:
    """
    One part serves them all.
    """
    before = threading.active_count()
    clients(50, REQUEST)
    probe(made)

    assert threading.active_count() == before
    assert [part.name for part in made.parts] == ["http"]


class Wire(asyncio.Transport):
    """One end of a connection that never sends anything; it knows whether it was dropped."""

    dropped = False

    def abort(self) -> None:
        self.dropped = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send it to nobody."""

    def get_write_buffer_size(self) -> int:
        return 0

    def can_write_eof(self) -> bool:
        return False


def test_silent_ones_go_first_then_those_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    When there is no room, the oldest silent one gives way, though one that has begun is older.

    After those the oldest that has begun; and what has its answer, which may be on its way still, at last.
    """
    monkeypatch.setattr(connections, "CONNECTIONS_MAX", 4)

    async def arrivals() -> list[list[int]]:
        among = Connections(lambda _: b"an answer")
        wires: list[Wire] = []
        dropped = []
        for words in (REQUEST + b"\r\n", REQUEST, b"", b"", b"GET", b"GET", b"GET", b"GET"):
            arrived = Connection(among)
            wires.append(Wire())
            arrived.connection_made(wires[-1])
            if words:
                arrived.data_received(words)
            dropped.append([number for number, wire in enumerate(wires) if wire.dropped])
            assert len(among) <= 4
        return dropped

    assert asyncio.run(arrivals()) == [[], [], [], [], [2], [2, 3], [1, 2, 3], [1, 2, 3, 4]]


@pytest.mark.parametrize("words", [b"", b"G"], ids=["nothing", "a byte now and then"])
def test_a_client_that_does_not_come_to_an_end_is_let_go(
    clients: Callable[..., list[socket.socket]], words: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    After a bounded time, whether it says something now and then or not.
    """
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    (client,) = clients(1)
    client.settimeout(0.02)

    def is_let_go() -> bool:
        try:
            client.sendall(words)
            return client.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    until(is_let_go, "the server let it go", timeout_seconds=4.0)


def test_a_client_that_does_not_hang_up_after_its_answer_is_let_go(
    made: HttpServer, clients: Callable[..., list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It has all of its answer, and what it says further is thrown away: no reset takes the answer from it.
    """
    monkeypatch.setattr(connections, "LINGER_SECONDS", 0.2)
    (client,) = clients(1, REQUEST + b"\r\n")
    for _ in range(20):
        client.sendall(b"x" * 1000)
    answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.endswith(b"\r\n\r\nhello")

    def is_let_go() -> bool:
        try:
            client.sendall(b"x")
        except OSError:
            return True
        return False

    until(is_let_go, "the server let it go", timeout_seconds=4.0)
    assert probe(made) < PROBE_SECONDS


def test_a_stop_does_not_wait_for_clients(clients: Callable[..., list[socket.socket]], made: HttpServer) -> None:
    """
    Neither for silent ones nor for one that takes nothing of its answer.
    """
    clients(3)
    clients(3, REQUEST)
    made.stop()

    assert made.join(3.0)  # less than any client is given


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda end: REQUEST + end + b"\r\n\r\n")))
def test_whatever_is_said_is_answered(words: bytes) -> None:
    """
    By bytes, never by an exception.
    """
    assert isinstance(reply(words, {"/hello": hello}), bytes)
