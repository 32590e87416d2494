"""Whether a reply is about the rows that a request named. Pure.

A connection that two users share, or a proxy in between, can hand one the answer of another, whole and well formed.
The rows themselves say whose they are.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from eventstore.dynamodb.errors import OutcomeLostError

_PARTITION = re.compile(r"(\S+) = (:\w+)")
"""The first condition of each of our Queries, which names the partition."""


def check(request: Mapping[str, Any], reply: Mapping[str, Any]) -> None:
    """Check that each row of a reply has a key that was asked for.

    Args:
        request: Arguments of the call.
        reply: The answer; rows may lack attributes that a projection left out.

    Raises:
        OutcomeLostError: One has another key: the answer is another's, so that this call's got lost.
    """
    if not _is_about(request, reply):
        raise OutcomeLostError("the reply is about other rows than those that were asked for")


def _is_about(request: Mapping[str, Any], reply: Mapping[str, Any]) -> bool:
    if "KeyConditionExpression" in request:
        name, value = _partition(request)
        return all(row.get(name, value) == value for row in reply.get("Items") or ())
    if "Key" in request:
        return all(_has(reply.get(member), request["Key"]) for member in ("Item", "Attributes"))
    if "TransactItems" in request:
        answered = zip(request["TransactItems"], reply.get("Responses") or (), strict=False)
        return all(_has(response.get("Item"), action["Get"]["Key"]) for action, response in answered if "Get" in action)
    responses = reply.get("Responses")
    if "RequestItems" in request and isinstance(responses, Mapping):
        asked = request["RequestItems"]
        return all(_are_among(rows, asked.get(table, {}).get("Keys", ())) for table, rows in responses.items())
    return True


def _partition(request: Mapping[str, Any]) -> tuple[str, Any]:
    """Return the attribute and the value of the partition that a Query reads."""
    condition = _PARTITION.match(request["KeyConditionExpression"])
    assert condition, "a Query names its partition first"
    name, value = condition.groups()
    return request.get("ExpressionAttributeNames", {}).get(name, name), request["ExpressionAttributeValues"][value]


def _has(row: Mapping[str, Any] | None, key: Mapping[str, Any]) -> bool:
    return not row or all(row.get(name, value) == value for name, value in key.items())


def _are_among(rows: Iterable[Mapping[str, Any]], keys: Iterable[Mapping[str, Any]]) -> bool:
    asked = {_as_text(key, key) for key in keys}
    names = set[str]().union(*keys)
    return all(_as_text(row, names) in asked for row in rows)


def _as_text(row: Mapping[str, Mapping[str, Any]], names: Iterable[str]) -> str:
    return repr([(name, row.get(name)) for name in sorted(names)])
