"""What a session of a broker does below the bus, in memory and on RabbitMQ alike."""

import threading
from collections.abc import Iterator

import pytest

from relay.destinations.bus import message
from relay.destinations.bus.broker import Acked, BrokerSession, Message, Nacked
from relay.testing.commits import commit
from tests.contract.destinations.worlds import BusWorld, receive

LONG_SECONDS = 60
"""A poll that is woken ends far sooner, and one that is not would fail the test."""


@pytest.fixture
def session(bus_world: BusWorld) -> Iterator[BrokerSession]:
    session = bus_world.broker.connect()
    yield session
    session.close()


def sent(aggregate_id: str, event_type: str = "Placed") -> Message:
    row = commit(aggregate_id, event_type=event_type)
    assert row.events is not None
    return message.encode(row.events[0], "/shop")


def test_a_call_ends_a_poll_that_waits(bus_world, session):
    """From another thread, at once, with nothing to say."""
    started = bus_world.runtime.monotonic()
    caller = threading.Timer(0.05, session.wake)
    caller.start()

    assert list(session.poll(LONG_SECONDS)) == []

    assert bus_world.runtime.monotonic() - started < LONG_SECONDS / 2
    caller.join(10)


def test_calls_before_a_poll_end_that_one_alone(bus_world, session):
    """It returns at once, however often it was called; the one after it waits its time."""
    for _ in range(3):
        session.wake()
    started = bus_world.runtime.monotonic()

    assert list(session.poll(LONG_SECONDS)) == []
    assert bus_world.runtime.monotonic() - started < LONG_SECONDS / 2

    started = bus_world.runtime.monotonic()
    assert list(session.poll(0.05)) == []
    assert bus_world.runtime.monotonic() - started >= 0.05


def test_a_call_loses_no_confirm(bus_world, session):
    """What is sent while somebody calls is confirmed all the same."""
    bus_world.consumer()
    heard = []
    tag = session.publish(sent("a"))
    deadline = bus_world.runtime.monotonic() + 10.0
    while not heard and bus_world.runtime.monotonic() < deadline:
        session.wake()
        heard += session.poll(1)

    assert heard == [Acked(tag, multiple=False)]


def test_a_call_after_the_end_does_nothing(session):
    """Whoever calls need not know that the session is closed."""
    session.close()
    session.wake()


def test_a_full_queue_rejects_what_the_others_take(bus_world, session):
    """The broker nacks, although the message lies in every other queue; sent again it lies there twice."""
    consumer = bus_world.consumer()
    bus_world.full_queue("*.Refused")
    session.publish(sent("a"))
    assert list(session.poll(10)) == [Acked(1, multiple=False)]

    for tag in (2, 3):
        session.publish(sent("b", "Refused"))
        # What lies below is answered, so that it may speak for all of it.
        assert list(session.poll(10)) in ([Nacked(tag, multiple=True)], [Nacked(tag, multiple=False)])

    assert [received.message_id for received in receive(consumer, 3)] == ["a:1", "b:1", "b:1"]


def test_acks_and_nacks_name_what_they_answer(bus_world, session):
    """However they are put together, each message is answered once, those that a full queue rejects by a nack."""
    bus_world.consumer()
    bus_world.full_queue("*.Refused")
    refused = {3, 4, 7, 10}
    for number in range(1, 13):
        session.publish(sent(f"a{number}", "Refused" if number in refused else "Placed"))

    acked: set[int] = set()
    nacked: set[int] = set()
    for _ in range(100):
        for event in session.poll(1):
            assert isinstance(event, Acked | Nacked)
            open_tags = set(range(1, event.tag + 1)) - acked - nacked
            answered = open_tags if event.multiple else {event.tag}
            assert answered <= open_tags
            (acked if isinstance(event, Acked) else nacked).update(answered)
        if len(acked) + len(nacked) == 12:
            break

    assert nacked == refused
    assert acked == set(range(1, 13)) - refused
