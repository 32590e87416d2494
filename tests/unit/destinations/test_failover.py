"""Several addresses of one broker: the next is asked within the same call, and the one that answered last first."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from amqp.exceptions import NotAllowed
from structlog.testing import capture_logs

from eventstore.system import SystemRuntime
from eventstore.testing import ManualRuntime
from relay.destination import BusLostError, Confirmed
from relay.destinations.bus.address import read_addresses
from relay.destinations.bus.amqp_errors import broker_error
from relay.destinations.bus.broker import BrokerLostError, TopologyError
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.failover import Failover
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings
from relay.destinations.bus.rabbitmq_topology import RabbitTopology
from relay.destinations.resource_names import Names
from relay.testing.commits import chain
from tests.support.amqp_peer import BEGIN, AmqpPeer, amqp_peer
from tests.support.delivering import close, deliver
from tests.support.ports import nobody

QUICK = RabbitSettings(connect_timeout_seconds=0.5, io_timeout_seconds=0.5)
THREE = read_addresses("amqp://h1,amqp://h2,amqp://h3")


class Nodes:
    """Nodes by host: what each of them does when it is asked."""

    def __init__(self, runtime: ManualRuntime | None = None) -> None:
        self.down: dict[str, Exception] = {}
        self.asked: list[str] = []
        self.runtime = runtime

    def connect(self, address) -> str:
        self.asked.append(address.host)
        if address.host in self.down:
            if self.runtime is not None:
                self.runtime.advance(20)
            raise self.down[address.host]
        return address.host


def test_the_next_is_asked_in_the_same_call():
    """A node that is down is passed over, with a warning; the one that answered is asked first from then on."""
    nodes, failover = Nodes(), Failover(THREE)
    nodes.down = {"h1": BrokerLostError("h1 is down")}
    with capture_logs() as logs:
        assert (failover.first(nodes.connect), failover.first(nodes.connect)) == ("h2", "h2")
    nodes.down = {"h2": BrokerLostError("h2 is down"), "h3": BrokerLostError("h3 is down")}

    assert failover.first(nodes.connect) == "h1"
    assert nodes.asked == ["h1", "h2", "h2", "h2", "h3", "h1"]
    assert [(each["event"], each["error"], each["used"]) for each in logs] == [
        ("bus.node_passed_over", "h1 is down", "amqp://h2:5672//")
    ]


def test_when_none_answers():
    """Each was asked once, and all their words are told; what a person must mend counts."""
    nodes, failover = Nodes(), Failover(THREE)
    nodes.down = {"h1": BrokerLostError("one"), "h2": TopologyError("two"), "h3": BrokerLostError("three")}

    with pytest.raises(TopologyError, match=r"^two; one; three$"):
        failover.first(nodes.connect)
    assert nodes.asked == ["h1", "h2", "h3"]


def test_nodes_that_hang_have_their_share_of_the_time():
    """No further node is begun with after 30 s; the next call goes on with it."""
    runtime = ManualRuntime()
    nodes, failover = Nodes(runtime), Failover(THREE, runtime.monotonic)
    nodes.down = {"h1": BrokerLostError("one"), "h2": BrokerLostError("two")}
    with pytest.raises(BrokerLostError, match=r"^two; one$"):
        failover.first(nodes.connect)

    assert failover.first(nodes.connect) == "h3"
    assert nodes.asked == ["h1", "h2", "h3"]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def peer(stack: ExitStack) -> AmqpPeer:
    return stack.enter_context(amqp_peer())


def secretly(url: str) -> str:
    return url.replace("guest:guest@", "guest:sesame@")


def test_a_bus_whose_first_nodes_are_down_and_deaf(stack: ExitStack, peer: AmqpPeer) -> None:
    """Nobody listens at the first, the second takes connections and says nothing: the third gets the events."""
    deaf = stack.enter_context(amqp_peer())
    deaf.answers[BEGIN] = b""
    port = stack.enter_context(nobody())
    urls = f"amqp://guest:sesame@127.0.0.1:{port}//,{secretly(deaf.url)},{peer.url}"
    bus = Bus(RabbitBroker(urls, Names(), QUICK), SystemRuntime())

    assert deliver(bus, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}
    assert (deaf.connections, peer.connections) == (1, 1)
    close(bus)


def test_the_topology_is_looked_at_where_somebody_answers(stack: ExitStack, peer: AmqpPeer) -> None:
    """`relay topology check` asks the next node, too, and names all of them."""
    port = stack.enter_context(nobody())
    topology = RabbitTopology(f"amqp://guest:sesame@127.0.0.1:{port}//,{peer.url}", Names(), QUICK)

    assert topology.examine().differences == ()
    assert topology.place == f"amqp://127.0.0.1:{port}//, {peer.url.replace('guest:guest@', '')}"


def test_no_text_holds_a_password(stack: ExitStack) -> None:
    """What is told of a bus that is down names every host that was asked, and no user and password."""
    ports = [stack.enter_context(nobody()) for _ in range(2)]
    urls = ",".join(f"amqp://guest:sesame@127.0.0.1:{port}/v" for port in ports)
    bus = Bus(RabbitBroker(urls, Names(), QUICK), SystemRuntime())
    with pytest.raises(BusLostError) as caught:
        bus.open()

    told = caught.value.trouble.reason
    assert "sesame" not in told
    assert [f"amqp://127.0.0.1:{port}/v" in told for port in ports] == [True, True]


def test_what_the_broker_repeats_is_masked() -> None:
    """A broker that was given a list of addresses for a virtual host says so, password and all."""
    error = NotAllowed("NOT_ALLOWED - vhost v,amqp://c:sesame@h2/v not found", (10, 40), 530)

    assert "sesame" not in str(broker_error(error, "connecting"))
    assert "vhost v,amqp://***@h2/v not found" in str(broker_error(error, "connecting"))
