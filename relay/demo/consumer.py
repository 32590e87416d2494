"""A consumer of the bus, independent of the relay's own connection: what a subscriber sees."""

import contextlib
from collections import deque
from typing import Any, Protocol

from eventstore.ports import Runtime
from relay.destinations.bus.address import places_of, read_addresses
from relay.destinations.bus.amqp_errors import FAILURES, broker_error
from relay.destinations.bus.broker import BrokerError
from relay.destinations.bus.rabbitmq import RabbitSettings, declare, open_connection
from relay.destinations.bus.readiness import Readiness
from relay.destinations.resource_names import Names
from relay.testing.received import ReceivedMessage


class Consumer(Protocol):
    """Takes messages from one queue, oldest first."""

    def receive(self, timeout_seconds: float) -> list[ReceivedMessage]:
        """Return the next messages; wait for the first at most that long. Asking again acknowledges those."""
        ...

    def close(self) -> None:
        """Acknowledge what was received and release the connection; never raises."""
        ...


class RabbitConsumer:
    """A `Consumer` on RabbitMQ. It declares the relay's exchanges too, so that it may be there before the relay.

    Args:
        url: `amqp://user:password@host:port/vhost`.
        queue: Name of its queue; made and bound, and kept until `delete_queue`.
        runtime: Clock of `received_at_ms` and of time-outs.
        names: Exchange and queue names of the store.
        pattern: Topic pattern of its binding: `#` for every event, `Order.*` for a type of aggregate.
        prefetch: Most messages a call of `receive` returns.
    """

    def __init__(
        self,
        url: str,
        queue: str,
        runtime: Runtime,
        names: Names | None = None,
        *,
        pattern: str = "#",
        prefetch: int = 500,
    ) -> None:
        self._place = places_of(read_addresses(url))
        self._url = url
        self._queue = queue
        self._runtime = runtime
        self._names = names or Names()
        self._pattern = pattern
        self._prefetch = prefetch
        self._settings = RabbitSettings(client_name=f"consumer of {queue}")
        self._connection: Any = None
        self._channel: Any = None
        self._came: deque[Any] = deque()
        self._to_acknowledge: int | None = None

    def connect(self) -> None:
        """Open the connection and bind the queue, unless already done; no event is missed from then on.

        Raises:
            BrokerError: Out of reach, or refused.
        """
        if self._connection is not None:
            return
        try:
            self._connection = open_connection(self._url, self._settings)
            self._channel = channel = self._connection.channel()
            declare(channel, self._names, self._settings)
            channel.queue_declare(self._queue, durable=True, auto_delete=False)
            channel.queue_bind(self._queue, self._names.exchange, self._pattern)
            channel.basic_qos(0, self._prefetch, a_global=False)
            channel.basic_consume(self._queue, callback=self._came.append)
        except BrokerError:
            self._release()
            raise
        except FAILURES as error:
            self._release()
            raise broker_error(error, f"connecting a consumer to {self._place}") from error

    def receive(self, timeout_seconds: float) -> list[ReceivedMessage]:
        """See `Consumer.receive`. After an error the next call connects again; what was unacknowledged comes again.

        Raises:
            BrokerError: Out of reach, or refused.
        """
        self.connect()
        try:
            self._acknowledge()
            self._wait(timeout_seconds)
            self._connection.heartbeat_tick()
        except FAILURES as error:
            self._release()
            raise broker_error(error, "consuming") from error
        raw = [self._came.popleft() for _ in range(min(self._prefetch, len(self._came)))]
        if raw:
            self._to_acknowledge = raw[-1].delivery_tag
        now = self._runtime.now_ms()
        return [_received(message, now) for message in raw]

    def close(self) -> None:
        """See `Consumer.close`."""
        if self._connection is not None:
            with contextlib.suppress(*FAILURES):
                self._acknowledge()
                self._connection.close()
            self._release()

    def delete_queue(self) -> None:
        """Delete the queue with what is in it, and close.

        Raises:
            BrokerError: Out of reach, or refused.
        """
        self.connect()
        try:
            self._channel.queue_delete(self._queue)
        except FAILURES as error:
            self._release()
            raise broker_error(error, "deleting a queue") from error
        self._to_acknowledge = None
        self.close()

    def _wait(self, timeout_seconds: float) -> None:
        """Read until a message is there, then what else has come, up to a prefetch."""
        deadline = self._runtime.monotonic() + timeout_seconds
        with contextlib.closing(Readiness(self._connection.sock)) as is_readable:
            while len(self._came) < self._prefetch:
                left = 0 if self._came else max(0, deadline - self._runtime.monotonic())
                if not is_readable(left):
                    return
                with contextlib.suppress(TimeoutError):
                    self._connection.blocking_read(self._settings.io_timeout_seconds)

    def _acknowledge(self) -> None:
        tag, self._to_acknowledge = self._to_acknowledge, None
        if tag is not None:
            self._channel.basic_ack(tag, multiple=True)

    def _release(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        self._to_acknowledge = None
        self._came.clear()
        if connection is not None:
            with contextlib.suppress(*FAILURES):
                connection.collect()


def _received(raw: Any, now_ms: int) -> ReceivedMessage:
    properties = raw.properties
    body = raw.body if isinstance(raw.body, bytes) else raw.body.encode()
    return ReceivedMessage(
        message_id=properties["message_id"],
        routing_key=raw.delivery_info["routing_key"],
        headers=properties.get("application_headers", {}),
        body=body,
        received_at_ms=now_ms,
        correlation_id=properties.get("correlation_id"),
        content_type=properties.get("content_type", ""),
        persistent=properties.get("delivery_mode") == 2,  # noqa: PLR2004 - AMQP 0-9-1, 1.8.3.7
    )
