"""Requests of the library's own clients, written at once.

DynamoDB's JSON has the members of a request as they are, and bytes as base64; botocore looks for the shape of each of
them in its model, which made a third of the cost of an append.
"""

from typing import Any

import msgspec

OPERATIONS = frozenset(
    {"BatchExecuteStatement", "GetItem", "PutItem", "Query", "TransactGetItems", "TransactWriteItems", "UpdateItem"}
)
"""Those that are many, or large. Of some others, as BatchGetItem, botocore wants to know the tables beforehand, and it
does not take it that what is left of the request names none."""

_BODY = "eventstore-body"
_EMPTY = b"{}"

_encode = msgspec.json.Encoder().encode


def write_at_once(client: Any) -> None:
    """Have a client of DynamoDB write its requests itself, where botocore would write JSON; safe to repeat.

    Args:
        client: One of boto3's that the library made itself.
    """
    if client.meta.service_model.resolved_protocol != "json":
        return
    events = client.meta.events
    # Last of all: what other handlers change in the parameters, or add to them, is a part of the request.
    events.register_last("before-parameter-build", _take_parameters, unique_id="eventstore-take-parameters")
    events.register_first("before-call", _put_body, unique_id="eventstore-put-body")


def _take_parameters(params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
    """Write the request, and leave nothing of it for botocore to look at."""
    if model.name not in OPERATIONS:
        return
    try:
        context[_BODY] = _encode(params)
    except (TypeError, ValueError, RecursionError):
        return  # as of half a surrogate pair
    params.clear()


def _put_body(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    body = context.pop(_BODY, None)
    if body is not None:
        assert params["body"] == _EMPTY, "botocore found something to write where nothing was left"
        params["body"] = body
