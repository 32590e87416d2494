"""What a request is answered: from its head, as bytes, to the answer, as bytes. No connection is known here."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

import msgspec
import structlog

from relay.observing.http.health import Verdict

_TEXT = "text/plain; charset=utf-8"

_log = structlog.get_logger()


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


def reply(head: bytes, routes: Mapping[str, Route]) -> bytes:
    """Return what is sent back: to GET and HEAD of a known path its answer, to anything else an error of HTTP.

    Args:
        head: Request line and headers, up to the empty line or whatever came of them.
        routes: What each path answers. A defect in one is logged, and answered by 500.
    """
    handler: Any = _Handler  # its base class speaks of sockets and servers, and needs neither
    return bytes(handler(head, ("", 0), routes).wfile.getvalue())


class _Handler(BaseHTTPRequestHandler):
    """The standard library's reading of a request and writing of an answer, between two texts in memory."""

    server_version = "relay"
    sys_version = ""

    request: Any
    server: Any

    def setup(self) -> None:
        self.rfile = io.BytesIO(self.request)
        self.wfile = io.BytesIO()

    def finish(self) -> None:
        """Keep what was written."""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing: a probe every few seconds is not news."""

    def _answer(self, *, with_body: bool) -> None:
        answer = _routed(self.path.partition("?")[0], self.server)
        self.send_response(answer.code)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)


def _routed(path: str, routes: Mapping[str, Route]) -> Answer:
    route = routes.get(path)
    if route is None:
        return Answer(HTTPStatus.NOT_FOUND, _TEXT, f"try {' '.join(sorted(routes))}\n".encode())
    try:
        return route()
    except Exception as error:  # noqa: BLE001 - a defect here must not end the part that answers probes
        _log.error("http.failed", path=path, error=repr(error))
        return Answer(HTTPStatus.INTERNAL_SERVER_ERROR, _TEXT, b"a defect; see the log\n")
