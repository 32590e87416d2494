"""Places on loopback where a server should be and is not, or is not yet."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

CONNECT_SECONDS = 10.0
HEARTBEAT = bytes.fromhex("08 0000 00000000 ce")
"""A whole frame: type 8, channel 0, no payload, end. Source: AMQP 0-9-1, 2.3.7."""


class Door:
    """A port that refuses connections until it is opened, and then leads to a server.

    `heartbeats` counts those that RabbitMQ has sent through it.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))  # taken, but not listened at: whoever comes is refused
        self.port: int = self._listener.getsockname()[1]
        self.url = url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{self.port}")
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()
        self.heartbeats = 0

    def open(self) -> None:
        """Let connections through from now on."""
        self._listener.listen()
        self._start(self._accept)

    def close(self) -> None:
        """Break what is there and let nothing more through."""
        with self._lock:
            everything = [self._listener, *self._sockets]
        for each in everything:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(CONNECT_SECONDS)

    def _start(self, body: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=body, args=arguments, name="door", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target, CONNECT_SECONDS)
                server.settimeout(None)
                with self._lock:
                    self._sockets += [client, server]
                self._start(self._carry, client, server)
                self._start(self._carry_back, server, client)

    def _carry_back(self, server: socket.socket, client: socket.socket) -> None:
        self._carry(server, client, counting=True)

    def _carry(self, source: socket.socket, sink: socket.socket, *, counting: bool = False) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65_536):
                sink.sendall(chunk)
                if counting:
                    self.heartbeats += chunk.count(HEARTBEAT)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def door(url: str) -> Iterator[Door]:
    """Give a closed door before a server."""
    made = Door(url)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """Give a port at which every connection is refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """Give a port at which connections are taken and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]
