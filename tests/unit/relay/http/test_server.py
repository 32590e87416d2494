"""Health and metrics over HTTP, by real sockets: what is answered, and what a client cannot do."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from eventstore.system import SystemRuntime
from relay.observing.http import server
from relay.observing.http.health import Verdict
from relay.observing.http.server import Answer, HttpAddressError, HttpServer, json_answer
from tests.support.waiting import until

RUNTIME = SystemRuntime()


def hello() -> Answer:
    return Answer(200, "text/plain", b"hello")


def broken() -> Answer:
    raise RuntimeError("a defect")


@pytest.fixture
def serve() -> Iterator[Callable[..., HttpServer]]:
    """Starts servers, and checks that their parts end."""
    started = []

    def start(**routes: Callable[[], Answer]) -> HttpServer:
        made = HttpServer("127.0.0.1", 0, {f"/{name}": route for name, route in routes.items()}, RUNTIME)
        started.append(made)
        made.start()
        return made

    yield start
    for made in started:
        made.stop()
    for made in started:
        assert made.join(10)
        assert made.dead_part is None


def ask(made: HttpServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=10)
    connection.request(method, path)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, reply.headers["Content-Type"], body


def test_a_path_is_answered(serve: Any) -> None:
    """
    A query is ignored; HEAD has the headers alone.
    """
    made = serve(hello=hello)

    assert ask(made, "/hello?now=1") == (200, "text/plain", b"hello")
    assert ask(made, "/hello", "HEAD") == (200, "text/plain", b"")


def test_other_paths_and_methods_are_refused(serve: Any) -> None:
    """
    An unknown path names the known ones.
    """
    made = serve(hello=hello, livez=hello)

    assert ask(made, "/") == (404, "text/plain; charset=utf-8", b"try /hello /livez\n")
    assert ask(made, "/hello", "DELETE")[0] == 501


def test_a_defect_behind_a_path_is_logged_and_ends_nothing(serve: Any) -> None:
    """
    The client gets 500, and the next request its answer.
    """
    with structlog.testing.capture_logs() as events:
        made = serve(broken=broken, hello=hello)
        answers = [ask(made, "/broken")[0] for _ in range(server.THREADS + 1)]
        assert ask(made, "/hello")[0] == 200

    assert answers == [500] * (server.THREADS + 1)
    assert [event["path"] for event in events if event["event"] == "http.failed"] == ["/broken"] * len(answers)


def test_a_verdict_becomes_json(serve: Any) -> None:
    """
    With its status code.
    """
    made = serve(readyz=lambda: json_answer(Verdict(503, {"status": "not ready"})))

    code, content_type, body = ask(made, "/readyz")

    assert (code, content_type, json.loads(body)) == (503, "application/json", {"status": "not ready"})


@pytest.mark.parametrize("says", [b"", b"G"], ids=["nothing", "a byte now and then"])
def test_clients_that_do_not_come_to_an_end_are_let_go(
    serve: Any, monkeypatch: pytest.MonkeyPatch, says: bytes
) -> None:
    """
    As many as there are threads: after a bounded time others are served.
    """
    monkeypatch.setattr(server, "REQUEST_SECONDS", 0.3)
    made = serve(hello=hello)
    mute = [socket.create_connection(("127.0.0.1", made.port), 10) for _ in range(server.THREADS)]
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.1):
            for each in mute:
                with contextlib.suppress(OSError):
                    each.sendall(says)

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        asked_at = RUNTIME.monotonic()
        assert ask(made, "/hello")[0] == 200
        assert RUNTIME.monotonic() - asked_at < 4.0
        mute[0].settimeout(10)
        until(lambda: _is_closed(mute[0]), "the server let the dripping client go")
    finally:
        ended.set()
        dripping.join(10)
        for each in mute:
            each.close()


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_more_clients_than_threads_are_all_served(serve: Any) -> None:
    """
    They wait for their turn; threads do not grow.
    """
    made = serve(hello=hello)
    before = threading.active_count()
    codes: list[int] = []
    clients = [threading.Thread(target=lambda: codes.append(ask(made, "/hello")[0])) for _ in range(12)]
    for client in clients:
        client.start()
    most = threading.active_count()
    for client in clients:
        client.join(30)

    assert codes == [200] * 12
    assert most <= before + 12
    assert len(made.parts) == server.THREADS


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
