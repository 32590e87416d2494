"""The two worlds each contract is checked in: in memory and on the real server."""

import contextlib
import secrets
from typing import Any
from unittest.mock import patch

import amqp
from amqp.exceptions import AMQPError

from eventstore.system import SystemRuntime
from relay.demo.consumer import Consumer, RabbitConsumer
from relay.demo.search import ElasticsearchReader, IndexReader
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings, open_connection
from relay.destinations.bus.rabbitmq_topology import RabbitTopology
from relay.destinations.bus.settings import BusSettings
from relay.destinations.index.elasticsearch import ElasticsearchClient, connect
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from relay.destinations.resource_names import Names
from relay.testing import InMemoryBroker, InMemoryIndex
from relay.testing.received import ReceivedMessage


def fresh_prefix() -> str:
    """Return a prefix that no other test has."""
    return f"test-{secrets.token_hex(6)}"


class MemoryBusWorld:
    def __init__(self) -> None:
        self.names = Names(fresh_prefix())
        self.runtime = SystemRuntime()
        self.broker = InMemoryBroker(self.runtime, self.names)

    def bus(self, **settings) -> Bus:
        return Bus(self.broker, self.runtime, BusSettings(names=self.names, **settings))

    def consumer(self, queue: str = "all", pattern: str = "#") -> Consumer:
        return self.broker.consumer(f"{self.names.prefix}.{queue}", pattern)

    def small_frames(self, frame_max_bytes: int) -> Bus:
        self.broker = InMemoryBroker(self.runtime, self.names, frame_max_bytes=frame_max_bytes)
        return self.bus(source="/x")

    def full_queue(self, pattern: str) -> None:
        self.broker.queue(f"{self.names.prefix}.full", pattern, max_length=0)

    def depths(self) -> dict[str, int]:
        return {self.names.unrouted: len(self.broker.messages(self.names.unrouted))}

    def unrouted(self) -> list[str]:
        return [message.message_id for message in self.broker.messages(self.names.unrouted)]

    def break_alternate_exchange(self) -> None:
        self.broker.unbind(self.names.unrouted)

    def delete_exchange(self) -> None:
        self.broker.delete_exchange()

    def close(self) -> None:
        pass


class RabbitBusWorld:
    def __init__(self, url: str) -> None:
        self.names = Names(fresh_prefix())
        self.runtime = SystemRuntime()
        self.url = url
        self.broker = RabbitBroker(url, self.names)
        self._admin = open_connection(url, RabbitSettings())
        self._channel = self._admin.channel()
        self._queues = [self.names.unrouted, self.names.dead_letters]
        self._consumers: list[RabbitConsumer] = []
        self._buses: list[Bus] = []
        self.broker.connect().close()

    def bus(self, **settings) -> Bus:
        bus = Bus(self.broker, self.runtime, BusSettings(names=self.names, **settings))
        self._buses.append(bus)
        return bus

    def consumer(self, queue: str = "all", pattern: str = "#") -> Consumer:
        name = f"{self.names.prefix}.{queue}"
        consumer = RabbitConsumer(self.url, name, self.runtime, self.names, pattern=pattern)
        consumer.connect()
        self._queues.append(name)
        self._consumers.append(consumer)
        return consumer

    def small_frames(self, frame_max_bytes: int) -> Bus:
        """Return a bus whose connections agree on smaller frames, as with a broker that wants them."""
        bus = self.bus(source="/x")
        agree: Any = amqp.Connection._on_tune

        def agree_on_less(connection, channel_max, _frame_max, heartbeat) -> None:
            agree(connection, channel_max, frame_max_bytes, heartbeat)

        with patch.object(amqp.Connection, "_on_tune", agree_on_less):
            bus.open()
        return bus

    def full_queue(self, pattern: str) -> None:
        name = f"{self.names.prefix}.full"
        limit = {"x-max-length": 0, "x-overflow": "reject-publish"}
        self._channel.queue_declare(name, durable=True, auto_delete=False, arguments=limit)
        self._channel.queue_bind(name, self.names.exchange, pattern)
        self._queues.append(name)

    def depths(self) -> dict[str, int]:
        return RabbitTopology(self.url, self.names).depths()

    def unrouted(self) -> list[str]:
        found = []
        while (message := self._channel.basic_get(self.names.unrouted, no_ack=True)) is not None:
            found.append(message.properties["message_id"])
        return found

    def break_alternate_exchange(self) -> None:
        self._channel.queue_unbind(self.names.unrouted, self.names.unrouted)

    def delete_exchange(self) -> None:
        self._channel.exchange_delete(self.names.exchange)

    def close(self) -> None:
        for bus in self._buses:
            bus.drop()
        for consumer in self._consumers:
            consumer.close()
        for queue in self._queues:
            with contextlib.suppress(AMQPError):
                self._channel.queue_delete(queue)
        for exchange in (self.names.exchange, self.names.unrouted, self.names.dead_letters):
            with contextlib.suppress(AMQPError):
                self._channel.exchange_delete(exchange)
        self._admin.close()


BusWorld = MemoryBusWorld | RabbitBusWorld


def receive(consumer: Consumer, count: int) -> list[ReceivedMessage]:
    """Return the next messages, as many as asked for; fails when no other comes for ten seconds."""
    received: list[ReceivedMessage] = []
    deadline = SystemRuntime().monotonic() + 10
    while len(received) < count:
        left = deadline - SystemRuntime().monotonic()
        assert left > 0, f"{len(received)} of {count} messages came"
        if more := consumer.receive(left):
            received += more
            deadline = SystemRuntime().monotonic() + 10
    return received


class MemoryIndexWorld:
    def __init__(self) -> None:
        self.names = Names(fresh_prefix())
        self.runtime = SystemRuntime()
        self.client = InMemoryIndex(self.runtime)
        self.reader: IndexReader = self.client

    def index(self, **settings) -> Index:
        return Index(self.client, self.runtime, IndexSettings(names=self.names, replicas=0, **settings))

    def indices(self) -> list[str]:
        return self.client.indices()

    def close(self) -> None:
        pass


class ElasticsearchIndexWorld:
    def __init__(self, urls: str) -> None:
        self.names = Names(fresh_prefix())
        self.runtime = SystemRuntime()
        self.urls = urls
        self.admin = connect(urls).options(request_timeout=30)
        self.reader: IndexReader = ElasticsearchReader(urls, self.names)
        self._clients: list[ElasticsearchClient] = []

    def client(self, **settings) -> ElasticsearchClient:
        client = ElasticsearchClient(self.urls, IndexSettings(names=self.names, replicas=0, **settings))
        self._clients.append(client)
        return client

    def index(self, **settings) -> Index:
        options = IndexSettings(names=self.names, replicas=0, **settings)
        return Index(self.client(**settings), self.runtime, options)

    def indices(self) -> list[str]:
        return sorted(self.admin.indices.get(index=self.names.pattern, expand_wildcards="all"))

    def close(self) -> None:
        for name in self.indices():
            self.admin.indices.delete(index=name)
        self.admin.options(ignore_status=404).indices.delete_index_template(name=self.names.template)
        for client in (*self._clients, self.admin, self.reader):
            client.close()


IndexWorld = MemoryIndexWorld | ElasticsearchIndexWorld
