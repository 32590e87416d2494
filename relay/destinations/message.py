"""An event as a message for the bus: CloudEvents 1.0 in binary mode, the body is the event's data byte for byte."""

from datetime import UTC, datetime, timedelta

import msgspec

from eventstore.limits import ROUTING_KEY_MAX_BYTES
from eventstore.model import RecordedEvent
from eventstore.validation import TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS
from relay.destination import Park
from relay.destinations.broker import Message

# CloudEvents' AMQP binding allows the prefixes `cloudEvents:` and `cloudEvents_` and prefers the second: a colon cannot
# stand in a selector. It is written for AMQP 1.0; RabbitMQ hands AMQP 0-9-1 headers to readers of 1.0 as they are.
SPECVERSION = "cloudEvents_specversion"
ID = "cloudEvents_id"
SOURCE = "cloudEvents_source"
TYPE = "cloudEvents_type"
SUBJECT = "cloudEvents_subject"
TIME = "cloudEvents_time"
AGGREGATE_TYPE = "cloudEvents_aggregatetype"
AGGREGATE_ID = "cloudEvents_aggregateid"
SEQUENCE_NUMBER = "cloudEvents_sequencenumber"
EPOCH = "cloudEvents_epoch"
SCHEMA_VERSION = "cloudEvents_schemaversion"
COMMIT_ID = "cloudEvents_commitid"
CORRELATION_ID = "cloudEvents_correlationid"
TRACEPARENT = "cloudEvents_traceparent"
TRACESTATE = "cloudEvents_tracestate"
W3C_TRACEPARENT = "traceparent"
W3C_TRACESTATE = "tracestate"

SHORT_STRING_MAX_BYTES = 255
"""Message and correlation ids are AMQP short strings. Source: AMQP 0-9-1, 4.2.5.3."""

TRACE_MAX_CHARACTERS = 512
"""Longest `traceparent` and `tracestate` passed on. Source: W3C Trace Context, 3.3.1.5. A header that outgrows a frame
would end the connection again and again, so whatever comes from metadata is bounded."""

_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class _Trace(msgspec.Struct):
    """What of an event's metadata goes with the message; of any type, since metadata is the writer's own."""

    correlation_id: object = None
    traceparent: object = None
    tracestate: object = None


_NO_TRACE = _Trace()
_trace_decoder = msgspec.json.Decoder(_Trace)


def routing_key(event: RecordedEvent) -> str:
    """Return `<aggregateType>.<eventType>`."""
    return f"{event.aggregate_type}.{event.type}"


def rfc3339(timestamp_ms: int) -> str:
    """Return a time as `2025-01-31T23:59:59.123Z`."""
    moment = _1970 + timedelta(milliseconds=timestamp_ms)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unsendable(event: RecordedEvent, body_max_bytes: int) -> Park | None:
    """Return why no message can be made of an event, None when one can. Appends allow only events that can be sent."""
    where = f"event {event.sequence_number} ({event.event_id[:SHORT_STRING_MAX_BYTES]})"
    size = len(event.data_json) if event.data_json.isascii() else len(event.data_json.encode())
    if size > body_max_bytes:
        return Park(
            f"{where} has {size:,} bytes of data and a message may have {body_max_bytes:,}: raise message_max_bytes and"
            " the broker's max_message_size, restart the relay and release the commit, or drop it",
            "message_too_large",
        )
    if len(routing_key(event).encode()) > ROUTING_KEY_MAX_BYTES:
        return Park(f"{where} has a routing key of more than {ROUTING_KEY_MAX_BYTES} bytes", "unsendable")
    if len(event.event_id.encode()) > SHORT_STRING_MAX_BYTES:
        return Park(f"{where} has an id of more than {SHORT_STRING_MAX_BYTES} bytes", "unsendable")
    if not TIMESTAMP_MIN_MS <= event.timestamp_ms <= TIMESTAMP_MAX_MS:
        return Park(f"{where} has timestamp {event.timestamp_ms}, outside of the years 1970 to 9999", "unsendable")
    return None


def encode(event: RecordedEvent, source: str) -> Message:
    """Return the message of an event that is not `unsendable`; `source` is the CloudEvents source of the store."""
    key = routing_key(event)
    headers: dict[str, str | int] = {
        SPECVERSION: "1.0",
        ID: event.event_id,
        SOURCE: source,
        TYPE: key,
        SUBJECT: event.aggregate_id,
        TIME: rfc3339(event.timestamp_ms),
        AGGREGATE_TYPE: event.aggregate_type,
        AGGREGATE_ID: event.aggregate_id,
        SEQUENCE_NUMBER: event.sequence_number,
        EPOCH: event.epoch,
        SCHEMA_VERSION: event.schema_version,
        COMMIT_ID: event.commit_id,
    }
    trace = _trace(event.metadata_json)
    correlation_id = _text(trace.correlation_id, SHORT_STRING_MAX_BYTES)
    if correlation_id is not None:
        headers[CORRELATION_ID] = correlation_id
    traceparent = _text(trace.traceparent, TRACE_MAX_CHARACTERS)
    if traceparent is not None:
        headers[TRACEPARENT] = headers[W3C_TRACEPARENT] = traceparent  # the bare name is what tracers read
        tracestate = _text(trace.tracestate, TRACE_MAX_CHARACTERS)
        if tracestate is not None:
            headers[TRACESTATE] = headers[W3C_TRACESTATE] = tracestate
    return Message(key, event.event_id, correlation_id, headers, event.data_json.encode())


def _trace(metadata_json: str) -> _Trace:
    if metadata_json == "{}":
        return _NO_TRACE
    try:
        return _trace_decoder.decode(metadata_json)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _NO_TRACE  # metadata is of no concern to the bus beyond these fields


def _text(value: object, max_bytes: int) -> str | None:
    """Return the value when it is text that fits; what does not fit is left out, a part of an id is no id."""
    return value if isinstance(value, str) and 0 < len(value.encode()) <= max_bytes else None
