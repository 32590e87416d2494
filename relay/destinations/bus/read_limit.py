"""Ends reads of a broker in time, however slowly bytes drip in: py-amqp's time-outs begin again with each of them."""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SECONDS_MIN = 0.1
"""The least that a read gets, so that what has come already is taken even when nobody wants to wait."""


class ReadLimit:
    """When what a connection reads must be over. What came of a frame until then is kept, and the next read goes on.

    A TLS record that drips in is waited for once more by the socket's own time-out, which holds for the whole record.
    """

    def __init__(self) -> None:
        self._ends_at: float | None = None

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Limit everything that is read meanwhile; an outer limit holds as well."""
        outer = self._ends_at
        ends_at = time.monotonic() + max(seconds, SECONDS_MIN)
        self._ends_at = ends_at if outer is None else min(outer, ends_at)
        try:
            yield
        finally:
            self._ends_at = outer

    def watch(self, transport: Any) -> Any:
        """Return a transport of py-amqp, not connected yet, that will keep to the limit."""
        set_up: Callable[[], None] = transport._setup_transport  # noqa: SLF001 - py-amqp offers no other place

        def set_up_limited() -> None:
            set_up()
            transport._quick_recv = self._limited(transport._quick_recv, transport.sock)  # noqa: SLF001

        transport._setup_transport = set_up_limited  # noqa: SLF001
        return transport

    def _limited(self, receive: Callable[[int], bytes], sock: Any) -> Callable[[int], bytes]:
        readable = Readable(sock)

        def receive_in_time(count: int) -> bytes:
            if self._ends_at is not None:
                left, patience = self._ends_at - time.monotonic(), sock.gettimeout()
                if left <= 0 or not readable(left if patience is None else min(left, patience)):
                    raise TimeoutError("the broker did not finish what it began to say in time")
            return receive(count)

        return receive_in_time


class Readable:
    """Tells whether there is something to read on a socket within a number of seconds."""

    def __init__(self, sock: Any) -> None:
        self._pending = getattr(sock, "pending", None)  # TLS may hold decrypted bytes that the system knows nothing of
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def __call__(self, timeout_seconds: float) -> bool:
        """Wait for at most that long."""
        if self._pending is not None and self._pending():
            return True
        return bool(self._poll.poll(timeout_seconds * 1000))
