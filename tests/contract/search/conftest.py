"""Each contract test runs once in memory and once on Elasticsearch; documents are written by the relay's own index.

To make an index is what costs most here, so tests that only ask share one: see `asked_world`.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eventstore.backoff import Backoff
from eventstore.rows.outbox import OutboxRow
from eventstore.search import EventSearch, PromotedType, SearchClient, SearchOptions
from eventstore.search.elasticsearch import ElasticsearchSearch
from eventstore.system import SystemRuntime
from eventstore.testing import InMemorySearch
from relay.demo.clean_up import remove_index
from relay.destination import Confirmed
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from relay.destinations.resource_names import Names
from relay.testing import InMemoryIndex
from tests.support.delivering import deliver

ENV_FILE = Path(__file__).parents[3] / ".local" / "env"
VARIABLE = "RELAY_ELASTICSEARCH_URL"
PROMOTED = {
    "price": PromotedType.DOUBLE,
    "stock.count": PromotedType.LONG,
    "due": PromotedType.DATE,
    "note": PromotedType.TEXT,
}


def elasticsearch_url() -> str:
    """Return where Elasticsearch is; without one the test is skipped on a laptop and fails in CI."""
    lines = ENV_FILE.read_text().splitlines() if ENV_FILE.exists() else []
    written = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    found = os.environ.get(VARIABLE) or written.get(VARIABLE)
    if found:
        return found
    message = f"{VARIABLE} is not set and {ENV_FILE} does not name it: run `make up`"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


class World:
    """An index that the relay fills, and a search over it."""

    def __init__(self, url: str | None) -> None:
        self.url = url
        self.names = Names(f"test-{secrets.token_hex(6)}")
        settings = IndexSettings(names=self.names, replicas=0, promoted=PROMOTED)
        self.runtime = SystemRuntime()
        self.client: SearchClient
        if url is None:
            memory = InMemoryIndex(self.runtime)
            self._index = Index(memory, self.runtime, settings)
            self.client = InMemorySearch(PROMOTED, prefix=self.names.prefix, documents=memory.sources)
        else:
            self._index = Index(ElasticsearchClient(url, settings), self.runtime, settings)
            self.client = ElasticsearchSearch(url)
        self.options = SearchOptions(
            prefix=self.names.prefix, promoted=PROMOTED, timeout_seconds=30, backoff=Backoff(attempts_max=2)
        )
        self.search = EventSearch(self.client, self.options)

    def index(self, *rows: OutboxRow) -> None:
        """Have commits delivered and findable."""
        report = deliver(self._index, [[row] for row in rows], 30)
        assert set(report.outcomes.values()) == {Confirmed()}
        self.search.refresh()

    def close(self) -> None:
        self._index.close()
        self.client.close()
        if self.url is not None:
            remove_index(self.url, self.names)


SERVERS = ["memory", pytest.param("elasticsearch", marks=pytest.mark.servers)]


@contextmanager
def opened(server: str) -> Iterator[World]:
    world = World(None if server == "memory" else elasticsearch_url())
    try:
        yield world
    finally:
        world.close()


@pytest.fixture(params=SERVERS)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world of the test's own."""
    with opened(request.param) as made:
        yield made


@pytest.fixture(scope="module", params=SERVERS)
def asked_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world that a module fills once; its tests ask, and change nothing."""
    with opened(request.param) as made:
        yield made
