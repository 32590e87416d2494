"""Each contract test runs once in memory and once on the real server."""

from collections.abc import Iterator

import pytest

from tests.contract.destinations.servers import address
from tests.contract.destinations.worlds import (
    BusWorld,
    ElasticsearchIndexWorld,
    IndexWorld,
    MemoryBusWorld,
    MemoryIndexWorld,
    RabbitBusWorld,
)

SERVERS = pytest.mark.servers


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=SERVERS)])
def bus_world(request: pytest.FixtureRequest) -> Iterator[BusWorld]:
    world = MemoryBusWorld() if request.param == "memory" else RabbitBusWorld(address("RELAY_RABBITMQ_URL"))
    yield world
    world.close()


@pytest.fixture(params=["memory", pytest.param("elasticsearch", marks=SERVERS)])
def index_world(request: pytest.FixtureRequest) -> Iterator[IndexWorld]:
    memory = request.param == "memory"
    world = MemoryIndexWorld() if memory else ElasticsearchIndexWorld(address("RELAY_ELASTICSEARCH_URL"))
    yield world
    world.close()
