"""What happens to a call on its way: refused for load, a server error, a lost request or reply, a body cut short."""

from collections.abc import Mapping
from typing import Any

from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError, transaction_cancelled
from eventstore.testing.dynamodb.faults.chance import Chance
from eventstore.testing.dynamodb.faults.hiding import CONFLICT
from eventstore.testing.dynamodb.faults.statements import BATCH_STATEMENTS, THROTTLED, with_server_errors

UNTROUBLED = frozenset(
    {
        "CreateTable", "DeleteTable", "ListTables", "UpdateTable", "DescribeLimits",
        "DescribeTimeToLive", "UpdateTimeToLive", "DescribeContinuousBackups", "UpdateContinuousBackups",
        "ListTagsOfResource", "TagResource", "UntagResource",
    }
)  # fmt: skip
"""Set-up meets no faults, so that a test can make its tables."""

_STREAMS = frozenset({"DescribeStream", "GetRecords", "GetShardIterator", "ListStreams"})
_WRITES = frozenset({"DeleteItem", "PutItem", "UpdateItem"})
CAN_BE_CUT = _STREAMS | {
    BATCH_STATEMENTS, "BatchGetItem", "BatchWriteItem", "DescribeTable", "Query", "Scan", "TransactGetItems",
}  # fmt: skip
"""Replies with a member that is always there: whoever looks for it sees that the body was cut. A GetItem cut short
would look like an absent item; the checksum of the dynamodb service guards against that, and so it is not done."""

_THROTTLES: Mapping[str, str] = {
    "ProvisionedThroughputExceededException": "The level of configured provisioned throughput was exceeded",
    "RequestLimitExceeded": "Throughput exceeds the current throughput limit for your account",
    "ThrottlingException": "Rate exceeded",
}
_STATEMENT_THROTTLES: Mapping[str, str] = {
    code: _THROTTLES[code] for code in ("RequestLimitExceeded", "ThrottlingException")
}
"""Of a whole batch of statements; the throughput of a table is exceeded statement by statement."""
_STREAM_THROTTLES: Mapping[str, str] = {
    "LimitExceededException": "Too many operations at the same time",
    "ThrottlingException": "Rate exceeded",
}
_NO_REASON: Mapping[str, str] = {"Code": "None"}


class Journey:
    """Decides what a call meets before and after its effect.

    Args:
        chance: Decides.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def go(self, operation: str, request: Mapping[str, Any]) -> None:
        """Let a call reach the service, or not.

        Raises:
            ServiceError: It is refused, and has no effect.
            ConnectionLostError: It got lost, and has no effect.
        """
        if operation in UNTROUBLED:
            return
        if self._chance.meets("lost_request"):
            raise ConnectionLostError("before the request had arrived")
        if self._chance.meets("throttle"):
            raise self._throttled(operation, request)
        if self._chance.meets("server_error"):
            raise self._server_error()
        is_transaction = operation in {"TransactWriteItems", "TransactGetItems"}
        if (is_transaction and request["TransactItems"]) or operation in _WRITES:
            if not self._chance.meets("transaction_conflict"):
                return
            if is_transaction:
                raise self._cancelled(request, CONFLICT)
            raise ServiceError("TransactionConflictException", CONFLICT["Message"])

    def come_back(self, operation: str, reply: dict[str, Any]) -> dict[str, Any]:
        """Return what arrives of a reply.

        Raises:
            ServiceError: A server's error instead of it; the call took effect.
            ConnectionLostError: Nothing arrives; the call took effect.
        """
        if operation in UNTROUBLED:
            return reply
        if self._chance.meets("server_error_after"):
            if operation != BATCH_STATEMENTS or self._chance.coin():
                raise self._server_error()
            reply = with_server_errors(self._chance, reply)
        if self._chance.meets("lost_reply"):
            raise ConnectionLostError("before the reply had arrived")
        if operation in CAN_BE_CUT and self._chance.meets("cut_short"):
            return {}
        return reply

    def _throttled(self, operation: str, request: Mapping[str, Any]) -> ServiceError:
        if operation == "TransactWriteItems" and request["TransactItems"] and self._chance.coin():
            return self._cancelled(request, self._chance.one(THROTTLED))
        throttles = _STREAM_THROTTLES if operation in _STREAMS else _THROTTLES
        if operation == BATCH_STATEMENTS:
            throttles = _STATEMENT_THROTTLES
        code = self._chance.one(tuple(throttles))
        return ServiceError(code, throttles[code])

    def _cancelled(self, request: Mapping[str, Any], reason: Mapping[str, Any]) -> ServiceError:
        count = len(request["TransactItems"])
        refused = self._chance.some(count)
        return transaction_cancelled([reason if place in refused else _NO_REASON for place in range(count)])

    def _server_error(self) -> ServiceError:
        if self._chance.coin():
            return ServiceError("InternalServerError", "Internal server error", status=500)
        return ServiceError("ServiceUnavailable", "The service is temporarily unavailable", status=503)
