"""Replies that hold rows, parsed at once.

botocore looks at each member of each row on its own, which made three quarters of the cost of a read.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypedDict

import msgspec


class _Value(TypedDict, total=False):
    """An attribute's value under its kind; bytes come as base64."""

    S: str
    N: str
    B: bytes
    SS: list[str]
    NS: list[str]
    BS: list[bytes]
    M: "dict[str, _Value]"
    L: "list[_Value]"
    NULL: bool
    BOOL: bool


_Row = dict[str, _Value]


class _Query(TypedDict, total=False):
    """Of Query and Scan."""

    Items: list[_Row]
    Count: int
    ScannedCount: int
    LastEvaluatedKey: _Row
    ConsumedCapacity: dict[str, Any]


class _GetItem(TypedDict, total=False):
    Item: _Row
    ConsumedCapacity: dict[str, Any]


class _BatchGetItem(TypedDict, total=False):
    Responses: dict[str, list[_Row]]
    UnprocessedKeys: "dict[str, _KeysAndAttributes]"
    ConsumedCapacity: list[dict[str, Any]]


class _KeysAndAttributes(TypedDict, total=False):
    Keys: list[_Row]
    AttributesToGet: list[str]
    ConsistentRead: bool
    ProjectionExpression: str
    ExpressionAttributeNames: dict[str, str]


class _ItemResponse(TypedDict, total=False):
    Item: _Row


class _TransactGetItems(TypedDict, total=False):
    Responses: list[_ItemResponse]
    ConsumedCapacity: list[dict[str, Any]]


class _Change(TypedDict, total=False):
    ApproximateCreationDateTime: float
    Keys: _Row
    NewImage: _Row
    OldImage: _Row
    SequenceNumber: str
    SizeBytes: int
    StreamViewType: str


class _Identity(TypedDict, total=False):
    PrincipalId: str
    Type: str


class _Record(TypedDict, total=False):
    eventID: str
    eventName: str
    eventVersion: str
    eventSource: str
    awsRegion: str
    dynamodb: _Change
    userIdentity: _Identity


class _GetRecords(TypedDict, total=False):
    Records: list[_Record]
    NextShardIterator: str


_SHAPES = {
    "Query": _Query,
    "Scan": _Query,
    "GetItem": _GetItem,
    "BatchGetItem": _BatchGetItem,
    "TransactGetItems": _TransactGetItems,
    "GetRecords": _GetRecords,
}
"""By an operation's name. Source: the models that come with botocore; members beyond them are left out, as there."""

_decoders: Mapping[str, Callable[[bytes], Any]] = {
    name: msgspec.json.Decoder(shape).decode for name, shape in _SHAPES.items()
}


def parse(operation: str, body: bytes) -> dict[str, Any] | None:
    """Return the members of a reply as botocore would give them; None when it is to look at them itself.

    Args:
        operation: Its name on the wire.
        body: Of a reply that says that all went well.
    """
    decode = _decoders.get(operation)
    if decode is None:
        return None
    try:
        body.decode()  # members that are left out are not looked at below
        reply: dict[str, Any] = decode(body)
        for record in reply.get("Records", ()):
            _read_moment(record.get("dynamodb", {}))
    except (msgspec.MsgspecError, RecursionError, ArithmeticError, ValueError, OSError):
        return None  # whoever looks closely says what is wrong
    return reply


def _read_moment(change: dict[str, Any]) -> None:
    seconds = change.get("ApproximateCreationDateTime")
    if seconds is not None:
        change["ApproximateCreationDateTime"] = datetime.fromtimestamp(seconds, UTC)
