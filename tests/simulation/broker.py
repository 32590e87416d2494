"""The bus of a simulation: messages on a wire, taken later, confirmed late and together, or not at all."""

from collections import deque
from collections.abc import Sequence

from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    BrokerError,
    BrokerEvent,
    BrokerLostError,
    Message,
    Nacked,
    Returned,
    Unblocked,
)
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from tests.simulation.chance import Chance
from tests.simulation.consumers import SimulatedQueue
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedFlag
from tests.simulation.scheduler import Process, Scheduler, microseconds

NO_ROUTE = 312


class SimulatedBroker:
    """A `Broker`. The weather sets `is_down`, `is_stalled`, `is_unroutable`, and blocks it."""

    def __init__(self, scheduler: Scheduler, chance: Chance, ledger: Ledger, window: int) -> None:
        self.scheduler = scheduler
        self.chance = chance
        self.window = window
        self.queues: list[SimulatedQueue] = []
        self.is_down = False
        self.is_stalled = False
        self.is_unroutable = False
        self.blocked: Blocked | None = None
        self._ledger = ledger
        self._sessions: list[SimulatedSession] = []
        self._stragglers: list[Message] = []

    def connect(self) -> "SimulatedSession":
        """See `Broker.connect`."""
        self.scheduler.step("bus.connect")
        if self.is_down:
            raise BrokerLostError("out of reach")
        session = SimulatedSession(self, self.scheduler.current.process)
        if self.blocked is not None:
            session.tell(self.blocked)
        self._sessions.append(session)
        return session

    def block(self, blocked: Blocked | None) -> None:
        """Ask publishers to stop, or let them go on."""
        self.blocked = blocked
        for session in self._sessions:
            session.tell(blocked or Unblocked())

    def drop_all(self) -> None:
        """Break every connection."""
        for session in tuple(self._sessions):
            self.drop(session)

    def bury(self, process: Process) -> None:
        """Break the connections of a process that has crashed."""
        for session in tuple(self._sessions):
            if session.process is process:
                self.drop(session)

    def drop(self, session: "SimulatedSession") -> None:
        """Break a connection: of what is on the wire some is taken, some later, some never."""
        draw = self.chance.stream("bus.drop")
        taken = draw.randint(0, len(session.wire))
        for _ in range(taken):
            self.take(session.wire.popleft()[1])
        if session.wire and self.chance.strikes("bus.late_taking"):
            self._stragglers.extend(message for _, message in session.wire)
        session.end(BrokerLostError("the connection broke"))
        if session in self._sessions:
            self._sessions.remove(session)

    def take_stragglers(self) -> None:
        """Take what a broken connection had brought, after all."""
        late, self._stragglers = self._stragglers, []
        for message in late:
            self.take(message)

    def take(self, message: Message) -> None:
        """Take a message for good."""
        aggregate_id, number = str(message.headers[AGGREGATE_ID]), int(message.headers[SEQUENCE_NUMBER])
        event_type = message.routing_key.partition(".")[2]
        self._ledger.take_message(aggregate_id, number, message.message_id, event_type)
        for queue in self.queues:
            queue.offer(aggregate_id, number, event_type)

    def check_window(self, session: "SimulatedSession", message: Message) -> None:
        """Queues keep their bounds: the window, and one unconfirmed event per aggregate."""
        if len(session.unanswered) > self.window:
            self._ledger.broken("queues keep their bounds", f"{len(session.unanswered)} messages are unconfirmed")
        if list(session.unanswered.values()).count(message.headers[AGGREGATE_ID]) > 1:
            self._ledger.broken("one unconfirmed event per aggregate", f"{message.headers[AGGREGATE_ID]}")


class SimulatedSession:
    """A `BrokerSession`: a wire to the broker, and what the broker has said and nobody has read."""

    def __init__(self, broker: SimulatedBroker, process: Process) -> None:
        self.process = process
        self.wire: deque[tuple[int, Message]] = deque()
        self.unanswered: dict[int, str | int] = {}
        self._broker = broker
        self._scheduler = broker.scheduler
        self._said: list[BrokerEvent] = []
        self._failure: BrokerError | None = None
        self._bell = SimulatedFlag(broker.scheduler)
        self._tag = 0

    def publish(self, message: Message) -> int:
        """See `BrokerSession.publish`."""
        self._scheduler.step("bus.publish")
        self._raise_if_broken()
        chance = self._broker.chance
        if chance.strikes("bus.drop_before"):
            self._broker.drop(self)
        self._raise_if_broken()
        self._tag += 1
        self.wire.append((self._tag, message))
        self.unanswered[self._tag] = message.headers[AGGREGATE_ID]
        self._broker.check_window(self, message)
        if chance.strikes("bus.drop_after"):
            self._broker.drop(self)
        self._raise_if_broken()
        return self._tag

    def poll(self, timeout_seconds: float) -> Sequence[BrokerEvent]:
        """See `BrokerSession.poll`."""
        self._scheduler.step("bus.poll")
        deadline = self._scheduler.now_us + microseconds(timeout_seconds)
        while True:
            self._work()
            if self._said:
                said, self._said = self._said, []
                return said
            self._raise_if_broken()
            left = (deadline - self._scheduler.now_us) / 1e6
            if left <= 0:
                return []
            self._bell = SimulatedFlag(self._scheduler)
            busy = self.wire and not self._broker.is_stalled
            self._bell.wait(min(left, 0.004) if busy else left)

    def close(self) -> None:
        """See `BrokerSession.close`."""
        if self._failure is None:
            self._broker.drop(self)

    def tell(self, event: BrokerEvent) -> None:
        """Say something to the publisher."""
        self._said.append(event)
        self._bell.set_quietly()

    def end(self, failure: BrokerError) -> None:
        """Break."""
        self._failure = failure
        self._said.clear()
        self.wire.clear()
        self._bell.set_quietly()

    def _work(self) -> None:
        """Let the broker take some of what is on the wire and say what became of it."""
        if self._broker.is_stalled or self._failure is not None:
            return
        draw = self._broker.chance.stream("bus.pace")
        for _ in range(draw.randint(0, len(self.wire))):
            tag, message = self.wire.popleft()
            self.unanswered.pop(tag, None)
            if self._broker.is_unroutable:
                self._said += [Returned(message.message_id, NO_ROUTE, "NO_ROUTE"), Acked(tag, multiple=False)]
            elif self._broker.chance.strikes("bus.nack"):
                self._said.append(Nacked(tag, multiple=False))
            else:
                self._broker.take(message)
                last = self._said[-1] if self._said else None
                if isinstance(last, Acked) and last.tag == tag - 1 and draw.random() < 0.7:
                    self._said[-1] = Acked(tag, multiple=True)
                else:
                    self._said.append(Acked(tag, multiple=False))

    def _raise_if_broken(self) -> None:
        if self._failure is not None:
            raise self._failure
