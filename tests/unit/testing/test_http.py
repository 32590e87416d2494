"""The in-memory DynamoDB over HTTP: its wire, its bounds, and faults as a client meets them there."""

import http.client
import json
import socket
from threading import Thread
from urllib.parse import urlsplit
from zlib import crc32

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from eventstore.testing import http as served
from eventstore.testing.dynamodb import Weather
from eventstore.testing.http import DevServer

THINGS = {
    "TableName": "things",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
}


class Served:
    """A running server, and clients of it."""

    def __init__(self, **options):
        self.server = DevServer(**options)
        self._thread = Thread(target=self.server.serve, daemon=True)
        self._thread.start()
        self._clients = []

    def client(self, service="dynamodb", key="test"):
        made = boto3.client(
            service,
            endpoint_url=self.server.url,
            region_name="eu-central-1",
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
            signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20250101/x/dynamodb/aws4_request"}
            connection.request("POST", "/", body, {"X-Amz-Target": target, **signed, **headers})
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
        (b'{"Other": 1}', {}, 400, "ValidationException"),
        (b"{}", {"target": "DynamoDB_20120810.Fly"}, 400, "UnknownOperationException"),
        (b"{}", {"target": "DynamoDBStreams_20120810.ListTables"}, 400, "UnknownOperationException"),
        (b"{}", {"Authorization": "none"}, 400, "MissingAuthenticationTokenException"),
        (b"{}", {"Content-Length": "many"}, 411, "SerializationException"),
        (b"{}", {"Content-Length": str(served.BODY_MAX_BYTES + 1)}, 413, "RequestEntityTooLarge"),
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
    monkeypatch.setattr(served, "DATABASES_MAX", 2)
    for key in ("one", "two"):
        world.client(key=key).list_tables()

    with pytest.raises(ClientError, match="There are 2 databases already"):
        world.client(key="three").list_tables()
    assert world.client(key="one").list_tables()["TableNames"] == []


def test_connections_are_bounded(monkeypatch):
    """
    One connection too many is closed at once, and room is made by the end of another.
    """
    monkeypatch.setattr(served, "CONNECTIONS_MAX", 1)
    world = Served()
    address = urlsplit(world.server.url)
    try:
        with socket.create_connection((address.hostname, address.port), timeout=10) as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert first.recv(1000).startswith(b"HTTP/1.1 200")
            with socket.create_connection((address.hostname, address.port), timeout=10) as second:
                assert second.recv(1000) == b""
    finally:
        world.close()


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
