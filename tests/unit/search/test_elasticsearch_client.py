"""What the client makes of answers: which are worth asking again, and which are said at once."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from eventstore.errors import EndpointError
from eventstore.search.client import SearchLostError, SearchStatusError
from eventstore.search.elasticsearch import ElasticsearchSearch
from relay.destinations.index.elasticsearch import ElasticsearchClient

PRODUCT = {"X-Elastic-Product": "Elasticsearch", "content-type": "application/json"}


class Server:
    """An HTTP server that gives one answer to everything."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 200, dict(PRODUCT), b"{}"
        self.requests: list[tuple[str, str, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                content = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.requests.append((self.command, self.path, content))
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the base class

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()


@pytest.fixture
def client(server) -> Iterator[ElasticsearchSearch]:
    made = ElasticsearchSearch(server.url)
    yield made
    made.close()


def error(kind: str, cause: str | None = None) -> bytes:
    causes = [] if cause is None else [{"type": cause, "reason": "its words"}]
    return json.dumps({"error": {"type": kind, "reason": "words", "root_cause": causes}, "status": 0}).encode()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, error("es_rejected_execution_exception")),
        (503, error("search_phase_execution_exception")),
        (500, b"<html>"),
        (403, error("cluster_block_exception")),
        (408, error("timeout")),
    ],
)
def test_what_passes_is_worth_asking_again(server, client, status, body):
    """Overload, failing servers and blocks; the client itself asks once."""
    server.status, server.body = status, body

    with pytest.raises(SearchLostError, match=f"status {status}"):
        client.search("shop-events", {"size": 1}, 5)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error("search_phase_execution_exception", "parsing_exception"), "parsing_exception"),
        (401, error("security_exception"), "security_exception"),
        (404, error("index_not_found_exception", "index_not_found_exception"), "index_not_found_exception"),
        (
            404,
            error("search_phase_execution_exception", "search_context_missing_exception"),
            "search_context_missing_exception",
        ),
        (400, b'{"error":"plain words"}', "http"),
    ],
)
def test_what_does_not_pass_is_said(server, client, status, body, kind):
    """With the innermost cause, which tells what to do."""
    server.status, server.body = status, body

    with pytest.raises(SearchStatusError) as caught:
        client.search(None, {"size": 1}, 5)
    assert (caught.value.status, caught.value.kind) == (status, kind)


def test_a_server_of_another_kind(server, client):
    """Whatever it answers, it is not taken for Elasticsearch."""
    del server.headers["X-Elastic-Product"]

    with pytest.raises(SearchStatusError, match="not Elasticsearch"):
        client.count("shop-events", {"query": {"match_all": {}}}, 5)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"count":', b'{"cou":1}', b'{"count":1,"_shards":{"failed":1}}'])
def test_a_count_that_is_none(server, client, body):
    """A reply cut short, of another kind, or of some shards only is no answer."""
    server.body = body

    with pytest.raises(SearchLostError):
        client.count("shop-events", {"query": {"match_all": {}}}, 5)


def test_nobody_listens(server):
    """A closed port is an answer that may come later."""
    server.close()
    client = ElasticsearchSearch(server.url)

    with pytest.raises(SearchLostError, match="no answer to POST /shop-events/_pit"):
        client.open_view("shop-events", 60, 5)
    client.close()


def test_what_is_sent(server, client):
    """Complete answers or none, and the body as it is."""
    server.body = b'{"hits":{"hits":[]}}'

    assert client.search("shop-events", {"size": 1}, 5) == server.body
    assert server.requests == [("POST", "/shop-events/_search?allow_partial_search_results=false", b'{"size":1}')]


def test_a_view_that_is_gone_is_let_go(server, client):
    """Letting go twice is not an error; a refusal is."""
    server.status, server.body = 404, b'{"succeeded":true,"num_freed":0}'
    client.close_view("view", 5)

    server.status, server.body = 400, error("illegal_argument_exception")
    with pytest.raises(SearchStatusError):
        client.close_view("view", 5)


@pytest.mark.parametrize("urls", ["", "localhost", "ftp://x", "http://"])
def test_an_address_that_is_none(urls):
    """It is said when the client is made."""
    with pytest.raises(EndpointError, match="search index"):
        ElasticsearchSearch(urls)


@pytest.mark.parametrize("connect", [ElasticsearchSearch, ElasticsearchClient], ids=["search", "relay"])
@pytest.mark.parametrize(
    "urls",
    ["https://me:sesame@ho st:9200", "https://me:sesame@host:99999", "https://a:9200,https://me:ses@me@[::1"],
)
def test_an_address_that_is_none_keeps_its_password(connect, urls):
    """What cannot be read as an address is shown, without what stands before the host."""
    with pytest.raises(ValueError if connect is ElasticsearchClient else EndpointError) as caught:
        connect(urls)

    assert "ses" not in str(caught.value)
    assert caught.value.__cause__ is None
