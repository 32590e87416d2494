"""Health and metrics over HTTP, by real sockets: what is answered, and how the server begins and ends."""

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from relay.observing.http.answering import Answer, json_answer
from relay.observing.http.connections import HEAD_MAX_BYTES
from relay.observing.http.health import Verdict
from relay.observing.http.server import HttpAddressError, HttpServer

from .serving import RUNTIME, ask, hello, served


def broken() -> Answer:
    raise RuntimeError("a defect")


@pytest.fixture
def said() -> Iterator[Callable[[bytes], bytes]]:
    """Says something to a server; returns all of what it answers."""
    with served(hello=hello) as made:

        def say(words: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", made.port), 10) as client:
                client.sendall(words)
                client.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: client.recv(4096), b""))

        yield say


def test_a_path_is_answered() -> None:
    """
    A query is ignored; HEAD has the headers alone.
    """
    with served(hello=hello) as made:
        assert ask(made, "/hello?now=1") == (200, "text/plain", b"hello")
        assert ask(made, "/hello", "HEAD") == (200, "text/plain", b"")


def test_other_paths_and_methods_are_refused() -> None:
    """
    An unknown path names the known ones.
    """
    with served(hello=hello, livez=hello) as made:
        assert ask(made, "/") == (404, "text/plain; charset=utf-8", b"try /hello /livez\n")
        assert ask(made, "/hello", "DELETE")[0] == 501


def test_a_defect_behind_a_path_is_logged_and_ends_nothing() -> None:
    """
    The client gets 500, and the next request its answer.
    """
    with structlog.testing.capture_logs() as events, served(broken=broken, hello=hello) as made:
        answers = [ask(made, "/broken")[0] for _ in range(3)]
        assert ask(made, "/hello")[0] == 200

    assert answers == [500] * 3
    assert [event["path"] for event in events if event["event"] == "http.failed"] == ["/broken"] * 3


def test_a_verdict_becomes_json() -> None:
    """
    With its status code.
    """
    with served(readyz=lambda: json_answer(Verdict(503, {"status": "not ready"}))) as made:
        code, content_type, body = ask(made, "/readyz")

    assert (code, content_type, json.loads(body)) == (503, "application/json", {"status": "not ready"})


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", b"200"),
        (b"GET /hello HTTP/1.0\n\n", b"200"),
        (b"\r\n\r\nGET /hello HTTP/1.1\r\n\r\n", b"200"),
        (b"GET /hello HTTP/1.1\r\nHost: x\r\n", b"200"),  # cut off after a header: all of it came
        (b"GET\r\n\r\n", b"400"),
        (b"GET /hello HTTP/9\r\n\r\n", b"400"),
        (b"GET /" + b"a" * HEAD_MAX_BYTES + b" HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /hello HTTP/1.1\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", b"431"),
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
    ],
    ids=[
        "usual",
        "bare lines",
        "empty lines first",
        "cut off",
        "no path",
        "version",
        "long path",
        "long header",
        "tls",
    ],
)
def test_odd_requests_get_an_answer(said: Callable[[bytes], bytes], words: bytes, status: bytes) -> None:
    """
    An error of HTTP where it is none of ours, never silence.
    """
    first_line = said(words).partition(b"\r\n")[0]

    assert status in first_line or (status == b"400" and b"Error code: 400" in said(words))


def test_a_probe_over_tls_fails_at_once() -> None:
    """
    A probe with the wrong scheme must not look like a relay that hangs.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        served(hello=hello) as made,
        socket.create_connection(("127.0.0.1", made.port), 4) as client,  # less than a silent one is given
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(client)


def test_an_answer_is_made_once_for_all_who_ask_at_the_same_moment() -> None:
    """
    A hundred scrapers at once cost a few pages, not a hundred: the probe after them does not wait.
    """
    made_pages, may_go, hold = [], threading.Event(), threading.Event()

    def page() -> Answer:
        made_pages.append(1)
        return Answer(200, "text/plain", b"page")

    def wait() -> Answer:
        hold.set()
        assert may_go.wait(10)
        return hello()

    with served(page=page, wait=wait) as made:
        first = socket.create_connection(("127.0.0.1", made.port), 10)
        askers = [socket.create_connection(("127.0.0.1", made.port), 10) for _ in range(20)]
        assert ask(made, "/page")[0] == 200  # all are heard by now
        first.sendall(b"GET /wait HTTP/1.0\r\n\r\n")
        assert hold.wait(10)
        for each in askers:
            each.sendall(b"GET /page HTTP/1.0\r\n\r\n")
        may_go.set()
        answers = [each.recv(4096)[:15] for each in askers]
        for each in (first, *askers):
            each.close()
        assert ask(made, "/page")[0] == 200

    assert answers == [b"HTTP/1.0 200 OK"] * 20
    assert len(made_pages) == 3


def test_a_defect_in_reading_is_logged_and_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The loop's own words go into the log like all others.
    """
    with structlog.testing.capture_logs() as events, served(hello=hello) as made:
        monkeypatch.setattr("relay.observing.http.server.reply", lambda *_: 1 / 0)
        with socket.create_connection(("127.0.0.1", made.port), 10) as client:
            client.sendall(b"GET /hello HTTP/1.0\r\n\r\n")
            assert client.recv(1) == b""
        monkeypatch.undo()
        assert ask(made, "/hello")[0] == 200

    (found,) = [event for event in events if event["event"] == "http.trouble"]
    assert "ZeroDivisionError" in found["error"]


def test_a_port_in_use_is_a_clear_error() -> None:
    """
    It names the variables, the address and what to do.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            HttpAddressError, match=rf"RELAY_HTTP_PORT: cannot listen on 127.0.0.1:{port}.*in use.*another port"
        ):
            HttpServer("127.0.0.1", port, {}, RUNTIME)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a" * 300, ""])
def test_an_address_that_is_not_ours_is_a_clear_error(host: str) -> None:
    """
    Neither a traceback nor a server elsewhere; and another port would not help.
    """
    with pytest.raises(HttpAddressError, match=r"cannot listen on.*; RELAY_HTTP_HOST must be .* this machine"):
        HttpServer(host, 0, {}, RUNTIME)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_all_addresses_means_both_kinds() -> None:
    """
    A pod whose probes come by IPv4 and whose scraper comes by IPv6.
    """
    made: Any = HttpServer("::", 0, {"/hello": hello}, RUNTIME)
    made.start()
    try:
        assert ask(made, "/hello")[0] == 200  # asks 127.0.0.1
    finally:
        made.stop()
        assert made.join(10)
