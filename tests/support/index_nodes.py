"""Nodes of a search index on loopback that answer, hang, drip or speak nonsense, as a test says."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OVER_SECONDS_MAX = 60.0
DRIP_SECONDS = 0.05

ELASTIC = {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}
HTML = b"<html><body>Bad gateway</body></html>"


class IndexNode(ThreadingHTTPServer):
    """One node; `mood` is one of the names in `MOODS`, and `asked` counts its requests."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.mood = "well"
        self.asked = 0
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: who does not trust a certificate ends the connection."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: IndexNode

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += 1
        with suppress(OSError):  # who waits no longer has closed the connection
            MOODS[self.server.mood](self, body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer  # noqa: N815 - the base class calls them so

    def say(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """Answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing."""


def _well(handler: _Handler, body: bytes) -> None:
    handler.say(200, _reply(handler.path, body), ELASTIC)


def _reply(path: str, body: bytes) -> bytes:
    if "_bulk" in path:
        ids = [json.loads(line)["create"]["_id"] for line in body.split(b"\n")[:-1][::2]]
        return json.dumps({"items": [{"create": {"_id": each, "status": 201}} for each in ids]}).encode()
    if "_count" in path:
        return b'{"count": 7}'
    if "_pit" in path:
        return b'{"id": "view"}'
    return b"{}"


def _hang(handler: _Handler, _body: bytes) -> None:
    handler.server.over.wait(OVER_SECONDS_MAX)
    handler.close_connection = True


def _drip(handler: _Handler, _body: bytes) -> None:
    """Send a byte now and then, so that no single wait is long."""
    handler.send_response(200)
    for name, value in {**ELASTIC, "Content-Length": "100000"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.close_connection = True
    while not handler.server.over.wait(DRIP_SECONDS):
        handler.wfile.write(b" ")
        handler.wfile.flush()


def _cut(handler: _Handler, _body: bytes) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\nX-Elastic-Product: Elasticsearch\r\n\r\n{")
    handler.close_connection = True


def _vanish(handler: _Handler, _body: bytes) -> None:
    handler.close_connection = True
    handler.connection.shutdown(socket.SHUT_RDWR)


MOODS = {
    "well": _well,
    "hangs": _hang,
    "drips": _drip,
    "cut": _cut,
    "vanishes": _vanish,
    "502": lambda handler, _body: handler.say(502, HTML, {"Content-Type": "text/html"}),
    "503": lambda handler, _body: handler.say(
        503, b'{"error":{"type":"cluster_block_exception","reason":"no master"},"status":503}', ELASTIC
    ),
    "HTML": lambda handler, _body: handler.say(200, HTML, {"Content-Type": "text/html"}),
    "HTML 404": lambda handler, _body: handler.say(404, HTML, {"Content-Type": "text/html"}),
    "no JSON": lambda handler, _body: handler.say(200, b'{"items', ELASTIC),
    "no HTTP": lambda handler, _body: handler.wfile.write(b"220 smtp.example.com ESMTP\r\n"),
}


@contextmanager
def index_nodes(count: int) -> Iterator[list[IndexNode]]:
    """Give so many nodes, all well."""
    nodes = [IndexNode() for _ in range(count)]
    threads = [threading.Thread(target=node.serve_forever, args=(0.02,), daemon=True) for node in nodes]
    for thread in threads:
        thread.start()
    try:
        yield nodes
    finally:
        for node in nodes:
            node.over.set()
            node.shutdown()
            node.server_close()
        for thread in threads:
            thread.join(10)
