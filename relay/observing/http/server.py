"""A small HTTP server for health and metrics: few threads, and a bound on everything a client can do."""

import errno
import io
import socket
import socketserver
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec
import structlog

from eventstore.errors import SetUpError
from eventstore.ports import Clock, Runtime
from relay.lifecycle import Service
from relay.observing.http.health import Verdict

THREADS = 4
"""Requests that are served at once; a client that does not come to an end holds one up for `REQUEST_SECONDS`."""

REQUEST_SECONDS = 5.0
"""Longest time for one request, from the connection to the last byte."""

BACKLOG = 16
_LOOK_SECONDS = 0.5

_log = structlog.get_logger()


class HttpAddressError(SetUpError):
    """The address for health and metrics cannot be used: choose another, or stop the process that uses it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers."""

    code: int
    content_type: str
    body: bytes


Route = Callable[[], Answer]


def json_answer(verdict: Verdict) -> Answer:
    """Return a verdict as an answer."""
    return Answer(verdict.code, "application/json", msgspec.json.encode(verdict.document) + b"\n")


class HttpServer(Service):
    """Serves GET of a few paths from few threads; each connection gets one answer.

    The address is taken at once, so that one in use is said before the relay starts; `start` begins to serve, and
    `join` releases the address, whether it was started or not. Requests in hand end within `REQUEST_SECONDS`.

    Raises:
        HttpAddressError: The address is in use, is not this machine's, or may not be used.
    """

    def __init__(self, host: str, port: int, routes: Mapping[str, Route], runtime: Runtime) -> None:
        super().__init__(runtime)
        try:
            self._server = _Server(host, port, routes, runtime)
        except (OSError, OverflowError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise HttpAddressError(
                f"RELAY_HTTP_HOST and RELAY_HTTP_PORT: cannot listen on {host}:{port}: {reason}; {_advice(error)}",
            ) from error

    @property
    def port(self) -> int:
        """The port, also when the system chose it."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """See `Service`."""
        super().start()
        _log.info("http.listening", host=str(self._server.server_address[0]), port=self.port)

    def join(self, timeout_seconds: float) -> bool:
        """See `Service`; then release the address."""
        has_ended = super().join(timeout_seconds)
        self._server.server_close()
        return has_ended

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {f"http-{number}": self._serve for number in range(1, THREADS + 1)}

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._server.handle_request()


class _Server(socketserver.TCPServer):
    """Several threads accept connections from one socket; a thread that comes too late waits again."""

    allow_reuse_address = True
    request_queue_size = BACKLOG
    timeout = _LOOK_SECONDS

    def __init__(self, host: str, port: int, routes: Mapping[str, Route], clock: Clock) -> None:
        self.routes = routes
        self.clock = clock
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        super().__init__((host, port), _Handler)
        self.socket.settimeout(_LOOK_SECONDS)  # another thread may have taken the connection that woke this one up

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class gives both
        """See the base class; a client that goes away is no matter."""
        _log.debug("http.disconnected", client=str(client_address[0]))


class _Handler(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: _Server
    server_version = "relay"
    sys_version = ""

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self.rfile = io.BufferedReader(_Bounded(self.connection, self.server.clock, REQUEST_SECONDS))

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing: a probe every few seconds is not news."""

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        route = self.server.routes.get(path)
        if route is None:
            known = " ".join(sorted(self.server.routes))
            answer = Answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", f"try {known}\n".encode())
        else:
            try:
                answer = route()
            except Exception as error:  # noqa: BLE001 - a defect here must not end the thread that answers probes
                _log.error("http.failed", path=path, error=repr(error))
                answer = Answer(
                    HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", b"a defect; see the log\n"
                )
        self.connection.settimeout(REQUEST_SECONDS)
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)


def _advice(error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
    if number == errno.EADDRINUSE:
        return "choose another port, or stop the process that uses it"
    if number == errno.EACCES:
        return "choose a port of 1,024 or more"
    return "RELAY_HTTP_HOST must be a name or an address of this machine"


class _Bounded(io.RawIOBase):
    """A connection as a stream with one time limit for all of it: sending slowly does not extend it."""

    def __init__(self, connection: socket.socket, clock: Clock, seconds: float) -> None:
        self._connection = connection
        self._clock = clock
        self._until = clock.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._until - self._clock.monotonic()
        if left <= 0:
            raise TimeoutError("the request takes too long")
        self._connection.settimeout(left)
        return self._connection.recv_into(buffer)
