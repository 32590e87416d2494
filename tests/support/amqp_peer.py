"""A peer on loopback that speaks AMQP as RabbitMQ does, until a test lets it say something else, or say it slowly."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

JOIN_SECONDS = 10.0
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
END = b"\xce"

Method = tuple[int, int]

START_OK, TUNE_OK, OPEN = (10, 11), (10, 31), (10, 40)
CLOSE, CHANNEL_OPEN, CHANNEL_CLOSE = (10, 50), (20, 10), (20, 40)
EXCHANGE_DECLARE, QUEUE_DECLARE, QUEUE_BIND, CONFIRM_SELECT = (40, 10), (50, 10), (50, 20), (85, 10)
BEGIN = (0, 0)
"""Stands for the protocol header, with which a client begins."""


def frame(kind: int, channel: int, payload: bytes) -> bytes:
    """Return a frame. Source: AMQP 0-9-1, 2.3.5."""
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + END


def method(channel: int, of: Method, arguments: bytes = b"") -> bytes:
    """Return a method frame; arguments are encoded already."""
    return frame(METHOD, channel, struct.pack(">HH", *of) + arguments)


def ack(tag: int, *, multiple: bool = False) -> bytes:
    """Return a basic.ack."""
    return method(1, (60, 80), struct.pack(">QB", tag, multiple))


def nack(tag: int, *, multiple: bool = False) -> bytes:
    """Return a basic.nack."""
    return method(1, (60, 120), struct.pack(">QB", tag, multiple))


def returned(message_id: str | None) -> bytes:
    """Return a basic.return with the frames of its message, which has no body."""
    said = struct.pack(">H", 312) + _short("NO_ROUTE") + _short("x") + _short("A.B")
    flags, properties = (0, b"") if message_id is None else (1 << 7, _short(message_id))
    header = struct.pack(">HHQH", 60, 0, 0, flags) + properties
    return method(1, (60, 50), said) + frame(HEADER, 1, header)


def heartbeat() -> bytes:
    """Return a heartbeat."""
    return frame(HEARTBEAT, 0, b"")


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _long(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


ANSWERS: dict[Method, bytes] = {
    BEGIN: method(0, (10, 10), b"\x00\x09" + _long(b"") + _long(b"PLAIN") + _long(b"en_US")),
    START_OK: method(0, (10, 30), struct.pack(">HIH", 2047, 131_072, 60)),
    OPEN: method(0, (10, 41), _short("")),
    CLOSE: method(0, (10, 51)),
    CHANNEL_OPEN: method(1, (20, 11), _long(b"")),
    CHANNEL_CLOSE: method(1, (20, 41)),
    EXCHANGE_DECLARE: method(1, (40, 11)),
    QUEUE_DECLARE: method(1, (50, 11), _short("q") + struct.pack(">II", 0, 0)),
    QUEUE_BIND: method(1, (50, 21)),
    CONFIRM_SELECT: method(1, (85, 11)),
}
"""What a broker answers."""


class AmqpPeer:
    """Serves connections one after the other.

    Attributes:
        url: Where it listens.
        answers: What it says to each method; a test may put anything in.
        on_publish: What it says to each message; None acknowledges it.
        gap_seconds: Pause before each byte; None says everything at once.
        connections: How many it has taken.
        logins: What each client said of itself.
    """

    def __init__(self) -> None:
        self.answers = dict(ANSWERS)
        self.on_publish: bytes | None = None
        self.gap_seconds: float | None = None
        self.connections = 0
        self.logins: list[bytes] = []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._client: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"amqp://guest:guest@127.0.0.1:{self._listener.getsockname()[1]}//"
        self._threads = [threading.Thread(target=self._serve, name="amqp-peer", daemon=True)]
        self._threads[0].start()

    def say(self, words: bytes) -> None:
        """Say something to the client, at the pace in force; from a thread of its own when that takes time."""
        if self.gap_seconds is None:
            self._send(words)
            return
        thread = threading.Thread(target=self._send, args=(words,), name="amqp-drip", daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Stop."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._drop()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def _drop(self) -> None:
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
            client.close()

    def _send(self, words: bytes) -> None:
        client = self._client
        with contextlib.suppress(OSError):
            if client is None:
                return
            if self.gap_seconds is None:
                client.sendall(words)
                return
            for byte in words:
                if self._over.wait(self.gap_seconds):
                    return
                client.sendall(bytes([byte]))

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._client = client
            with contextlib.suppress(OSError):
                self._talk(client)
            self._drop()

    def _talk(self, client: socket.socket) -> None:
        with client.makefile("rb") as heard:
            if heard.read(8) != b"AMQP\x00\x00\x09\x01":
                return
            self._send(self.answers[BEGIN])
            messages = 0
            while head := heard.read(7):
                kind, _, size = struct.unpack(">BHI", head)
                payload = heard.read(size + 1)[:-1]
                if kind == METHOD:
                    if struct.unpack(">HH", payload[:4]) == START_OK:
                        self.logins.append(payload)
                    self._send(self.answers.get(struct.unpack(">HH", payload[:4]), b""))
                elif kind == BODY:
                    messages += 1
                    self._send(ack(messages) if self.on_publish is None else self.on_publish)


@contextmanager
def amqp_peer() -> Iterator[AmqpPeer]:
    """Give a peer."""
    peer = AmqpPeer()
    try:
        yield peer
    finally:
        peer.close()
