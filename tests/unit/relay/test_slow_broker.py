"""The slow broker of the measurements: what it measures with must be right itself."""

from typing import Any

import pytest

from eventstore.testing import ManualRuntime
from relay.destinations.bus.broker import Acked, BrokerLostError, Message, Nacked
from relay.destinations.bus.message import encode
from relay.testing import InMemoryBroker
from relay.testing.commits import commit
from tests.bench.flow.servers import SlowBroker


def message(aggregate_id: str, event_type: str = "Placed") -> Message:
    events = commit(aggregate_id, event_type=event_type).events
    assert events is not None
    return encode(events[0], "/test")


def slow_broker(seconds: float = 2.0) -> tuple[ManualRuntime, InMemoryBroker, SlowBroker]:
    runtime = ManualRuntime()
    broker = InMemoryBroker(runtime)
    broker.queue("all")
    return runtime, broker, SlowBroker(broker, runtime, seconds, lambda each: each.routing_key.endswith(".Refused"))


def test_each_message_is_confirmed_by_itself_when_its_time_has_come() -> None:
    """Messages do not wait for each other, and no confirm speaks for two."""
    runtime, _, slow = slow_broker()
    session = slow.connect()
    session.publish(message("a"))
    runtime.advance(1.0)
    session.publish(message("b"))
    assert session.poll(0.5) == []
    assert session.poll(5.0) == [Acked(1, multiple=False)]
    assert runtime.monotonic() == pytest.approx(2.0)
    assert session.poll(5.0) == [Acked(2, multiple=False)]
    assert slow.ledger.confirmed_at == pytest.approx({("a", 1): 2.0, ("b", 1): 3.0})


def test_a_refused_message_lies_in_the_healthy_queue() -> None:
    """It is nacked, and counts as a copy at each attempt."""
    _, broker, slow = slow_broker()
    session = slow.connect()
    for _ in range(2):
        session.publish(message("a", "Refused"))
    assert session.poll(5.0) == [Nacked(1, multiple=False), Nacked(2, multiple=False)]
    assert len(broker.messages("all")) == slow.ledger.messages() == 2
    assert slow.ledger.repeats() == 1
    assert slow.ledger.confirmed_at == {}


def test_a_wake_ends_the_next_poll_and_no_other() -> None:
    """It may come before the poll; the inner session hears of it too, since that is where a poll waits."""
    runtime, _, slow = slow_broker()
    session: Any = slow.connect()
    woken: list[bool] = []
    session._inner.wake = lambda: woken.append(True)
    session.wake()
    assert session.poll(5.0) == []
    assert (runtime.monotonic(), woken) == (0.0, [True])
    assert session.poll(5.0) == []
    assert runtime.monotonic() == pytest.approx(5.0)


def test_a_connection_that_breaks_ends_a_poll() -> None:
    """What was not confirmed by then never is."""
    _, broker, slow = slow_broker()
    session = slow.connect()
    session.publish(message("a"))
    broker.drop_connections()
    with pytest.raises(BrokerLostError):
        session.poll(5.0)
    assert slow.ledger.confirmed_at == {}
