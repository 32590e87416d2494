"""What Elasticsearch does when things go wrong, and what the template makes findable."""

import pytest

from eventstore.search.elasticsearch import ElasticsearchSearch
from eventstore.system import SystemRuntime
from relay.demo.search import ElasticsearchReader
from relay.destination import Confirmed, Park, Retry, TroubleKind
from relay.destinations.index.client import IndexLostError, IndexRefusedError, TooLargeError
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.elasticsearch_topology import ElasticsearchTopology
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings, PromotedType
from relay.destinations.index.template import VERSION, template
from relay.destinations.resource_names import Names
from relay.testing.commits import chain, commit
from tests.contract.destinations.worlds import ElasticsearchIndexWorld
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


@pytest.mark.timed
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


def test_what_operators_added_to_the_template_stays(elastic):
    """Through a start that finds it as wanted, one that finds it older, and `relay topology apply`."""
    settings = IndexSettings(names=elastic.names, replicas=0)
    ours = template(settings)
    theirs = {"index": {"refresh_interval": "7s", "codec": "best_compression"}}
    elastic.client().prepare(10)
    for version in (VERSION, VERSION - 1):
        older = {**ours, "version": version, "template": {**ours["template"], "settings": theirs}}
        elastic.admin.indices.put_index_template(name=elastic.names.template, **older)
        elastic.client().prepare(10)

        (found,) = elastic.admin.indices.get_index_template(name=elastic.names.template)["index_templates"]
        assert found["index_template"]["version"] == VERSION
        settings_found = found["index_template"]["template"]["settings"]["index"]
        assert settings_found["refresh_interval"] == "7s"
        assert settings_found["codec"] == "best_compression"
        assert settings_found["number_of_replicas"] == "0"
    assert ElasticsearchTopology(elastic.client(), settings).examine().differences == ()


def test_nothing_is_written_when_nothing_is_missing(elastic, monkeypatch):
    """A role that may read templates and not write them is enough at run time."""
    client = elastic.client(promoted={"price.amount": PromotedType.DOUBLE, "due": PromotedType.DATE})
    client.prepare(10)
    asked = []
    call = client.call
    monkeypatch.setattr(
        client, "call", lambda method, *given, **named: asked.append(method) or call(method, *given, **named)
    )

    client.prepare(10)

    assert asked == ["GET"]


def test_a_neighbours_template_of_higher_priority(elastic):
    """Its index is looked at with the first event, and nothing counts as taken that no search sees."""
    other = f"{elastic.names.prefix}-other"
    index = elastic.index()
    elastic.admin.indices.put_index_template(
        name=other, index_patterns=[f"{elastic.names.prefix}-*"], priority=900, template={"mappings": {}}
    )
    try:
        report = deliver(index, [chain("a", 1), chain("b", 3)], 10)
    finally:
        elastic.admin.indices.delete_index_template(name=other)

    assert report.outcomes == {("a", 1): Retry("hidden_index"), ("b", 3): Retry("hidden_index")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED
    (month,) = elastic.indices()
    assert f"index {month} is not under the alias {elastic.names.alias}" in report.trouble.reason

    elastic.admin.indices.delete(index=month)
    report = deliver(index, [chain("a", 1), chain("b", 3)], 10)
    assert report.trouble is None
    elastic.reader.refresh()
    assert elastic.reader.count() == 4


def test_a_search_knows_what_it_does_not_see(elastic):
    """Indices outside of the alias, behind a filter, or of another mapping; not those of a longer prefix."""
    deliver(elastic.index(), [chain("a", 1)], 10)
    (seen,) = elastic.indices()
    alias = elastic.names.alias
    strangers = {
        f"{alias}-2001.01": {},
        f"{alias}-2001.02": {alias: {"filter": {"match_all": {}}}},
        f"{alias}-events-2001.01": {},
    }
    for name, aliases in strangers.items():
        elastic.admin.indices.create(index=name, aliases=aliases)
    elastic.admin.indices.put_alias(index=f"{alias}-2001.02", name=alias, filter={"match_all": {}})
    elastic.admin.indices.delete_index_template(name=elastic.names.template)
    elastic.admin.indices.create(index=f"{alias}-2001.03", aliases={alias: {}})
    elastic.admin.indices.delete(index=f"{alias}-2001.01")
    elastic.admin.indices.create(index=f"{alias}-2001.01")
    client = ElasticsearchSearch(elastic.urls)

    hidden = client.hidden(alias, 10)

    assert hidden[f"{alias}-2001.01"] == f"is not under the alias {alias}"
    assert hidden[f"{alias}-2001.02"] == f"is under the alias {alias} with a filter or routing"
    assert "has another mapping" in hidden[f"{alias}-2001.03"]
    assert len(hidden) == 3
    assert elastic.client().look([*hidden, seen, f"{alias}-2001.04"], 10) == {**hidden, seen: None}
    client.close()


def test_a_prefix_within_anothers(elastic):
    """`x` and `x-events` share a cluster: each has its template, its months, and its own differences."""
    longer = ElasticsearchIndexWorld(elastic.urls)
    longer.names = Names(f"{elastic.names.prefix}-events")
    longer.reader = ElasticsearchReader(longer.urls, longer.names)
    try:
        for world, name in ((elastic, "a"), (longer, "b"), (elastic, "c")):
            report = deliver(world.index(), [chain(name, 1)], 10)
            assert report.trouble is None, report.trouble
        for world in (elastic, longer):
            world.reader.refresh()
            topology = ElasticsearchTopology(world.client(), IndexSettings(names=world.names, replicas=0))
            assert topology.examine().differences == ()
        assert list(elastic.reader.event_ids()) == ["a:1", "c:1"]
        assert list(longer.reader.event_ids()) == ["b:1"]
    finally:
        longer.close()


def test_a_pipeline_that_cannot_read_one_event(elastic):
    """It refuses the whole request; that event is parked alone."""
    elastic.client().prepare(10)
    month = elastic.names.index(1_735_689_600_000)
    elastic.admin.ingest.put_pipeline(id=elastic.names.prefix, processors=[])
    elastic.admin.indices.create(index=month, settings={"index.default_pipeline": elastic.names.prefix})
    bad = commit("bad", data_json='{"n":' + "9" * 1001 + "}")
    try:
        report = deliver(elastic.index(), [chain("a", 1, 1), [bad], chain("b", 1)], 10)
    finally:
        elastic.admin.indices.put_settings(index=month, settings={"index.default_pipeline": None})
        elastic.admin.ingest.delete_pipeline(id=elastic.names.prefix)

    parked = report.outcomes.pop(("bad", 1))
    assert isinstance(parked, Park)
    assert "Number value length (1001)" in parked.reason
    assert set(report.outcomes.values()) == {Confirmed()}
    assert report.trouble is None


def test_a_pipeline_that_is_not_there(elastic):
    """The index is at fault and none of its events: nothing is parked."""
    elastic.client().prepare(10)
    month = elastic.names.index(1_735_689_600_000)
    elastic.admin.indices.create(index=month, settings={"index.default_pipeline": f"{elastic.names.prefix}-gone"})

    report = deliver(elastic.index(), [chain("a", 1, 1), chain("b", 1)], 10)

    assert not any(isinstance(each, Park | Confirmed) for each in report.outcomes.values())
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED


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
