"""An event as a message for the bus: CloudEvents 1.0 in binary mode, the body is the event's data byte for byte."""

from eventstore.limits import ROUTING_KEY_MAX_BYTES
from eventstore.model import RecordedEvent
from relay.destination import Park
from relay.destinations import cloud_event
from relay.destinations.bus import wire
from relay.destinations.bus.broker import HEADER_FRAME_MAX_BYTES, Message

# CloudEvents' AMQP binding allows the prefixes `cloudEvents:` and `cloudEvents_` and prefers the second: a colon cannot
# stand in a selector. It is written for AMQP 1.0; RabbitMQ hands AMQP 0-9-1 headers to readers of 1.0 as they are.
PREFIX = "cloudEvents_"
AGGREGATE_ID = f"{PREFIX}{cloud_event.AGGREGATE_ID}"
SEQUENCE_NUMBER = f"{PREFIX}{cloud_event.SEQUENCE_NUMBER}"
EPOCH = f"{PREFIX}{cloud_event.EPOCH}"

_HEADER = {name: f"{PREFIX}{name}" for name in cloud_event.NAMES}
_TRACE = (cloud_event.TRACEPARENT, cloud_event.TRACESTATE)


def unsendable(event: RecordedEvent, body_max_bytes: int) -> Park | None:
    """Return why no message can be made of an event, None when one can. Appends allow only events that can be sent."""
    size = len(event.data_json) if event.data_json.isascii() else len(event.data_json.encode())
    if size > body_max_bytes:
        return Park(
            f"{cloud_event.where(event)} has {size:,} bytes of data and a message may have {body_max_bytes:,}: raise"
            " RELAY_BUS_MESSAGE_MAX_BYTES and the broker's max_message_size, restart the relay and release the commit,"
            " or drop it",
            "message_too_large",
        )
    if len(cloud_event.type_of(event).encode()) > ROUTING_KEY_MAX_BYTES:
        where = cloud_event.where(event)
        return Park(f"{where} has a routing key of more than {ROUTING_KEY_MAX_BYTES} bytes", "unsendable")
    return cloud_event.indescribable(event)


def oversize(event: RecordedEvent, source: str, frame_max_bytes: int) -> Park | None:
    """Return why the headers of an event, which is not `unsendable`, do not fit a frame; None when they do."""
    size = wire.header_frame_bytes(encode(event, source))
    if size <= frame_max_bytes:
        return None
    return Park(
        f"{cloud_event.where(event)} has headers of {size:,} bytes, and a frame of this broker may have"
        f" {frame_max_bytes:,}: raise its frame_max to {HEADER_FRAME_MAX_BYTES:,} or more, restart the relay and"
        " release the commit, or drop it",
        "headers_too_large",
    )


def encode(event: RecordedEvent, source: str) -> Message:
    """Return the message of an event that is not `unsendable`; `source` is the CloudEvents source of the store."""
    attributes = cloud_event.attributes(event, source)
    headers = {_HEADER[name]: value for name, value in attributes.items()}
    if cloud_event.TRACEPARENT in attributes:
        headers |= {name: attributes[name] for name in _TRACE if name in attributes}  # what tracers read
    correlation_id = attributes.get(cloud_event.CORRELATION_ID)
    return Message(
        routing_key=cloud_event.type_of(event),
        message_id=event.event_id,
        correlation_id=None if correlation_id is None else str(correlation_id),
        headers=headers,
        body=event.data_json.encode(),
    )
