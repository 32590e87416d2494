"""A reader of the search index, independent of the relay's own client: what a search user sees."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self


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
            event_id=document["event_id"],
            aggregate_id=document["aggregate_id"],
            aggregate_type=document["aggregate_type"],
            sequence_number=document["sequence_number"],
            event_type=document["event_type"],
            timestamp_ms=document["timestamp"],
            data=document["data"],
            metadata=document["metadata"],
        )


class IndexReader(Protocol):
    """Searches over everything that was indexed."""

    def refresh(self) -> None:
        """Make what was stored findable."""
        ...

    def count(self) -> int:
        """Return how many events are there."""
        ...

    def event_ids(self) -> Iterator[str]:
        """Yield the id of every event, in order of ids."""
        ...

    def find_by_type(self, event_type: str, limit: int) -> list[FoundEvent]:
        """Return the latest events of a type, newest first, at most `limit`."""
        ...
