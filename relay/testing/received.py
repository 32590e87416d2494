"""What arrives: a message as a consumer of the bus gets it, an event as a search finds it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from eventstore.search import fields


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message as a consumer got it.

    Attributes:
        message_id: The event's id.
        routing_key: `<aggregateType>.<eventType>`.
        headers: CloudEvents attributes and trace headers; see `docs/reference/message-format.md`.
        body: The event's data, JSON text in UTF-8.
        received_at_ms: The consumer's wall clock when it got it.
        correlation_id: What the writer gave, if anything.
        content_type: MIME type of the body.
        persistent: Whether it survives a restart of the broker.
    """

    message_id: str
    routing_key: str
    headers: Mapping[str, str | int]
    body: bytes
    received_at_ms: int
    correlation_id: str | None = None
    content_type: str = "application/json"
    persistent: bool = True


@dataclass(frozen=True, slots=True)
class FoundEvent:
    """An event as the index has it.

    Attributes:
        event_id: The event's id.
        aggregate_id: Its aggregate.
        aggregate_type: The aggregate's type.
        sequence_number: Its place in the aggregate.
        event_type: What happened.
        timestamp_ms: When, milliseconds since 1970 UTC.
        data: The payload.
        metadata: The metadata.
    """

    event_id: str
    aggregate_id: str
    aggregate_type: str
    sequence_number: int
    event_type: str
    timestamp_ms: int
    data: Mapping[str, Any]
    metadata: Mapping[str, Any]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the event of a document's source."""
        return cls(
            event_id=document[fields.EVENT_ID],
            aggregate_id=document[fields.AGGREGATE_ID],
            aggregate_type=document[fields.AGGREGATE_TYPE],
            sequence_number=document[fields.SEQUENCE_NUMBER],
            event_type=document[fields.EVENT_TYPE],
            timestamp_ms=document[fields.TIMESTAMP],
            data=document[fields.DATA],
            metadata=document[fields.METADATA],
        )
