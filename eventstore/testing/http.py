"""The in-memory DynamoDB over HTTP, for any AWS client: `DevServer`.

    DevServer   listens, and keeps a database for each access key id
    wire        bytes to requests, replies to bytes

Signatures are not checked, and whoever reaches the port may do everything; it listens on loopback unless told
otherwise.
"""

import re
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from itertools import count
from random import Random
from socket import AF_INET, AF_INET6, socket
from socketserver import TCPServer
from threading import BoundedSemaphore, Lock
from typing import Any
from zlib import crc32

from botocore.exceptions import ParamValidationError

from eventstore.testing import wire
from eventstore.testing.dynamodb import InMemoryDynamoDB, Weather
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from eventstore.testing.dynamodb.faults.journey import CAN_BE_CUT
from eventstore.testing.dynamodb.operations import OPERATIONS
from eventstore.testing.dynamodb.parameters import check_parameters

BODY_MAX_BYTES = 24 * 1024 * 1024
"""A request has at most 16 MB (AWS, API reference of BatchWriteItem), and base64 makes binaries a third longer."""

CONNECTIONS_MAX = 256
DATABASES_MAX = 1000
IDLE_TIMEOUT_SECONDS = 60.0

_CREDENTIAL = re.compile(r"Credential=([^/,\s]{1,128})/")
_KNOWN = frozenset(OPERATIONS)
_request_numbers = count(1)


class Databases:
    """A database for each access key id, made when it is first used.

    Args:
        make: Makes one; it is given how many there were before.
    """

    def __init__(self, make: Callable[[int], InMemoryDynamoDB]) -> None:
        self._make = make
        self._made: dict[str, InMemoryDynamoDB] = {}
        self._lock = Lock()

    def of(self, access_key_id: str) -> InMemoryDynamoDB:
        """Return the database of an access key id.

        Raises:
            ServiceError: LimitExceededException; there are `DATABASES_MAX` already.
        """
        with self._lock:
            found = self._made.get(access_key_id)
            if found is None:
                if len(self._made) >= DATABASES_MAX:
                    detail = f"There are {DATABASES_MAX} databases already; use one of their access key ids"
                    raise ServiceError("LimitExceededException", detail)
                found = self._made[access_key_id] = self._make(len(self._made))
            return found


class DevServer:
    """A server of in-memory databases; it keeps everything in memory and forgets it when it ends.

    Args:
        port: Where to listen; 0 lets the machine choose.
        host: The address to listen at; loopback by default, as nobody is asked for a password.
        weather: What goes wrong; nothing by default.
        seed: Decides when. Each database has a course of its own, by the order in which they are made.
        shard_count: Number of shards a stream starts with.

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
    ) -> None:
        def make(number: int) -> InMemoryDynamoDB:
            chance = Random(f"{seed}/{number}")  # noqa: S311 - repeatable
            return InMemoryDynamoDB(weather=weather, random=chance, shard_count=shard_count)

        self.databases = Databases(make)
        self._server = _Server((host, port), self.databases)

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


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], databases: Databases) -> None:
        self.databases = databases
        self._room = BoundedSemaphore(CONNECTIONS_MAX)
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without a reverse DNS lookup."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give a connection a thread, or close it when there are too many."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

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
            body = self._read_body()
            reply, is_cut = self._answer(body)
        except ServiceError as error:
            self._send(error.status, wire.write_error(error), request_id)
        except (ConnectionLostError, ConnectionError, TimeoutError):
            self.close_connection = True
        else:
            self._send(200, wire.write_reply(reply), request_id, is_cut=is_cut)

    def do_GET(self) -> None:
        """Answer that the server is up, for clients that wait for it."""
        self._send(200, b"healthy: dynamodb", "health")

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal():
            self.close_connection = True  # where the next request begins is not known
            raise ServiceError("SerializationException", "A request has a Content-Length", status=411)
        if int(length) > BODY_MAX_BYTES:
            self.close_connection = True
            raise ServiceError("RequestEntityTooLarge", f"A body has at most {BODY_MAX_BYTES} bytes", status=413)
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise ConnectionError("the client went away")
        return body

    def _answer(self, body: bytes) -> tuple[dict[str, Any], bool]:
        """Return the reply, and whether its body is to be cut short."""
        operation = wire.read_target(self.headers.get("X-Amz-Target"), _KNOWN)
        credential = _CREDENTIAL.search(self.headers.get("Authorization", ""))
        if credential is None:
            detail = "Request is missing Authentication Token; any access key id and secret will do"
            raise ServiceError("MissingAuthenticationTokenException", detail)
        request = wire.read_request(body)
        try:
            check_parameters(operation, request)
            reply = self.server.databases.of(credential[1]).call(operation, request)
        except ParamValidationError as error:
            raise ServiceError("ValidationException", str(error)) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            detail = f"The request has not the shape of {operation}: {type(error).__name__}: {error}"
            raise ServiceError("SerializationException", detail) from error
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
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class calls it so
        """Log nothing."""
