"""The in-memory DynamoDB over HTTP: its wire, its bounds, and faults as a client meets them there."""

import http.client
import json
import socket
import time
from contextlib import ExitStack
from threading import Thread
from urllib.parse import urlsplit
from zlib import crc32

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from eventstore.testing import databases, http_body
from eventstore.testing.dynamodb import InMemoryDynamoDB, Weather
from eventstore.testing.http import DevServer

THINGS = {
    "TableName": "things",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
}

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20250101/x/dynamodb/aws4_request"}
DEEP = b'{"TableName": "things", "Item": {"id": ' + b'{"L": [' * 300 + b"]}" * 300 + b"}}"


class Served:
    """A running server, and clients of it."""

    def __init__(self, **options):
        self.server = DevServer(**options)
        self._thread = Thread(target=self.server.serve, daemon=True)
        self._thread.start()
        self._clients = []

    def client(self, service="dynamodb", key="test", region="eu-central-1"):
        made = boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key="any",  # noqa: S106 - nobody looks at it
            config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=10),
        )
        self._clients.append(made)
        return made

    def weather(self, weather, key="test"):
        self.server.databases.of(key).weather = weather

    def close(self):
        for client in self._clients:
            client.close()
        self.server.stop()
        self._thread.join(5)
        self.server.close()

    def send(self, body=b"{}", *, target="DynamoDB_20120810.ListTables", **headers):
        """Send one bare request; return status, headers and body."""
        address = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
        try:
            connection.request("POST", "/", body, {"X-Amz-Target": target, **SIGNED, **headers})
            reply = connection.getresponse()
            return reply.status, dict(reply.headers), reply.read()
        finally:
            connection.close()


@pytest.fixture
def world():
    made = Served()
    yield made
    made.close()


def test_each_access_key_id_has_a_database(world):
    """
    What one makes, another does not see; two clients of one see the same.
    """
    world.client(key="one").create_table(**THINGS)

    assert world.client(key="one").list_tables()["TableNames"] == ["things"]
    assert world.client(key="two").list_tables()["TableNames"] == []


def test_each_region_has_a_database(world):
    """
    What is made in one is not in another, and every address names the region that the request was signed for.
    """
    created = world.client(region="us-west-2").create_table(**THINGS)["TableDescription"]

    assert created["TableArn"] == "arn:aws:dynamodb:us-west-2:000000000000:table/things"
    assert created["LatestStreamArn"].startswith(created["TableArn"])
    assert world.client(region="us-west-2").list_tables()["TableNames"] == ["things"]
    assert world.client().list_tables()["TableNames"] == []


def test_values_come_back_as_they_were_given(world):
    """
    Binaries, sets, numbers, texts of any script, and attributes that are called like types.
    """
    client = world.client()
    client.create_table(**THINGS)
    item = {
        "id": {"S": "größe ✓ \u2028"},
        "B": {"B": b"\x00\xff"},
        "BS": {"M": {"B": {"S": "text"}, "BS": {"BS": [b"a", b"b"]}}},
        "N": {"N": "12345678901234567890.5"},
        "L": {"L": [{"B": b""}, {"NULL": True}, {"BOOL": False}]},
    }
    client.put_item(TableName="things", Item=item)

    found = client.get_item(TableName="things", Key={"id": item["id"]}, ConsistentRead=True)["Item"]

    assert {**found, "BS": None} == {**item, "BS": None}
    assert sorted(found["BS"]["M"]["BS"]["BS"]) == [b"a", b"b"]


def test_times_come_back_as_times(world):
    """
    A table's creation, and a record's.
    """
    client, streams = world.client(), world.client("dynamodbstreams")
    created = client.create_table(**THINGS)["TableDescription"]
    client.put_item(TableName="things", Item={"id": {"S": "a"}})
    arn = created["LatestStreamArn"]
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    place = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
    (record,) = streams.get_records(ShardIterator=place["ShardIterator"])["Records"]

    between = record["dynamodb"]["ApproximateCreationDateTime"] - created["CreationDateTime"]
    assert -1 <= between.total_seconds() < 60


def test_replies_carry_their_checksum(world):
    """
    The body is what `x-amz-crc32` says, and a client that checks it is content.
    """
    status, headers, body = world.send()

    assert (status, json.loads(body)) == (200, {"TableNames": []})
    assert int(headers["x-amz-crc32"]) == crc32(body)
    assert headers["Content-Type"] == "application/x-amz-json-1.0"


def test_an_error_has_the_shape_of_the_service(world):
    """
    Type and message, and the further members of it.
    """
    status, _, body = world.send(b'{"TableName": "none"}', target="DynamoDB_20120810.DescribeTable")
    assert status == 400
    assert json.loads(body) == {
        "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
        "message": "Requested resource not found: Table: none not found",
    }

    client = world.client()
    client.create_table(**THINGS)
    put = {"TableName": "things", "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_exists(id)"}
    with pytest.raises(client.exceptions.TransactionCanceledException) as refused:
        client.transact_write_items(TransactItems=[{"Put": put}])
    assert refused.value.response["CancellationReasons"][0]["Code"] == "ConditionalCheckFailed"


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{", {}, 400, "SerializationException"),
        (b"[]", {}, 400, "SerializationException"),
        (b"\xff", {}, 400, "SerializationException"),
        (b"[" * 100_000, {}, 400, "SerializationException"),
        (b'{"Limit": "many"}', {}, 400, "SerializationException"),
        (b"{}", {"target": "DynamoDB_20120810.DescribeTable"}, 400, "ValidationException"),
        (b'{"KeyConditions": {}, "TableName": "x"}', {"target": "DynamoDB_20120810.Query"}, 400, "ValidationException"),
        (b'{"TableName": 5}', {"target": "DynamoDB_20120810.DescribeTable"}, 400, "SerializationException"),
        (b'{"RequestItems": []}', {"target": "DynamoDB_20120810.BatchGetItem"}, 400, "SerializationException"),
        (DEEP, {"target": "DynamoDB_20120810.PutItem"}, 400, "SerializationException"),
        (b"{}", {"target": "DynamoDB_20120810.Fly"}, 400, "UnknownOperationException"),
        (b"{}", {"target": "DynamoDBStreams_20120810.ListTables"}, 400, "UnknownOperationException"),
        (b"{}", {"Authorization": "none"}, 400, "MissingAuthenticationTokenException"),
        (b"{}", {"Content-Length": "many"}, 411, "SerializationException"),
        (b"{}", {"Content-Length": "-1"}, 411, "SerializationException"),
    ],
)
def test_a_request_that_is_none_is_refused(world, body, headers, status, code):
    """
    Every wrong request has a typed answer, and the server goes on.
    """
    answer, _, given = world.send(body, **headers)

    assert answer == status
    assert json.loads(given)["__type"].rpartition("#")[2] == code
    assert world.send()[0] == 200


def test_a_binary_that_is_not_base64_is_refused(world):
    """
    Not taken for something else.
    """
    world.client().create_table(**THINGS)
    body = b'{"TableName": "things", "Item": {"id": {"S": "a"}, "b": {"B": "?"}}}'

    status, _, given = world.send(body, target="DynamoDB_20120810.PutItem")

    assert (status, json.loads(given)["message"]) == (400, "A binary value is not base64")


def test_databases_are_bounded(world, monkeypatch):
    """
    A client that makes ever new access key ids is refused at last; the others go on.
    """
    monkeypatch.setattr(databases, "DATABASES_MAX", 2)
    for key in ("one", "two"):
        world.client(key=key).list_tables()

    with pytest.raises(ClientError, match="There are 2 databases already"):
        world.client(key="three").list_tables()
    assert world.client(key="one").list_tables()["TableNames"] == []


@pytest.fixture
def full():
    """Give a server that takes one connection, and that one."""
    world = Served(connections_max=1)
    address = urlsplit(world.server.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as only:
        only.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert only.recv(1000).startswith(b"HTTP/1.1 200")
        yield world, only
    world.close()


@pytest.mark.parametrize("body", [b"{}", b"x" * 1_000_000])
def test_one_connection_too_many_is_told(full, body):
    """
    It is answered in words that a client understands, and closed; whatever it sends is read before.
    """
    world, _ = full

    status, headers, given = world.send(body)

    assert (status, headers["Connection"]) == (503, "close")
    assert json.loads(given)["__type"].endswith("#ServiceUnavailable")
    assert json.loads(given)["message"] == "There are 1 connections already; close some, or allow for more"
    assert int(headers["x-amz-crc32"]) == crc32(given)


def test_the_end_of_a_connection_makes_room(full):
    """
    Whoever waits for it gets through.
    """
    world, only = full
    assert world.send()[0] == 503
    only.close()

    deadline = time.monotonic() + 10
    while world.send()[0] == 503:
        assert time.monotonic() < deadline


def test_many_connections_at_a_time(world):
    """
    Far more than a test suite opens have room by default.
    """
    address = urlsplit(world.server.url)
    with ExitStack() as stack:
        for _ in range(300):
            opened = stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))
            opened.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert opened.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_defect_is_told_and_logged(world, monkeypatch, caplog):
    """
    The client hears that it is the server's fault, the log has it whole, and the connection lives on.
    """
    client = world.client()

    def fail(_self, _operation, _request):
        raise RecursionError("too deep")

    with monkeypatch.context() as patched:
        patched.setattr(InMemoryDynamoDB, "call", fail)
        with pytest.raises(ClientError) as refused:
            client.list_tables()

    assert refused.value.response["Error"]["Code"] == "InternalServerError"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500
    (logged,) = [record for record in caplog.records if record.name == "eventstore.testing.http"]
    assert "DynamoDB_20120810.ListTables failed by a defect" in logged.getMessage()
    assert logged.exc_info[0] is RecursionError
    assert client.list_tables()["TableNames"] == []


def exchange(world, *sent):
    """Send bytes as they are; return all that comes until the server closes, and what came before the last piece."""
    address = urlsplit(world.server.url)
    came = b""
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        for piece in sent[:-1]:
            connection.sendall(piece)
            came = connection.recv(10_000)
        connection.sendall(sent[-1])
        whole = b""
        while received := connection.recv(10_000):
            whole += received
    return whole, came


HEAD = (
    b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Amz-Target: DynamoDB_20120810.ListTables\r\n"
    b"Authorization: " + SIGNED["Authorization"].encode() + b"\r\n"
)


def test_a_client_that_waits_to_send_its_body_is_let_on_at_once(world):
    """
    `Expect: 100-continue` is answered before the body comes.
    """
    whole, before = exchange(world, HEAD + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n", b"{}")

    assert before == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert whole.startswith(b"HTTP/1.1 200")


def test_a_client_that_waits_to_send_too_much_is_refused(world):
    """
    Before it sends any of it.
    """
    length = str(http_body.BODY_MAX_BYTES + 1).encode()

    whole, _ = exchange(world, HEAD + b"Content-Length: " + length + b"\r\nExpect: 100-continue\r\n\r\n")

    assert whole.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"0\r\n\r\n", 400),  # no body at all is no JSON
        (b"2\r\n{}\r\n0\r\n\r\n", 200),
        (b"1;name=value\r\n{\r\n1\r\n}\r\n0\r\nTrailer: x\r\n\r\n", 200),
        (b'F\r\n{ "Limit" :  10\r\n1\r\n}\r\n0\r\n\r\n', 200),
        (b"many\r\n{}\r\n0\r\n\r\n", 400),
        (b"-2\r\n{}\r\n0\r\n\r\n", 400),
        (b"1\r\n{}\r\n0\r\n\r\n", 400),
        (b"2" * 2000 + b"\r\n", 400),
    ],
)
def test_a_body_may_come_in_chunks(world, body, status):
    """
    They are put together; what is no chunk is refused, and the connection ends, as nobody knows where the next begins.
    """
    whole, _ = exchange(world, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + body)

    assert whole.startswith(f"HTTP/1.1 {status}".encode())


def test_a_body_that_is_too_long_has_an_answer(world, monkeypatch):
    """
    It is read to its end and forgotten, whole or in chunks, so that the client hears why.
    """
    monkeypatch.setattr(http_body, "BODY_MAX_BYTES", 100_000)
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    status, headers, given = world.send(b"x" * 3_000_000)
    in_chunks, _ = exchange(world, HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 40 + b"0\r\n\r\n")

    assert (status, headers["Connection"]) == (413, "close")
    assert json.loads(given)["message"] == "A body has at most 100000 bytes"
    assert in_chunks.startswith(b"HTTP/1.1 413")
    assert world.send(b" " * 99_000 + b"{}")[0] == 200


def test_head_is_answered(world):
    """
    As GET is, without a body.
    """
    whole, _ = exchange(world, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert whole.startswith(b"HTTP/1.1 200")
    assert whole.endswith(b"\r\n\r\n")
    assert b"Content-Length: 17\r\n" in whole


@pytest.mark.parametrize(("fault", "is_there"), [("lost_request", False), ("lost_reply", True)])
def test_a_lost_call_is_a_closed_connection(world, fault, is_there):
    """
    The client hears nothing, before the effect or after it.
    """
    client = world.client()
    client.create_table(**THINGS)
    world.weather(Weather(**{fault: 1}))
    with pytest.raises(ConnectionClosedError):
        client.put_item(TableName="things", Item={"id": {"S": "a"}})
    world.weather(Weather())

    assert ("Item" in client.get_item(TableName="things", Key={"id": {"S": "a"}})) == is_there


def test_a_streams_reply_cut_short_lacks_its_members(world):
    """
    The trap: a client of the streams raises nothing, and gives a reply without its members.
    """
    streams = world.client("dynamodbstreams")
    world.weather(Weather(cut_short=1))

    assert "Streams" not in streams.list_streams()


def test_a_server_error_is_one(world):
    """
    With its status, and the code of the service.
    """
    client = world.client()
    world.weather(Weather(server_error=1))

    with pytest.raises(ClientError) as failed:
        client.get_item(TableName="things", Key={"id": {"S": "a"}})

    assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] in {500, 503}
    assert failed.value.response["Error"]["Code"] in {"InternalServerError", "ServiceUnavailable"}


def test_it_listens_on_loopback_unless_told_otherwise(world):
    """
    Nobody is asked for a password, so nobody else is let in by default.
    """
    assert world.server.is_on_loopback
    assert world.server.url.startswith("http://127.0.0.1:")


def test_a_taken_port_is_an_error(world):
    """
    Two servers do not share one.
    """
    port = urlsplit(world.server.url).port
    with pytest.raises(OSError, match="in use"):
        DevServer(port)
