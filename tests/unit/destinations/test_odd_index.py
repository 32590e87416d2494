"""An index, or something in its place, that answers what cannot be: an outage, never the end of a part."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from eventstore.errors import EventStoreError, SetUpError, TryLaterError
from eventstore.search.client import SearchCallError
from eventstore.search.elasticsearch import ElasticsearchSearch
from eventstore.system import SystemRuntime
from relay.destination import Confirmed, Park, Report, Retry, TroubleKind
from relay.destinations.index import bulk_lines
from relay.destinations.index.client import TooLargeError
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.elasticsearch_topology import ElasticsearchTopology
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from relay.testing import InMemoryIndex
from relay.testing.commits import chain
from tests.support.delivering import deliver
from tests.support.refusing_server import RefusingServer, refusing_server

DEEP = b"[" * 100_000 + b"]" * 100_000


def items(**verdict: Any) -> bytes:
    return json.dumps({"items": [{"create": {"_id": "a:1", "status": 201, **verdict}}]}).encode()


ODD = {
    "nothing": b"",
    "no JSON": b"{",
    "HTML": b"<html><body>Bad gateway</body></html>",
    "null": b"null",
    "a list": b"[1, 2]",
    "text": b'"fine"',
    "a number": b"7",
    "deep": DEEP,
    "deep within": b'{"index_templates": ' + DEEP + b', "items": ' + DEEP + b"}",
    "no UTF-8": b'{"items": "\xff\xfe", "index_templates": "\xff"}',
    "half of a character": b'{"items": "\\ud800", "index_templates": "\\ud800"}',
    "a number beyond measure": b'{"items": 1e999, "index_templates": ' + b"9" * 5_000 + b"}",
    "lists of lists": b'{"items": [[]], "index_templates": [[]]}',
    "null for lists": b'{"items": null, "index_templates": null}',
    "empty objects": b'{"items": [{}], "index_templates": [{"index_template": null}]}',
    "a version that is text": b'{"items": {}, "index_templates": [{"index_template": {"version": "2"}}]}',
    "an object for the list": b'{"items": {"create": {}}, "index_templates": {"a": 1}}',
}

ODD_BULKS = {
    "under index": b'{"items": [{"index": {"_id": "a:1", "status": 201}}]}',
    "no status": b'{"items": [{"create": {"_id": "a:1"}}]}',
    "no id": b'{"items": [{"create": {"status": 201}}]}',
    "status as text": items(status="201"),
    "status that is none": items(status=0),
    "status of a redirect": items(status=302),
    "status beyond measure": b'{"items": [{"create": {"_id": "a:1", "status": ' + b"9" * 40 + b"}}]}",
    "an error that is text": items(status=400, error="no"),
    "an error that is a list": items(status=400, error=[]),
    "another id": items(_id="a:2"),
    "no items": b'{"items": []}',
    "more items": b'{"items": [{"create": {"_id": "a:1", "status": 201}}, {"create": {"_id": "a:1", "status": 201}}]}',
}


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep stacks out of the terminal: rendering one of a thousand frames takes long."""
    with capture_logs():
        yield


@pytest.fixture
def server() -> Iterator[RefusingServer]:
    with refusing_server((200, b"{}")) as made:
        yield made


@pytest.fixture
def client(server: RefusingServer) -> Iterator[ElasticsearchClient]:
    made = ElasticsearchClient(server.url)
    yield made
    made.close()


@pytest.fixture
def index(client: ElasticsearchClient) -> Index:
    return Index(client, SystemRuntime())


def is_outage(report: Report) -> bool:
    assert not any(isinstance(each, Confirmed | Park) for each in report.outcomes.values())
    return report.trouble is not None and report.trouble.kind is TroubleKind.OUTAGE


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("status", [200, 400, 500])
def test_odd_answers_while_it_is_prepared(server: RefusingServer, index: Index, status: int, body: bytes) -> None:
    """Nothing is taken and nothing parked; a refusal in odd words is still a refusal."""
    server.refuse(status, body)

    report = deliver(index, [chain("a", 1)], 5)

    assert set(report.outcomes) == {("a", 1)}
    assert is_outage(report) or (status == 400 and report.trouble is not None)
    assert report.trouble is not None
    assert len(report.trouble.reason) < 1_500


@pytest.mark.parametrize("body", [*ODD.values(), *ODD_BULKS.values()], ids=[*ODD.keys(), *ODD_BULKS.keys()])
def test_odd_answers_to_a_bulk_request(server: RefusingServer, index: Index, body: bytes) -> None:
    """Nobody can say what was taken: all of it is tried again, and nothing is parked."""
    client = index._client
    client.prepare(5.0)
    index._prepared = True
    index._months._seen.add("inventory-events-2025.01")
    server.refuse(200, body)

    assert is_outage(deliver(index, [chain("a", 1)], 5))


@pytest.mark.parametrize("answer", [(413, b"<html>413</html>"), (413, b"{}"), (413, DEEP)])
def test_an_index_that_takes_no_template(server: RefusingServer, index: Index, answer: tuple[int, bytes]) -> None:
    """The body is small, so that a limit before the index is far too low: a person must act, and nothing ends."""
    server.refuse(*answer)

    report = deliver(index, [chain("a", 1)], 5)

    assert report.trouble is not None
    assert report.trouble.kind in {TroubleKind.MISCONFIGURED, TroubleKind.OUTAGE}
    assert report.outcomes == {("a", 1): Retry("unsent")}


def test_too_large_while_it_is_prepared() -> None:
    """The port's error does not escape either."""
    client = InMemoryIndex(SystemRuntime())
    client.fail(TooLargeError("too large"))

    report = deliver(Index(client, SystemRuntime()), [chain("a", 1)], 5)

    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED


@pytest.mark.parametrize("error", [RecursionError("deep"), KeyError("x"), UnicodeDecodeError("utf-8", b"", 0, 1, "no")])
def test_whatever_a_client_raises_is_an_outage_with_a_stack(error: Exception) -> None:
    """The stack is kept once for each kind of error; the destination goes on when it is over."""
    client = InMemoryIndex(SystemRuntime())
    index = Index(client, SystemRuntime())
    with capture_logs() as logs:
        for _ in range(3):
            client.fail(error)  # type: ignore[arg-type]
            assert is_outage(deliver(index, [chain("a", 1)], 5))
    assert [(entry["event"], entry["kind"], entry["exc_info"]) for entry in logs] == [
        ("destination.failed", type(error).__name__, True)
    ]

    client.fail(None)
    assert deliver(index, [chain("a", 1)], 5).outcomes == {("a", 1): Confirmed()}


def test_an_event_that_cannot_be_encoded_is_parked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """One odd event must not keep all others from the index."""
    encode = bulk_lines.encode

    def deep(event: Any, settings: IndexSettings) -> bytes:
        if event.event_id == "a:1":
            raise RecursionError("deep")
        return encode(event, settings)

    monkeypatch.setattr(bulk_lines, "encode", deep)
    report = deliver(Index(InMemoryIndex(SystemRuntime()), SystemRuntime()), [chain("a", 1), chain("b", 1)], 5)

    assert isinstance(report.outcomes[("a", 1)], Park)
    assert report.outcomes[("b", 1)] == Confirmed()
    assert report.trouble is None


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("status", [200, 404, 413])
def test_a_look_at_the_topology_survives_them(
    server: RefusingServer, client: ElasticsearchClient, status: int, body: bytes
) -> None:
    """`relay topology check` says what is wrong, or what it found."""
    server.refuse(status, body)
    topology = ElasticsearchTopology(client, IndexSettings())

    try:
        found = topology.examine()
    except (TryLaterError, SetUpError) as error:
        told = str(error)
    else:
        assert found.differences
        told = str(found.differences[0])

    assert told
    assert len(told) < 1_500


@pytest.mark.parametrize(
    "found",
    [
        {"index_templates": [{"index_template": {"version": None}}]},
        {"index_templates": [{"index_template": {"version": 2, "template": []}}]},
        {"index_templates": [{"index_template": {"version": 2, "template": {"mappings": 7}}}]},
        {"index_templates": []},
        {"index_templates": [{}, {}]},
    ],
)
def test_a_template_of_another_shape(server: RefusingServer, client: ElasticsearchClient, found: object) -> None:
    """Differences are looked for in whatever comes."""
    server.refuse(200, json.dumps(found).encode())

    with pytest.raises(EventStoreError):
        ElasticsearchTopology(client, IndexSettings()).examine()


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("status", [200, 400, 500])
def test_a_search_survives_them(server: RefusingServer, status: int, body: bytes) -> None:
    """The reading side knows the same two outcomes."""
    server.refuse(status, body)
    client = ElasticsearchSearch(server.url)

    for call in (lambda: client.count("x", {}, 5.0), lambda: client.open_view("x", 60, 5.0)):
        with pytest.raises(SearchCallError) as caught:
            call()
        assert len(str(caught.value)) < 1_500
    client.close()
