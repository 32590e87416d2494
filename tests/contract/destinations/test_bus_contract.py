"""What the bus does, in memory and on RabbitMQ alike."""

import json
import threading
from collections import defaultdict
from dataclasses import replace

import pytest

from eventstore.rows.outbox import OutboxRow
from relay.destination import Confirmed, Park, Retry, TroubleKind
from relay.destinations.bus import message, wire
from relay.testing.commits import chain, commit
from tests.contract.destinations.worlds import receive
from tests.support.delivering import deliver


def test_a_consumer_gets_the_whole_message(bus_world):
    """Routing key, id, headers, body and properties arrive as documented, also where they are unusual."""
    consumer = bus_world.consumer()
    row = commit(
        "größe" * 28,
        3_000_000_000,
        data_json='{"price":12.50,"name":"é"}',
        metadata_json='{"correlation_id":"c-1","traceparent":"00-a-b-01"}',
        epoch=7,
    )

    report = deliver(bus_world.bus(source="/shop"), [[row]], 10)

    assert report.outcomes == {row.key: Confirmed()}
    (received,) = receive(consumer, 1)
    assert row.events is not None
    sent = message.encode(row.events[0], "/shop")
    assert received.message_id == sent.message_id
    assert received.routing_key == "Order.Placed"
    assert received.headers == sent.headers
    assert received.headers["cloudEvents_sequencenumber"] == 3_000_000_000
    assert received.body == b'{"price":12.50,"name":"\xc3\xa9"}'
    assert (received.correlation_id, received.content_type, received.persistent) == ("c-1", "application/json", True)


def test_every_aggregate_in_order_and_nothing_twice(bus_world):
    """With many aggregates under way at once each one's events come in their order."""
    consumer = bus_world.consumer()
    chains = [chain(f"a{number}", 1, 3, 2) for number in range(60)]

    report = deliver(bus_world.bus(window=25), chains, 20)

    assert set(report.outcomes.values()) == {Confirmed()}
    assert len(report.outcomes) == 180
    numbers = defaultdict(list)
    for received in receive(consumer, 360):
        numbers[received.headers["cloudEvents_aggregateid"]].append(received.headers["cloudEvents_sequencenumber"])
    assert len(numbers) == 60
    assert all(each == [1, 2, 3, 4, 5, 6] for each in numbers.values())


def test_a_body_of_many_frames(bus_world):
    """A body far larger than a frame arrives whole."""
    consumer = bus_world.consumer()
    data = '{"note":"' + "x" * 1_000_000 + '"}'

    deliver(bus_world.bus(), [[commit("a", data_json=data)]], 10)

    (received,) = receive(consumer, 1)
    assert received.body == data.encode()


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("#", ["a:1", "b:1", "c:1"]),
        ("Order.*", ["a:1", "b:1"]),
        ("*.Placed", ["a:1", "c:1"]),
        ("Order.Placed", ["a:1"]),
        ("Order.#", ["a:1", "b:1"]),
        ("*", []),
        ("Order.Placed.*", []),
    ],
)
def test_patterns(bus_world, pattern, wanted):
    """A consumer gets what its binding asks for; what nobody wanted lies in the queue for that."""
    consumer = bus_world.consumer("some", pattern)
    chains = [
        [commit("a", aggregate_type="Order", event_type="Placed")],
        [commit("b", aggregate_type="Order", event_type="Paid")],
        [commit("c", aggregate_type="Parcel", event_type="Placed")],
    ]

    report = deliver(bus_world.bus(), chains, 10)

    assert set(report.outcomes.values()) == {Confirmed()}
    assert sorted(received.message_id for received in receive(consumer, len(wanted))) == wanted
    assert sorted(bus_world.unrouted()) == sorted({"a:1", "b:1", "c:1"} - set(wanted))


def test_a_message_that_no_queue_takes_is_not_taken(bus_world):
    """When the alternate exchange leads nowhere the bus stops and says so; the next connect fixes it."""
    bus = bus_world.bus()
    deliver(bus, [chain("warm", 1)], 10)
    bus_world.break_alternate_exchange()

    report = deliver(bus, [chain("a", 1, 1)], 10)

    assert report.outcomes == {("a", 1): Retry("returned"), ("a", 2): Retry("returned")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED
    assert deliver(bus, [chain("a", 1, 1)], 10).outcomes == {("a", 1): Confirmed(), ("a", 2): Confirmed()}


def test_a_full_queue_is_backpressure(bus_world):
    """Its nack holds up the aggregates concerned; the others go on."""
    bus_world.full_queue("Order.Refused")
    chains = [
        [commit("a", 1), commit("a", 2, event_type="Refused"), commit("a", 3)],
        [commit("b", 1), commit("b", 2)],
    ]

    report = deliver(bus_world.bus(), chains, 10)

    assert report.outcomes == {
        ("a", 1): Confirmed(),
        ("a", 2): Retry("nack"),
        ("a", 3): Retry("nack"),
        ("b", 1): Confirmed(),
        ("b", 2): Confirmed(),
    }
    assert report.trouble is None


def test_an_exchange_that_vanishes(bus_world):
    """Somebody deleted it: a person should know, and the next connect recreates it."""
    bus = bus_world.bus()
    deliver(bus, [chain("warm", 1)], 10)
    bus_world.delete_exchange()

    report = deliver(bus, [chain("a", 1)], 10)

    assert report.outcomes == {("a", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED
    assert deliver(bus, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}


def test_an_exchange_that_came_back_without_bindings(bus_world):
    """It is amiss until what is sent reaches a queue again, with the count of what did not; all of it is confirmed."""
    bus = bus_world.bus()
    bus_world.consumer()
    assert deliver(bus, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}
    bus.routing.counted_by(bus_world.depths)
    assert bus.warning is None
    bus_world.delete_exchange()
    assert deliver(bus, [chain("b", 1)], 10).trouble.kind is TroubleKind.MISCONFIGURED

    assert set(deliver(bus, [chain("c", 1, 2)], 10).outcomes.values()) == {Confirmed()}
    bus.routing.counted_by(bus_world.depths)
    assert f"3 events were led to {bus_world.names.unrouted}" in bus.warning

    bus_world.consumer()
    deliver(bus, [chain("d", 1)], 10)
    bus.routing.counted_by(bus_world.depths)
    assert bus.warning is None


def test_an_exchange_that_was_removed_while_nobody_was_connected(bus_world):
    """The queue of its alternate exchange is still there, so this is not the first connect to a new broker."""
    bus = bus_world.bus()
    bus.open()
    assert bus.warning is None
    bus.drop()
    bus_world.delete_exchange()

    other = bus_world.bus()
    other.open()
    assert "without the bindings" in other.warning


def test_an_exchange_that_a_neighbour_made_again(bus_world):
    """Who found it gone warns although it is there at the next connect."""
    bus = bus_world.bus()
    deliver(bus, [chain("a", 1)], 10)
    bus_world.delete_exchange()
    assert deliver(bus, [chain("b", 1)], 10).trouble.kind is TroubleKind.MISCONFIGURED
    bus_world.bus().open()

    bus.open()
    assert "without the bindings" in bus.warning


def test_a_consumer_waits_no_longer_than_told(bus_world):
    """With nothing to receive the answer is an empty list."""
    consumer = bus_world.consumer()
    started = bus_world.runtime.monotonic()

    assert consumer.receive(0.05) == []
    assert 0.05 <= bus_world.runtime.monotonic() - started < 5


def test_what_was_received_is_gone(bus_world):
    """After it is acknowledged by a close it does not come again."""
    consumer = bus_world.consumer()
    deliver(bus_world.bus(), [chain("a", 1)], 10)
    receive(consumer, 1)
    consumer.close()

    assert bus_world.consumer().receive(0.05) == []


def test_dropped_and_opened_at_any_time(bus_world):
    """Before the first use, twice, and with an event unanswered: it opens again, and what was unanswered is told."""
    bus = bus_world.bus()
    bus.wake()
    assert bus.drop() == []
    bus.open()
    bus.open()
    assert bus.listen(0).trouble is None
    (event,) = commit("a").events
    assert bus.send(event, "token")

    assert bus.drop() == ["token"]
    assert bus.drop() == []

    assert not bus.is_open
    assert deliver(bus, [chain("b", 1)], 10).outcomes == {("b", 1): Confirmed()}


def test_a_call_ends_a_wait_for_news(bus_world):
    """Whoever has work for a bus that listens wakes it; a call before it listens counts too."""
    bus = bus_world.bus()
    bus.open()
    for call in (bus.wake, lambda: threading.Timer(0.05, bus.wake).start()):
        started = bus_world.runtime.monotonic()
        call()
        bus.listen(60)
        assert bus_world.runtime.monotonic() - started < 30


def test_an_event_is_unanswered_once(bus_world):
    """The same event is not sent again before it was answered: nobody could tell the two answers apart."""
    bus_world.consumer()
    bus = bus_world.bus()
    bus.open()
    (event,) = commit("a").events

    assert (bus.send(event, "first"), bus.send(event, "second")) == (True, False)

    taken: list[object] = []
    for _ in range(100):
        taken += bus.listen(1).taken
        if taken:
            break
    assert taken == ["first"]
    assert bus.send(event, "again")


def with_header_frame_of(size: int, letter: str) -> OutboxRow:
    """Return a commit whose event has headers that fill a frame of so many bytes, an even number."""
    row = commit(letter, metadata_json=json.dumps({"traceparent": "p" * 512}))
    assert row.events is not None
    (event,) = row.events
    missing = size - wire.header_frame_bytes(message.encode(event, "/x"))
    assert missing % 2 == 0, "the aggregate's id stands in two headers"
    longer = replace(event, aggregate_id=letter * (1 + missing // 2))
    return replace(row, aggregate_id=longer.aggregate_id, events=(longer,))


def test_headers_that_do_not_fit_the_frames_agreed_on(bus_world):
    """Headers that fill a frame go; those that are larger would end each connection, and are parked."""
    bus = bus_world.small_frames(4096)
    consumer = bus_world.consumer()
    fits, beyond = with_header_frame_of(4096, "a"), with_header_frame_of(4110, "b")

    report = deliver(bus, [[fits], [beyond], chain("c", 1)], 10)

    assert report.trouble is None
    assert {report.outcomes[fits.key], report.outcomes["c", 1]} == {Confirmed()}
    parked = report.outcomes[beyond.key]
    assert isinstance(parked, Park)
    assert parked.error_class == "headers_too_large"
    assert "headers of 4,110 bytes, and a frame of this broker may have 4,096: raise its frame_max" in parked.reason
    assert len(receive(consumer, 2)) == 2
