"""A connection whose every wait ends when the time of the call at hand is over, however slowly the answer drips in."""

import io
import socket
from typing import Any

from eventstore.transport.call_stage import CALL
from eventstore.transport.time_limit import CURRENT


class BoundedSocket:
    """A connected socket. A time-out of its own would start again with each byte that comes; the limit does not."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._patience: float | None = inner.gettimeout()

    def __getattr__(self, name: str) -> Any:
        """Return whatever is not bounded here."""
        return getattr(self._inner, name)

    def settimeout(self, seconds: float | None) -> None:
        """Set the longest single wait, which the limit may shorten; see `socket.settimeout`."""
        self._patience = seconds
        self._inner.settimeout(seconds)

    def recv_into(self, buffer: Any, *sizes: int) -> int:
        """Receive; see `socket.recv_into`."""
        self._limit()
        count: int = self._inner.recv_into(buffer, *sizes)
        return count

    def sendall(self, data: Any, *flags: int) -> None:
        """Send all; see `socket.sendall`."""
        self._limit()
        CALL.bytes_leave()
        self._inner.sendall(data, *flags)

    def makefile(self, mode: str = "r", buffering: int | None = None, **_: Any) -> Any:
        """Return a reader of what is received here; see `socket.makefile`."""
        assert mode == "rb", "http.client reads replies as bytes"
        self._inner._io_refs += 1  # noqa: SLF001 - as socket.makefile does: a reader keeps the socket open
        raw: Any = socket.SocketIO(self, "r")  # type: ignore[arg-type]
        return io.BufferedReader(raw, io.DEFAULT_BUFFER_SIZE if buffering is None else max(buffering, 1))

    def _limit(self) -> None:
        left = CURRENT.left_seconds()
        if left is None:
            return
        if left <= 0:
            raise TimeoutError("the time of the call is over")
        self._inner.settimeout(left if self._patience is None else min(left, self._patience))


def bounded(connection_class: type[Any]) -> type[Any]:
    """Return a class of urllib3's connections whose waits are bounded."""

    class Bounded(connection_class):  # type: ignore[misc]
        """As its base; the socket is bounded once it is connected."""

        def connect(self) -> None:
            """Connect; see the base class."""
            super().connect()
            connection: Any = self
            connection.sock = BoundedSocket(connection.sock)

    return Bounded
