"""An AMQP 0-9-1 log-in, by hand: proof that the broker takes the guest account and opens its virtual host.

An open port proves little, since the broker may still refuse everybody. Only what the log-in needs is spoken here:
header, start-ok, tune-ok, open, and a polite close, so that the broker's log stays free of warnings.
"""

from __future__ import annotations

import socket
import struct

from servers.ports import LOOPBACK

PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
METHOD_FRAME = 1
FRAME_END = b"\xce"
FRAME_BYTES_MAX = 1 << 20
FRAMES_SKIPPED_MAX = 10

START, START_OK = (10, 10), (10, 11)
TUNE, TUNE_OK = (10, 30), (10, 31)
OPEN, OPEN_OK = (10, 40), (10, 41)
CLOSE, CLOSE_OK = (10, 50), (10, 51)


def rabbitmq_unready(port: int, *, timeout_seconds: float = 3.0) -> str | None:
    """Log in as guest and open `/`; return None when that works, else what went wrong."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=timeout_seconds) as wire:
            wire.sendall(PROTOCOL_HEADER)
            _expect(wire, START)
            wire.sendall(start_ok("guest", "guest"))
            limits = _expect(wire, TUNE)[:8]
            wire.sendall(method(TUNE_OK, limits))
            wire.sendall(method(OPEN, _short("/") + _short("") + b"\x00"))
            _expect(wire, OPEN_OK)
            wire.sendall(method(CLOSE, struct.pack(">H", 200) + _short("") + struct.pack(">HH", 0, 0)))
            _expect(wire, CLOSE_OK)
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return None


def start_ok(user: str, password: str) -> bytes:
    """Return the frame that answers the broker's greeting with a PLAIN log-in."""
    response = f"\0{user}\0{password}".encode()
    no_properties = struct.pack(">I", 0)
    return method(
        START_OK, no_properties + _short("PLAIN") + struct.pack(">I", len(response)) + response + _short("en_US")
    )


def method(which: tuple[int, int], arguments: bytes) -> bytes:
    """Return one method frame on channel 0."""
    payload = struct.pack(">HH", *which) + arguments
    return struct.pack(">BHI", METHOD_FRAME, 0, len(payload)) + payload + FRAME_END


def _expect(wire: socket.socket, wanted: tuple[int, int]) -> bytes:
    """Read frames until the wanted method comes, and return its arguments.

    Raises:
        ValueError: Something else came, such as a refusal.
        OSError: The broker hung up or took too long.
    """
    for _ in range(FRAMES_SKIPPED_MAX):
        kind, _channel, size = struct.unpack(">BHI", _read(wire, 7))
        if size > FRAME_BYTES_MAX:
            message = f"a frame of {size} bytes: this is not AMQP"
            raise ValueError(message)
        payload = _read(wire, size + 1)[:-1]
        if kind != METHOD_FRAME:
            continue
        got = struct.unpack(">HH", payload[:4])
        if got == wanted:
            return payload[4:]
        refused = payload[7 : 7 + payload[6]].decode("utf-8", errors="replace") if got == CLOSE else f"method {got}"
        message = f"expected method {wanted}, got {refused}"
        raise ValueError(message)
    message = f"no method {wanted} within {FRAMES_SKIPPED_MAX} frames"
    raise ValueError(message)


def _read(wire: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        chunk = wire.recv(size - len(received))
        if not chunk:
            message = f"the broker hung up after {len(received)} of {size} bytes"
            raise ConnectionError(message)
        received += chunk
    return received


def _short(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack(">B", len(encoded)) + encoded
