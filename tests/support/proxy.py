"""A proxy before a server: it withholds what one side says, goes deaf, vanishes, refuses, or speaks up itself."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

CHUNK_BYTES = 65_536
CONNECT_SECONDS = 10.0
JOIN_SECONDS = 10.0
HEARTBEAT = bytes.fromhex("08 0000 00000000 ce")
"""A whole frame: type 8, channel 0, no payload, end. Source: AMQP 0-9-1, 2.3.7."""

Rule = Callable[[bytes], bool]
"""Says of a chunk whether to withhold it and everything after it."""


class Proxy:
    """Forwards TCP connections to a server on loopback.

    With a rule for a direction, the first chunk that matches is withheld, and so is what follows on that connection;
    `withheld` is raised at that moment. Without rules it is transparent.

    Args:
        url: The server's address; left out when `through` names it later.

    Attributes:
        port: Where it listens, on loopback.
        url: The server's address with the proxy in the server's place.
        connections: How many were carried.
        heartbeats: How many RabbitMQ has sent through it.
    """

    def __init__(self, url: str | None = None) -> None:
        self._lock = threading.Lock()
        self._listener = _bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._target = ("127.0.0.1", 0) if url is None else _place(url)
        self.url = "" if url is None else proxied(url, self)
        self._to_server: Rule | None = None
        self._to_client: Rule | None = None
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._carrying = threading.Event()
        self._carrying.set()
        self.withheld = threading.Event()
        self.connections = 0
        self.heartbeats = 0
        self.open()

    def through(self, url: str) -> str:
        """Lead to the server of an address from now on; return the address with this proxy in the server's place."""
        self.lead_to(url)
        self.url = proxied(url, self)
        return self.url

    def open(self) -> None:
        """Take connections, from now on or again."""
        self._listener.listen()
        self._start(self._accept, self._listener)

    def shut(self) -> None:
        """Break what is there and refuse connections, as a server that was ended does; the port stays taken."""
        _close(self._listener)
        self._listener = _bound(self.port)
        self.be_transparent()

    def lead_to(self, url: str) -> None:
        """Lead to another server from now on; connections to the former one break."""
        with self._lock:
            self._target = _place(url)
        self.be_transparent()

    def withhold_requests(self, rule: Rule) -> None:
        """Withhold what the client says from the first chunk on that matches."""
        with self._lock:
            self.withheld.clear()
            self._to_server = rule

    def withhold_replies(self, rule: Rule) -> None:
        """Withhold what the server says from the first chunk on that matches."""
        with self._lock:
            self.withheld.clear()
            self._to_client = rule

    def be_transparent(self) -> None:
        """Forward everything again; every connection breaks."""
        with self._lock:
            self._to_server = self._to_client = None
            self.withheld.clear()
        self.drop()

    def pause(self) -> None:
        """Carry nothing more, in either direction; connections stay, new ones are taken and not served."""
        self._carrying.clear()

    def resume(self) -> None:
        """Carry on, with what was held back."""
        self._carrying.set()

    def drop(self) -> None:
        """Break every connection."""
        with self._lock:
            sockets, self._sockets = self._sockets, []
        for each in sockets:
            _close(each)

    def say(self, words: bytes) -> None:
        """Say something to the client of the last connection, as if the server had."""
        with self._lock:
            client = self._sockets[-2]
        client.sendall(words)

    def close(self) -> None:
        """Stop."""
        _close(self._listener)
        self.resume()
        self.be_transparent()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self, body: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=body, args=arguments, name="proxy", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                with self._lock:
                    target = self._target
                server = socket.create_connection(target, timeout=CONNECT_SECONDS)
            except OSError:  # the server is down, so its client learns that too
                _close(client)
                continue
            server.settimeout(None)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._sockets += [client, server]
            self._start(self._pump, client, server, True)
            self._start(self._pump, server, client, False)

    def _pump(self, source: socket.socket, sink: socket.socket, towards_server: bool) -> None:  # noqa: FBT001 - a thread's argument
        silent = False
        try:
            while chunk := source.recv(CHUNK_BYTES):
                with self._lock:
                    rule = self._to_server if towards_server else self._to_client
                if not silent and rule is not None and rule(chunk):
                    silent = True
                    self.withheld.set()
                self._carrying.wait()
                if not silent:
                    sink.sendall(chunk)
                    self.heartbeats += 0 if towards_server else chunk.count(HEARTBEAT)
        except OSError:
            pass
        finally:
            _close(source)
            _close(sink)


def proxy_to(url: str) -> Proxy:
    """Return a proxy before the server of an address."""
    return Proxy(url)


@contextlib.contextmanager
def door(url: str) -> Iterator[Proxy]:
    """Give a proxy that refuses connections until it is opened."""
    with proxy_to(url) as made:
        made.shut()
        yield made


def proxied(url: str, proxy: Proxy) -> str:
    """Return the address with a proxy in the server's place."""
    parts = urlsplit(url)
    return url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{proxy.port}")


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


def _bound(port: int) -> socket.socket:
    """Take a port without listening at it: whoever comes is refused."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind(("127.0.0.1", port))
    return taken


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was quicker
        each.shutdown(socket.SHUT_RDWR)
    each.close()
