"""A broker in memory: exchanges and queues, confirms, returns, and faults on request."""

from functools import partial

from eventstore.ports import Runtime
from eventstore.system import SystemRuntime
from relay.destinations.bus.broker import (
    FRAME_MAX_BYTES_DEFAULT,
    HEADER_FRAME_MAX_BYTES,
    Blocked,
    BrokerError,
    BrokerLostError,
    ExchangeGoneError,
    Message,
    MessageTooLargeError,
    Missing,
    Returned,
    TopologyError,
    Unblocked,
)
from relay.destinations.bus.settings import MESSAGE_MAX_BYTES_DEFAULT
from relay.destinations.bus.wire import header_frame_bytes
from relay.destinations.resource_names import Names
from relay.testing.consumer import InMemoryConsumer
from relay.testing.routing import InMemoryQueue, InMemoryTopology
from relay.testing.session import InMemorySession

QUEUE_MAX_LENGTH = 1_000_000
NO_ROUTE = 312


class InMemoryBroker:
    """A `Broker` that keeps everything in this process; safe for several threads.

    Its queues hold messages until a consumer takes them, at most `queue_max_length`. As with RabbitMQ a message that
    one of them rejects is nacked although others have it, and one that a queue says nothing about is not confirmed.

    Args:
        runtime: Clock, locks and waiting; the real ones when left out.
        names: Exchange and queue names.
        queue_max_length: Most messages in a queue.
        message_max_bytes: Largest body taken.
        frame_max_bytes: Largest frame taken, so that of a message's headers.
    """

    def __init__(
        self,
        runtime: Runtime | None = None,
        names: Names | None = None,
        *,
        queue_max_length: int = QUEUE_MAX_LENGTH,
        message_max_bytes: int = MESSAGE_MAX_BYTES_DEFAULT,
        frame_max_bytes: int = FRAME_MAX_BYTES_DEFAULT,
    ) -> None:
        self.names = names or Names()
        self.connects = 0
        self._runtime: Runtime = runtime or SystemRuntime()
        self._queue_max_length = queue_max_length
        self._message_max_bytes = message_max_bytes
        self._frame_max_bytes = frame_max_bytes
        self._topology = InMemoryTopology()
        self._lock = self._runtime.lock()
        self._sessions: list[InMemorySession] = []
        self._consumers: list[InMemoryConsumer] = []
        self._refusal: BrokerError | None = None
        self._unheard: list[tuple[str, InMemorySession, int, Message]] = []
        self._blocked: Blocked | None = None
        self._stalled = False
        self._nacks = 0
        self._drop_in: int | None = None
        self._drop_taken = False
        self._declare()

    def connect(self) -> InMemorySession:
        """Open a session; exchanges and queues that are gone are recreated."""
        with self._lock:
            if self._refusal is not None:
                raise self._refusal
            missing = self._missing()
            self._declare()
            self.connects += 1
            session = InMemorySession(self._runtime, self._lock, self._take, self._forget, self._frame_max_bytes)
            session.missing = missing
            session.set_stalled(is_stalled=self._stalled)
            if self._blocked is not None:
                session.tell(self._blocked)
            self._sessions.append(session)
            return session

    def queue(self, name: str, pattern: str = "#", *, max_length: int | None = None) -> None:
        """Make a queue and bind it to the exchange of events; one that is there keeps its `max_length`."""
        with self._lock:
            self._topology.declare_queue(name, self._queue_max_length if max_length is None else max_length)
            self._topology.bind(name, self.names.exchange, pattern)

    def consumer(self, queue: str, pattern: str = "#", *, prefetch: int = 500) -> InMemoryConsumer:
        """Return a consumer of a queue, which is made and bound."""
        self.queue(queue, pattern)
        consumer = InMemoryConsumer(partial(self._received, queue), prefetch, self._runtime)
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
        """Nack that many messages from now on; no queue takes them."""
        with self._lock:
            self._nacks = count

    def stall(self) -> None:
        """Take messages without acknowledging them."""
        self._stall(is_stalled=True)

    def resume(self) -> None:
        """Acknowledge again, first what was held back."""
        self._stall(is_stalled=False)

    def refuse(self, queue: str) -> None:
        """Let a queue reject messages, as a full one with `reject-publish` does: a nack, whatever the others take.

        Raises:
            KeyError: There is no such queue.
        """
        with self._lock:
            self._topology.queue(queue).is_refusing = True

    def silence(self, queue: str) -> None:
        """Let a queue say nothing, as a quorum queue without its majority: no confirm, though the others take messages.

        Raises:
            KeyError: There is no such queue.
        """
        with self._lock:
            self._topology.queue(queue).is_silent = True

    def slow(self, queue: str, seconds: float) -> None:
        """Let a queue take so long for a message that its confirm comes late; those already sent stay as they are.

        Raises:
            KeyError: There is no such queue.
        """
        with self._lock:
            self._topology.queue(queue).slow_seconds = seconds

    def heal(self, queue: str, *, lost: bool = False) -> None:
        """Let a queue do as usual: what it was silent about it takes now, and that is confirmed where somebody waits.

        Args:
            queue: Its name.
            lost: What it was silent about is gone, and never confirmed.

        Raises:
            KeyError: There is no such queue.
        """
        with self._lock:
            found = self._topology.queue(queue)
            found.is_refusing, found.is_silent, found.slow_seconds = False, False, 0.0
            unheard = [each for each in self._unheard if each[0] == queue]
            self._unheard = [each for each in self._unheard if each[0] != queue]
            for _, session, tag, message in [] if lost else unheard:
                took = not found.is_full
                if took:
                    self._put(found, message)
                session.heard_of(tag, queue, took=took)

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

    def _missing(self) -> Missing | None:
        if self._topology.has_exchange(self.names.exchange):
            return None
        return Missing(len(self._topology.queue(self.names.unrouted).messages))

    def _declare(self) -> None:
        names, topology = self.names, self._topology
        topology.declare_exchange(names.unrouted)
        topology.declare_exchange(names.dead_letters)
        topology.declare_exchange(names.exchange, alternate=names.unrouted)
        for own in (names.unrouted, names.dead_letters):
            topology.declare_queue(own, self._queue_max_length)
            topology.bind(own, own, "#")

    def _stall(self, *, is_stalled: bool) -> None:
        with self._lock:
            self._stalled = is_stalled
            for session in self._sessions:
                session.set_stalled(is_stalled=is_stalled)

    def _drop(self) -> None:
        for session in self._sessions:
            session.fail(BrokerLostError("the connection broke"))
        self._sessions.clear()

    def _take(self, session: InMemorySession, tag: int, message: Message) -> None:
        dropped = self._drop_in == 0
        if self._drop_in is not None:
            self._drop_in = None if dropped else self._drop_in - 1
        if not dropped or self._drop_taken:
            self._accept(session, tag, message)
        if dropped:
            self._drop()
            raise BrokerLostError("the connection broke during a publish")

    def _accept(self, session: InMemorySession, tag: int, message: Message) -> None:
        frame_max = self._frame_max_bytes
        if frame_max < HEADER_FRAME_MAX_BYTES and header_frame_bytes(message) > frame_max:
            session.fail(TopologyError(f"a frame is larger than {frame_max:,} bytes (501)"))
            return
        if len(message.body) > self._message_max_bytes:
            session.fail(MessageTooLargeError(self._message_max_bytes))
            return
        try:
            queues = self._topology.route(self.names.exchange, message.routing_key)
        except KeyError:
            session.fail(ExchangeGoneError(f"exchange {self.names.exchange!r} is gone; connect again to declare it"))
            return
        if self._nacks:
            self._nacks -= 1
            session.reject(tag)
        elif not queues:
            session.returns(tag, Returned(message.message_id, NO_ROUTE, "NO_ROUTE"))
        else:
            self._enqueue(session, tag, message, queues)

    def _enqueue(self, session: InMemorySession, tag: int, message: Message, queues: list[InMemoryQueue]) -> None:
        """Give a message to each of its queues; one that rejects it makes a nack of it, though the others have it."""
        silent = [queue for queue in queues if queue.is_silent]
        talking = [queue for queue in queues if not queue.is_silent]
        taking = [queue for queue in talking if not queue.is_full]
        for queue in taking:
            self._put(queue, message)
        self._unheard += [(queue.name, session, tag, message) for queue in silent]
        seconds = max((queue.slow_seconds for queue in taking), default=0.0)
        if len(taking) < len(talking):
            session.reject(tag)
        elif silent or seconds:
            session.hold(tag, [queue.name for queue in silent], seconds)
        else:
            session.confirm(tag)

    def _put(self, queue: InMemoryQueue, message: Message) -> None:
        queue.messages.append(message)
        if len(queue.messages) == 1:
            for consumer in self._consumers:
                consumer.ring()

    def _forget(self, session: InMemorySession) -> None:
        if session in self._sessions:
            self._sessions.remove(session)

    def _received(self, queue: str, count: int) -> list[Message]:
        with self._lock:
            messages = self._topology.queue(queue).messages
            return [messages.popleft() for _ in range(min(count, len(messages)))]
