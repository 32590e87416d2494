"""Connections of the server for health and metrics: a bound on their number, their time, and what each may send."""

import asyncio
from collections.abc import Callable
from enum import IntEnum

CONNECTIONS_MAX = 256
"""Connections held at once. One more takes the place of another: of a silent one first."""

REQUEST_SECONDS = 5.0
"""Longest life of a connection, from its start to the last byte of its answer: sending slowly does not extend it."""

LINGER_SECONDS = 1.0
"""How long a client that has its answer may take to hang up."""

HEAD_MAX_BYTES = 16 * 1024
"""Longest request line with headers."""

_END = (b"\r\n\r\n", b"\n\n")


class Heard(IntEnum):
    """How far a connection has come: the lowest gives way first, when there is no room."""

    SILENT = 0
    BEGUN = 1
    ANSWERED = 2


class Connections:
    """All connections of a server, in the order of their arrival. Used by one event loop alone.

    Args:
        reply: Returns the answer to the head of a request, at once.
    """

    def __init__(self, reply: Callable[[bytes], bytes]) -> None:
        self.reply = reply
        self._open: dict[Connection, None] = {}
        self._none_left = asyncio.Event()
        self._none_left.set()

    def __len__(self) -> int:
        return len(self._open)

    def admit(self, arrived: "Connection") -> None:
        """Take a new one in; when there is no room, the oldest of those that are heard least is dropped."""
        if len(self._open) >= CONNECTIONS_MAX:
            oldest = min(self._open, key=lambda each: each.heard)  # the first of equals: dicts keep their order
            self.forget(oldest)
            oldest.drop()
        self._open[arrived] = None
        self._none_left.clear()

    def forget(self, gone: "Connection") -> None:
        """Count one no longer."""
        self._open.pop(gone, None)
        if not self._open:
            self._none_left.set()

    async def close(self, seconds: float) -> None:
        """End all: what was answered is sent within that time, what was not is dropped at once."""
        for each in tuple(self._open):
            each.end()
        try:
            await asyncio.wait_for(self._none_left.wait(), seconds)
        except TimeoutError:
            for each in tuple(self._open):
                each.drop()


class Connection(asyncio.Protocol):
    """One connection: one request, one answer. What comes after the request is read and thrown away.

    After the answer it waits for the client to hang up: closing while something is unread makes the system reset the
    connection, and the client may lose the answer.
    """

    def __init__(self, among: Connections) -> None:
        self._among = among
        self._head = bytearray()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.heard = Heard.SILENT

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See the base class."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._among.admit(self)
        self._give(REQUEST_SECONDS)

    def data_received(self, data: bytes) -> None:
        """See the base class."""
        if self.heard is Heard.ANSWERED:
            return
        self.heard = Heard.BEGUN
        self._head += data if self._head else data.lstrip(b"\r\n")
        is_other = self._head and not self._head[:1].isalpha()  # a TLS greeting, say: no end of a head will come
        if is_other or len(self._head) > HEAD_MAX_BYTES or any(end in self._head for end in _END):
            self._answer(bytes(self._head))

    def eof_received(self) -> bool:
        """See the base class: whoever has sent all may still wait for the answer."""
        if self.heard is Heard.BEGUN:
            self._answer(bytes(self._head))
        return False  # closed, once everything is sent

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - a client that goes away is no matter
        """See the base class."""
        self._among.forget(self)
        if self._timer is not None:
            self._timer.cancel()

    def end(self) -> None:
        """Close it: an answer is sent to its end."""
        assert self._transport is not None
        self._transport.close()

    def drop(self) -> None:
        """Close it, whatever is unsent."""
        assert self._transport is not None
        self._transport.abort()

    def _answer(self, head: bytes) -> None:
        assert self._transport is not None
        self.heard = Heard.ANSWERED
        self._head.clear()
        self._transport.write(self._among.reply(head))
        if self._transport.get_write_buffer_size() == 0:
            self._give(LINGER_SECONDS)  # else the rest of the time it was given is for sending
        if self._transport.can_write_eof():
            self._transport.write_eof()

    def _give(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.drop)
