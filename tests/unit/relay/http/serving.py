"""A server for health and metrics on a real socket, and clients that ask it."""

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eventstore.system import SystemRuntime
from relay.observing.http.answering import Answer
from relay.observing.http.server import HttpServer

RUNTIME = SystemRuntime()


def hello() -> Answer:
    return Answer(200, "text/plain", b"hello")


@contextmanager
def served(**routes: Callable[[], Answer]) -> Iterator[HttpServer]:
    """Serve; at the end see that it ends as it should."""
    made = HttpServer("127.0.0.1", 0, {f"/{name}": route for name, route in routes.items()}, RUNTIME)
    made.start()
    try:
        yield made
    finally:
        made.stop()
        assert made.join(10)
        assert made.dead_part is None


def ask(made: HttpServer, path: str, method: str = "GET") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=10)
    connection.request(method, path)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, reply.headers["Content-Type"], body


def probe(made: HttpServer) -> float:
    """Ask as a supervisor does, on a connection of its own; return the seconds until the answer is there."""
    began_at = time.monotonic()
    assert ask(made, "/hello")[0] == 200
    return time.monotonic() - began_at
