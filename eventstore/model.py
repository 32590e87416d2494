"""The values the library speaks in: aggregates, events before and after they are stored, and an append's result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from eventstore import jsontext


@dataclass(frozen=True, slots=True)
class AggregateRef:
    """Names one aggregate.

    Attributes:
        type: Kind of aggregate, `[A-Za-z0-9_-]+`; it becomes the first half of a routing key.
        id: The aggregate's id, 1 to 2,048 bytes of UTF-8. An id belongs to one type for ever.
    """

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that is to be stored.

    Attributes:
        type: What happened, `[A-Za-z0-9_-]+`; it becomes the second half of a routing key.
        data: The payload, plain JSON.
        metadata: About the event, plain JSON; `correlation_id` and `traceparent` are passed on to the bus.
        schema_version: Version of the payload's schema, 1 or more.
        timestamp_ms: When it happened, milliseconds since 1970 UTC; now when left out.
    """

    type: str
    data: Mapping[str, Any]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    schema_version: int = 1
    timestamp_ms: int | None = None


@dataclass(frozen=True)
class RecordedEvent:
    """A stored event.

    Attributes:
        aggregate_id: Its aggregate.
        aggregate_type: The aggregate's type.
        sequence_number: Its place in the aggregate: 1, 2, 3 … without holes.
        type: What happened.
        data_json: The payload, the JSON text that was stored.
        metadata_json: The metadata, likewise.
        schema_version: Version of the payload's schema.
        timestamp_ms: When it happened, by the caller's word.
        event_id: UUIDv7.
        commit_id: The append that stored it.
        commit_first: First sequence number of that append.
        commit_last: Last sequence number of that append.
        epoch: The store's epoch when it was stored; raised when the store is restored from a backup.
    """

    aggregate_id: str
    aggregate_type: str
    sequence_number: int
    type: str
    data_json: str
    metadata_json: str
    schema_version: int
    timestamp_ms: int
    event_id: str
    commit_id: str
    commit_first: int
    commit_last: int
    epoch: int

    @cached_property
    def data(self) -> Any:
        """The payload, decoded at the first look."""
        return jsontext.decode(self.data_json)

    @cached_property
    def metadata(self) -> Any:
        """The metadata, decoded at the first look."""
        return jsontext.decode(self.metadata_json)


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What an append did.

    Attributes:
        aggregate: The aggregate.
        commit_id: The commit's id.
        first_sequence: Sequence number of the first event stored.
        version: The aggregate's version now: the sequence number of the last event stored.
        already_stored: An earlier attempt with the same commit id had stored it; nothing was stored twice.
        attempts: Requests sent for it, 1 when all went well.
    """

    aggregate: AggregateRef
    commit_id: str
    first_sequence: int
    version: int
    already_stored: bool
    attempts: int
