"""A consumer of one queue of the broker in memory."""

from collections.abc import Callable

from eventstore.ports import Runtime
from relay.destinations.bus.broker import Message
from relay.testing.received import ReceivedMessage


class InMemoryConsumer:
    """Takes messages from one queue, oldest first.

    Args:
        take: Takes messages out of the queue, at most so many.
        prefetch: Most messages at once.
        runtime: Clock and waiting.
    """

    def __init__(self, take: Callable[[int], list[Message]], prefetch: int, runtime: Runtime) -> None:
        self._take = take
        self._prefetch = prefetch
        self._runtime = runtime
        self._bell = runtime.channel(1)

    def receive(self, timeout_seconds: float) -> list[ReceivedMessage]:
        """Return the next messages, oldest first; wait for the first at most that long."""
        deadline = self._runtime.monotonic() + timeout_seconds
        while True:
            messages = self._take(self._prefetch)
            if messages:
                now = self._runtime.now_ms()
                return [
                    ReceivedMessage(
                        message_id=message.message_id,
                        routing_key=message.routing_key,
                        headers=message.headers,
                        body=message.body,
                        received_at_ms=now,
                        correlation_id=message.correlation_id,
                        content_type=message.content_type,
                        persistent=message.delivery_mode == 2,  # noqa: PLR2004 - AMQP 0-9-1, 1.8.3.7
                    )
                    for message in messages
                ]
            left = deadline - self._runtime.monotonic()
            if left <= 0:
                return []
            self._bell.get(left)

    def close(self) -> None:
        """Nothing to release."""

    def ring(self) -> None:
        """Wake a waiting receive."""
        self._bell.put(None, 0)
