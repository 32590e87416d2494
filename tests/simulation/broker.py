"""The bus of a simulation: messages on a wire, taken later, confirmed late and together, or not at all."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from relay.destinations.bus.broker import (
    Blocked,
    BrokerError,
    BrokerEvent,
    BrokerLostError,
    Message,
    MessageTooLargeError,
    Returned,
    Unblocked,
)
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from relay.testing.confirming import answers
from tests.simulation.chance import Chance
from tests.simulation.consumers import SimulatedQueue
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedFlag
from tests.simulation.reach import Reach
from tests.simulation.repeats import Repeats, Unread
from tests.simulation.scheduler import Process, Scheduler, microseconds

NO_ROUTE = 312
PERSISTENT = 2
"""The delivery mode of messages that outlive a restart. Source: AMQP 0-9-1, 1.8.3.7."""

_TOGETHER = 0.7
"""Chance that what becomes of a message is said together with what becomes of the next one."""


@dataclass(slots=True)
class Fate:
    """What becomes of a message.

    Attributes:
        is_rejected: A queue has rejected or lost it, whatever the others do.
        silent: Queues that have said nothing about it yet.
        seconds: How long the slowest of the others takes.
    """

    is_rejected: bool = False
    silent: list[SimulatedQueue] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(eq=False, slots=True)
class Unheard:
    """A message that silent queues have not taken.

    Attributes:
        message: The message.
        known_as: What consumers knew its aggregate as when it came: tables may be remade since.
        fate: What becomes of it.
        session: On which it came; None when that was broken already.
        tag: Under which it came.
        queues: Those that there were when it came.
    """

    message: Message
    known_as: str
    fate: Fate
    session: "SimulatedSession | None"
    tag: int
    queues: Sequence[SimulatedQueue]


class SimulatedBroker:
    """A `Broker`. The weather sets `is_down`, `is_stalled`, `is_unroutable`, and blocks it.

    It answers for a message as RabbitMQ does: rejected as soon as one queue rejects it, though the others take it;
    confirmed when every queue that wants it has it.
    """

    def __init__(
        self, scheduler: Scheduler, chance: Chance, ledger: Ledger, window: int, patience_seconds: float = 1.0
    ) -> None:
        self.scheduler = scheduler
        self.repeats = Repeats(ledger, scheduler)
        self.chance = chance
        self.window = window
        self.queues: list[SimulatedQueue] = []
        self.reach = Reach()
        self.is_down = False
        self.is_stalled = False
        self.is_unroutable = False
        self.blocked: Blocked | None = None
        self.message_max_bytes: int | None = None
        """The broker's own `max_message_size`: a larger one ends the connection that brought it."""
        self.ledger = self._ledger = ledger
        self.patience_seconds = patience_seconds
        self._sessions: list[SimulatedSession] = []
        self._stragglers: list[Message] = []
        self._unheard: list[Unheard] = []
        self.on_taken: Callable[[Message], None] = lambda _: None
        self.on_confirmed: Callable[[], None] = lambda: None

    def connect(self) -> "SimulatedSession":
        """See `Broker.connect`."""
        self.scheduler.step("bus.connect")
        if self.is_down or self.reach.is_lost_for(self.scheduler):
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

    def restart(self) -> None:
        """Restart: connections break, and of what lies in queues only durable messages are there afterwards."""
        self.drop_all()
        for queue in self.queues:
            queue.lose_transient()

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

    def take(self, message: Message, session: "SimulatedSession | None" = None, tag: int = 0) -> Fate:
        """Give a message to the queues that want it; return what becomes of it."""
        _, number, event_type = _place_of(message)
        self._ledger.see_message(message)
        known_as = self._ledger.known_as(message)
        wanting = [queue for queue in self.queues if queue.wants(event_type)]
        rejecting = [queue for queue in wanting if queue.is_refusing]
        if session is not None and self.chance.strikes("bus.nack"):
            draw = self.chance.stream("bus.nack queues")
            rejecting += draw.sample(wanting, draw.randint(1, len(wanting)))
        fate = Fate(is_rejected=bool(rejecting))
        for queue in wanting:
            if queue in rejecting:
                continue
            if queue.is_silent:
                fate.silent.append(queue)
                continue
            queue.offer(known_as, number, is_durable=message.delivery_mode == PERSISTENT)
            fate.seconds = max(fate.seconds, queue.slow_seconds)
        if fate.silent:
            self._unheard.append(Unheard(message, known_as, fate, session, tag, tuple(self.queues)))
        elif not rejecting:
            self._ledger.take_message(message, known_as)
        self.on_taken(message)
        return fate

    def heal(self, queue: SimulatedQueue, *, lost: bool) -> None:
        """Let a queue do as usual; what it was silent about it takes now, or it is lost and never confirmed."""
        queue.is_refusing, queue.is_silent, queue.slow_seconds = False, False, 0.0
        for each in [each for each in self._unheard if queue in each.fate.silent]:
            each.fate.silent.remove(queue)
            if lost:
                each.fate.is_rejected = True  # though nobody says so
            else:
                is_durable = each.message.delivery_mode == PERSISTENT
                queue.offer(each.known_as, _place_of(each.message)[1], is_durable=is_durable)
            if not (each.fate.silent or each.fate.is_rejected):
                self._ledger.take_message(each.message, each.known_as)
                for late in self.queues:
                    if late not in each.queues:
                        late.came_after(each.known_as, _place_of(each.message)[1])
                if each.session is not None:
                    each.session.heard_of(each.tag)
        self._unheard = [each for each in self._unheard if each.fate.silent]

    def begin_anew(self) -> None:
        """Another generation of the tables begins; the bus keeps what it has."""
        self.repeats.begin_anew()

    def is_well(self) -> bool:
        """Tell whether messages are taken as usual, but for what single queues do."""
        return not (self.is_down or self.is_stalled or self.is_unroutable or self.blocked is not None)

    def check_window(self, session: "SimulatedSession", message: Message) -> None:
        """Queues keep their bounds: the window, and one unconfirmed event per aggregate."""
        if len(session.unanswered) > self.window:
            self._ledger.broken("queues keep their bounds", f"{len(session.unanswered)} messages are unconfirmed")
        aggregates = [aggregate_id for aggregate_id, _ in session.unanswered.values()]
        if aggregates.count(str(message.headers[AGGREGATE_ID])) > 1:
            self._ledger.broken("one unconfirmed event per aggregate", f"{message.headers[AGGREGATE_ID]}")


class SimulatedSession:
    """A `BrokerSession`: a wire to the broker, and what the broker has said and nobody has read."""

    frame_max_bytes = 131_072
    missing = None

    def __init__(self, broker: SimulatedBroker, process: Process) -> None:
        self.process = process
        self.confirms = True
        """Whether it is in confirm mode; otherwise the broker never says that it has a message."""
        self.wire: deque[tuple[int, Message]] = deque()
        self.unanswered: dict[int, tuple[str, float]] = {}
        self._confirmed: list[int] = []
        self._rejected: list[int] = []
        self._open: dict[int, float] = {}
        self._broker = broker
        self._scheduler = broker.scheduler
        self._said: list[BrokerEvent] = []
        self._failure: BrokerError | None = None
        self._bell = SimulatedFlag(broker.scheduler)
        self._is_called = False
        self._unread = Unread()
        self._tag = 0

    def publish(self, message: Message) -> int:
        """See `BrokerSession.publish`."""
        self._scheduler.step("bus.publish")
        self._raise_if_broken()
        chance, most = self._broker.chance, self._broker.message_max_bytes
        if most is not None and len(message.body) > most:
            self._broker.drop(self)
            raise MessageTooLargeError(most)
        if chance.strikes("bus.drop_before"):
            self._broker.drop(self)
        self._raise_if_broken()
        self._tag += 1
        self._broker.repeats.sent(self.process, message.message_id)
        self._unread.sent(self._tag, message.message_id)
        self.wire.append((self._tag, message))
        self.unanswered[self._tag] = (str(message.headers[AGGREGATE_ID]), self._scheduler.seconds)
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
            self._look_for_silence()
            is_called, self._is_called = self._is_called, False
            if self._said:
                said, self._said = self._said, []
                confirmed = self._unread.read(said)
                self._broker.repeats.confirmed(self.process, confirmed)
                if confirmed:
                    self._broker.on_confirmed()
                return said
            self._raise_if_broken()
            left = (deadline - self._scheduler.now_us) / 1e6
            if is_called or left <= 0:
                return []
            self._bell = SimulatedFlag(self._scheduler)
            self._bell.wait(min(left, self._busy_seconds()))

    def wake(self) -> None:
        """See `BrokerSession.wake`."""
        self._scheduler.step("bus.wake")
        self._is_called = True
        self._bell.set_quietly()

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

    def _look_for_silence(self) -> None:
        """Note for whom there was no answer for so long that a publisher may have given them up."""
        long_ago = self._scheduler.seconds - self._broker.patience_seconds
        for aggregate_id, sent_at in self.unanswered.values():
            if sent_at < long_ago:
                self._broker.ledger.hold_up(aggregate_id)

    def heard_of(self, tag: int) -> None:
        """A message that a queue was silent about is durable now."""
        if self._failure is None and tag in self._open:
            self._open[tag] = self._scheduler.seconds
            self._bell.set_quietly()

    def _busy_seconds(self) -> float:
        """Return how soon the broker may have something to say by itself."""
        if self._broker.is_stalled:
            return math.inf
        due = min(self._open.values(), default=math.inf) - self._scheduler.seconds
        return min(max(due, 0.0), 0.004 if self.wire else math.inf)

    def _work(self) -> None:
        """Let the broker take some of what is on the wire and say what became of it."""
        if self._broker.is_stalled or self._failure is not None:
            return
        draw = self._broker.chance.stream("bus.pace")
        for tag in [tag for tag, due in self._open.items() if due <= self._scheduler.seconds]:
            del self._open[tag]
            self._confirmed.append(tag)
        for _ in range(draw.randint(0, len(self.wire))):
            self._answer(*self.wire.popleft())
            if draw.random() >= _TOGETHER:
                self._say()
        self._say()

    def _answer(self, tag: int, message: Message) -> None:
        if self._broker.is_unroutable:
            if getattr(message, "mandatory", True):
                self._said.append(Returned(message.message_id, NO_ROUTE, "NO_ROUTE"))
            self._confirmed.append(tag)
            return
        fate = self._broker.take(message, self, tag)
        if fate.is_rejected or fate.silent:
            self._broker.ledger.hold_up(_place_of(message)[0])
        if fate.is_rejected:
            self._rejected.append(tag)
        elif fate.silent:
            self._open[tag] = math.inf
        elif fate.seconds:
            self._open[tag] = self._scheduler.seconds + fate.seconds
        else:
            self._confirmed.append(tag)

    def _say(self) -> None:
        """Say what is known; a broker puts some of it together."""
        if self.confirms:
            self._said += answers(self._confirmed, self._rejected, self._open)
        for tag in (*self._confirmed, *self._rejected):
            self.unanswered.pop(tag, None)
        self._confirmed.clear()
        self._rejected.clear()

    def _raise_if_broken(self) -> None:
        if self._failure is not None:
            raise self._failure


def _place_of(message: Message) -> tuple[str, int, str]:
    """Return aggregate id, number and type of the event of a message."""
    aggregate_id, number = str(message.headers[AGGREGATE_ID]), int(message.headers[SEQUENCE_NUMBER])
    return aggregate_id, number, message.routing_key.partition(".")[2]
