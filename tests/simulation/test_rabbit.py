"""The simulated bus, reached through the adapter for RabbitMQ: each flag has the effect that it has on RabbitMQ."""

from collections.abc import Callable
from dataclasses import replace
from unittest.mock import patch

from relay.destinations.bus.broker import Acked, BrokerEvent, BrokerSession, MessageTooLargeError, Returned
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSession
from tests.simulation import rabbit
from tests.simulation.planted import BUGS
from tests.simulation.rabbit import URL, connected
from tests.simulation.test_broker import World, message


def run(world: World, body: Callable[[BrokerSession], None]) -> None:
    """Run what a process does with a session of the adapter."""
    with connected(world.broker):
        world.scheduler.run(lambda: body(RabbitBroker(URL).connect()))


def heard(session: BrokerSession, polls: int = 20) -> list[BrokerEvent]:
    return [event for _ in range(polls) for event in session.poll(0.1)]


def test_what_is_published_arrives_as_it_was_and_is_confirmed() -> None:
    """Properties go over the wire and back, in the types that they have there."""
    world, taken = World(), []
    world.broker.on_taken = taken.append
    sent = replace(message(number=2**40), correlation_id="c")
    said: list[BrokerEvent] = []

    def body(session: BrokerSession) -> None:
        assert session.publish(sent) == 1
        said.extend(heard(session))

    run(world, body)

    assert said == [Acked(1, multiple=False)]
    (found,) = taken
    assert {
        name: getattr(found, name) for name in ("routing_key", "message_id", "correlation_id", "headers", "body")
    } == {
        "routing_key": "ITEM.MOVED",
        "message_id": f"a:{2**40}",
        "correlation_id": "c",
        "headers": sent.headers,
        "body": b"{}",
    }
    assert (found.content_type, found.delivery_mode, found.mandatory) == ("application/json", 2, True)
    assert world.applied() == ([("a", 2**40)], [("a", 2**40)])


def test_what_no_queue_takes_is_returned_only_when_it_is_mandatory() -> None:
    """The broker confirms it in both cases."""
    for bug, kinds in ((None, [Returned, Acked]), ("mandatory-left-out", [Acked])):
        world, said = World(), list[BrokerEvent]()
        world.broker.is_unroutable = True

        def body(session: BrokerSession, said: list[BrokerEvent] = said) -> None:
            session.publish(message())
            said.extend(heard(session))

        if bug is None:
            run(world, body)
        else:
            with BUGS[bug].plant():
                run(world, body)

        assert [type(event) for event in said] == kinds
        assert world.applied() == ([], [])


def test_nothing_is_confirmed_without_confirm_mode() -> None:
    """The queues have it all the same."""
    world, said = World(), list[BrokerEvent]()

    def body(session: BrokerSession) -> None:
        session.publish(message())
        said.extend(heard(session))

    with patch.object(rabbit.Channel, "confirm_select", lambda _: None):
        run(world, body)

    assert said == []
    assert world.applied() == ([("a", 1)], [("a", 1)])


def test_a_restart_keeps_what_is_persistent() -> None:
    """What is not is gone, though it was confirmed."""
    world, said = World(), list[BrokerEvent]()

    def body(session: BrokerSession) -> None:
        session.publish(message(number=1))
        session.publish(replace(message("b"), delivery_mode=1))
        said.extend(heard(session))
        world.broker.restart()

    run(world, body)

    assert sum(isinstance(event, Acked) for event in said) >= 1
    assert world.applied() == ([("a", 1)], [("a", 1)])


def test_a_message_beyond_the_limit_ends_the_connection_and_tells_the_limit() -> None:
    """The adapter reads it from the words of the broker."""
    world, errors = World(), list[MessageTooLargeError]()
    world.broker.message_max_bytes = 1

    def body(session: BrokerSession) -> None:
        assert isinstance(session, RabbitSession)
        try:
            session.publish(message())
        except MessageTooLargeError as error:
            errors.append(error)

    run(world, body)

    assert [error.limit_bytes for error in errors] == [1]
