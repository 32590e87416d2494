"""A broker, or something in its place, that says what cannot be: an outage, never the end of a part."""

import struct
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from eventstore.errors import EventStoreError
from eventstore.system import SystemRuntime
from relay.destination import Confirmed, Retry, TroubleKind
from relay.destinations.bus.amqp_errors import broker_error
from relay.destinations.bus.broker import Acked, BrokerConfusedError, BrokerLostError
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings
from relay.destinations.bus.rabbitmq_topology import RabbitTopology
from relay.destinations.bus.settings import BusSettings
from relay.destinations.resource_names import Names
from relay.testing.commits import chain
from tests.support import amqp_peer as peers
from tests.support.amqp_peer import AmqpPeer, ack, frame, method, nack, returned
from tests.support.delivering import close, deliver, idle

QUICK = RabbitSettings(connect_timeout_seconds=0.5, io_timeout_seconds=0.5)
BLOCKED = (10, 60)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep stacks out of the terminal: rendering one of a thousand frames takes long."""
    with capture_logs():
        yield


@pytest.fixture
def peer() -> Iterator[AmqpPeer]:
    with peers.amqp_peer() as made:
        yield made


@pytest.fixture
def bus(peer: AmqpPeer) -> Iterator[Bus]:
    made = Bus(RabbitBroker(peer.url, Names(), QUICK), SystemRuntime(), BusSettings())
    yield made
    close(made)


def test_a_peer_that_speaks_as_rabbitmq_does(peer: AmqpPeer, bus: Bus) -> None:
    """The peer of these tests is understood while it behaves."""
    report = deliver(bus, [chain("a", 1)], 5)

    assert report.outcomes == {("a", 1): Confirmed()}
    assert report.trouble is None


def test_tag_0_with_multiple_answers_everything(peer: AmqpPeer, bus: Bus) -> None:
    """AMQP says so, although RabbitMQ does not use it for confirms."""
    peer.on_publish = ack(0, multiple=True)

    assert deliver(bus, [chain("a", 1, 1)], 5).outcomes == {("a", 1): Confirmed(), ("a", 2): Confirmed()}


def table(*names: bytes) -> bytes:
    fields = b"".join(names)
    return struct.pack(">I", len(fields)) + fields


def nested(depth: int) -> bytes:
    found = b""
    for _ in range(depth):
        found = struct.pack(">I", len(found) + 3) + b"\x01xF" + found if found else struct.pack(">I", 0)
    return found


ODD = {
    "ack of tag 0": ack(0),
    "ack of a tag that was never sent": ack(7),
    "ack of all up to a tag that was never sent": ack(7, multiple=True),
    "ack of a huge tag": ack(2**64 - 1),
    "nack of tag 0": nack(0),
    "nack of a huge tag": nack(2**64 - 1, multiple=True),
    "return without an id, then an ack": returned(None) + ack(1),
    "return of another event, then an ack": returned("nobody:1") + ack(1),
    "a method that is not": method(1, (99, 99), b"xyz"),
    "an ack without its tag": method(1, (60, 80)),
    "an ack on a channel that is not": method(9, (60, 80), struct.pack(">QB", 1, 0)),
    "no method at all": frame(1, 1, b""),
    "a header without a method": frame(2, 1, b"\x00" * 14),
    "a body without a header": frame(3, 1, b"x"),
    "a return whose header is cut short": method(1, (60, 50), struct.pack(">H", 312) + b"\x00" * 3)
    + frame(2, 1, b"\x00\x3c"),
    "a return with half of a character": method(1, (60, 50), struct.pack(">H", 312) + b"\x02\xff\xff\x00\x00")
    + frame(2, 1, struct.pack(">HHQH", 60, 0, 0, 0)),
    "a return with nested headers": method(1, (60, 50), struct.pack(">H", 312) + b"\x00" * 3)
    + frame(2, 1, struct.pack(">HHQH", 60, 0, 0, 1 << 13) + nested(5_000)),
    "a blocked without a reason": method(0, BLOCKED, b"\xff"),
    "a blocked that is not text": method(0, BLOCKED, b"\x02\xff\xff"),
    "a frame of an unknown kind": frame(77, 1, b"x"),
    "a frame without its end": struct.pack(">BHI", 1, 1, 4) + b"\x00\x3c\x00\x50" + b"\x00",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 64,
}


@pytest.mark.parametrize("words", ODD.values(), ids=ODD.keys())
def test_words_that_cannot_be(peer: AmqpPeer, bus: Bus, words: bytes) -> None:
    """Nothing counts as taken, the connection is thrown away, and the next delivery is as any other."""
    peer.on_publish = words

    report = deliver(bus, [chain("a", 1)], 2)

    assert report.outcomes == {("a", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE

    peer.on_publish = None
    assert deliver(bus, [chain("a", 1)], 5).outcomes == {("a", 1): Confirmed()}
    assert peer.connections == 2


@pytest.mark.parametrize("name", ["ack of tag 0", "no method at all", "an ack without its tag", "another protocol"])
def test_words_that_cannot_be_while_idle(peer: AmqpPeer, bus: Bus, name: str) -> None:
    """An idle tick survives them; whoever meets them opens another connection, on which all is well."""
    deliver(bus, [chain("a", 1)], 5)
    peer.say(ODD[name])
    idle(bus)

    outcomes = [deliver(bus, [chain("b", 1)], 0.5).outcomes[("b", 1)] for _ in range(2)]

    assert outcomes[-1] == Confirmed()


@pytest.mark.parametrize("at", [peers.BEGIN, peers.START_OK, peers.OPEN, peers.QUEUE_DECLARE, peers.CONFIRM_SELECT])
@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n" + b" " * 64,
        frame(1, 0, b""),
        method(0, (10, 10), b"\x00\x09" + nested(5_000)),
        method(0, (10, 30), b"\x00"),
        method(1, (50, 11), b"\xff"),
        frame(1, 0, b"\xff" * 64),
        b"",
    ],
    ids=lambda words: repr(words[:20]),
)
def test_a_connection_that_begins_oddly(peer: AmqpPeer, bus: Bus, at: peers.Method, words: bytes) -> None:
    """It is an outage in any case, and over in time."""
    peer.answers[at] = words

    report = deliver(bus, [chain("a", 1)], 1)

    assert report.outcomes == {("a", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE


@pytest.mark.parametrize("at", [peers.BEGIN, peers.QUEUE_DECLARE])
@pytest.mark.parametrize(
    "words", [b"\x01", frame(1, 0, b"\xff" * 64), method(0, (10, 10), b"\x00\x09" + nested(5_000))]
)
def test_a_look_at_the_topology_survives_it_too(peer: AmqpPeer, at: peers.Method, words: bytes) -> None:
    """`relay topology` and the depths of queues say what is wrong."""
    peer.answers[at] = words

    with pytest.raises(EventStoreError):
        RabbitTopology(peer.url, Names(), QUICK).examine()


def test_odd_words_leave_a_stack_in_the_log(peer: AmqpPeer) -> None:
    """Nobody can say from the words of an index error where it came from."""
    session = RabbitBroker(peer.url, Names(), QUICK).connect()
    peer.say(frame(1, 1, b""))

    with capture_logs() as logs, pytest.raises(BrokerConfusedError, match="cannot be read"):
        session.poll(5)

    assert [(entry["event"], entry["exc_info"]) for entry in logs] == [("bus.unreadable", True)]
    session.close()


def test_what_was_heard_before_it_counts(peer: AmqpPeer) -> None:
    """A confirm is a fact, whatever is said after it."""
    session = RabbitBroker(peer.url, Names(), QUICK).connect()
    peer.say(ack(1) + returned(None) + ack(2))

    assert list(session.poll(5)) == [Acked(1, multiple=False)]
    with pytest.raises(BrokerConfusedError, match="without its id"):
        session.poll(5)
    session.close()


def test_a_frame_that_drips_in_holds_nobody(peer: AmqpPeer) -> None:
    """Each poll ends in its time, and no byte that came is lost."""
    session = RabbitBroker(peer.url, Names(), QUICK).connect()
    peer.gap_seconds = 0.05
    words = ack(1)
    started = time.monotonic()
    peer.say(words)

    heard = [session.poll(0.1)]
    assert time.monotonic() - started < 1.0, "0.1 s, and room to breathe; the frame takes 1 s"
    assert list(heard[0]) == []
    for _ in range(100):
        heard.append(session.poll(0.1))
        if heard[-1]:
            break
    assert list(heard[-1]) == [Acked(1, multiple=False)]
    assert time.monotonic() - started >= 0.05 * len(words)
    session.close()


def test_a_delivery_to_a_broker_that_drips_ends_with_its_budget(peer: AmqpPeer, bus: Bus) -> None:
    """What is said too slowly is not said."""
    deliver(bus, [chain("a", 1)], 5)
    peer.gap_seconds = 0.5
    started = time.monotonic()

    report = deliver(bus, [chain("b", 1)], 0.5)

    assert report.outcomes == {("b", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert time.monotonic() - started < 3.0, "0.5 s, a farewell of 1 s, and room to breathe; the frame takes 10 s"


@pytest.mark.parametrize("what", ["drips", "beats"])
def test_a_connection_whose_replies_never_end(peer: AmqpPeer, what: str) -> None:
    """Bytes, or heartbeats, that keep coming are no reply; all of the connecting has a bound."""
    settings = RabbitSettings(connect_timeout_seconds=0.2, io_timeout_seconds=0.1)
    peer.gap_seconds = 0.05
    if what == "drips":
        peer.answers[peers.BEGIN] = method(0, (10, 10), b"\x00\x09" + b"\x00" * 1_000)
    else:
        peer.answers[peers.BEGIN] = peers.heartbeat() * 1_000
    started = time.monotonic()

    with pytest.raises(BrokerLostError):
        RabbitBroker(peer.url, Names(), settings).connect()

    assert time.monotonic() - started < 4.0, "4 x 0.2 s, and room to breathe"


def test_words_of_an_error_are_cut() -> None:
    """They hold whatever the peer said."""
    assert len(str(broker_error(ValueError("x" * 100_000), "listening"))) < 400
