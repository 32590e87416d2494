"""What befalls the statements of a BatchExecuteStatement one by one, inside a reply that says 200.

Source: AWS, API reference of BatchStatementError.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.testing.dynamodb.faults.chance import Chance
from eventstore.testing.dynamodb.faults.hiding import CONFLICT

BATCH_STATEMENTS = "BatchExecuteStatement"

THROTTLED: Sequence[Mapping[str, str]] = (
    {"Code": "ProvisionedThroughputExceeded", "Message": "The level of configured provisioned throughput was exceeded"},
    {"Code": "ThrottlingError", "Message": "Throughput exceeds the current capacity of your table or index"},
)
"""How a part of a call is refused for load: an action of a transaction, or a statement."""

_SERVER_ERROR: Mapping[str, str] = {"Code": "InternalServerError", "Message": "Internal server error"}
_UNPROCESSED: Sequence[Mapping[str, str]] = (
    *THROTTLED,
    {"Code": "RequestLimitExceeded", "Message": "Throughput exceeds the current throughput limit for your account"},
    _SERVER_ERROR,
)


def refuse(chance: Chance, count: int) -> Mapping[int, Mapping[str, str]]:
    """Return which of `count` statements are refused, each with its error; they have no effect."""
    refused: dict[int, Mapping[str, str]] = {}
    if count > 1 and chance.meets("unprocessed"):
        refused = {place: chance.one(_UNPROCESSED) for place in sorted(chance.some(count))}
    if chance.meets("transaction_conflict"):
        refused.update(dict.fromkeys(chance.some(count), CONFLICT))
    return refused


def with_server_errors(chance: Chance, reply: Mapping[str, Any]) -> dict[str, Any]:
    """Return a reply in which some statements are answered with a server error; nobody knows what these did."""
    answers = reply["Responses"]
    unclear = chance.some(len(answers))
    told = [_server_error(answer) if place in unclear else answer for place, answer in enumerate(answers)]
    return {**reply, "Responses": told}


def _server_error(answer: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: member for name, member in answer.items() if name == "TableName"}
    return {"Error": dict(_SERVER_ERROR), **named}
