"""What the servers have against what they must have: `examine` and `make` on RabbitMQ and Elasticsearch."""

import amqp
import pytest

from eventstore.errors import SetUpError, TryLaterError
from relay.destinations.bus.rabbitmq import RabbitSettings, open_connection
from relay.destinations.bus.rabbitmq_topology import BINDINGS_NOTE, RabbitTopology
from relay.destinations.index.elasticsearch_topology import ElasticsearchTopology
from relay.destinations.index.holdings import Holdings
from relay.destinations.index.settings import IndexSettings, PromotedType
from relay.destinations.index.template import VERSION, template
from relay.destinations.resource_names import Names
from relay.testing.commits import chain, commit
from tests.contract.destinations.worlds import ElasticsearchIndexWorld, RabbitBusWorld, fresh_prefix
from tests.support.delivering import deliver

pytestmark = pytest.mark.servers


@pytest.fixture
def channel(rabbit: RabbitBusWorld):
    connection = open_connection(rabbit.url, RabbitSettings())
    yield connection.channel()
    connection.close()


@pytest.fixture
def bus(rabbit: RabbitBusWorld) -> RabbitTopology:
    return RabbitTopology(rabbit.url, rabbit.names)


@pytest.fixture
def index(elastic: ElasticsearchIndexWorld) -> ElasticsearchTopology:
    return topology_of(elastic)


def topology_of(elastic: ElasticsearchIndexWorld, **settings: object) -> ElasticsearchTopology:
    options = IndexSettings(names=elastic.names, replicas=0, **settings)
    return ElasticsearchTopology(elastic.client(**settings), options)


def problems(topology) -> list[str]:
    return [f"{each.thing} {each.problem}" for each in topology.examine().differences]


class Remembered:
    """What the indices held, in this process."""

    def __init__(self) -> None:
        self.held: Holdings = {}

    def load(self) -> Holdings:
        return self.held

    def save(self, holdings: Holdings) -> bool:
        self.held = holdings
        return True


class TestRabbitMQ:
    def test_after_the_relay_has_connected(self, bus):
        """The fixture has: all is as wanted, and what cannot be seen is said."""
        found = bus.examine()

        assert found.differences == ()
        assert found.notes == (BINDINGS_NOTE,)

    def test_on_a_broker_that_knows_nothing(self, rabbit):
        """All is missing; a look makes nothing; what is made is what a relay needs."""
        names = Names(fresh_prefix())
        topology = RabbitTopology(rabbit.url, names)
        missing = [
            f"exchange {names.unrouted} is missing",
            f"exchange {names.dead_letters} is missing",
            f"exchange {names.exchange} is missing",
            f"queue {names.unrouted} is missing",
            f"queue {names.dead_letters} is missing",
        ]
        assert problems(topology) == missing
        assert problems(topology) == missing

        try:
            assert topology.make(topology.examine().differences) == []
            assert problems(topology) == []
            rabbit.broker.connect().close()
        finally:
            _remove(rabbit.url, names)

    def test_an_exchange_of_another_type(self, rabbit, bus, channel):
        """It names both types and cannot be fixed without a person; nothing else is hidden by it."""
        channel.exchange_delete(rabbit.names.exchange)
        channel.exchange_declare(rabbit.names.exchange, "direct", durable=True, auto_delete=False)
        channel.queue_delete(rabbit.names.dead_letters)

        found = bus.examine().differences

        assert [(each.thing, each.problem, each.remedy is None) for each in found] == [
            (f"exchange {rabbit.names.exchange}", "has type 'direct', wanted is 'topic'", True),
            (f"queue {rabbit.names.dead_letters}", "is missing", False),
        ]
        assert bus.make(found) == []
        assert problems(bus) == [f"exchange {rabbit.names.exchange} has type 'direct', wanted is 'topic'"]

    def test_an_exchange_without_its_alternate(self, rabbit, bus, channel):
        """What no binding wants would be lost."""
        channel.exchange_delete(rabbit.names.exchange)
        channel.exchange_declare(rabbit.names.exchange, "topic", durable=True, auto_delete=False)

        assert problems(bus) == [
            f"exchange {rabbit.names.exchange} has alternate-exchange none, wanted is '{rabbit.names.unrouted}'",
        ]

    def test_queues_of_another_type(self, rabbit):
        """Both are named, and the setting that would go with them."""
        classic = RabbitTopology(rabbit.url, rabbit.names, RabbitSettings(queue_type="classic"))

        found = classic.examine().differences

        assert [f"{each.thing} {each.problem}" for each in found] == [
            f"queue {name} has x-queue-type 'quorum', wanted is 'classic'"
            for name in (rabbit.names.unrouted, rabbit.names.dead_letters)
        ]
        assert "RELAY_BUS_QUEUE_TYPE" in found[0].advice

    def test_bindings_are_made_again(self, rabbit, bus):
        """They cannot be seen, so `make` sees to them in any case: an unroutable message is kept again."""
        rabbit.break_alternate_exchange()

        assert bus.make([]) == []
        connection = open_connection(rabbit.url, RabbitSettings())
        other = connection.channel()
        other.confirm_select()
        other.basic_publish_confirm(amqp.Message(b"{}", message_id="m-1"), rabbit.names.exchange, "Order.Placed")
        connection.close()
        assert rabbit.unrouted() == ["m-1"]

    def test_what_lies_unrouted_is_said(self, rabbit, bus):
        """It is not a difference; a consumer's binding is missing."""
        deliver(rabbit.bus(), [chain("a", 2)], 10)

        found = bus.examine()

        assert found.differences == ()
        assert found.notes[1:] == (
            f"2 messages lie in {rabbit.names.unrouted}: no queue of a consumer is bound for them",
        )

    def test_depths_of_its_own_queues(self, rabbit, bus, channel):
        """For the metric: a number for each queue that is there, and none for one that is not."""
        deliver(rabbit.bus(), [chain("a", 2)], 10)
        assert bus.depths() == {rabbit.names.unrouted: 2, rabbit.names.dead_letters: 0}

        channel.queue_delete(rabbit.names.dead_letters)
        assert bus.depths() == {rabbit.names.unrouted: 2}

    def test_a_queue_of_one_connection(self, rabbit, bus):
        """Another client has declared it exclusive."""
        connection = open_connection(rabbit.url, RabbitSettings())
        other = connection.channel()
        other.queue_delete(rabbit.names.dead_letters)
        other.queue_declare(rabbit.names.dead_letters, exclusive=True)

        assert problems(bus) == [f"queue {rabbit.names.dead_letters} belongs to another connection alone"]
        connection.close()

    def test_a_server_that_cannot_be_asked(self, rabbit, unused_port):
        """Refused credentials need a person, a closed port needs time; no password is in either message."""
        with pytest.raises(SetUpError, match="check user and password") as caught:
            RabbitTopology(rabbit.url.replace("guest:guest@", "guest:hunter2@"), rabbit.names).examine()
        assert "hunter2" not in str(caught.value)
        with pytest.raises(TryLaterError, match="lost while connecting to amqp://127"):
            RabbitTopology(f"amqp://guest:hunter2@127.0.0.1:{unused_port}//", rabbit.names).examine()


class TestElasticsearch:
    def test_an_index_that_knows_nothing(self, elastic, index):
        """The template is missing; once it is made, all is as wanted, also after a delivery."""
        assert problems(index) == [f"index template {elastic.names.template} is missing"]

        assert index.make(index.examine().differences) == []
        assert problems(index) == []
        deliver(elastic.index(), [chain("a", 1)], 10)
        assert problems(index) == []

    def test_the_relays_own_template_is_as_wanted(self, elastic):
        """Also with promoted fields, whose dots Elasticsearch turns into levels."""
        settings = {"promoted": {"price.amount": PromotedType.DOUBLE, "note": PromotedType.TEXT}}
        deliver(elastic.index(**settings), [chain("a", 1)], 10)

        assert problems(topology_of(elastic, **settings)) == []

    def test_versions_of_the_template(self, elastic, index):
        """An older one is recreated; a newer one belongs to a newer relay and is left alone."""
        ours = template(IndexSettings(names=elastic.names, replicas=0))
        elastic.admin.indices.put_index_template(name=elastic.names.template, **{**ours, "version": VERSION - 1})
        assert problems(index) == [
            f"index template {elastic.names.template} has version {VERSION - 1}, wanted is {VERSION}",
        ]
        index.make(index.examine().differences)
        assert problems(index) == []
        elastic.admin.indices.put_index_template(name=elastic.names.template, **{**ours, "version": VERSION + 1})

        found = index.examine()
        assert found.differences == ()
        assert "a newer relay's" in found.notes[0]

    def test_a_template_of_higher_rank(self, elastic, index):
        """New months would be made from another template: only a person can say which is right."""
        index.make(index.examine().differences)
        other = f"{elastic.names.prefix}-other"
        elastic.admin.indices.put_index_template(
            name=other, index_patterns=[f"{elastic.names.prefix}-*"], priority=900, template={"mappings": {}}
        )
        try:
            (found,) = index.examine().differences
        finally:
            elastic.admin.indices.delete_index_template(name=other)

        assert found.thing == f"the next month's index of {elastic.names.pattern}"
        assert "mappings.timestamp" in found.problem
        assert found.remedy is None

    def test_a_field_that_was_promoted_later(self, elastic, index):
        """The template and the months that are there get it."""
        deliver(elastic.index(), [[commit("a", data_json='{"price":2}')]], 10)
        wider = topology_of(elastic, promoted={"price": PromotedType.LONG})
        assert problems(wider) == [
            f"index template {elastic.names.template} differs in mappings.promoted.price, mappings.unpromoted",
            f"index {elastic.indices()[0]}, field promoted.price is missing",
            f"index {elastic.indices()[0]}, field unpromoted is missing",
        ]

        assert wider.make(wider.examine().differences) == []
        assert problems(wider) == []

    def test_a_month_of_another_mapping(self, elastic, index):
        """Somebody made it before the template was there: what can be added is, what conflicts is named and left."""
        month = elastic.names.index(1_735_689_600_000)
        properties = {"timestamp": {"type": "keyword"}, "data": {"properties": {"price": {"type": "long"}}}}
        elastic.admin.indices.create(index=month, mappings={"properties": properties})
        index.make(index.examine().differences)
        left = [
            f"index {month}, field timestamp has type keyword, wanted is date",
            f"index {month}, field data is missing, and data.price is in its way",
        ]

        assert problems(index) == left
        assert elastic.names.alias in elastic.admin.indices.get_alias(index=month)[month]["aliases"]
        assert elastic.admin.indices.get_mapping(index=month)[month]["mappings"]["dynamic"] == "false"

    def test_a_parameter_that_elasticsearch_does_not_change(self, elastic, index):
        """It is tried, and the refusal is told in Elasticsearch's words."""
        month = elastic.names.index(0)
        index.make(index.examine().differences)
        properties = {"timestamp": {"type": "date", "format": "epoch_second"}}
        elastic.admin.indices.create(index=month, mappings={"properties": properties})
        elastic.admin.indices.delete(index=month)
        elastic.admin.indices.delete_index_template(name=elastic.names.template)
        elastic.admin.indices.create(index=month, mappings={"dynamic": False, "properties": properties})

        (refused,) = index.make(index.examine().differences)

        assert refused.startswith(f"mapping of index {month}, field timestamp: ")
        assert "format" in refused
        assert problems(index) == [f"index {month}, field timestamp differs in format"]

    def test_an_index_in_the_aliass_place(self, elastic, index):
        """Somebody wrote to the alias before the template was there."""
        index.make(index.examine().differences)
        elastic.admin.indices.delete_index_template(name=elastic.names.template)
        elastic.admin.index(index=elastic.names.alias, document={"a": 1})
        try:
            found = problems(index)
        finally:
            elastic.admin.indices.delete(index=elastic.names.alias)

        assert f"index {elastic.names.alias} stands where the alias must be" in found

    def test_an_index_that_lost_what_it_held(self, elastic):
        """Deleted, emptied or made again: a difference, until a person accepts it; a closed one has lost nothing."""
        memory = Remembered()
        topology = ElasticsearchTopology(elastic.client(), IndexSettings(names=elastic.names, replicas=0), memory)
        rows = [[commit(f"a{year}", timestamp_ms=year * 31_556_952_000)] for year in (21, 31, 41)]
        deliver(elastic.index(), rows, 10)
        first, second, third = elastic.indices()
        elastic.reader.refresh()
        memory.held = elastic.client().holdings(10)
        assert {name: each.documents for name, each in memory.held.items()} == {first: 1, second: 1, third: 1}
        assert problems(topology) == []

        elastic.admin.indices.close(index=first)
        elastic.admin.indices.delete(index=second)
        elastic.admin.delete(index=third, id="a41:1", refresh=True)
        assert problems(topology) == [
            f"index {first} is closed",
            f"index {second} is gone, which held 1 events",
            f"index {third} has lost 1 events that it held",
        ]
        deliver(elastic.index(), [rows[1]], 10)
        elastic.admin.indices.refresh(index=[second, third])
        assert problems(topology) == [f"index {first} is closed", f"index {third} has lost 1 events that it held"]

        kept: list[str] = []
        assert (
            topology.accept_losses(kept.extend) == kept == [f"accepted: index {third} has lost 1 events that it held"]
        )
        assert problems(topology) == [f"index {first} is closed"]
        assert topology.accept_losses(kept.extend) == []

    def test_closed_blocked_and_strange_indices(self, elastic, index):
        """Each is named, for a person to decide."""
        deliver(elastic.index(), [[commit("a", timestamp_ms=0)], [commit("b")]], 10)
        first, second = elastic.indices()
        elastic.admin.indices.close(index=first)
        elastic.admin.indices.put_settings(index=second, settings={"index.blocks.read_only_allow_delete": True})
        stranger = f"{elastic.names.prefix}-stranger"
        elastic.admin.indices.create(index=stranger, aliases={elastic.names.alias: {}})
        try:
            found = problems(index)
        finally:
            elastic.admin.indices.delete(index=stranger)

        assert found == [
            f"index {first} is closed",
            f"index {second} has the block read_only_allow_delete",
            f"index {stranger} is under the alias {elastic.names.alias} but is not a monthly index",
        ]

    def test_a_server_that_cannot_be_asked(self, elastic, unused_port):
        """A closed port needs time."""
        settings = IndexSettings(names=elastic.names)
        client = type(elastic.client())(f"http://127.0.0.1:{unused_port}", settings)

        with pytest.raises(TryLaterError, match="does not answer GET"):
            ElasticsearchTopology(client, settings).examine()
        client.close()


def _remove(url: str, names: Names) -> None:
    connection = open_connection(url, RabbitSettings())
    channel = connection.channel()
    for name in (names.unrouted, names.dead_letters):
        channel.queue_delete(name)
    for name in (names.exchange, names.unrouted, names.dead_letters):
        channel.exchange_delete(name)
    connection.close()
