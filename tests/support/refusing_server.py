"""A server on loopback that refuses every request in the same words, and counts them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

JOIN_SECONDS = 10.0

NO_CREDENTIALS_DYNAMODB = (
    400,
    b'{"__type":"com.amazon.coral.service#UnrecognizedClientException","message":"The security token is invalid."}',
)
"""What DynamoDB says of credentials that it does not know. Source: AWS, "Error handling with DynamoDB"."""

NO_CREDENTIALS_ELASTICSEARCH = (
    401,
    b'{"error":{"type":"security_exception","reason":"unable to authenticate user [relay]"},"status":401}',
)
"""What Elasticsearch says of a wrong password, shortened."""


class RefusingServer(ThreadingHTTPServer):
    """Answers everything with one status and one body.

    Attributes:
        requests: How many it has answered.
        url: Where it listens.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, status: int, body: bytes) -> None:
        self.answer = (status, body)
        self.requests = 0
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30
    server: RefusingServer

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests += 1
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Elastic-Product", "Elasticsearch")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _refuse  # noqa: N815 - the base class calls them so

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing."""


@contextmanager
def refusing_server(answer: tuple[int, bytes]) -> Iterator[RefusingServer]:
    """Give a server that refuses with this status and this body."""
    server = RefusingServer(*answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="refusing", daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(JOIN_SECONDS)
