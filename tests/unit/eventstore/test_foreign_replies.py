"""Only DynamoDB's word counts: what a proxy, another server or a torn wire says is no answer to anything."""

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from eventstore import (
    AccessDeniedError,
    AggregateRef,
    Backoff,
    Endpoint,
    EndpointError,
    EventStore,
    NewEvent,
    OutcomeUnknownError,
    StoreOptions,
    TableMissingError,
    TableNames,
    UnreachableError,
    init_tables,
)
from eventstore.context import StoreContext
from eventstore.dynamodb import calls, replies, tables
from eventstore.dynamodb.connection import connect_with_streams
from eventstore.dynamodb.errors import OutcomeLostError
from eventstore.dynamodb.store_record import StoreRecord
from eventstore.system import SystemRuntime
from tests.support.answering_server import Answer, AnsweringServer, answering_server, checksummed

from .conftest import ITEM, event

QUICK = Backoff(attempts_max=2, base_seconds=0.0, cap_seconds=0.0)

NOT_DYNAMODB = {
    "a page": Answer(b"<html><body>Welcome</body></html>", 200, {"Content-Type": "text/html"}),
    "nothing": Answer(b""),
    "an empty object of another server": Answer(b"{}", 200, {"Content-Type": "application/json"}),
    "an object of another server": Answer(b'{"Items":[],"Item":{},"Table":{},"Responses":[]}'),
    "a page with a checksum": checksummed(b"<html></html>"),
    "nothing with a checksum": checksummed(b""),
    "no UTF-8": checksummed(b'{"a":"\xff"}'),
    "a list": checksummed(b"[]"),
    "a number": checksummed(b"7"),
    "null": checksummed(b"null"),
    "half an object": checksummed(b'{"Items":['),
    "another checksum": Answer(b"{}", 200, {"x-amz-crc32": "7"}),
    "a checksum that is no number": Answer(b"{}", 200, {"x-amz-crc32": "seven"}),
    "too many levels": checksummed(b"[" * 100_000),
    "created": Answer(b"{}", 201),
    "no content": Answer(b"", 204),
    "moved": Answer(b"", 301, {"Location": "http://127.0.0.1:1/"}),
    "moved for now": Answer(b"<html>", 307),
    "a page that says no": Answer(b"<html>Bad Request</html>", 400),
    "forbidden by a gateway": Answer(b'{"message":"Forbidden"}', 403),
    "not found by a web server": Answer(b"Not Found", 404),
    "a list that says no": Answer(b"[]", 400),
    "no UTF-8 that says no": Answer(b"\xff\xfe", 400),
    "a balancer in trouble": Answer(b"<html>Bad Gateway</html>", 502),
}


@pytest.fixture(scope="module")
def server() -> Iterator[AnsweringServer]:
    with answering_server() as made:
        yield made


def own(url: str) -> tuple[Any, Any]:
    return connect_with_streams(Endpoint(url, "eu-central-1", "local", "local"))


def foreign(url: str) -> tuple[Any, Any]:
    """Return clients as any program would make them, which try again themselves."""
    config = Config(retries={"total_max_attempts": 1})
    keys = {"region_name": "eu-central-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return (
        boto3.client("dynamodb", endpoint_url=url, config=config, **keys),
        boto3.client("dynamodbstreams", endpoint_url=url, config=config, **keys),
    )


@pytest.fixture(scope="module", params=[own, foreign], ids=["connect", "boto3"])
def clients(request: pytest.FixtureRequest, server: AnsweringServer) -> Iterator[tuple[Any, Any]]:
    made = request.param(server.url)
    for each in made:
        replies.watch(each)
    yield made
    for each in made:
        each.close()


@pytest.fixture
def store(clients: tuple[Any, Any]) -> EventStore:
    options = StoreOptions(append_backoff=QUICK, read_backoff=QUICK)
    return EventStore(StoreContext(clients[0], TableNames(), StoreRecord(), options, SystemRuntime()))


@pytest.fixture(params=list(NOT_DYNAMODB))
def answer(request: pytest.FixtureRequest, server: AnsweringServer) -> Answer:
    server.answer = NOT_DYNAMODB[request.param]
    server.asked.clear()
    return server.answer


def test_an_append_is_never_stored_on_such_a_word(store: EventStore, server: AnsweringServer, answer: Answer) -> None:
    """
    It was sent and asked again, and nobody knows what became of it.
    """
    with pytest.raises(OutcomeUnknownError) as caught:
        store.append(ITEM, [event()], expected_version=0)

    assert server.asked == ["TransactWriteItems"] * 2
    assert "not DynamoDB's" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.load("item-1"),
        lambda store: store.current_version("item-1"),
        lambda store: list(store.read_type("COUNTED", from_ms=0, until_ms=1)),
        lambda store: store.stats(),
        lambda store: EventStore.open(store.context.client, options=store.context.options),
    ],
    ids=["load", "current_version", "read_type", "stats", "open"],
)
def test_a_read_gets_no_answer_from_it(store: EventStore, answer: Answer, read: Callable[[EventStore], Any]) -> None:
    """
    Nothing is read, and least of all that there is nothing.
    """
    with pytest.raises(UnreachableError, match="not DynamoDB's"):
        read(store)


def test_no_table_is_made_or_missing_on_such_a_word(
    clients: tuple[Any, Any], answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    `init` neither believes that a table is there nor that it is absent.
    """
    monkeypatch.setattr(tables, "_BACKOFF", QUICK)
    with pytest.raises(UnreachableError, match="not DynamoDB's"):
        init_tables(clients[0])


def test_a_stream_says_nothing_by_it(clients: tuple[Any, Any], answer: Answer) -> None:
    """
    The clients of streams are watched as well.
    """
    with pytest.raises(OutcomeLostError, match="not DynamoDB's"):
        calls.call(clients[1].get_records, ShardIterator="i")


@pytest.mark.parametrize(
    "code", ["ResourceNotFoundException", "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"]
)
def test_a_refusal_needs_no_checksum(store: EventStore, server: AnsweringServer, code: str) -> None:
    """
    DynamoDB Local sends none with errors; that it names the error is enough.
    """
    server.answer = Answer(f'{{"__type":"{code}","message":"no such table"}}'.encode(), 400)

    with pytest.raises(TableMissingError):
        store.load("item-1")


def test_a_proxy_that_wants_a_password(store: EventStore, server: AnsweringServer) -> None:
    """
    It has passed nothing on, and asking again does not help.
    """
    server.answer = Answer(b"<html>Proxy Authentication Required</html>", 407)
    server.asked.clear()

    with pytest.raises(EndpointError, match="proxy"):
        store.append(ITEM, [event()], expected_version=0)

    assert server.asked == ["TransactWriteItems"]


def test_credentials_refused_by_a_status_alone(store: EventStore, server: AnsweringServer) -> None:
    """
    A code of AWS that nobody has heard of, with a status that everybody knows.
    """
    server.answer = checksummed(b'{"__type":"SomethingNewException","message":"no"}', 403)

    with pytest.raises(AccessDeniedError, match="SomethingNewException"):
        store.load("item-1")


def test_what_users_ask_by_their_own_client_is_left_alone(server: AnsweringServer) -> None:
    """
    A client that a program shares with a store answers the program as it did before.
    """
    client, streams = foreign(server.url)
    replies.watch(client)
    server.answer = Answer(b'{"TableNames":["theirs"]}')

    assert client.list_tables()["TableNames"] == ["theirs"]
    for each in (client, streams):
        each.close()


def test_a_stubbed_client_answers_a_store(server: AnsweringServer) -> None:
    """
    The double that botocore brings has no headers, and what it says counts.
    """
    client, streams = foreign(server.url)
    with Stubber(client) as stub:
        record = {"epoch": {"N": "1"}, "indexShards": {"N": "4"}}
        stub.add_response("get_item", {"Item": record})
        stub.add_response("transact_write_items", {})
        stub.add_client_error("query", "ResourceNotFoundException", http_status_code=400)
        store = EventStore.open(client, options=StoreOptions(append_backoff=QUICK, read_backoff=QUICK))

        assert store.append(AggregateRef("ITEM", "a"), [NewEvent("MADE", {})], expected_version=0).version == 1
        with pytest.raises(TableMissingError):
            store.load("a")
    for each in (client, streams):
        each.close()


def test_a_client_that_tries_again_itself_is_not_believed(server: AnsweringServer) -> None:
    """
    Its last attempt reached nobody; an earlier one, whose reply was lost, may have been carried out.
    """
    config = Config(retries={"total_max_attempts": 2}, connect_timeout=1, read_timeout=1)
    keys = {"region_name": "eu-central-1", "aws_access_key_id": "local", "aws_secret_access_key": "local"}
    client: Any = boto3.client("dynamodb", endpoint_url=server.url, config=config, **keys)
    replies.watch(client)
    server.answer = checksummed(b'{"__type":"InternalServerError"}', 500)
    first = iter([True])
    send = client._endpoint.http_session.send

    def send_once(request: Any) -> Any:
        if next(first, False):
            return send(request)
        request.url = "http://127.0.0.1:1/"
        return send(request)

    client._endpoint.http_session.send = send_once
    with pytest.raises(OutcomeLostError):
        calls.call(client.put_item, TableName="things", Item={"id": {"S": "a"}})
    client.close()
