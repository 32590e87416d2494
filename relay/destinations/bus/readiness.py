"""Waits until a socket has something to read, or until somebody calls: the wait below a session's poll."""

import select
import socket
import threading
from typing import Any


class Readiness:
    """A wait for one socket that another thread may end.

    A call is one byte on a pair of sockets of its own, which lies there until the next wait: none is lost, and many
    before one wait are one.

    Args:
        sock: The socket to be read; it stays its owner's.
    """

    def __init__(self, sock: Any) -> None:
        self._pending = getattr(sock, "pending", None)  # TLS may hold decrypted bytes that the system knows nothing of
        self._ear, self._mouth = socket.socketpair()
        self._ear.setblocking(False)
        self._mouth.setblocking(False)
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._ear, select.POLLIN)
        self._ear_number = self._ear.fileno()
        # A byte must not go to a number that was closed meanwhile, and is another connection's by now.
        self._lock = threading.Lock()
        self._is_called = False
        self._is_closed = False

    def __call__(self, timeout_seconds: float) -> bool:
        """Tell whether there is something to read; wait for it at most that long, or until `wake`."""
        if self._pending is not None and self._pending():
            return True
        ready = [number for number, _ in self._poll.poll(timeout_seconds * 1000)]
        if self._ear_number in ready:
            ready.remove(self._ear_number)
            with self._lock:
                self._is_called = False
                self._ear.recv(1)
        return bool(ready)

    def wake(self) -> None:
        """End a wait, from any thread; one that has not begun ends at once. After `close` nothing happens."""
        with self._lock:
            if not (self._is_called or self._is_closed):
                self._is_called = True
                self._mouth.send(b"\0")

    def close(self) -> None:
        """Release what `wake` needs; the socket that is waited for is its owner's."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                self._poll.unregister(self._ear)
                self._ear.close()
                self._mouth.close()
