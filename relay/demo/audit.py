"""What a subscriber of the bus sees, judged by the promise: first deliveries in order, repeats allowed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from eventstore import ids
from relay.testing.received import ReceivedMessage


@dataclass(slots=True)
class Audit:
    """Judges messages one by one, knowing nothing of what was sent.

    Attributes:
        received: Messages, repeats included.
        order_breaks: First deliveries that came below a number of the same aggregate that had come before.
        delays_ms: From the making of an event's id (UUIDv7, at the append) to its first delivery.
        first_seen: Ids of all events that came.
    """

    received: int = 0
    order_breaks: int = 0
    delays_ms: list[int] = field(default_factory=list)
    first_seen: set[str] = field(default_factory=set)
    _highest: dict[str, int] = field(default_factory=dict)

    def take(self, messages: Iterable[ReceivedMessage]) -> None:
        """Judge some messages, in the order in which they came."""
        for message in messages:
            self.received += 1
            if message.message_id in self.first_seen:
                continue
            self.first_seen.add(message.message_id)
            self.delays_ms.append(message.received_at_ms - ids.timestamp_ms(message.message_id))
            self._check_order(message)

    def _check_order(self, message: ReceivedMessage) -> None:
        aggregate = str(message.headers["cloudEvents_subject"])
        number = int(message.headers["cloudEvents_sequencenumber"])
        if number < self._highest.get(aggregate, 0):
            self.order_breaks += 1
        self._highest[aggregate] = max(number, self._highest.get(aggregate, 0))

    @property
    def duplicates(self) -> int:
        """Messages that had come before."""
        return self.received - len(self.first_seen)

    def delay_ms(self, quantile: float) -> int | None:
        """Return a quantile of the delays, by the nearest rank; None when nothing came."""
        ordered = sorted(self.delays_ms)
        return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))] if ordered else None
