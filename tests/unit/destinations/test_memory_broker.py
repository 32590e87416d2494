"""The faults that the broker in memory can be told to show, as the bus sees them."""

import threading

import pytest

from eventstore.system import SystemRuntime
from relay.destination import Confirmed, Retry, TroubleKind
from relay.destinations.bus import message
from relay.destinations.bus.broker import Acked, BrokerLostError, Message, Nacked
from relay.destinations.bus.bus import Bus
from relay.testing import InMemoryBroker
from relay.testing.commits import chain, commit
from relay.testing.routing import matches
from tests.support.delivering import deliver, idle
from tests.unit.destinations.conftest import SteppedRuntime


@pytest.fixture
def memory():
    broker = InMemoryBroker()
    broker.queue("all")
    return broker


@pytest.fixture
def bus(memory):
    return Bus(memory, SystemRuntime())


def lying(memory, queue="all"):
    return [message.message_id for message in memory.messages(queue)]


def sent(aggregate_id: str, event_type: str = "Placed") -> Message:
    row = commit(aggregate_id, event_type=event_type)
    assert row.events is not None
    return message.encode(row.events[0], "/shop")


def test_nacks_are_counted(memory, bus):
    """As many messages as told are refused, and not one more."""
    memory.nack_next(1)

    report = deliver(bus, [chain("a", 1), chain("b", 1)], 1)

    assert report.outcomes == {("a", 1): Retry("nack"), ("b", 1): Confirmed()}
    assert lying(memory) == ["b:1"]


@pytest.mark.parametrize(("taken", "left"), [(True, ["a:1", "a:2"]), (False, ["a:1"])])
def test_a_drop_within_a_publish(memory, bus, taken, left):
    """The message at which the connection breaks lands in queues or not, and the bus cannot tell."""
    memory.drop_after(1, taken=taken)

    report = deliver(bus, [chain("a", 1, 1)], 1)

    assert report.outcomes == {("a", 1): Confirmed(), ("a", 2): Retry("unconfirmed")}
    assert lying(memory) == left
    assert deliver(bus, [chain("a", 1, 1)[1:]], 1).outcomes == {("a", 2): Confirmed()}
    assert memory.connects == 2


def test_stalled_messages_are_taken_and_not_confirmed(memory, bus):
    """The bus gives up at the end of its budget; a confirm that comes afterwards is nobody's."""
    memory.stall()
    assert deliver(bus, [chain("a", 1)], 0.05).outcomes == {("a", 1): Retry("unconfirmed")}
    memory.resume()

    assert deliver(bus, [chain("a", 1)], 1).outcomes == {("a", 1): Confirmed()}
    assert lying(memory) == ["a:1", "a:1"]


def test_a_stall_that_ends_in_time(memory, bus):
    """What was held back is confirmed after all."""
    memory.stall()
    threading.Timer(0.05, memory.resume).start()

    assert deliver(bus, [chain("a", 1, 1)], 10).outcomes == {("a", 1): Confirmed(), ("a", 2): Confirmed()}


def test_blocked_and_unblocked(memory, bus):
    """A new session hears at once that the broker is blocked."""
    memory.block("low on disk")
    deliver(bus, [chain("warm", 1)], 0.05)
    idle(bus)
    report = deliver(bus, [chain("a", 1)], 0.05)
    assert report.trouble is not None
    assert "low on disk" in report.trouble.reason

    memory.unblock()
    assert deliver(bus, [chain("a", 1)], 1).outcomes == {("a", 1): Confirmed()}


def test_connections_are_refused_until_they_are_not(memory, bus):
    """An outage that begins and ends."""
    memory.refuse_connections(BrokerLostError("no route to host"))
    report = deliver(bus, [chain("a", 1)], 1)
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE

    memory.refuse_connections(None)
    assert deliver(bus, [chain("a", 1)], 1).trouble is None


def test_a_drop_loses_the_confirms_that_were_not_read(memory):
    """The messages are there all the same."""
    session = memory.connect()
    consumer = memory.consumer("all")
    row = commit("a")
    assert row.events is not None

    session.publish(message.encode(row.events[0], "/shop"))
    memory.drop_connections()

    with pytest.raises(BrokerLostError):
        session.publish(message.encode(row.events[0], "/shop"))
    assert [received.message_id for received in consumer.receive(0)] == ["a:1"]


def test_a_broker_limit_is_learnt(bus, memory):
    """The broker's own size limit parks at the second attempt."""
    small = Bus(InMemoryBroker(message_max_bytes=10), SystemRuntime())
    large = commit("a", data_json='{"note":"0123456789"}')

    assert deliver(small, [[large]], 1).outcomes == {("a", 1): Retry("unconfirmed")}
    assert type(deliver(small, [[large]], 1).outcomes[("a", 1)]).__name__ == "Park"


def test_a_waiting_consumer_is_woken(memory, bus):
    """A consumer on another thread gets a message as soon as it is there."""
    consumer = memory.consumer("mine")
    received = []
    thread = threading.Thread(target=lambda: received.extend(consumer.receive(10)))
    thread.start()
    deliver(bus, [chain("a", 1)], 1)
    thread.join(10)

    assert [each.message_id for each in received] == ["a:1"]


@pytest.mark.parametrize(
    ("pattern", "key", "match"),
    [
        ("#", "", True),
        ("#", "a.b.c", True),
        ("a.#", "a", True),
        ("a.#", "a.b.c", True),
        ("#.c", "a.b.c", True),
        ("a.#.c", "a.c", True),
        ("a.#.c", "a.b.b.c", True),
        ("a.#.c", "a.b", False),
        ("*", "a", True),
        ("*", "a.b", False),
        ("a.*", "a", False),
        ("*.b", "a.b", True),
        ("a.b", "a.b", True),
        ("a.b", "a.B", False),
        ("", "a", False),
    ],
)
def test_topic_patterns(pattern, key, match):
    """As AMQP 0-9-1 says: words between dots, `*` one word, `#` none or more."""
    assert matches(pattern.split("."), key.split(".")) is match


def test_a_silent_queue_lets_the_others_have_the_message(memory):
    """No confirm comes while it lasts; when it recovers it has the message too, and the confirm comes."""
    memory.queue("silent")
    memory.silence("silent")
    session = memory.connect()

    tag = session.publish(sent("a"))
    assert list(session.poll(0)) == []
    assert (lying(memory), lying(memory, "silent")) == (["a:1"], [])

    memory.heal("silent")
    assert list(session.poll(0)) == [Acked(tag, multiple=False)]
    assert (lying(memory), lying(memory, "silent")) == (["a:1"], ["a:1"])


def test_what_a_silent_queue_has_lost_is_never_confirmed(memory):
    """What comes afterwards is, and never speaks for it."""
    memory.queue("silent")
    memory.silence("silent")
    session = memory.connect()
    session.publish(sent("a"))
    memory.heal("silent", lost=True)

    tags = [session.publish(sent(aggregate_id)) for aggregate_id in ("b", "c")]

    assert list(session.poll(0)) == [Acked(tag, multiple=False) for tag in tags]
    assert list(session.poll(0)) == []
    assert lying(memory, "silent") == ["b:1", "c:1"]


def test_what_is_not_bound_to_the_silent_queue_is_confirmed(memory):
    """Answers come out of turn, and name one message each."""
    memory.queue("silent", "*.Refused")
    memory.silence("silent")
    session = memory.connect()
    session.publish(sent("a", "Refused"))

    tags = [session.publish(sent(aggregate_id)) for aggregate_id in ("b", "c")]

    assert list(session.poll(0)) == [Acked(tag, multiple=False) for tag in tags]


def test_a_rejection_does_not_wait_for_a_silent_queue(memory):
    """The nack comes at once, and nothing more when the silent queue recovers."""
    for name in ("silent", "full"):
        memory.queue(name)
    memory.silence("silent")
    memory.refuse("full")
    session = memory.connect()

    tag = session.publish(sent("a"))
    assert list(session.poll(0)) == [Nacked(tag, multiple=True)]

    memory.heal("silent")
    assert list(session.poll(0)) == []
    assert lying(memory, "silent") == ["a:1"]


def test_a_silent_queue_that_is_full_when_it_recovers(memory):
    """It rejects what it was silent about."""
    memory.queue("silent", max_length=1)
    memory.silence("silent")
    session = memory.connect()
    for aggregate_id in ("a", "b"):
        session.publish(sent(aggregate_id))

    memory.heal("silent")

    assert list(session.poll(0)) == [Acked(1, multiple=False), Nacked(2, multiple=False)]
    assert lying(memory, "silent") == ["a:1"]


def test_a_slow_queue_has_the_message_and_confirms_late():
    """A poll that waits is there when the confirm comes, and not before."""
    runtime = SteppedRuntime()
    memory = InMemoryBroker(runtime)
    memory.queue("all")
    memory.slow("all", 3.0)
    session = memory.connect()

    tag = session.publish(sent("a"))
    assert lying(memory) == ["a:1"]
    runtime.seconds += 2.5
    assert list(session.poll(0)) == []
    runtime.seconds += 0.5
    assert list(session.poll(0)) == [Acked(tag, multiple=False)]

    memory.heal("all")
    tag = session.publish(sent("b"))
    assert list(session.poll(0)) == [Acked(tag, multiple=False)]


def test_a_waiting_poll_hears_a_slow_confirm(memory):
    """In real time: the poll ends when the confirm is due."""
    memory.slow("all", 0.05)
    session = memory.connect()
    tag = session.publish(sent("a"))
    assert list(session.poll(60)) == [Acked(tag, multiple=False)]


def test_a_refusing_queue_takes_messages_again_when_healed(memory, bus):
    """And what the other queue took at the refusal it has twice."""
    memory.queue("other")
    memory.refuse("all")
    assert deliver(bus, [chain("a", 1)], 1).outcomes == {("a", 1): Retry("nack")}
    memory.heal("all")
    assert deliver(bus, [chain("a", 1)], 1).outcomes == {("a", 1): Confirmed()}
    assert (lying(memory), lying(memory, "other")) == (["a:1"], ["a:1", "a:1"])


def test_there_is_no_such_queue(memory):
    """A name that is spelled wrongly is told."""
    for verb in (memory.refuse, memory.silence, memory.heal):
        with pytest.raises(KeyError):
            verb("al")
    with pytest.raises(KeyError):
        memory.slow("al", 1.0)
