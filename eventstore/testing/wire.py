"""The JSON protocol of DynamoDB and DynamoDB Streams, version 1.0: requests and replies as bytes.

In JSON, binaries are base64 texts and times are seconds since 1970; the numbers of attribute values are texts, as they
are in the client. Source: AWS, "DynamoDB low-level API".
"""

import json
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from eventstore.testing.dynamodb.errors import ServiceError

CONTENT_TYPE = "application/x-amz-json-1.0"
TABLES_TARGET = "DynamoDB_20120810"
STREAMS_TARGET = "DynamoDBStreams_20120810"
DEPTH_MAX = 200
"""Deeper requests are refused; items nest at most 32 levels."""

_STREAMS_OPERATIONS = frozenset({"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"})
_NAMES = "ExpressionAttributeNames"


def read_target(header: str | None, known: frozenset[str]) -> str:
    """Return the operation that a request asks for.

    Args:
        header: `X-Amz-Target`.
        known: The operations there are.

    Raises:
        ServiceError: UnknownOperationException; there is no such operation.
    """
    service, _, operation = (header or "").partition(".")
    wanted = STREAMS_TARGET if operation in _STREAMS_OPERATIONS else TABLES_TARGET
    if operation not in known or service != wanted:
        raise ServiceError("UnknownOperationException", f"The operation {header or '(none)'} is not known here")
    return operation


def read_request(body: bytes) -> dict[str, Any]:
    """Return a request as the operations take it, binaries decoded.

    Raises:
        ServiceError: SerializationException; the body is not a request.
    """
    try:
        request = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ServiceError("SerializationException", f"The body is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "Start of structure or map expected")
    try:
        decoded: dict[str, Any] = _decoded(request, 0)
    except (Error, ValueError) as error:
        raise ServiceError("SerializationException", "A binary value is not base64") from error
    return decoded


def _decoded(value: Any, depth: int) -> Any:
    """Return a value with the binaries of attribute values decoded.

    A map from names to attribute values may have the name `B` too; there its member is a map, and here a text.
    """
    if depth > DEPTH_MAX:
        raise ServiceError("SerializationException", f"The body nests deeper than {DEPTH_MAX} levels")
    if isinstance(value, dict):
        if len(value) == 1:
            content = value.get("B")
            if isinstance(content, str):
                return {"B": b64decode(content, validate=True)}
            content = value.get("BS")
            if isinstance(content, list) and all(isinstance(one, str) for one in content):
                return {"BS": [b64decode(one, validate=True) for one in content]}
        return {
            name: member if name == _NAMES else _decoded(member, depth + 1)
            for name, member in value.items()
            if member is not None  # a null stands for a parameter that was left away
        }
    if isinstance(value, list):
        return [_decoded(member, depth + 1) for member in value]
    return value


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
