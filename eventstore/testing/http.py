"""The in-memory DynamoDB over HTTP, for any AWS client: `DevServer`.

    DevServer   listens, and gives each connection a thread
    databases   a database for each access key id in each region
    http_body   bodies of requests, within bounds
    wire        bytes to requests, replies to bytes

Signatures are not checked, and whoever reaches the port may do everything; it listens on loopback unless told
otherwise.
"""

import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from itertools import count
from logging import getLogger
from random import Random
from socket import AF_INET, AF_INET6, socket
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread
from typing import Any
from zlib import crc32

from eventstore.testing import wire
from eventstore.testing.databases import Databases
from eventstore.testing.dynamodb import InMemoryDynamoDB, Weather
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from eventstore.testing.dynamodb.faults.journey import CAN_BE_CUT
from eventstore.testing.dynamodb.faults.weather import DAY_MS
from eventstore.testing.dynamodb.operations import OPERATIONS
from eventstore.testing.http_body import UnframedError, check_length, read_body

CONNECTIONS_MAX = 1024
REFUSALS_MAX = 64
"""So many connections beyond the bound are told that they are; further ones are closed without a word."""

IDLE_TIMEOUT_SECONDS = 60.0

_CREDENTIAL = re.compile(r"Credential=([^/,\s]{1,128})/[^/,\s]*/([^/,\s]{1,64})/")
_KNOWN = frozenset(OPERATIONS)
_request_numbers = count(1)
_log = getLogger(__name__)


class DevServer:
    """A server of in-memory databases; it keeps everything in memory and forgets it when it ends.

    Args:
        port: Where to listen; 0 lets the machine choose.
        host: The address to listen at; loopback by default, as nobody is asked for a password.
        weather: What goes wrong; nothing by default.
        seed: Decides when. Each database has a course of its own, by the order in which they are made.
        shard_count: Number of shards a stream starts with.
        connections_max: How many connections may be open at a time; one more is answered with 503.

    Raises:
        OSError: The address is taken, or not one of this machine.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        weather: Weather | None = None,
        seed: int = 0,
        shard_count: int = 1,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        def make(number: int, region: str) -> InMemoryDynamoDB:
            chance = Random(f"{seed}/{number}")  # noqa: S311 - repeatable
            return InMemoryDynamoDB(
                weather=weather, random=chance, shard_count=shard_count, region=region, feed_kept_ms=DAY_MS
            )

        self.databases = Databases(make)
        self._server = _Server((host, port), self.databases, connections_max)

    @property
    def url(self) -> str:
        """The endpoint, for clients."""
        host, port = self._server.server_address[:2]
        name = host if isinstance(host, str) else host.decode()
        return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"

    @property
    def is_on_loopback(self) -> bool:
        """Tell whether only this machine reaches it."""
        host = self._server.server_address[0]
        return ip_address(host if isinstance(host, str) else host.decode()).is_loopback

    def serve(self) -> None:
        """Answer requests until `stop` is called from another thread, or an exception comes."""
        self._server.serve_forever(poll_interval=0.1)

    def stop(self) -> None:
        """End `serve`, which runs in another thread."""
        self._server.shutdown()

    def close(self) -> None:
        """Release the port, when `serve` has ended or was never called."""
        self._server.server_close()


class _Server(HTTPServer):
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], databases: Databases, connections_max: int) -> None:
        self.databases = databases
        self.connections_max = connections_max
        self._room = BoundedSemaphore(connections_max)
        self._room_for_refusals = BoundedSemaphore(REFUSALS_MAX)
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without a reverse DNS lookup."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread; when there are too many, one that refuses it."""
        handler: type[_Handler] = _Handler
        room = self._room
        if not room.acquire(blocking=False):
            handler, room = _RefusingHandler, self._room_for_refusals
            if not room.acquire(blocking=False):
                self.shutdown_request(request)
                return
        try:
            Thread(target=self._serve, args=(handler, room, request, client_address), daemon=True).start()
        except RuntimeError:  # the machine has no thread left
            room.release()
            self.shutdown_request(request)

    def _serve(self, handler: "type[_Handler]", room: BoundedSemaphore, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            handler(request, client_address, self)
        except Exception:  # noqa: BLE001 - said by `handle_error`, and the others are served on
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)
            room.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """Ignore a client that disconnected."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    server: _Server

    def do_POST(self) -> None:
        """Answer one call."""
        request_id = f"dev-{next(_request_numbers):012d}"
        try:
            body = read_body(self.headers, self.rfile)
            reply, is_cut = self._answer(body)
        except ServiceError as error:
            self.close_connection |= isinstance(error, UnframedError)
            self._send(error.status, wire.write_error(error), request_id)
        except (ConnectionLostError, ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:  # noqa: BLE001 - a defect of this server, which the client and the log are told of
            _log.exception("%s: %s failed by a defect", request_id, self.headers.get("X-Amz-Target"))
            self._send(500, wire.write_error(_defect(request_id)), request_id)
        else:
            self._send(200, wire.write_reply(reply), request_id, is_cut=is_cut)

    def do_GET(self) -> None:
        """Answer that the server is up, for clients that wait for it."""
        self._send(200, b"healthy: dynamodb", "health")

    do_HEAD = do_GET  # noqa: N815 - the base class looks for this name

    def handle_expect_100(self) -> bool:
        """Let a client send its body, at once; refuse one that is too long before it is sent."""
        try:
            check_length(self.headers)
        except UnframedError as error:
            self.close_connection = True
            self._send(error.status, wire.write_error(error), "refused")
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _answer(self, body: bytes) -> tuple[dict[str, Any], bool]:
        """Return the reply, and whether its body is to be cut short."""
        operation = wire.read_target(self.headers.get("X-Amz-Target"), _KNOWN)
        credential = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        if credential is None:
            detail = "Request is missing Authentication Token; any access key id and secret will do"
            raise ServiceError("MissingAuthenticationTokenException", detail)
        database = self.server.databases.of(credential[1], credential[2])
        reply = database.call(operation, wire.read_request(operation, body))
        return reply, not reply and operation in CAN_BE_CUT

    def _send(self, status: int, body: bytes, request_id: str, *, is_cut: bool = False) -> None:
        checksum = crc32(body)
        sent = b'{"' if is_cut else body
        self.send_response(status)
        self.send_header("Content-Type", wire.CONTENT_TYPE)
        self.send_header("Content-Length", str(len(sent)))
        self.send_header("x-amzn-RequestId", request_id)
        self.send_header("x-amz-crc32", str(checksum))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing."""


def _defect(request_id: str) -> ServiceError:
    return ServiceError("InternalServerError", f"The server has a defect; its log says more of {request_id}")


class _RefusingHandler(_Handler):
    """Tells a client that there are too many connections, whatever it wants."""

    timeout = 5.0

    def do_POST(self) -> None:
        """Refuse one call, and end the connection."""
        try:
            read_body(self.headers, self.rfile)  # or else the client, which still sends, does not hear the answer
        except (ConnectionError, TimeoutError):
            self.close_connection = True
            return
        except ServiceError:  # whatever is wrong with it, there is no room
            pass
        self.do_GET()

    def do_GET(self) -> None:
        """Refuse, and end the connection."""
        self.close_connection = True
        detail = f"There are {self.server.connections_max} connections already; close some, or allow for more"
        error = ServiceError("ServiceUnavailable", detail, status=503)
        self._send(error.status, wire.write_error(error), "refused")

    do_HEAD = do_GET  # noqa: N815 - as in the base class
