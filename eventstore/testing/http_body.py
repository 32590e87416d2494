"""Reads the body of an HTTP request, whole or in chunks, and no more of it than is allowed.

Source: RFC 9112, "HTTP/1.1", message body and chunked transfer coding.
"""

from email.message import Message
from io import BufferedIOBase

from eventstore.testing.dynamodb.errors import ServiceError

BODY_MAX_BYTES = 24 * 1024 * 1024
"""A request has at most 16 MB (AWS, API reference of BatchWriteItem), and base64 makes binaries a third longer."""

DRAINED_MAX_BYTES = 256 * 1024 * 1024
"""So much of a body that is too long is read, and forgotten: a client that still sends hears no answer."""

LINE_MAX_BYTES = 1024
_PIECE_BYTES = 64 * 1024


class UnframedError(ServiceError):
    """Where the body ends, and the next request begins, is not known; the connection is of no use any more."""


def _unframed(message: str, *, status: int = 400) -> UnframedError:
    return UnframedError("SerializationException", message, status=status)


def _too_long() -> UnframedError:
    return UnframedError("RequestEntityTooLarge", f"A body has at most {BODY_MAX_BYTES} bytes", status=413)


def check_length(headers: Message) -> None:
    """Refuse a body that is said to be too long, before any of it was sent.

    Raises:
        UnframedError: It is.
    """
    length = headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > BODY_MAX_BYTES:
        raise _too_long()


def read_body(headers: Message, source: BufferedIOBase) -> bytes:
    """Return the body of a request.

    Raises:
        UnframedError: It is too long, or its length is not said.
        ConnectionError: The client went away.
    """
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return _read_chunks(source)
    length = headers.get("Content-Length", "")
    if not (length.isascii() and length.isdecimal()):
        raise _unframed("A request has a Content-Length, or comes in chunks", status=411)
    if int(length) > BODY_MAX_BYTES:
        _drain(source, int(length))
        raise _too_long()
    return _read(source, int(length))


def _read(source: BufferedIOBase, count: int) -> bytes:
    body = source.read(count)
    if len(body) < count:
        raise ConnectionError("the client went away")
    return body


def _read_chunks(source: BufferedIOBase) -> bytes:
    body = bytearray()
    while True:
        size = _chunk_size(source)
        if size == 0:
            break
        if len(body) + size > BODY_MAX_BYTES:
            _drain_chunks(source, size, DRAINED_MAX_BYTES - len(body))
            raise _too_long()
        body += _read(source, size)
        _end_line(source)
    while _line(source):  # trailers
        pass
    return bytes(body)


def _drain_chunks(source: BufferedIOBase, size: int, left: int) -> None:
    while size and left > 0:
        _drain(source, min(size, left))
        left -= size
        _end_line(source)
        size = _chunk_size(source) if left > 0 else 0


def _chunk_size(source: BufferedIOBase) -> int:
    text = _line(source).partition(b";")[0].strip()
    try:
        size = int(text, 16)
    except ValueError as error:
        raise _unframed("A chunk begins with its length") from error
    if size < 0:
        raise _unframed("A chunk begins with its length")
    return size


def _line(source: BufferedIOBase) -> bytes:
    line = source.readline(LINE_MAX_BYTES)
    if not line:
        raise ConnectionError("the client went away")
    if not line.endswith(b"\n"):
        raise _unframed("A line between chunks is too long")
    return line.rstrip(b"\r\n")


def _end_line(source: BufferedIOBase) -> None:
    if _line(source):
        raise _unframed("A chunk is longer than it said")


def _drain(source: BufferedIOBase, count: int) -> None:
    left = min(count, DRAINED_MAX_BYTES)
    while left > 0:
        piece = source.read(min(left, _PIECE_BYTES))
        if not piece:
            raise ConnectionError("the client went away")
        left -= len(piece)
