"""A proxy between the relay and a server that can withhold what one side says, and tells when it does."""

import contextlib
import socket
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

CHUNK_BYTES = 65_536
CONNECT_SECONDS = 10.0

Rule = Callable[[bytes], bool]
"""Says of a chunk whether to withhold it and everything after it."""


class Proxy:
    """Forwards TCP connections to a server on loopback.

    With a rule for a direction, the first chunk that matches is withheld, and so is what follows on that connection;
    `withheld` is raised at that moment. Without rules it is transparent.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._to_server: Rule | None = None
        self._to_client: Rule | None = None
        self._sockets: list[socket.socket] = []
        self.withheld = threading.Event()
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        port: int = self._listener.getsockname()[1]
        return port

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
        """Forward everything again; connections that something was withheld from are closed."""
        with self._lock:
            self._to_server = self._to_client = None
            self.withheld.clear()
            sockets, self._sockets = self._sockets, []
        for each in sockets:
            _close(each)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        self.be_transparent()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target, timeout=CONNECT_SECONDS)
            except OSError:
                return
            server.settimeout(None)
            with self._lock:
                self._sockets += [client, server]
            for source, sink, towards_server in ((client, server, True), (server, client, False)):
                pump = threading.Thread(target=self._pump, args=(source, sink, towards_server), daemon=True)
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, towards_server: bool) -> None:  # noqa: FBT001 - a thread's argument
        silent = False
        try:
            while chunk := source.recv(CHUNK_BYTES):
                with self._lock:
                    rule = self._to_server if towards_server else self._to_client
                if not silent and rule is not None and rule(chunk):
                    silent = True
                    self.withheld.set()
                if not silent:
                    sink.sendall(chunk)
        except OSError:
            pass
        finally:
            _close(source)
            _close(sink)


def _close(each: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the other side was quicker
        each.shutdown(socket.SHUT_RDWR)
    each.close()
