"""What RabbitMQ and py-amqp do when things go wrong, through a proxy that can go deaf, vanish or speak up."""

import gc
from pathlib import Path

import amqp
import pytest
from amqp.exceptions import AccessRefused, ConnectionForced, InternalError, NotFound, PreconditionFailed

from eventstore.system import SystemRuntime
from relay.demo.consumer import RabbitConsumer
from relay.destination import Confirmed, Retry, TroubleKind
from relay.destinations.bus import message
from relay.destinations.bus.amqp_errors import broker_error
from relay.destinations.bus.broker import (
    Acked,
    Blocked,
    BrokerConfusedError,
    BrokerLostError,
    MessageTooLargeError,
    TopologyError,
    Unblocked,
)
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings, open_connection
from relay.destinations.bus.settings import BusSettings
from relay.destinations.resource_names import Names
from relay.testing.commits import chain, commit
from tests.contract.destinations.worlds import RabbitBusWorld, fresh_prefix, receive
from tests.support.delivering import deliver, idle
from tests.support.ports import nobody
from tests.support.proxy import Proxy

pytestmark = pytest.mark.servers

QUICK = RabbitSettings(connect_timeout_seconds=1.0, io_timeout_seconds=1.0)
BLOCKED = bytes.fromhex("01 0000 0000000f 000a003c 0a") + b"low memory" + b"\xce"
HEARTBEAT = bytes.fromhex("08 0000 00000000 ce")
UNBLOCKED = bytes.fromhex("01 0000 00000004 000a003d ce")


@pytest.fixture
def proxied(rabbit: RabbitBusWorld, proxy: Proxy) -> Bus:
    broker = RabbitBroker(proxy.through(rabbit.url), rabbit.names, QUICK)
    return Bus(broker, rabbit.runtime, BusSettings(names=rabbit.names))


def test_a_connection_that_breaks_while_idle_is_replaced(rabbit, proxy, proxied):
    """The next idle tick notices; the delivery after it opens another connection and succeeds."""
    consumer = rabbit.consumer()
    deliver(proxied, [chain("a", 1)], 10)
    proxy.drop()
    idle(proxied)

    assert deliver(proxied, [chain("b", 1)], 10).outcomes == {("b", 1): Confirmed()}
    assert [received.message_id for received in receive(consumer, 2)] == ["a:1", "b:1"]
    proxied.drop()


def test_a_connection_that_breaks_unnoticed(proxy, proxied):
    """The delivery that meets it reports an outage; the one after it succeeds."""
    deliver(proxied, [chain("a", 1)], 10)
    proxy.drop()

    report = deliver(proxied, [chain("b", 1)], 10)

    assert report.outcomes == {("b", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    assert deliver(proxied, [chain("b", 1)], 10).outcomes == {("b", 1): Confirmed()}
    proxied.drop()


@pytest.mark.timed
def test_a_broker_that_went_deaf(proxy, proxied):
    """Silence ends with the budget; the connect to a broker that says nothing ends with its own time-out."""
    runtime = SystemRuntime()
    deliver(proxied, [chain("a", 1)], 10)
    proxy.pause()
    started = runtime.monotonic()

    report = deliver(proxied, [chain("b", 1)], 0.5)

    assert report.outcomes == {("b", 1): Retry("unconfirmed")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    again = deliver(proxied, [chain("b", 1)], 0.5)
    assert again.trouble is not None
    assert again.trouble.kind is TroubleKind.OUTAGE
    assert runtime.monotonic() - started < 6, "0.5 s, a farewell of 1 s, a connect of 1 s, and room to breathe"
    proxied.drop()


@pytest.mark.timed
def test_half_a_frame_does_not_hold_a_poll(proxy, rabbit):
    """When the broker falls silent within a frame the poll comes back, and the rest of the frame is not lost."""
    session = RabbitBroker(proxy.through(rabbit.url), rabbit.names, QUICK).connect()
    runtime = SystemRuntime()
    proxy.say(UNBLOCKED[:9])
    started = runtime.monotonic()

    assert list(session.poll(0.2)) == []
    assert runtime.monotonic() - started < 4

    proxy.say(UNBLOCKED[9:])
    assert list(session.poll(5)) == [Unblocked()]
    session.close()


@pytest.mark.timed
def test_a_heartbeat_does_not_hold_a_poll(proxy, rabbit):
    """A heartbeat is not an event: the poll that meets one comes back at once, however long writes may take."""
    session = RabbitBroker(proxy.through(rabbit.url), rabbit.names).connect()
    runtime = SystemRuntime()
    proxy.say(HEARTBEAT)
    started = runtime.monotonic()

    assert list(session.poll(1)) == []
    assert runtime.monotonic() - started < 5
    session.close()


def test_blocked_and_unblocked_are_heard(proxy, rabbit):
    """RabbitMQ says so when memory or disk run low, and when that is over; the connection goes on."""
    session = RabbitBroker(proxy.through(rabbit.url), rabbit.names, QUICK).connect()

    proxy.say(BLOCKED)
    assert [type(event) for event in session.poll(5)] == [Blocked]
    proxy.say(UNBLOCKED)
    assert list(session.poll(5)) == [Unblocked()]
    session.publish(message.encode(commit("a").events[0], "/shop"))
    assert list(session.poll(5)) == [Acked(1, multiple=False)]
    session.close()


def test_nobody_listens(unused_port):
    """A closed port is an outage."""
    with pytest.raises(BrokerLostError, match=r"connecting to amqp://127\.0\.0\.1"):
        RabbitBroker(f"amqp://guest:secret@127.0.0.1:{unused_port}//", settings=QUICK).connect()


def test_a_wrong_password_needs_a_person(rabbit):
    """And the password is not in the message."""
    url = rabbit.url.replace("guest:guest@", "guest:hunter2@")

    with pytest.raises(TopologyError, match="check user and password") as caught:
        RabbitBroker(url, rabbit.names, QUICK).connect()
    assert "hunter2" not in str(caught.value)


def test_a_refused_connection_leaves_no_socket_behind(rabbit):
    """A relay that is refused for hours would run out of files otherwise."""
    url = rabbit.url.replace("guest:guest@", "guest:hunter2@")
    gc.collect()  # what earlier tests left must not be closed while this one counts
    before = _open_files()

    for _ in range(3):
        with pytest.raises(TopologyError) as caught:
            RabbitBroker(url, rabbit.names, QUICK).connect()
        assert caught.value.__cause__ is not None
        assert _open_files() == before


def test_a_virtual_host_that_does_not_exist(rabbit):
    """A person must fix the address."""
    with pytest.raises(TopologyError, match="check the virtual host"):
        RabbitBroker(rabbit.url.removesuffix("/") + "nowhere", rabbit.names, QUICK).connect()


def test_a_queue_of_another_type_in_the_way(rabbit):
    """The queue type of an existing queue cannot change; the message names the queue."""
    with pytest.raises(TopologyError, match="queue type") as caught:
        RabbitBroker(rabbit.url, rabbit.names, RabbitSettings(queue_type="classic")).connect()
    assert rabbit.names.unrouted in str(caught.value)


def test_without_the_right_to_declare(rabbit):
    """With `declare` off, what is there is used, and what is not there needs a person."""
    RabbitBroker(rabbit.url, rabbit.names, RabbitSettings(declare=False)).connect().close()

    with pytest.raises(TopologyError, match="an exchange or queue is gone"):
        RabbitBroker(rabbit.url, Names(fresh_prefix()), RabbitSettings(declare=False)).connect()


def test_the_queues_are_quorum_queues_and_survive(rabbit):
    """Declaring them durable and of type quorum once more, by another client, is no conflict."""
    connection = open_connection(rabbit.url, RabbitSettings())
    channel = connection.channel()
    for queue in (rabbit.names.unrouted, rabbit.names.dead_letters):
        channel.queue_declare(queue, durable=True, auto_delete=False, arguments={"x-queue-type": "quorum"})
    connection.close()


def test_what_a_consumer_rejects_goes_to_the_dead_letters(rabbit):
    """The exchange and queue for it are there when the relay has connected once."""
    connection = open_connection(rabbit.url, RabbitSettings())
    channel = connection.channel()
    arguments = {"x-dead-letter-exchange": rabbit.names.dead_letters}
    queue = channel.queue_declare("", exclusive=True, arguments=arguments).queue
    channel.queue_bind(queue, rabbit.names.exchange, "#")
    deliver(rabbit.bus(), [chain("a", 1)], 10)
    channel.basic_reject(channel.basic_get(queue).delivery_tag, requeue=False)

    dead = _wait_for(lambda: channel.basic_get(rabbit.names.dead_letters, no_ack=True))
    assert dead.properties["message_id"] == "a:1"
    connection.close()


def test_what_was_not_acknowledged_comes_again(rabbit, proxy):
    """A consumer whose connection broke gets the messages of its last call again."""
    consumer = RabbitConsumer(
        proxy.through(rabbit.url), f"{rabbit.names.prefix}.all", rabbit.runtime, rabbit.names, prefetch=1
    )
    consumer.connect()
    deliver(rabbit.bus(), [chain("a", 1, 1)], 10)
    assert [received.message_id for received in consumer.receive(10)] == ["a:1"]
    proxy.drop()
    with pytest.raises(BrokerLostError):
        consumer.receive(10)

    assert [received.message_id for received in receive(consumer, 2)] == ["a:1", "a:2"]
    consumer.delete_queue()


def test_a_large_batch_keeps_the_window(rabbit):
    """Ten thousand events of one delivery arrive, each once."""
    consumer = rabbit.consumer()

    report = deliver(rabbit.bus(), [[commit(f"a{number}", 1, 50)] for number in range(200)], 60)

    assert set(report.outcomes.values()) == {Confirmed()}
    assert len({received.message_id for received in receive(consumer, 10_000)}) == 10_000


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AccessRefused("no", reply_code=403), TopologyError),
        (NotFound("no exchange", reply_code=404), TopologyError),
        (PreconditionFailed("inequivalent arg", reply_code=406), TopologyError),
        (
            PreconditionFailed("message size 134217729 larger than max size 134217728", reply_code=406),
            MessageTooLargeError,
        ),
        (
            PreconditionFailed("message size 17 is larger than configured max size 16", reply_code=406),
            MessageTooLargeError,
        ),
        (amqp.exceptions.UnexpectedFrame("frame", reply_code=505), BrokerConfusedError),
        (ConnectionForced("shutdown", reply_code=320), BrokerLostError),
        (InternalError("oops", reply_code=541), BrokerLostError),
        (TimeoutError("timed out"), BrokerLostError),
        (ConnectionResetError("reset"), BrokerLostError),
    ],
)
def test_what_py_amqp_raises(error, kind):
    """Each failure is told in the words of the port."""
    assert type(broker_error(error, "testing")) is kind


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _wait_for(ask):
    runtime = SystemRuntime()
    deadline = runtime.monotonic() + 10
    while (answer := ask()) is None:
        assert runtime.monotonic() < deadline, "it did not come"
    return answer


def test_another_node_is_used_while_the_first_is_away(rabbit, proxy):
    """Of two addresses the one that answers gets the events; when it breaks, the other one does."""
    consumer = rabbit.consumer()
    with nobody() as port:
        away = rabbit.url.replace(rabbit.url.rpartition(":")[2].split("/")[0], str(port))
        bus = Bus(RabbitBroker(f"{away},{proxy.through(rabbit.url)}", rabbit.names, QUICK), rabbit.runtime)
        assert deliver(bus, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}
        bus.drop()
        both = Bus(RabbitBroker(f"{proxy.through(rabbit.url)},{rabbit.url}", rabbit.names, QUICK), rabbit.runtime)
        assert deliver(both, [chain("b", 1)], 10).outcomes == {("b", 1): Confirmed()}
        proxy.shut()
        proxy.drop()
        idle(both)
        assert deliver(both, [chain("c", 1)], 10).outcomes == {("c", 1): Confirmed()}
        both.drop()
    assert [received.message_id for received in receive(consumer, 3)] == ["a:1", "b:1", "c:1"]
