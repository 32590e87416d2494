"""How long events took from their append to a consumer."""

from eventstore import ids
from relay.testing.received import ReceivedMessage


class Delays:
    """Collects the delays of first deliveries."""

    def __init__(self) -> None:
        self._milliseconds: list[int] = []

    def take(self, message: ReceivedMessage) -> None:
        """Take a first delivery: its delay counts from the making of the event's id (UUIDv7), at the append."""
        self._milliseconds.append(message.received_at_ms - ids.timestamp_ms(message.message_id))

    def quantile_ms(self, quantile: float) -> int | None:
        """Return a quantile of the delays, by the nearest rank; None when nothing came."""
        ordered = sorted(self._milliseconds)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else None
