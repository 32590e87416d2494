"""An index at several addresses: a node that does not answer is left out, within the call, and tried again later."""

import json
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from eventstore.search.client import SearchLostError, SearchStatusError
from eventstore.search.elasticsearch import ElasticsearchSearch
from eventstore.system import SystemRuntime
from eventstore.transport import nodes as rules
from eventstore.transport.nodes import Standing
from relay.destination import Confirmed, Retry, TroubleKind
from relay.destinations.index.client import IndexLostError, IndexRefusedError
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.elasticsearch_topology import ElasticsearchTopology
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from relay.testing.commits import chain
from tests.support.delivering import deliver
from tests.support.index_nodes import MOODS, IndexNode, index_nodes

CALL_SECONDS = 1.5
UNRESOLVABLE = "http://no-such-host.invalid:9200"
ILL = [mood for mood in MOODS if mood != "well"]

BULK = b'{"create":{"_index":"i","_id":"a"}}\n{}\n'


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Keep stacks out of the terminal."""
    with capture_logs():
        yield


@pytest.fixture
def three() -> Iterator[list[IndexNode]]:
    with index_nodes(3) as nodes:
        yield nodes


def urls(nodes: list[IndexNode]) -> str:
    return ",".join(node.url for node in nodes)


@pytest.mark.parametrize("mood", ILL)
@pytest.mark.parametrize("ill", [(0,), (0, 1), (0, 2)])
def test_one_call_finds_the_node_that_answers(three: list[IndexNode], mood: str, ill: tuple[int, ...]) -> None:
    """At start, at run time, and for every reader: whoever is ill costs a share of the call, never the call."""
    for number in ill:
        three[number].mood = mood
    client, search = ElasticsearchClient(urls(three)), ElasticsearchSearch(urls(three))
    began = time.monotonic()

    assert [each.status for each in client.bulk(BULK, CALL_SECONDS)] == [201]
    client.call("GET", "/", CALL_SECONDS)  # as `relay topology check` does
    assert search.count("x", {}, CALL_SECONDS) == 7
    assert search.open_view("x", 60, CALL_SECONDS) == "view"

    assert time.monotonic() - began < 4 * CALL_SECONDS
    client.close()
    search.close()


@pytest.mark.parametrize("other", [UNRESOLVABLE, "http://127.0.0.1:1", "https"])
def test_addresses_where_nobody_is(three: list[IndexNode], other: str) -> None:
    """A name that nobody knows, a closed port, a server without TLS."""
    broken = three[1].url.replace("http", "https") if other == "https" else other
    addresses = f"{broken},{three[0].url}"

    client, search = ElasticsearchClient(addresses), ElasticsearchSearch(addresses)
    assert [each.status for each in client.bulk(BULK, CALL_SECONDS)] == [201]
    assert search.count("x", {}, CALL_SECONDS) == 7
    client.close()
    search.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the command openssl makes the certificate")
def test_a_certificate_that_nobody_trusts(three: list[IndexNode], tmp_path: Path) -> None:
    """The node behind it is left out."""
    key, file = tmp_path / "key.pem", tmp_path / "cert.pem"
    options = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=n", "-keyout", key, "-out", file]
    subprocess.run(["openssl", "req", *options], check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    with index_nodes(1) as (encrypted,):
        encrypted.socket = context.wrap_socket(encrypted.socket, server_side=True, do_handshake_on_connect=False)
        client = ElasticsearchClient(f"{encrypted.url.replace('http', 'https')},{three[0].url}")

        assert [each.status for each in client.bulk(BULK, CALL_SECONDS)] == [201]
        (reason,) = client.left_out().values()
        assert "CERTIFICATE_VERIFY_FAILED" in reason
        client.close()


def test_events_arrive_while_nodes_hang(three: list[IndexNode]) -> None:
    """The destination on top of it delivers, and calls nothing trouble."""
    three[0].mood = three[1].mood = "hangs"
    index = Index(ElasticsearchClient(urls(three)), SystemRuntime())

    report = deliver(index, [chain("a", 2)], CALL_SECONDS * 2)

    assert report.outcomes == {("a", 2): Confirmed()}
    assert report.trouble is None
    index.close()


def test_topology_check_names_the_node(three: list[IndexNode]) -> None:
    """It looks at the index through the others, and says who is left out."""
    three[0].mood = "hangs"
    client = ElasticsearchClient(urls(three))
    client.bulk(BULK, CALL_SECONDS)

    found = ElasticsearchTopology(client, IndexSettings()).examine()

    assert [each.problem for each in found.differences] == ["is missing"]
    (note,) = found.notes
    assert note.startswith(f"the node at {three[0].url} is left out: ")
    client.close()


def test_a_node_that_hangs_is_asked_once(three: list[IndexNode]) -> None:
    """The calls after that lose no time to it, and share the load among the others."""
    three[0].mood = "hangs"
    client = ElasticsearchClient(urls(three))
    client.bulk(BULK, CALL_SECONDS)
    began = time.monotonic()

    for _ in range(10):
        client.bulk(BULK, CALL_SECONDS)

    assert time.monotonic() - began < CALL_SECONDS / 2
    assert three[0].asked == 1
    assert min(three[1].asked, three[2].asked) >= 5
    client.close()


def test_a_node_is_told_once_and_when_it_is_back(three: list[IndexNode], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again after a pause."""
    monkeypatch.setattr(rules, "PAUSE_FIRST_SECONDS", 0.0)
    client = ElasticsearchClient(urls(three[:2]))
    three[0].mood = "502"
    with capture_logs() as logs:
        for _ in range(3):
            client.bulk(BULK, CALL_SECONDS)
        three[0].mood = "well"
        client.bulk(BULK, CALL_SECONDS)
        asked = three[0].asked
        for _ in range(4):
            client.bulk(BULK, CALL_SECONDS)

    assert [(entry["event"], entry["node"]) for entry in logs] == [
        ("index.node_left_out", three[0].url),
        ("index.node_back", three[0].url),
    ]
    assert "502" in logs[0]["reason"]
    assert three[0].asked > asked
    assert client.left_out() == {}
    client.close()


def test_none_answers(three: list[IndexNode]) -> None:
    """Each is named with what it said, without credentials, in time; and the next call asks all of them again."""
    addresses = ",".join(node.url.replace("//", "//relay:SECRET@") for node in three)
    client, search = ElasticsearchClient(addresses), ElasticsearchSearch(addresses)
    for node, mood in zip(three, ("hangs", "502", "HTML"), strict=True):
        node.mood = mood
    for call, kind in (
        (lambda: client.bulk(BULK, CALL_SECONDS), IndexLostError),
        (lambda: search.count("x", {}, CALL_SECONDS), SearchLostError),
    ):
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            call()
        assert time.monotonic() - began < CALL_SECONDS + 1
        assert "502" in str(caught.value)
        assert "is not Elasticsearch" in str(caught.value)
        assert "SECRET" not in str(caught.value)

    three[1].mood = "well"
    assert client.bulk(BULK, CALL_SECONDS)
    assert search.count("x", {}, CALL_SECONDS) == 7
    client.close()
    search.close()


def test_all_refuse(three: list[IndexNode]) -> None:
    """When no address is Elasticsearch's, time does not heal it: a person must act."""
    for node in three:
        node.mood = "HTML"
    client, search = ElasticsearchClient(urls(three)), ElasticsearchSearch(urls(three))

    with pytest.raises(IndexRefusedError, match="is not Elasticsearch"):
        client.bulk(BULK, CALL_SECONDS)
    with pytest.raises(SearchStatusError, match="is not Elasticsearch"):
        search.count("x", {}, CALL_SECONDS)
    report = deliver(Index(client, SystemRuntime()), [chain("a", 1)], CALL_SECONDS)
    assert report.outcomes == {("a", 1): Retry("unsent")}
    assert report.trouble is not None
    assert report.trouble.kind is TroubleKind.MISCONFIGURED
    client.close()
    search.close()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429])
def test_elasticsearchs_own_answer_is_an_answer(three: list[IndexNode], status: int) -> None:
    """A refusal is not asked for again at the next node, and says nothing against the one that gave it."""
    said = json.dumps({"error": {"type": "some_exception", "reason": "words"}, "status": status}).encode()
    MOODS["says"] = lambda handler, _body: handler.say(
        status, said, {"Content-Type": "application/json", "X-Elastic-Product": "Elasticsearch"}
    )
    try:
        for node in three:
            node.mood = "says"
        client = ElasticsearchClient(urls(three))
        with pytest.raises((IndexRefusedError, IndexLostError)):
            client.bulk(BULK, CALL_SECONDS)
    finally:
        del MOODS["says"]
    assert sum(node.asked for node in three) == 1
    assert client.left_out() == {}
    client.close()


def test_more_threads_than_connections(three: list[IndexNode]) -> None:
    """A thread that finds all connections of a hanging node in use waits for its share of the call alone."""
    three[0].mood = "hangs"
    search = ElasticsearchSearch(urls(three[:2]))
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(search.count("x", {}, CALL_SECONDS)), daemon=True)
        for _ in range(30)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(CALL_SECONDS * 3)

    assert found == [7] * 30
    search.close()


class TestRules:
    def test_the_well_share_the_load(self) -> None:
        """Each call begins with another."""
        well = [Standing()] * 3
        assert [rules.order(well, turn, 0.0) for turn in range(4)] == [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]]

    def test_who_failed_is_asked_last(self) -> None:
        """The longest ago first; when its pause is over, one of them is tried before the others."""
        known = [Standing().failed(10.0), Standing(), Standing().failed(9.5)]
        assert rules.order(known, 0, 14.2) == [1, 2, 0]
        assert rules.order(known, 0, 14.5) == [2, 1, 0]
        assert rules.order(known, 0, 60.0) == [2, 1, 0]

    def test_when_none_is_well(self) -> None:
        """All are asked, so that the first that is back is found at once."""
        known = [Standing().failed(3.0), Standing().failed(1.0), Standing().failed(2.0)]
        assert rules.order(known, 5, 3.1) == [1, 2, 0]

    def test_pauses_grow_to_a_minute(self) -> None:
        """And no further."""
        standing = Standing()
        pauses = []
        for _ in range(9):
            standing = standing.failed(0.0)
            pauses.append(next(now for now in range(1000) if standing.is_due(now)))
        assert pauses == [5, 10, 20, 40, 60, 60, 60, 60, 60]

    def test_shares(self) -> None:
        """Half of what is left, all of it for the last, a quarter and a second at most for one on trial."""
        assert rules.share_seconds(10.0, 2, on_trial=False) == 5.0
        assert rules.share_seconds(5.0, 1, on_trial=False) == 2.5
        assert rules.share_seconds(2.5, 0, on_trial=False) == 2.5
        assert rules.share_seconds(10.0, 2, on_trial=True) == 1.0
        assert rules.share_seconds(1.0, 1, on_trial=True) == 0.25
