"""Real servers, and a proxy before them."""

import socket
from collections.abc import Iterator

import pytest

from tests.contract.destinations.servers import address
from tests.contract.destinations.worlds import ElasticsearchIndexWorld, RabbitBusWorld
from tests.support.proxy import Proxy


@pytest.fixture
def rabbit() -> Iterator[RabbitBusWorld]:
    world = RabbitBusWorld(address("RELAY_RABBITMQ_URL"))
    yield world
    world.close()


@pytest.fixture
def elastic() -> Iterator[ElasticsearchIndexWorld]:
    world = ElasticsearchIndexWorld(address("RELAY_ELASTICSEARCH_URL"))
    yield world
    world.close()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    proxy = Proxy()
    yield proxy
    proxy.close()


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]
