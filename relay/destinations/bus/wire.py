"""The properties of a message as AMQP 0-9-1 writes them, in the types that every client library reads. Pure.

py-amqp would choose the type of a number by its size, and write what needs more than 32 bits under the tag `L`, at
which the clients for Java, Go and JavaScript end the connection. Here every number is `l`, a signed one of 64 bits.
"""

import struct
from collections.abc import Mapping

from relay.destinations.bus.broker import Message

FRAME_OVERHEAD_BYTES = 8
"""Of a frame: its type, channel, size and end. Source: AMQP 0-9-1, 2.3.5."""

_CLASS, _WEIGHT, _BODY_SIZE, _FLAGS = 2, 2, 8, 2
_BEFORE_PROPERTIES_BYTES = _CLASS + _WEIGHT + _BODY_SIZE
_CONTENT_TYPE, _HEADERS, _DELIVERY_MODE, _CORRELATION_ID, _MESSAGE_ID = 1 << 15, 1 << 13, 1 << 12, 1 << 10, 1 << 7
"""Flags of the properties that are used. Source: AMQP 0-9-1, 1.8.3."""


def properties(message: Message) -> bytes:
    """Return the properties of a message, flags first, as they stand in its content header."""
    flags = _CONTENT_TYPE | _HEADERS | _DELIVERY_MODE | _MESSAGE_ID
    correlation = b""
    if message.correlation_id is not None:
        flags |= _CORRELATION_ID
        correlation = _short(message.correlation_id)
    return b"".join(
        (
            struct.pack(">H", flags),
            _short(message.content_type),
            _table(message.headers),
            bytes([message.delivery_mode]),
            correlation,
            _short(message.message_id),
        )
    )


def header_frame_bytes(message: Message) -> int:
    """Return how large the frame with the properties is; AMQP splits a body over frames, and never this."""
    return FRAME_OVERHEAD_BYTES + _BEFORE_PROPERTIES_BYTES + len(properties(message))


def _table(headers: Mapping[str, str | int]) -> bytes:
    pairs = b"".join(_short(name) + _value(value) for name, value in headers.items())
    return struct.pack(">I", len(pairs)) + pairs


def _value(value: str | int) -> bytes:
    if isinstance(value, int):
        return b"l" + struct.pack(">q", value)
    text = value.encode("utf-8", "surrogatepass")
    return b"S" + struct.pack(">I", len(text)) + text


def _short(text: str) -> bytes:
    encoded = text.encode("utf-8", "surrogatepass")
    return bytes([len(encoded)]) + encoded
