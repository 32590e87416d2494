"""Events as lines of JSON: read one by one, within bounds, each fault with the number of its line."""

from collections.abc import Iterable, Iterator
from typing import IO, TypeVar

import msgspec

from eventstore import jsontext
from eventstore.cli.input import encodings
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.model import NewEvent
from eventstore.payload import json_text
from eventstore.payload.json_text import JsonText

T = TypeVar("T")

LINE_MAX_BYTES = 32 * 1024 * 1024
"""A commit holds 4 MB; JSON text may spell it in up to six times as many bytes, and have some space between."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventLine(msgspec.Struct, forbid_unknown_fields=True):
    """An event as JSON; payload and metadata are the text that was given, for their digits."""

    type: str
    data: msgspec.Raw
    metadata: msgspec.Raw = msgspec.Raw(b"{}")
    schema_version: int = 1
    timestamp_ms: int | None = None


def numbered(source: IO[bytes], *, input_max_bytes: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers from 1; a byte-order mark at their start is passed over.

    Args:
        source: The input; at most one line of it is in memory.
        input_max_bytes: Bound of the whole input; None bounds each line alone.

    Raises:
        LimitExceededError: The input, or a line of it, is longer.
        InvalidInputError: The input is something else than JSON lines in UTF-8.
    """
    left = LINE_MAX_BYTES if input_max_bytes is None else input_max_bytes
    most, number, is_first = left, 0, True
    while line := source.readline(left + 1):
        number += 1
        if len(line) > left:
            field = f"line {number}" if input_max_bytes is None else "input"
            raise LimitExceededError(field, limit=most, actual=most - left + len(line), unit="bytes")
        if input_max_bytes is not None:
            left -= len(line)
        line = line.removeprefix(_BYTE_ORDER_MARK)  # some editors write one; files that are put together have several
        if line.strip():
            if is_first:
                encodings.check_first_line(line)
                is_first = False
            yield number, line


def events_of(given: Iterable[EventLine], number: int) -> list[NewEvent]:
    """Return the events of a line.

    Raises:
        InvalidInputError: A payload or its metadata is not a JSON object; the error names the line.
    """
    return [
        NewEvent(
            each.type,
            _text(each.data, "data", number),
            _text(each.metadata, "metadata", number),
            each.schema_version,
            each.timestamp_ms,
        )
        for each in given
    ]


def _text(raw: msgspec.Raw, name: str, number: int) -> JsonText:
    try:
        return JsonText(bytes(raw).decode())
    except InvalidInputError as error:
        raise InvalidInputError(f"line {number}", f"is not an event: its {name} {error.reason}") from error


def decode(line: bytes, number: int, kind: type[T], what: str) -> T:
    """Return the value of a line.

    Raises:
        InvalidInputError: It is none, or an object in it has a name twice; the error names the line.
    """
    try:
        decoded = msgspec.json.decode(line, type=kind)
        json_text.check_names(line, f"line {number}")
    except RecursionError as error:
        raise InvalidInputError(f"line {number}", f"is not {what}: it is nested too deeply") from error
    except InvalidInputError:
        raise
    except jsontext.FAULTS as error:
        words = f"is not {what}: {error}{encodings.hint(line, error)}"
        raise InvalidInputError(f"line {number}", words) from error
    return decoded
