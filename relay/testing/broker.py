"""A broker in memory: exchanges and queues, confirms, returns, and faults on request."""

from collections import deque
from collections.abc import Sequence

from eventstore.ports import Runtime
from eventstore.system import SystemRuntime
from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    BrokerError,
    BrokerEvent,
    BrokerLostError,
    Message,
    MessageTooLargeError,
    Nacked,
    Returned,
    TopologyError,
    Unblocked,
)
from relay.destinations.bus.settings import MESSAGE_MAX_BYTES_DEFAULT
from relay.destinations.resource_names import Names
from relay.testing.received import ReceivedMessage
from relay.testing.routing import InMemoryTopology

QUEUE_MAX_LENGTH = 1_000_000
NO_ROUTE = 312


class InMemoryBroker:
    """A `Broker` that keeps everything in this process; safe for several threads.

    Its queues hold messages until a consumer takes them, at most `queue_max_length`, then it nacks.

    Args:
        runtime: Clock, locks and waiting; the real ones when left out.
        names: Exchange and queue names.
        queue_max_length: Most messages in a queue.
        message_max_bytes: Largest body taken.
    """

    def __init__(
        self,
        runtime: Runtime | None = None,
        names: Names | None = None,
        *,
        queue_max_length: int = QUEUE_MAX_LENGTH,
        message_max_bytes: int = MESSAGE_MAX_BYTES_DEFAULT,
    ) -> None:
        self.names = names or Names()
        self.connects = 0
        self._runtime: Runtime = runtime or SystemRuntime()
        self._queue_max_length = queue_max_length
        self._message_max_bytes = message_max_bytes
        self._topology = InMemoryTopology()
        self._lock = self._runtime.lock()
        self._sessions: list[_Session] = []
        self._consumers: list[InMemoryConsumer] = []
        self._refusal: BrokerError | None = None
        self._blocked: Blocked | None = None
        self._stalled = False
        self._nacks = 0
        self._drop_in: int | None = None
        self._drop_taken = False
        self._declare()

    def connect(self) -> "_Session":
        """Open a session; exchanges and queues that are gone are recreated."""
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            self._declare()
            self.connects += 1
            session = _Session(self, self._runtime)
            if self._blocked is not None:
                session.tell(self._blocked)
            self._sessions.append(session)
            return session

    def queue(self, name: str, pattern: str = "#", *, max_length: int | None = None) -> None:
        """Make a queue and bind it to the exchange of events; one that is there keeps its `max_length`."""
        with self._lock:
            self._topology.declare_queue(name, self._queue_max_length if max_length is None else max_length)
            self._topology.bind(name, self.names.exchange, pattern)

    def consumer(self, queue: str, pattern: str = "#", *, prefetch: int = 500) -> "InMemoryConsumer":
        """Return a consumer of a queue, which is made and bound."""
        self.queue(queue, pattern)
        consumer = InMemoryConsumer(self, queue, prefetch, self._runtime)
        with self._lock:
            self._consumers.append(consumer)
        return consumer

    def messages(self, queue: str) -> list[Message]:
        """Return what lies in a queue, oldest first, without taking it.

        Raises:
            KeyError: There is no such queue.
        """
        with self._lock:
            return list(self._topology.queue(queue).messages)

    def unbind(self, queue: str) -> None:
        """Take a queue's bindings away; the next `connect` restores those of the broker's own queues."""
        with self._lock:
            self._topology.unbind(queue)

    def delete_exchange(self) -> None:
        """Take the exchange of events away; the next `connect` recreates it, without the consumers' bindings."""
        with self._lock:
            self._topology.delete_exchange(self.names.exchange)

    def refuse_connections(self, error: BrokerError | None) -> None:
        """Raise this at every connect; None to let connections in again."""
        with self._lock:
            self._refusal = error

    def nack_next(self, count: int) -> None:
        """Nack that many messages from now on, as a full queue does."""
        with self._lock:
            self._nacks = count

    def stall(self) -> None:
        """Take messages without acknowledging them."""
        with self._lock:
            self._stalled = True

    def resume(self) -> None:
        """Acknowledge again, first what was held back."""
        with self._lock:
            self._stalled = False
            for session in self._sessions:
                session.release()

    def block(self, reason: str = "low on memory") -> None:
        """Ask publishers to stop."""
        with self._lock:
            self._blocked = Blocked(reason)
            for session in self._sessions:
                session.tell(self._blocked)

    def unblock(self) -> None:
        """Let publishers go on."""
        with self._lock:
            self._blocked = None
            for session in self._sessions:
                session.tell(Unblocked())

    def drop_connections(self) -> None:
        """Break every connection; confirms that were not read are lost."""
        with self._lock:
            self._drop()

    def drop_after(self, publishes: int, *, taken: bool) -> None:
        """Break every connection after this many publishes; `taken` says whether that message reaches its queues."""
        with self._lock:
            self._drop_in = publishes
            self._drop_taken = taken

    def _declare(self) -> None:
        names, topology = self.names, self._topology
        topology.declare_exchange(names.unrouted)
        topology.declare_exchange(names.dead_letters)
        topology.declare_exchange(names.exchange, alternate=names.unrouted)
        for own in (names.unrouted, names.dead_letters):
            topology.declare_queue(own, self._queue_max_length)
            topology.bind(own, own, "#")

    def _drop(self) -> None:
        for session in self._sessions:
            session.failure = session.failure or BrokerLostError("the connection broke")
            session.ring()
        self._sessions.clear()

    def _take(self, session: "_Session", tag: int, message: Message) -> None:
        with self._lock:
            if session.failure is not None:
                raise session.failure
            dropped = self._drop_in == 0
            if self._drop_in is not None:
                self._drop_in = None if dropped else self._drop_in - 1
            if not dropped or self._drop_taken:
                self._accept(session, tag, message)
            if dropped:
                self._drop()
                raise BrokerLostError("the connection broke during a publish")

    def _accept(self, session: "_Session", tag: int, message: Message) -> None:
        if len(message.body) > self._message_max_bytes:
            session.failure = MessageTooLargeError(self._message_max_bytes)
            session.ring()
            return
        try:
            queues = self._topology.route(self.names.exchange, message.routing_key)
        except KeyError:
            session.failure = TopologyError(f"exchange {self.names.exchange!r} is gone; connect again to declare it")
            session.ring()
            return
        if self._nacks or any(len(queue.messages) >= queue.max_length for queue in queues):
            self._nacks = max(0, self._nacks - 1)
            session.answer(Nacked(tag, multiple=False), stalled=self._stalled)
            return
        for queue in queues:
            queue.messages.append(message)
            if len(queue.messages) == 1:
                for consumer in self._consumers:
                    consumer.ring()
        if not queues:
            session.answer(Returned(message.message_id, NO_ROUTE, "NO_ROUTE"), stalled=self._stalled)
        session.answer(Acked(tag, multiple=False), stalled=self._stalled)

    def _heard(self, session: "_Session") -> list[BrokerEvent]:
        with self._lock:
            events = session.take()
            if not events and session.failure is not None:
                raise session.failure
            return events

    def _closed(self, session: "_Session") -> None:
        with self._lock:
            session.failure = BrokerLostError("the session is closed")
            if session in self._sessions:
                self._sessions.remove(session)

    def _received(self, queue: str, count: int) -> list[Message]:
        with self._lock:
            messages = self._topology.queue(queue).messages
            return [messages.popleft() for _ in range(min(count, len(messages)))]


class _Session:
    """A `BrokerSession` of the broker in memory; the broker calls the methods without a lock of their own."""

    def __init__(self, broker: InMemoryBroker, runtime: Runtime) -> None:
        self.failure: BrokerError | None = None
        self._broker = broker
        self._runtime = runtime
        self._bell = runtime.channel(1)
        self._inbox: deque[BrokerEvent] = deque()
        self._held: list[BrokerEvent] = []
        self._last_tag = 0

    def publish(self, message: Message) -> int:
        """See `BrokerSession.publish`."""
        self._last_tag += 1
        self._broker._take(self, self._last_tag, message)  # noqa: SLF001 - two halves of one thing
        return self._last_tag

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        """See `BrokerSession.poll`."""
        deadline = self._runtime.monotonic() + timeout_seconds
        while True:
            events = self._broker._heard(self)  # noqa: SLF001 - as above
            left = deadline - self._runtime.monotonic()
            if events or left <= 0:
                return events
            self._bell.get(left)

    def close(self) -> None:
        """See `BrokerSession.close`."""
        self._broker._closed(self)  # noqa: SLF001 - as above

    def ring(self) -> None:
        """Wake a poll."""
        self._bell.put(None, 0)

    def tell(self, event: BrokerEvent) -> None:
        """Send something to the publisher."""
        self._inbox.append(event)
        if len(self._inbox) == 1:
            self.ring()

    def answer(self, event: BrokerEvent, *, stalled: bool) -> None:
        """Answer for a message, now or after the stall; consecutive acks become one, as with a real broker."""
        if stalled:
            self._held.append(event)
            return
        if self._inbox and isinstance(event, Acked):
            last = self._inbox[-1]
            if isinstance(last, Acked) and last.tag == event.tag - 1:
                self._inbox[-1] = Acked(event.tag, multiple=True)
                return
        self.tell(event)

    def release(self) -> None:
        """Send what was held back."""
        held, self._held = self._held, []
        for event in held:
            self.answer(event, stalled=False)

    def take(self) -> list[BrokerEvent]:
        """Return what was said and not yet read."""
        events = list(self._inbox)
        self._inbox.clear()
        return events


class InMemoryConsumer:
    """A `Consumer` of one queue of the broker in memory."""

    def __init__(self, broker: InMemoryBroker, queue: str, prefetch: int, runtime: Runtime) -> None:
        self._broker = broker
        self._queue = queue
        self._prefetch = prefetch
        self._runtime = runtime
        self._bell = runtime.channel(1)

    def receive(self, timeout_seconds: float) -> list[ReceivedMessage]:
        """Return the next messages, oldest first; wait for the first at most that long."""
        deadline = self._runtime.monotonic() + timeout_seconds
        while True:
            messages = self._broker._received(self._queue, self._prefetch)  # noqa: SLF001 - its other half
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
