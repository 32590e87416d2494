"""A server on loopback that answers every request with the status, headers and bytes that a test sets."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar
from zlib import crc32

JOIN_SECONDS = 10.0


@dataclass(frozen=True)
class Answer:
    """What it says."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def checksummed(body: bytes, status: int = 200) -> Answer:
    """Return an answer with the right checksum."""
    return Answer(body, status, {"x-amz-crc32": str(crc32(body))})


class AnsweringServer(ThreadingHTTPServer):
    """Answers everything alike; `asked` are the operations that it was asked for, and `authorized` by whom."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.answer = Answer(b"{}")
        self.asked: list[str] = []
        self.authorized: list[str | None] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def hold(self) -> None:
        """Return when a request may be answered."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: AnsweringServer

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.authorized.append(self.headers.get("Authorization"))
        self.server.asked.append(self.headers.get("X-Amz-Target", "").rpartition(".")[2])
        self.server.hold()
        answer = self.server.answer
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - the base class calls them so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing."""


S = TypeVar("S", bound=AnsweringServer)


@contextmanager
def answering_server(kind: type[S] = AnsweringServer) -> Iterator[S]:  # type: ignore[assignment]
    """Give a server that answers as it is told."""
    server = kind()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="answering", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(JOIN_SECONDS)
