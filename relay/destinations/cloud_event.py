"""An event's CloudEvents 1.0 attributes: the same names and values on the bus and in a file."""

from datetime import UTC, datetime, timedelta

import msgspec

from eventstore import jsontext
from eventstore.model import RecordedEvent
from eventstore.validation import TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS
from relay.destination import Park

AGGREGATE_TYPE = "aggregatetype"
AGGREGATE_ID = "aggregateid"
SEQUENCE_NUMBER = "sequencenumber"
EPOCH = "epoch"
SCHEMA_VERSION = "schemaversion"
COMMIT_ID = "commitid"
CORRELATION_ID = "correlationid"
TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"

NAMES = (
    *("specversion", "id", "source", "type", "subject", "time"),
    *(AGGREGATE_TYPE, AGGREGATE_ID, SEQUENCE_NUMBER, EPOCH, SCHEMA_VERSION, COMMIT_ID),
    *(CORRELATION_ID, TRACEPARENT, TRACESTATE),
)
"""Every attribute there can be."""

TEXT_MAX_BYTES = 255
"""Longest id passed on: message and correlation ids are AMQP short strings. Source: AMQP 0-9-1, 4.2.5.3."""

TRACE_MAX_BYTES = 512
"""Longest `traceparent` and `tracestate` passed on. Source: W3C Trace Context, 3.3.1.5. A header that outgrows a frame
would end the connection again and again, so whatever comes from metadata is bounded."""

INTEGER_MAX = 2**63 - 1
"""What an AMQP header of whole numbers holds, either side of 0."""

_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class _Trace(msgspec.Struct):
    """What of an event's metadata goes with it; of any type, since metadata is the writer's own."""

    correlation_id: object = None
    traceparent: object = None
    tracestate: object = None


_NO_TRACE = _Trace()
_trace_decoder = msgspec.json.Decoder(_Trace)


def where(event: RecordedEvent) -> str:
    """Return how a reason names an event; an id of any length is cut."""
    return f"event {event.sequence_number} ({event.event_id[:TEXT_MAX_BYTES]})"


def indescribable(event: RecordedEvent) -> Park | None:
    """Return why an event has no such attributes, None when it has. Appends allow only events that have."""
    if len(event.event_id.encode()) > TEXT_MAX_BYTES or len(event.commit_id.encode()) > TEXT_MAX_BYTES:
        return Park(f"{where(event)} has an id or a commit id of more than {TEXT_MAX_BYTES} bytes", "unsendable")
    if not TIMESTAMP_MIN_MS <= event.timestamp_ms <= TIMESTAMP_MAX_MS:
        when = f"timestamp {event.timestamp_ms}, outside of the years 1970 to 9999"
        return Park(f"{where(event)} has {when}", "unsendable")
    if max(abs(event.sequence_number), abs(event.epoch), abs(event.schema_version)) > INTEGER_MAX:
        return Park(f"{where(event)} has a number beyond 64 bits", "unsendable")
    return None


def attributes(event: RecordedEvent, source: str) -> dict[str, str | int]:
    """Return the attributes of an event that is not `indescribable`; `source` is the CloudEvents source of the store.

    Metadata that does not fit is left out; a part of an id is not an id.
    """
    found: dict[str, str | int] = {
        "specversion": "1.0",
        "id": event.event_id,
        "source": source,
        "type": type_of(event),
        "subject": event.aggregate_id,
        "time": rfc3339(event.timestamp_ms),
        AGGREGATE_TYPE: event.aggregate_type,
        AGGREGATE_ID: event.aggregate_id,
        SEQUENCE_NUMBER: event.sequence_number,
        EPOCH: event.epoch,
        SCHEMA_VERSION: event.schema_version,
        COMMIT_ID: event.commit_id,
    }
    trace = _trace(event.metadata_json)
    correlation_id = _text(trace.correlation_id, TEXT_MAX_BYTES)
    if correlation_id is not None:
        found[CORRELATION_ID] = correlation_id
    traceparent = _text(trace.traceparent, TRACE_MAX_BYTES)
    if traceparent is not None:
        found[TRACEPARENT] = traceparent
        tracestate = _text(trace.tracestate, TRACE_MAX_BYTES)
        if tracestate is not None:
            found[TRACESTATE] = tracestate
    return found


def type_of(event: RecordedEvent) -> str:
    """Return `<aggregateType>.<eventType>`."""
    return f"{event.aggregate_type}.{event.type}"


def rfc3339(timestamp_ms: int) -> str:
    """Return a time as `2025-01-31T23:59:59.123Z`."""
    moment = _1970 + timedelta(milliseconds=timestamp_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _trace(metadata_json: str) -> _Trace:
    if metadata_json == "{}":
        return _NO_TRACE
    try:
        return _trace_decoder.decode(metadata_json)
    except jsontext.FAULTS:
        return _NO_TRACE  # metadata is of no concern to readers beyond these fields


def _text(value: object, max_bytes: int) -> str | None:
    """Return the value when it is text that fits."""
    return value if isinstance(value, str) and 0 < len(value.encode()) <= max_bytes else None
