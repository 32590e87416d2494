"""A consumer of the bus, independent of the relay's own connection: what a subscriber sees."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """A message as a consumer got it.

    Attributes:
        message_id: The event's id.
        routing_key: `<aggregateType>.<eventType>`.
        headers: CloudEvents attributes and trace headers; see `docs/reference/message-format.md`.
        body: The event's data, JSON text in UTF-8.
        received_at_ms: The consumer's wall clock when it got it.
    """

    message_id: str
    routing_key: str
    headers: Mapping[str, str | int]
    body: bytes
    received_at_ms: int


class Consumer(Protocol):
    """Takes messages from one queue, oldest first."""

    def receive(self, timeout_seconds: float) -> list[ReceivedMessage]:
        """Return the next messages; wait for the first at most that long. Asking again acknowledges those."""
        ...

    def close(self) -> None:
        """Acknowledge what was received and let the connection go."""
        ...
