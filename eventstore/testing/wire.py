"""The JSON protocol of DynamoDB and DynamoDB Streams, version 1.0: requests and replies as bytes.

In JSON, binaries are base64 texts and times are seconds since 1970; the numbers of attribute values are texts, as they
are in the client. Source: AWS, "DynamoDB low-level API".
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.dynamodb.requests.known import REQUESTS

CONTENT_TYPE = "application/x-amz-json-1.0"
TABLES_TARGET = "DynamoDB_20120810"
STREAMS_TARGET = "DynamoDBStreams_20120810"
STREAMS_OPERATIONS = frozenset({"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"})


def read_target(header: str | None, known: frozenset[str]) -> str:
    """Return the operation that a request asks for.

    Args:
        header: `X-Amz-Target`.
        known: The operations there are.

    Raises:
        ServiceError: UnknownOperationException; there is no such operation.
    """
    service, _, operation = (header or "").partition(".")
    wanted = STREAMS_TARGET if operation in STREAMS_OPERATIONS else TABLES_TARGET
    if operation not in known or service != wanted:
        raise ServiceError("UnknownOperationException", f"The operation {header or '(none)'} is not known here")
    return operation


def read_request(operation: str, body: bytes) -> dict[str, Any]:
    """Return a request as the operation takes it: binaries decoded, without members that nobody knows.

    Raises:
        ServiceError: SerializationException or ValidationException; the body is no request of this operation.
    """
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
    decoded: dict[str, Any] = REQUESTS[operation].decode(request, "")
    return decoded


def write_reply(reply: Mapping[str, Any]) -> bytes:
    """Return the body of a reply."""
    return json.dumps(reply, default=_encoded, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")


def _encoded(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        seconds = value.timestamp()
        return int(seconds) if seconds.is_integer() else seconds
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise AssertionError(f"{type(value).__name__} is in no reply")


def write_error(error: ServiceError) -> bytes:
    """Return the body of a refusal."""
    space = "com.amazon.coral.service" if error.code in _COMMON else "com.amazonaws.dynamodb.v20120810"
    return write_reply({"__type": f"{space}#{error.code}", "message": error.message, **error.members})


_COMMON = frozenset(
    {"SerializationException", "UnknownOperationException", "ValidationException", "AccessDeniedException"}
)
