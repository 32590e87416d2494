"""How an event looks to a person, and as JSON."""

from typing import Any

import msgspec
from rich.table import Column
from rich.text import Text

from eventstore import jsontext
from eventstore.cli.output import envelope
from eventstore.cli.output.streams import printable
from eventstore.cli.output.timestamps import as_text
from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent

_PAYLOAD_WIDTH = 72
_ROOM_WIDTH = 72


def as_dict(event: RecordedEvent) -> dict[str, Any]:
    """Return an event for JSON output; the payload is the stored text itself, on one line.

    Raises:
        CorruptRowError: The stored text is not JSON.
    """
    return {
        "aggregate_id": event.aggregate_id,
        "aggregate_type": event.aggregate_type,
        "sequence_number": event.sequence_number,
        "type": event.type,
        "schema_version": event.schema_version,
        "timestamp_ms": event.timestamp_ms,
        "event_id": event.event_id,
        "commit_id": event.commit_id,
        "epoch": event.epoch,
        "data": _raw(event, "data", event.data_json),
        "metadata": _raw(event, "metadata", event.metadata_json),
    }


def columns(*, with_aggregate: bool) -> tuple[Column, ...]:
    """Return the headings of a table of events; on a narrow terminal a cell is folded, never cut.

    Numbers and times stay in one piece where there is room for that.
    """
    has_room = envelope.console().width >= _ROOM_WIDTH
    names = (*(("aggregate",) if with_aggregate else ()), "no.", "time (UTC)", "type", "data")
    return tuple(Column(name, overflow="fold", no_wrap=has_room and name in ("no.", "time (UTC)")) for name in names)


def row(event: RecordedEvent, *, with_aggregate: bool) -> tuple[Text, ...]:
    """Return one event as cells; stored text is neither markup nor control characters."""
    aggregate = (event.aggregate_id,) if with_aggregate else ()
    cells = (
        *aggregate,
        str(event.sequence_number),
        as_text(event.timestamp_ms),
        event.type,
        shortened(event.data_json),
    )
    return tuple(Text(printable(cell)) for cell in cells)


def line(event: RecordedEvent) -> str:
    """Return one event as a line of text, for where events come one by one."""
    text = f"{as_text(event.timestamp_ms)}  {event.aggregate_id} {event.sequence_number}  {event.type}"
    return printable(f"{text}  {shortened(event.data_json)}")


def shortened(text: str) -> str:
    """Return the beginning of a text, marked where something was left out."""
    return text if len(text) <= _PAYLOAD_WIDTH else text[: _PAYLOAD_WIDTH - 1] + "…"


def _raw(event: RecordedEvent, field: str, text: str) -> msgspec.Raw:
    try:
        encoded = text.replace("\r", " ").replace("\n", " ").encode()  # between tokens, they are only space
        msgspec.json.decode(encoded, type=msgspec.Raw)
    except jsontext.FAULTS as error:
        key = f"{event.aggregate_id}/{event.sequence_number}"
        raise CorruptRowError("the events", key=key, field=field, reason=f"is not JSON: {error}") from error
    return msgspec.Raw(encoded)
