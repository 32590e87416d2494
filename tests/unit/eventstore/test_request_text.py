"""Requests that are written at once say what botocore would have written."""

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from eventstore.dynamodb.connection import Endpoint, connect, connect_with_streams
from eventstore.transport.request_text import OPERATIONS

ENDPOINT = Endpoint("http://127.0.0.1:9", "eu-west-1", "key", "secret")
ROW = {
    "text": {"S": 'ä "quoted" \\ €'},
    "number": {"N": "-12.5"},
    "bytes": {"B": b"\x00\x01\xff"},
    "parts": {"BS": [b"\x00"]},
    "map": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}]}}},
}
PUT = {"Put": {"TableName": "t", "Item": ROW, "ConditionExpression": "attribute_not_exists(a)"}}
KEYS = {"t": {"Keys": [{"a": {"S": "1"}}], "ConsistentRead": True}}
REQUESTS: dict[str, dict[str, Any]] = {
    "batch_execute_statement": {"Statements": [{"Statement": "DELETE FROM t WHERE a=?", "Parameters": [{"B": b"1"}]}]},
    "batch_get_item": {"RequestItems": KEYS},
    "batch_write_item": {"RequestItems": {"t": [{"PutRequest": {"Item": ROW}}]}},
    "delete_item": {"TableName": "t", "Key": {"a": {"S": "1"}}},
    "describe_table": {"TableName": "t"},
    "execute_statement": {"Statement": "SELECT * FROM t"},
    "get_item": {"TableName": "t", "Key": {"a": {"S": "1"}}, "ConsistentRead": True},
    "list_tables": {},
    "put_item": {"TableName": "t", "Item": ROW},
    "query": {"TableName": "t", "KeyConditionExpression": "a = :a", "ExpressionAttributeValues": {":a": {"B": b"a"}}},
    "scan": {"TableName": "t", "Segment": 0, "TotalSegments": 2},
    "transact_get_items": {"TransactItems": [{"Get": {"TableName": "t", "Key": {"a": {"S": "1"}}}}]},
    "transact_write_items": {"TransactItems": [PUT], "ClientRequestToken": "token"},
    "update_item": {"TableName": "t", "Key": {"a": {"S": "1"}}, "UpdateExpression": "SET b = :b"},
}


class Caught:
    """What clients were about to send."""

    def __init__(self) -> None:
        self.requests: list[AWSPreparedRequest] = []

    def answer(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        self.requests.append(request)
        return AWSResponse(request.url, 500, {}, _Nothing())


class _Nothing:
    def stream(self, *_: Any, **__: Any) -> Any:
        yield b"{}"


def sent(client: Any, operation: str, request: dict[str, Any]) -> AWSPreparedRequest:
    """Return what a client sends."""
    caught = Caught()
    client.meta.events.register("before-send", caught.answer)
    with pytest.raises(Exception, match=r"not DynamoDB's|500"):
        getattr(client, operation)(**request)
    client.meta.events.unregister("before-send", caught.answer)
    (request_sent,) = caught.requests
    return request_sent


@pytest.mark.parametrize("operation", REQUESTS)
def test_what_is_sent_is_what_botocore_would_send(operation: str) -> None:
    """
    Byte by byte, but for the blanks and escapes that JSON leaves open; also what is not written at once.
    """
    stock = boto3.client(
        "dynamodb",
        endpoint_url=ENDPOINT.url,
        region_name=ENDPOINT.region,
        aws_access_key_id="key",
        aws_secret_access_key="secret",  # noqa: S106 - of nothing
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    request = REQUESTS[operation]
    before = repr(request)

    ours, theirs = sent(connect(ENDPOINT), operation, request), sent(stock, operation, request)

    assert json.loads(ours.body) == json.loads(theirs.body)
    assert len(ours.body) <= len(theirs.body)
    for name in ("X-Amz-Target", "Content-Type"):
        assert ours.headers[name] == theirs.headers[name]
    assert ours.headers["Content-Length"] == str(len(ours.body))
    assert ours.url == theirs.url
    assert repr(request) == before, "the caller's request is its own"


def test_all_that_is_written_at_once_is_compared() -> None:
    """
    An operation that joins them is looked at above.
    """
    assert {"".join(part.title() for part in name.split("_")) for name in REQUESTS} >= OPERATIONS


def test_a_token_that_botocore_adds_is_sent() -> None:
    """
    Without one each attempt of a client that repeats would be another transaction.
    """
    request = sent(connect(ENDPOINT), "transact_write_items", {"TransactItems": [PUT]})
    assert json.loads(request.body)["ClientRequestToken"]


def test_half_a_surrogate_pair_is_left_to_botocore() -> None:
    """
    UTF-8 cannot express it; botocore escapes it, and DynamoDB says what it thinks of it.
    """
    request = sent(connect(ENDPOINT), "put_item", {"TableName": "t", "Item": {"a": {"S": "\ud800"}}})
    assert b"\\ud800" in request.body


def test_streams_are_asked_as_ever() -> None:
    """
    Their requests are small.
    """
    _, streams = connect_with_streams(ENDPOINT)
    request = sent(streams, "get_records", {"ShardIterator": "iterator", "Limit": 1000})
    assert json.loads(request.body) == {"ShardIterator": "iterator", "Limit": 1000}
