"""What Elasticsearch does when things go wrong, and what the template makes findable."""

import pytest

from eventstore.system import SystemRuntime
from relay.destination import Confirmed, Retry, TroubleKind
from relay.destinations.index.client import IndexLostError, IndexRefusedError, TooLargeError
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings, PromotedType
from relay.destinations.index.template import VERSION, template
from relay.testing.commits import chain, commit
from tests.support.delivering import deliver

pytestmark = pytest.mark.servers


def test_nobody_listens(unused_port, elastic):
    """A closed port is an outage, reported at once."""
    index = Index(ElasticsearchClient(f"http://127.0.0.1:{unused_port}"), elastic.runtime)

    report = deliver(index, [chain("a", 1)], 1)

    assert report.outcomes == {("a", 1): Retry("unsent")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    index.close()


def test_an_index_that_went_deaf(elastic, proxy):
    """The budget bounds the wait; what it took in silence is taken at the next attempt."""
    settings = IndexSettings(names=elastic.names, replicas=0)
    index = Index(ElasticsearchClient(proxy.through(elastic.urls), settings), elastic.runtime, settings)
    assert deliver(index, [chain("warm", 1)], 10).trouble is None
    proxy.pause()
    runtime = SystemRuntime()
    started = runtime.monotonic()

    report = deliver(index, [chain("a", 1)], 0.5)

    assert runtime.monotonic() - started < 3
    assert report.outcomes == {("a", 1): Retry("unsent")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    proxy.resume()
    assert deliver(index, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}
    index.close()


def test_a_connection_that_broke_while_idle(elastic, proxy):
    """It costs one failed delivery at most."""
    settings = IndexSettings(names=elastic.names, replicas=0)
    index = Index(ElasticsearchClient(proxy.through(elastic.urls), settings), elastic.runtime, settings)
    deliver(index, [chain("warm", 1)], 10)
    proxy.drop()

    deliver(index, [chain("a", 1)], 10)
    assert deliver(index, [chain("a", 1)], 10).outcomes == {("a", 1): Confirmed()}
    index.close()


def test_a_closed_index_needs_a_person(elastic):
    """It refuses with status 400, and yet no document is at fault: nothing is parked."""
    index = elastic.index()
    deliver(index, [chain("a", 1)], 10)
    elastic.admin.indices.close(index=elastic.indices()[0])

    report = deliver(index, [chain("b", 1)], 10)

    assert report.outcomes == {("b", 1): Retry("status_400")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED
    assert "index_closed_exception" in report.trouble.reason


def test_a_blocked_index_is_waited_for(elastic):
    """As when its disk is full: the status is 403, and it passes."""
    index = elastic.index()
    deliver(index, [chain("a", 1)], 10)
    name = elastic.indices()[0]
    elastic.admin.indices.put_settings(index=name, settings={"index.blocks.write": True})

    report = deliver(index, [chain("b", 1)], 10)

    assert report.outcomes == {("b", 1): Retry("status_403")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.OUTAGE
    elastic.admin.indices.put_settings(index=name, settings={"index.blocks.write": None})
    assert deliver(index, [chain("b", 1)], 10).outcomes == {("b", 1): Confirmed()}


def test_a_body_over_the_servers_limit(elastic):
    """Elasticsearch takes bodies up to 100 MiB; what is above is refused whole."""
    body = b'{"create":{"_index":"%b","_id":"x"}}\n{"note":"%b"}\n' % (
        elastic.names.index(0).encode(),
        b"x" * 105_000_000,
    )

    with pytest.raises(TooLargeError):
        elastic.client().bulk(body, 30)


def test_a_body_that_is_no_bulk_request(elastic):
    """A refusal of the whole request is told with the server's words, although replies are filtered."""
    with pytest.raises(IndexRefusedError, match="illegal_argument_exception") as caught:
        elastic.client().bulk(b'{"nonsense":{}}\n{}\n', 10)
    assert caught.value.status == 400


def test_the_template_is_there_after_the_first_delivery(elastic):
    """It is what the code says, and a repeat leaves it alone."""
    client = elastic.client()
    client.prepare(10)
    client.prepare(10)

    (found,) = elastic.admin.indices.get_index_template(name=elastic.names.template)["index_templates"]
    assert found["index_template"]["version"] == VERSION
    assert found["index_template"]["index_patterns"] == [elastic.names.pattern]


def test_a_newer_template_is_left_alone(elastic):
    """While workers are upgraded one by one the old ones do not undo the new ones' template."""
    newer = template(IndexSettings(names=elastic.names, replicas=0)) | {"version": VERSION + 1}
    elastic.admin.indices.put_index_template(name=elastic.names.template, **newer)

    elastic.client().prepare(10)

    (found,) = elastic.admin.indices.get_index_template(name=elastic.names.template)["index_templates"]
    assert found["index_template"]["version"] == VERSION + 1


def test_payload_and_metadata_are_found_by_their_values(elastic):
    """Flattened fields answer exact matches at any depth, without growing the mapping."""
    rows = [
        commit("a", data_json='{"to":{"city":"Köln"},"quantity":3}', metadata_json='{"user":"u-1"}'),
        commit("b", data_json='{"to":{"city":"Bonn"},"quantity":30}', metadata_json='{"user":"u-2"}'),
    ]
    deliver(elastic.index(), [[row] for row in rows], 10)
    elastic.reader.refresh()

    assert _found(elastic, {"term": {"data.to.city": "Köln"}}) == ["a:1"]
    assert _found(elastic, {"term": {"metadata.user": "u-2"}}) == ["b:1"]
    mapping = elastic.admin.indices.get_mapping(index=elastic.indices()[0])[elastic.indices()[0]]["mappings"]
    assert "city" not in str(mapping)


def test_promoted_fields_answer_ranges_and_words(elastic):
    """A value that does not fit its type is left out of the copy and the event is indexed all the same."""
    index = elastic.index(
        promoted={
            "quantity": PromotedType.LONG,
            "note.text": PromotedType.TEXT,
            "price": PromotedType.DOUBLE,
            "due": PromotedType.DATE,
        },
    )
    rows = [
        commit("a", data_json='{"quantity":3,"note":{"text":"Fragile goods"},"price":2.5,"due":"2025-01-31"}'),
        commit("b", data_json='{"quantity":30,"note":{"text":"heavy"},"price":"cheap","due":"soon"}'),
        commit("c", data_json='{"quantity":"many","note":"heavy"}'),
    ]

    report = deliver(index, [[row] for row in rows], 10)
    elastic.reader.refresh()

    assert set(report.outcomes.values()) == {Confirmed()}
    assert _found(elastic, {"range": {"promoted.quantity": {"gte": 10}}}) == ["b:1"]
    assert _found(elastic, {"match": {"promoted.note.text": "fragile"}}) == ["a:1"]
    assert _found(elastic, {"range": {"promoted.price": {"lt": 3}}}) == ["a:1"]
    assert _found(elastic, {"range": {"promoted.due": {"lt": "2025-02-01"}}}) == ["a:1"]


def test_time_ranges(elastic):
    """The event's time is a date."""
    rows = [commit("a", timestamp_ms=0), commit("b", timestamp_ms=1_735_689_600_000)]
    deliver(elastic.index(), [[row] for row in rows], 10)
    elastic.reader.refresh()

    assert _found(elastic, {"range": {"timestamp": {"gte": 1_735_689_600_000}}}) == ["b:1"]


def test_a_server_that_is_not_elasticsearch(elastic, unused_port):
    """An answer without Elasticsearch's own header is refused rather than believed."""
    with pytest.raises(IndexLostError):
        ElasticsearchClient(f"http://127.0.0.1:{unused_port}").bulk(b"{}\n", 1)


def _found(elastic, query) -> list[str]:
    hits = elastic.admin.search(index=elastic.names.alias, query=query, sort=["event_id"])["hits"]["hits"]
    return [hit["_id"] for hit in hits]
