"""A search on a real Elasticsearch when things go wrong."""

import pytest

from eventstore import Backoff
from eventstore.errors import SearchRefusedError, SearchUnreachableError
from eventstore.search import EventSearch, SearchOptions, SearchQuery
from eventstore.search.elasticsearch import ElasticsearchSearch
from eventstore.system import SystemRuntime
from relay.testing.commits import chain
from tests.support.delivering import deliver

pytestmark = pytest.mark.servers

ALL = SearchQuery()


def options(elastic, **more) -> SearchOptions:
    return SearchOptions(prefix=elastic.names.prefix, backoff=Backoff(attempts_max=2, base_seconds=0.01), **more)


@pytest.mark.timed
def test_an_index_that_went_deaf(elastic, proxy):
    """Each attempt is bounded by its time-out; when the index hears again, so does the search."""
    deliver(elastic.index(), [chain("a", 1)], 10)
    elastic.reader.refresh()
    client = ElasticsearchSearch(proxy.through(elastic.urls))
    search = EventSearch(client, options(elastic, timeout_seconds=0.5))
    assert search.count(ALL) == 1
    proxy.pause()
    runtime = SystemRuntime()
    started = runtime.monotonic()

    with pytest.raises(SearchUnreachableError):
        search.find(ALL)

    assert runtime.monotonic() - started < 3
    proxy.resume()
    assert EventSearch(client, options(elastic)).count(ALL) == 1
    client.close()


def test_connections_that_broke_while_idle(elastic, proxy):
    """The second attempt opens a new one; the caller sees nothing of it."""
    deliver(elastic.index(), [chain("a", 1)], 10)
    elastic.reader.refresh()
    client = ElasticsearchSearch(proxy.through(elastic.urls))
    search = EventSearch(client, options(elastic))
    assert search.count(ALL) == 1
    proxy.drop()

    assert search.count(ALL) == 1
    client.close()


def test_a_closed_index_needs_a_person(elastic):
    """It is refused at once, in Elasticsearch's words, never taken for an empty index."""
    deliver(elastic.index(), [chain("a", 1)], 10)
    elastic.admin.indices.close(index=elastic.indices()[0])
    client = ElasticsearchSearch(elastic.urls)
    search = EventSearch(client, options(elastic))

    for use in (search.find, search.count, search.page, lambda query: next(search.events(query))):
        with pytest.raises(SearchRefusedError, match="index_closed_exception"):
            use(ALL)
    client.close()


def test_the_longest_refresh_interval_counts(elastic):
    """Also where another index has none of its own."""
    deliver(elastic.index(), [chain("a", 1)], 10)
    name = elastic.indices()[0]
    client = ElasticsearchSearch(elastic.urls)
    assert client.refresh_intervals(elastic.names.alias, 10) == {name: None}
    elastic.admin.indices.put_settings(index=name, settings={"index.refresh_interval": "30s"})

    assert client.refresh_intervals(elastic.names.alias, 10) == {name: "30s"}
    client.close()
