"""Readiness: waiting has a bound, a dead server is not waited for, and a refusal is not taken for an answer."""

import http.server
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from servers import amqp, ready
from servers.ports import LOOPBACK, pick
from servers.ready import Waiting, wait_ready


class Clock:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def answers(*reasons: str | None) -> Waiting:
    """A living server that gives these answers, the last one for ever; the bound is one second."""
    given = list(reasons)
    return Waiting(lambda: given.pop(0) if len(given) > 1 else given[0], lambda: True, timeout_seconds=1.0)


def test_servers_are_reported_in_the_order_in_which_they_become_ready() -> None:
    """A fast server is not held up by a slow one."""
    clock = Clock()
    servers = {"slow": answers("booting", "booting", None), "fast": answers("booting", None)}

    assert list(wait_ready(servers, clock=clock, sleep=clock.sleep)) == [("fast", ""), ("slow", "")]


def test_waiting_ends_at_its_bound() -> None:
    """A server that never gets ready is given up after its time, with its last answer."""
    clock = Clock()

    settled = list(wait_ready({"stuck": answers("still booting")}, clock=clock, sleep=clock.sleep))

    assert settled == [("stuck", "not ready after 1 s (still booting)")]
    assert clock.now == pytest.approx(101.0, abs=ready.POLL_SECONDS)


def test_a_dead_process_is_not_waited_for() -> None:
    """Nothing passes but the first look."""
    clock = Clock()
    dead = Waiting(lambda: "connection refused", lambda: False, timeout_seconds=60.0)

    settled = list(wait_ready({"dead": dead}, clock=clock, sleep=clock.sleep))

    assert settled == [("dead", "its process ended (connection refused)")]
    assert clock.now == 100.0


@contextmanager
def http_server(status: int, body: bytes) -> Iterator[int]:
    """Answer every request alike."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815 - named by the base class

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with http.server.HTTPServer((LOOPBACK, 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="fake-http")
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(timeout=10)


@pytest.mark.parametrize(
    ("status", "body", "unready"),
    [
        (200, b'{"status": "yellow"}', None),
        (200, b'{"status": "green"}', None),
        (200, b'{"status": "red"}', "cluster health is red"),
        (503, b"{}", "HTTP 503"),
        (200, b"[]", "answered list"),
        (200, b"hello", "JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_elasticsearch_is_ready_when_it_can_take_documents(status: int, body: bytes, unready: str | None) -> None:
    """Yellow or green, and nothing else that may come back."""
    with http_server(status, body) as port:
        assert ready.elasticsearch_unready(port) == unready


@pytest.mark.parametrize(
    ("status", "body", "unready"),
    [
        (200, b'{"TableNames": []}', None),
        (400, b'{"__type": "MissingAuthenticationToken"}', "HTTP 400"),
        (200, b'{"Tables": 0}', "ListTables answered {'Tables': 0}"),
    ],
)
def test_dynamodb_is_ready_when_it_lists_tables(status: int, body: bytes, unready: str | None) -> None:
    """An open port with something else behind it is not DynamoDB."""
    with http_server(status, body) as port:
        assert ready.dynamodb_unready(port) == unready


def test_a_port_where_nobody_listens_is_not_ready() -> None:
    """A refused connection is an answer of its own, not an exception."""
    port = pick([])

    assert "ConnectionRefusedError" in (ready.dynamodb_unready(port) or "")
    assert "ConnectionRefusedError" in (amqp.rabbitmq_unready(port) or "")


@contextmanager
def broker(*frames: bytes) -> Iterator[int]:
    """Send one frame for each thing that the client says, then hang up."""
    with socket.create_server((LOOPBACK, 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                for frame in frames:
                    connection.recv(4096)
                    connection.sendall(frame)
                # Unread bytes would turn the end of the connection into a reset.
                connection.recv(4096)

        thread = threading.Thread(target=serve, name="fake-broker")
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(timeout=10)


GREETING = amqp.method(amqp.START, b"\x00\x09" + struct.pack(">III", 0, 0, 0))


def test_a_broker_that_refuses_the_guest_account_is_not_ready() -> None:
    """The broker's own words reach the person who waits."""
    text = b"ACCESS_REFUSED - guest may not log in"
    refusal = amqp.method(amqp.CLOSE, struct.pack(">HB", 403, len(text)) + text + struct.pack(">HH", 0, 0))

    with broker(GREETING, refusal) as port:
        assert amqp.rabbitmq_unready(port) == (
            "ValueError: expected method (10, 30), got ACCESS_REFUSED - guest may not log in"
        )


def test_a_broker_that_hangs_up_is_not_ready() -> None:
    """A broker that is still starting accepts a connection and drops it."""
    with broker(GREETING) as port:
        assert "hung up after 0 of 7 bytes" in (amqp.rabbitmq_unready(port) or "")


def test_a_log_in_says_who_and_how() -> None:
    """The frame is the one that the protocol's specification spells out."""
    assert amqp.start_ok("guest", "guest") == (
        b"\x01\x00\x00\x00\x00\x00\x24"  # method frame, channel 0, 36 bytes
        b"\x00\x0a\x00\x0b"  # connection.start-ok
        b"\x00\x00\x00\x00"  # no properties
        b"\x05PLAIN\x00\x00\x00\x0c\x00guest\x00guest\x05en_US\xce"
    )
