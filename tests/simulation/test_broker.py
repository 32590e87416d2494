"""The simulated bus answers as RabbitMQ does: for all queues together, late, or never; and a poll can be woken."""

from collections.abc import Callable
from typing import Any

from relay.destinations.bus.broker import Acked, BrokerEvent, Message, Nacked
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from tests.simulation.broker import SimulatedBroker, SimulatedSession
from tests.simulation.chance import Chance
from tests.simulation.consumers import SimulatedQueue
from tests.simulation.coverage import Coverage
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.scheduler import Process, Scheduler


class World:
    """A broker with two queues that want everything, in a calm."""

    def __init__(self) -> None:
        self.scheduler = Scheduler("1", stickiness=0.3, steps_max=10_000)
        self.runtime = SimulatedRuntime(self.scheduler, Process("relay"), "1")
        chance = Chance("1", Coverage())
        self.ledger = Ledger(self.scheduler)
        self.ledger.see_message = lambda *_: None  # type: ignore[method-assign]
        self.ledger.known_as = lambda message: message.headers[AGGREGATE_ID]  # type: ignore[method-assign]
        self.ledger.present = lambda *_: True  # type: ignore[method-assign]
        self.broker = SimulatedBroker(self.scheduler, chance, self.ledger, window=500)
        self.first, self.second = (SimulatedQueue(name, None, chance, self.ledger) for name in ("first", "second"))
        self.broker.queues += [self.first, self.second]

    def run(self, body: Callable[[SimulatedSession], None]) -> None:
        """Run what a process does with a session."""
        self.scheduler.run(lambda: body(self.broker.connect()))

    def applied(self) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
        """Return what the consumers of both queues have applied by now."""
        self.first.consume()
        self.second.consume()
        return self.first.applied, self.second.applied


def message(aggregate_id: str = "a", number: int = 1) -> Message:
    headers = {AGGREGATE_ID: aggregate_id, SEQUENCE_NUMBER: number}
    return Message("ITEM.MOVED", f"{aggregate_id}:{number}", None, headers, b"{}")


def heard(session: SimulatedSession, seconds: float) -> list[BrokerEvent]:
    """Return all that is said within so much time."""
    events: list[BrokerEvent] = []
    deadline = session._scheduler.seconds + seconds
    while (left := deadline - session._scheduler.seconds) > 0:
        events += session.poll(left)
    return events


def test_what_one_queue_rejects_another_has() -> None:
    """The broker nacks, and the bus as a whole does not have it."""
    world = World()
    world.second.is_refusing = True

    def body(session: SimulatedSession) -> None:
        tag = session.publish(message())
        assert heard(session, 5) == [Nacked(tag, multiple=True)]
        assert world.applied() == ([("a", 1)], [])
        assert world.ledger.taken.highest == {}
        world.broker.heal(world.second, lost=False)
        tag = session.publish(message())
        assert heard(session, 5) == [Acked(tag, multiple=False)]
        assert world.applied() == ([("a", 1)], [("a", 1)])
        assert world.ledger.taken.highest == {"a": 1}

    world.run(body)


def test_a_silent_queue_confirms_when_it_recovers() -> None:
    """Until then the other queue alone has the message."""
    world = World()
    world.second.is_silent = True

    def body(session: SimulatedSession) -> None:
        tag = session.publish(message())
        assert heard(session, 600) == []
        assert world.applied() == ([("a", 1)], [])
        assert world.ledger.taken.highest == {}
        world.broker.heal(world.second, lost=False)
        assert heard(session, 5) == [Acked(tag, multiple=False)]
        assert world.applied() == ([("a", 1)], [("a", 1)])
        assert world.ledger.taken.highest == {"a": 1}

    world.run(body)


def test_what_two_silent_queues_hold_needs_both() -> None:
    """One that recovers is not enough; one that has lost it is the end of it."""
    world = World()

    def body(session: SimulatedSession) -> None:
        for lost, said in ((False, [Acked(1, multiple=False)]), (True, [])):
            world.first.is_silent = world.second.is_silent = True
            session.publish(message(str(lost)))
            assert heard(session, 5) == []
            world.broker.heal(world.first, lost=lost)
            assert heard(session, 5) == []
            world.broker.heal(world.second, lost=False)
            assert heard(session, 5) == said
        assert world.ledger.taken.highest == {"False": 1}
        assert world.broker._unheard == []

    world.run(body)


def test_a_slow_queue_confirms_late() -> None:
    """It has the message at once; those of a queue that is not slow do not wait for it."""
    world = World()
    world.second.slow_seconds = 3.0

    def body(session: SimulatedSession) -> None:
        tag = session.publish(message())
        before = session._scheduler.seconds
        assert session.poll(10) == [Acked(tag, multiple=False)]
        assert 3.0 <= session._scheduler.seconds - before < 3.1
        assert world.ledger.taken.highest == {"a": 1}

    world.run(body)


def test_a_broken_connection_leaves_a_silent_queue_its_messages() -> None:
    """Nobody hears of the confirm, and the message is there all the same."""
    world = World()
    world.second.is_silent = True

    def body(session: SimulatedSession) -> None:
        session.publish(message())
        assert heard(session, 1) == []
        session.close()
        world.broker.heal(world.second, lost=False)
        assert world.ledger.taken.highest == {"a": 1}

    world.run(body)


def test_a_poll_is_woken_from_another_part() -> None:
    """Whether it has begun or not; the next one waits its time."""
    for seconds in (0.0, 2.0):
        world = World()

        def body(session: SimulatedSession, world: Any = world, seconds: float = seconds) -> None:
            def wake() -> None:
                world.runtime.sleep(seconds)
                session.wake()
                session.wake()

            world.runtime.spawn("other", wake)
            before = world.scheduler.seconds
            assert session.poll(60) == []
            assert world.scheduler.seconds - before <= 2.0
            world.runtime.sleep(5)
            assert session.poll(60) == []  # ended by the second call, if that came after the first poll
            before = world.scheduler.seconds
            assert session.poll(60) == []
            assert world.scheduler.seconds - before == 60

        world.run(body)
