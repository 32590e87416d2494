"""What the in-memory DynamoDB refuses, in the words of the service.

    ServiceError         code, message and members of the reply; `client_errors` turns it into botocore's ClientError
    ConnectionLostError  no reply; `client_errors` turns it into botocore's ConnectionClosedError

Every refusal that the service makes goes through here, so that one place knows codes and shapes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore.errors import Portable

CONDITION_FAILED = "ConditionalCheckFailedException"
TRANSACTION_CANCELLED_MESSAGE = "Transaction cancelled, please refer cancellation reasons for specific reasons"

_REASON_CODES: Mapping[str, str] = {
    CONDITION_FAILED: "ConditionalCheckFailed",
    "ResourceNotFoundException": "ResourceNotFound",
    "TransactionConflictException": "TransactionConflict",
    "ValidationException": "ValidationError",
}


class ServiceError(Portable, Exception):
    """A refusal by the service.

    Attributes:
        code: The error code, such as `ValidationException`.
        message: The sentence for a person.
        status: The HTTP status of the reply.
        members: Further members of the reply, such as `CancellationReasons`.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


class ConnectionLostError(Portable, Exception):
    """The connection broke: nobody on this side knows whether the call took effect."""

    def __init__(self, when: str) -> None:
        super().__init__(f"the connection was closed {when}")


def validation(message: str) -> ServiceError:
    """Return the refusal of a request that can never succeed as it is."""
    return ServiceError("ValidationException", message)


def table_not_found(name: str) -> ServiceError:
    """Return the refusal of a request that names a table which is not there."""
    return ServiceError("ResourceNotFoundException", f"Requested resource not found: Table: {name} not found")


def stream_not_found(what: str) -> ServiceError:
    """Return the refusal of a request that names a stream or shard which is not there."""
    return ServiceError("ResourceNotFoundException", f"Requested resource not found: {what} not found")


def resource_in_use(message: str) -> ServiceError:
    """Return the refusal of a change to a table that its state forbids."""
    return ServiceError("ResourceInUseException", message)


def conditional_check_failed(item: Mapping[str, Any] | None) -> ServiceError:
    """Return the refusal of a single write whose condition is not met; `item` when ALL_OLD was asked for."""
    return ServiceError(
        CONDITION_FAILED,
        "The conditional request failed",
        members={} if item is None else {"Item": item},
    )


def transaction_conflict() -> ServiceError:
    """Return the refusal of a write to an item that a transaction under way has changed."""
    return ServiceError("TransactionConflictException", "Transaction is ongoing for the item")


def transaction_cancelled(reasons: Sequence[Mapping[str, Any]]) -> ServiceError:
    """Return the refusal of a transaction; one reason per action, in the order of the request."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"{TRANSACTION_CANCELLED_MESSAGE} [{codes}]"
    return ServiceError(
        "TransactionCanceledException",
        message,
        members={"Message": message, "CancellationReasons": [dict(reason) for reason in reasons]},
    )


def idempotent_parameter_mismatch() -> ServiceError:
    """Return the refusal of a client request token that was used with other parameters."""
    message = "Request parameters do not match those of the earlier request with the same client request token"
    return ServiceError("IdempotentParameterMismatchException", message, members={"Message": message})


def reason_of(error: ServiceError) -> dict[str, Any]:
    """Return a refusal as a transaction's reason, or a statement's error, tells it."""
    return {**error.members, "Code": _REASON_CODES[error.code], "Message": error.message}
