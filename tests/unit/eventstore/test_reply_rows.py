"""Replies that are parsed at once are what botocore makes of them."""

import json
import zlib
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.parsers import create_parser

from eventstore.dynamodb.connection import Endpoint, connect
from eventstore.dynamodb.replies import CHECKSUM, ForeignReplyError
from eventstore.transport import reply_rows

KINDS: dict[str, Any] = {
    "text": {"S": 'ä "B" \\ €'},
    "number": {"N": "-12.5"},
    "bytes": {"B": "AAEC/w=="},
    "texts": {"SS": ["a", "B"]},
    "numbers": {"NS": ["1", "2"]},
    "parts": {"BS": ["AAEC", "/w=="]},
    "yes": {"BOOL": True},
    "nothing": {"NULL": True},
    "list": {"L": [{"S": "a"}, {"B": "AAEC"}, {"L": []}]},
    "map": {"M": {"a": {"M": {"b": {"B": "/w=="}}}, "empty": {"M": {}}}},
}
USED = {"TableName": "t", "CapacityUnits": 1.5, "Table": {"CapacityUnits": 1.5}}
CHANGE = {
    "ApproximateCreationDateTime": 1735689600.25,
    "Keys": {"aggregateId": {"S": "a"}},
    "NewImage": KINDS,
    "OldImage": {},
    "SequenceNumber": "100000000000000000001",
    "SizeBytes": 12,
    "StreamViewType": "NEW_AND_OLD_IMAGES",
}
RECORD = {
    "eventID": "1",
    "eventName": "INSERT",
    "eventVersion": "1.1",
    "eventSource": "aws:dynamodb",
    "awsRegion": "eu-west-1",
    "dynamodb": CHANGE,
    "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
}
KEYS = {"Keys": [{"a": {"S": "1"}}], "ConsistentRead": True, "ProjectionExpression": "#a"}
REPLIES = [
    ("Query", {"Items": [KINDS, {}], "Count": 2, "ScannedCount": 2, "ConsumedCapacity": USED}),
    ("Query", {"Items": [], "Count": 0, "ScannedCount": 7, "LastEvaluatedKey": KINDS, "OfALaterYear": {"a": 1}}),
    ("Scan", {"Count": 3, "ScannedCount": 3}),
    ("GetItem", {}),
    ("GetItem", {"Item": KINDS}),
    ("BatchGetItem", {"Responses": {"t": [KINDS]}, "UnprocessedKeys": {"t": KEYS}, "ConsumedCapacity": [USED]}),
    ("TransactGetItems", {"Responses": [{"Item": KINDS}, {}], "ConsumedCapacity": [USED]}),
    ("GetRecords", {"Records": [RECORD, {**RECORD, "dynamodb": {"Keys": {}}}], "NextShardIterator": "next"}),
    ("GetRecords", {"Records": []}),
]
ENDPOINT = Endpoint("http://127.0.0.1:9", "eu-west-1", "key", "secret")
QUERY: dict[str, Any] = {"TableName": "t", "KeyConditionExpression": "a = :a"}


def encoded(reply: Any) -> bytes:
    return json.dumps(reply, separators=(",", ":")).encode()


@pytest.mark.parametrize(("operation", "reply"), REPLIES)
def test_what_is_parsed_at_once_is_what_botocore_makes_of_it(operation: str, reply: Any) -> None:
    """
    Every kind of value, members that only a later model has, and what is not there.
    """
    service = "dynamodbstreams" if operation == "GetRecords" else "dynamodb"
    model = botocore.session.get_session().get_service_model(service)
    response = {"status_code": 200, "headers": {}, "body": encoded(reply)}
    expected = create_parser(model.resolved_protocol).parse(response, model.operation_model(operation).output_shape)
    del expected["ResponseMetadata"]

    assert reply_rows.parse(operation, encoded(reply)) == expected


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("PutItem", b"{}"),
        ("Query", b'{"Items":[{"a":{"B":"no base64"}}]}'),
        ("Query", b'{"Items":[{"a":{"S":1}}]}'),
        ("Query", b'{"Items":[{"a":{"S":"'),
        ("Query", b"[]"),
        ("Query", b'{"Items":' + b'[{"a":{"L":' * 5_000),
        ("Query", b'{"Items":[{"a":{"S":"\\ud800"}}]}'),
        ("Query", b'{"Items":[{"a":{"S":"\xff"}}]}'),
        ("GetRecords", b'{"Records":[{"dynamodb":{"ApproximateCreationDateTime":1e300}}]}'),
    ],
)
def test_what_looks_odd_is_left_to_botocore(operation: str, body: bytes) -> None:
    """
    It says what is wrong, where something is.
    """
    assert reply_rows.parse(operation, body) is None


class _Body:
    """What urllib3 gives."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._content


def answering(body: bytes, checksum: int | None = None) -> Callable[..., AWSResponse]:
    headers = {CHECKSUM: str(zlib.crc32(body) if checksum is None else checksum)}
    return lambda request, **_: AWSResponse(request.url, 200, headers, _Body(body))


def test_a_client_parses_at_once_and_leaves_the_rest_as_it_was() -> None:
    """
    The reply has its metadata as well.
    """
    client = connect(ENDPOINT)
    body = encoded({"Items": [KINDS], "Count": 1, "ScannedCount": 1})
    client.meta.events.register("before-send.dynamodb.Query", answering(body))

    reply = client.query(**QUERY)

    metadata = reply.pop("ResponseMetadata")
    assert (metadata["HTTPStatusCode"], CHECKSUM in metadata["HTTPHeaders"]) == (200, True)
    assert reply == reply_rows.parse("Query", body)
    assert reply["Items"][0]["bytes"] == {"B": b"\x00\x01\x02\xff"}


def test_the_checksum_is_of_the_body_as_it_came() -> None:
    """
    A body that is another one is refused before anything is parsed.
    """
    client = connect(ENDPOINT)
    client.meta.events.register("before-send.dynamodb.Query", answering(encoded({"Items": []}), checksum=1))

    with pytest.raises(ForeignReplyError, match="checksum"):
        client.query(**QUERY)
