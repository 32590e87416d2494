"""How an event looks to a person, and as JSON."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.table import Column
from rich.text import Text

from eventstore.cli.streams import printable
from eventstore.model import RecordedEvent

_PAYLOAD_WIDTH = 72


def as_dict(event: RecordedEvent) -> dict[str, Any]:
    """Return an event for JSON output; the payload is the stored text itself."""
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
        "data": msgspec.Raw(event.data_json.encode()),
        "metadata": msgspec.Raw(event.metadata_json.encode()),
    }


def columns(*, with_aggregate: bool) -> tuple[Column, ...]:
    """Return the headings of a table of events; on a narrow terminal a cell is folded, never cut."""
    names = (*(("aggregate",) if with_aggregate else ()), "no.", "time (UTC)", "type", "data")
    return tuple(Column(name, overflow="fold") for name in names)


def row(event: RecordedEvent, *, with_aggregate: bool) -> tuple[Text, ...]:
    """Return one event as cells; what is stored is neither markup nor a terminal's business."""
    text = event.data_json if len(event.data_json) <= _PAYLOAD_WIDTH else event.data_json[: _PAYLOAD_WIDTH - 1] + "…"
    time = datetime.fromtimestamp(event.timestamp_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    aggregate = (event.aggregate_id,) if with_aggregate else ()
    cells = (*aggregate, str(event.sequence_number), time, event.type, text)
    return tuple(Text(printable(cell)) for cell in cells)
