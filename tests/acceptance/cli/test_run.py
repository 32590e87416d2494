"""`relay run` as a process: signals, a bus that comes late, logs."""

import signal
import time

import pytest

from eventstore import AggregateRef, NewEvent
from tests.support.completeness import append, check, outbox_left
from tests.support.proxy import door
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

DRAIN_DEFAULT_SECONDS = 20.0
PROMPT_SECONDS = 10.0
"""Many times what it takes, and half of the shortest time-out that could end a wait in vain."""
ITEM = AggregateRef("ITEM", "SKU-1")


def events_named(command, name: str) -> list[dict]:
    return [event for event in command.events if event["event"] == name]


@pytest.mark.timed
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_it_stops_when_told(terminal, corner, number):
    """
    What was appended is carried; then a signal ends it with 0 before a drain could run out; every line of log is JSON.
    """
    with terminal.with_settings(RELAY_LOG_FORMAT="json").start("relay", "run") as relay:
        corner.store().append(ITEM, [NewEvent("A", {})], expected_version=0)
        relay.until_said("page.settled")
        relay.signal(number)
        told = time.monotonic()
        finished = relay.end()
        took = time.monotonic() - told

    assert finished.code == 0
    assert took < DRAIN_DEFAULT_SECONDS
    assert finished.out == ""
    names = [event["event"] for event in relay.events]
    assert names[:2] == ["worker.joined", "relay.started"]
    assert [name for name in names if name.startswith("relay.")][1:] == ["relay.draining", "relay.stopped"]
    assert names.index("shard.stopped") < names.index("worker.left") < names.index("relay.stopped")
    assert {"level", "timestamp", "thread_name"} <= relay.events[0].keys()
    assert corner.client.scan(TableName="inventory_outbox")["Count"] == 0


def test_a_bus_that_comes_late(terminal, corner, witness):
    """
    It stays up, says once that the bus is out of reach however often it tries, and delivers when the bus is there.
    """
    with door(corner.rabbitmq_url) as bus:
        there = terminal.with_settings(RELAY_RABBITMQ_URL=bus.url, RELAY_LOG_FORMAT="json")
        with there.start("relay", "run") as relay:
            written = append(corner.store(), ITEM, [NewEvent("A", {}), NewEvent("B", {})], 0)
            until(lambda: len(events_named(relay, "bus.lost")) >= 3, "the bus was tried three times")
            troubled = events_named(relay, "destination.troubled")
            bus.open()
            until(lambda: len(witness.seen) >= 2, "both events came")
            until(lambda: outbox_left(corner) == 0, "everything is settled")
            relay.signal(signal.SIGTERM)
            finished = relay.end()

    assert [(event["destination"], event["kind"], event["level"]) for event in troubled] == [
        ("bus", "outage", "warning"),
    ]
    assert str(bus.port) in troubled[0]["reason"]
    assert len(events_named(relay, "destination.troubled")) == 1
    assert len(events_named(relay, "destination.recovered")) == 1
    check(corner, witness, [written])
    assert finished.code == 0


@pytest.mark.timed
def test_after_a_while_of_silence(terminal, corner, witness):
    """
    A heartbeat of an idle connection holds nothing up: what is appended then is delivered at once, and so is a signal.
    """
    store = corner.store()
    with door(corner.rabbitmq_url) as bus:
        bus.open()
        with terminal.with_settings(RELAY_RABBITMQ_URL=bus.url).start("relay", "run") as relay:
            store.append(ITEM, [NewEvent("A", {})], expected_version=0)
            until(lambda: len(witness.seen) >= 1, "the first event came")
            until(lambda: bus.heartbeats >= 1, "RabbitMQ has sent a heartbeat")
            store.append(ITEM, [NewEvent("A", {})], expected_version=1)
            until(lambda: len(witness.seen) >= 2, "the second event came", timeout_seconds=PROMPT_SECONDS)
            relay.signal(signal.SIGTERM)
            finished = relay.end(PROMPT_SECONDS)

    assert finished.code == 0
    assert "part.abandoned" not in finished.err


def test_rabbitmq_refuses_the_password(terminal, corner):
    """
    It stays up, says once, as an error and without the password, that a person must act, and stops when told.
    """
    wrong = corner.rabbitmq_url.replace("guest:guest", "guest:sesame")
    corner.store().append(ITEM, [NewEvent("A", {})], expected_version=0)

    with terminal.with_settings(RELAY_RABBITMQ_URL=wrong, RELAY_LOG_FORMAT="json").start("relay", "run") as relay:
        until(lambda: len(events_named(relay, "bus.lost")) >= 2, "the bus was tried twice")
        relay.signal(signal.SIGTERM)
        finished = relay.end()

    (troubled,) = events_named(relay, "destination.troubled")
    assert (troubled["kind"], troubled["level"]) == ("misconfigured", "error")
    assert "check user and password" in troubled["reason"]
    assert "sesame" not in finished.err
    assert finished.code == 0


def test_two_at_once(terminal, corner, witness):
    """
    There is one shard, so one carries it and the other stands by: everything comes once, in order, both stop well.
    """
    with terminal.start("relay", "run") as one, terminal.start("relay", "run") as other:
        until(lambda: "shard.opened" in one.err + other.err, "one of them carries the shard")
        one.until_said("relay.started")
        other.until_said("relay.started")
        store = corner.store()
        written = [append(store, ITEM, [NewEvent("A", {"n": number})], number) for number in range(30)]
        until(lambda: len(witness.first_deliveries().get("SKU-1", [])) >= 30, "every event came")
        until(lambda: outbox_left(corner) == 0, "everything is settled")
        for relay in (one, other):
            relay.signal(signal.SIGTERM)
        codes = [relay.end().code for relay in (one, other)]

    assert codes == [0, 0]
    check(corner, witness, written, repeats_max=0)
