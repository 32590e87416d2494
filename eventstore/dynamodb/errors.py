"""What a call to DynamoDB can end in, apart from success, and which error code means what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventstore.errors import Portable

_THROTTLES = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "TransactionConflictException",
        "TransactionInProgressException",
    },
)
_DENIALS = frozenset(
    {
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
        "ExpiredTokenException",
        "IncompleteSignatureException",
        "AccessDenied",
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "NotAuthorized",
        "OptInRequired",
        "RequestExpired",
    },
)
"""Codes of DynamoDB, and those that all services of AWS have in common. Source: AWS, API reference, "Common Errors"."""

_DENIAL_STATUSES = frozenset({401, 403})


class DynamoError(Portable, Exception):
    """A call did not do what it was asked; what is known of its effect is the class's meaning."""


class NotAppliedError(DynamoError):
    """Throttled, in conflict, or never sent: nothing happened, and the same call may succeed later."""

    def __init__(self, code: str, message: str, *, reached: bool) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.reached = reached

    @property
    def is_throttle(self) -> bool:
        """Whether it was refused for load: whoever asks should ask for less."""
        return self.reached and not self.code.startswith("Transaction")


class OutcomeLostError(DynamoError):
    """The reply was lost or broken: a write may have happened or not."""


class ConditionFailedError(DynamoError):
    """The condition of a single write did not hold; `item` is the row that is there, when the call asked for it."""

    def __init__(self, message: str, item: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.item = item


@dataclass(frozen=True, slots=True)
class CancellationReason:
    """Why one action of a transaction was refused; `None` when it was not the one.

    Attributes:
        code: DynamoDB's code, such as `ConditionalCheckFailed`.
        message: DynamoDB's words.
        item: The row that was in the way, when there was one.
    """

    code: str
    message: str
    item: dict[str, Any] | None


class TransactionCancelledError(DynamoError):
    """A transaction was refused as a whole; nothing of it happened."""

    def __init__(self, reasons: tuple[CancellationReason, ...]) -> None:
        super().__init__(", ".join(reason.code for reason in reasons))
        self.reasons = reasons


class NotFoundError(DynamoError):
    """The table, stream or shard named in the call does not exist."""


class RefusedError(DynamoError):
    """DynamoDB refused the call for good: it is malformed, or an iterator is of no more use."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class DeniedError(DynamoError):
    """Credentials cannot be had, are wrong, or not allowed to do this."""


class UnusableEndpointError(DynamoError):
    """Nothing was sent, and nothing can be: the address, the proxy or the TLS handshake is not right."""


_PASSING_CODES = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded", "RequestLimitExceeded"}
)
"""Why one statement of many did not happen, where time heals it. Source: AWS, API reference of BatchStatementError."""


def of_statement(error: Mapping[str, Any]) -> DynamoError:
    """Return what the refusal of one statement of many means: its codes are those of BatchStatementError.

    Args:
        error: Its `Code`, `Message`, and `Item` where one was asked for.
    """
    code, message = str(error.get("Code", "Unknown")), str(error.get("Message", ""))
    if code == "ConditionalCheckFailed":
        return ConditionFailedError(message, error.get("Item"))
    if code in _PASSING_CODES:
        return NotAppliedError(code, message, reached=True)
    if code == "InternalServerError":
        return OutcomeLostError(f"{code}: {message}")
    if code == "ResourceNotFound":
        return NotFoundError(message)
    if code == "AccessDenied":
        return DeniedError(f"{code}: {message}")
    return RefusedError(code, message)


def of_refusal(response: Mapping[str, Any]) -> DynamoError:
    """Return what a refusal means, by its code and, where that is unknown, its HTTP status.

    Args:
        response: A refusal as boto3 decodes it: `Error`, `ResponseMetadata`, `CancellationReasons`.
    """
    code = str(response.get("Error", {}).get("Code", "Unknown"))
    message = str(response.get("Error", {}).get("Message", ""))
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    if code == "TransactionCanceledException":
        reasons: Any = response.get("CancellationReasons", [])
        return TransactionCancelledError(
            tuple(
                CancellationReason(str(reason.get("Code", "None")), str(reason.get("Message", "")), reason.get("Item"))
                for reason in reasons
            ),
        )
    if code == "ConditionalCheckFailedException":
        there: Any = response.get("Item")
        return ConditionFailedError(message, there)
    if code in _THROTTLES:
        return NotAppliedError(code, message, reached=True)
    if code == "ResourceNotFoundException":
        return NotFoundError(message)
    if code in _DENIALS or status in _DENIAL_STATUSES:
        return DeniedError(f"{code}: {message}")
    if status >= 500:  # noqa: PLR2004 - server errors begin here
        return OutcomeLostError(f"{code}: {message}")
    return RefusedError(code, message)
