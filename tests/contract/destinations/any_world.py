"""One face for every kind of destination, so that the promises of the port are checked on all of them."""

import json
import tempfile
from pathlib import Path
from typing import Protocol

from relay.destination import Destination
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings
from relay.destinations.bus.settings import BusSettings
from relay.destinations.file.file import FileDestination
from relay.destinations.file.line import LINE_START
from relay.destinations.file.local_file import LineFile
from relay.destinations.index.client import IndexLostError
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from tests.contract.destinations.worlds import (
    ElasticsearchIndexWorld,
    MemoryBusWorld,
    MemoryIndexWorld,
    RabbitBusWorld,
    receive,
)
from tests.support.delivering import close
from tests.support.proxy import proxied, proxy_to


class AnyWorld(Protocol):
    """A destination and what lies behind it."""

    destination: Destination | Bus

    def taken(self, count: int) -> list[str]:
        """Return the ids of all events that are there, in their order where there is one; `count` are awaited."""
        ...

    def cut_off(self) -> None:
        """Put it out of reach."""
        ...

    def restore(self) -> None:
        """Put it into reach again."""
        ...

    def close(self) -> None:
        """Tidy up."""
        ...


class AnyMemoryBus:
    def __init__(self) -> None:
        self._world = MemoryBusWorld()
        self.destination = self._world.bus()
        self._world.broker.queue("all")

    def taken(self, count: int) -> list[str]:
        return [message.message_id for message in self._world.broker.messages("all")]

    def cut_off(self) -> None:
        self._world.broker.refuse_connections(BrokerLostError("told to be out of reach"))
        self._world.broker.drop_connections()

    def restore(self) -> None:
        self._world.broker.refuse_connections(None)

    def close(self) -> None:
        close(self.destination)


class AnyRabbitBus:
    def __init__(self, url: str) -> None:
        self._world = RabbitBusWorld(url)
        self._proxy = proxy_to(url)
        settings = RabbitSettings(connect_timeout_seconds=1.0, io_timeout_seconds=1.0)
        broker = RabbitBroker(proxied(url, self._proxy), self._world.names, settings)
        self.destination = Bus(broker, self._world.runtime, BusSettings(names=self._world.names))
        self._consumer = self._world.consumer()

    def taken(self, count: int) -> list[str]:
        return [received.message_id for received in (receive(self._consumer, count) if count else [])] + [
            received.message_id for received in self._consumer.receive(0.05)
        ]

    def cut_off(self) -> None:
        self._proxy.shut()

    def restore(self) -> None:
        self._proxy.open()

    def close(self) -> None:
        close(self.destination)
        self._world.close()
        self._proxy.close()


class AnyMemoryIndex:
    def __init__(self) -> None:
        self._world = MemoryIndexWorld()
        self.destination: Destination = self._world.index()

    def taken(self, count: int) -> list[str]:
        return list(self._world.reader.event_ids())

    def cut_off(self) -> None:
        self._world.client.fail(IndexLostError("told to be out of reach"))

    def restore(self) -> None:
        self._world.client.fail(None)

    def close(self) -> None:
        close(self.destination)


class AnyElasticsearchIndex:
    def __init__(self, urls: str) -> None:
        self._world = ElasticsearchIndexWorld(urls)
        self._proxy = proxy_to(urls)
        settings = IndexSettings(names=self._world.names, replicas=0)
        self.destination: Destination = Index(
            ElasticsearchClient(proxied(urls, self._proxy), settings), self._world.runtime, settings
        )

    def taken(self, count: int) -> list[str]:
        self._world.reader.refresh()
        return list(self._world.reader.event_ids())

    def cut_off(self) -> None:
        self._proxy.shut()

    def restore(self) -> None:
        self._proxy.open()

    def close(self) -> None:
        close(self.destination)
        self._world.close()
        self._proxy.close()


class AnyFile:
    def __init__(self) -> None:
        self._home = tempfile.TemporaryDirectory()
        self._folder = Path(self._home.name) / "events"
        self._away = Path(self._home.name) / "away"
        self._folder.mkdir()
        runtime = MemoryBusWorld().runtime
        self.destination: Destination = FileDestination(LineFile(self._folder / "events.jsonl", runtime, LINE_START))

    def taken(self, count: int) -> list[str]:
        file = self._folder / "events.jsonl"
        return [json.loads(line)["id"] for line in file.read_text().splitlines()] if file.exists() else []

    def cut_off(self) -> None:
        self._folder.rename(self._away)

    def restore(self) -> None:
        self._away.rename(self._folder)

    def close(self) -> None:
        close(self.destination)
        self._home.cleanup()
