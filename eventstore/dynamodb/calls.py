"""One call to DynamoDB, and what it can end in, as typed outcomes and as errors of the library.

No exception of a client library leaves this module.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from eventstore.backoff import Backoff
from eventstore.dynamodb.errors import (
    CancellationReason,
    ConditionFailedError,
    DeniedError,
    DynamoError,
    NotAppliedError,
    NotFoundError,
    OutcomeLostError,
    RefusedError,
    TransactionCancelledError,
)
from eventstore.dynamodb.time_limit import CURRENT, SECONDS_MIN
from eventstore.errors import (
    AccessDeniedError,
    EventStoreError,
    RequestRefusedError,
    TableMissingError,
    ThrottledError,
    UnreachableError,
)

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
    },
)


def call(
    operation: Callable[..., Mapping[str, Any]], /, *, within_seconds: float | None = None, **request: Any
) -> Mapping[str, Any]:
    """Make one call and return its reply.

    Args:
        operation: Method of a client.
        within_seconds: Longest wait for a connection and for each part of the reply, by clients that `connect` made;
            at least 0.1. None leaves it to the client's time-outs.
        request: Arguments of the call.

    Raises:
        DynamoError: One of its kinds; never an exception of the client library.
    """
    if within_seconds is not None:
        CURRENT.seconds = max(within_seconds, SECONDS_MIN)
    try:
        return operation(**request)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DeniedError(str(error)) from error
    except ClientError as error:
        raise classify(error) from error
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        raise NotAppliedError("Unreachable", str(error), reached=False) from error
    except BotoCoreError as error:
        raise OutcomeLostError(str(error)) from error
    finally:
        CURRENT.seconds = None


def classify(error: ClientError) -> DynamoError:
    """Return the typed form of a client error."""
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    message = str(error.response.get("Error", {}).get("Message", ""))
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400))
    if code == "TransactionCanceledException":
        reasons: Any = error.response.get("CancellationReasons", [])
        return TransactionCancelledError(
            tuple(
                CancellationReason(str(reason.get("Code", "None")), str(reason.get("Message", "")), reason.get("Item"))
                for reason in reasons
            ),
        )
    if code == "ConditionalCheckFailedException":
        there: Any = error.response.get("Item")
        return ConditionFailedError(message, there)
    if code in _THROTTLES:
        return NotAppliedError(code, message, reached=True)
    if code == "ResourceNotFoundException":
        return NotFoundError(message)
    if code in _DENIALS:
        return DeniedError(f"{code}: {message}")
    if status >= 500:  # noqa: PLR2004 - server errors begin here
        return OutcomeLostError(f"{code}: {message}")
    return RefusedError(code, message)


def tables_of(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tables that a request is about, each once."""
    if "TableName" in request:
        return (str(request["TableName"]),)
    if "RequestItems" in request:
        return tuple(request["RequestItems"])
    actions = (next(iter(action.values())) for action in request.get("TransactItems", ()))
    return tuple(dict.fromkeys(str(action["TableName"]) for action in actions))


def public_error(error: DynamoError, *, table: str = "", backoff: Backoff | None = None) -> EventStoreError:
    """Return the library's error for an outcome that its caller cannot handle."""
    match error:
        case NotAppliedError(reached=True) | TransactionCancelledError():
            return ThrottledError(f"DynamoDB: {error}", retry_after_seconds=(backoff or Backoff()).cap_seconds)
        case NotAppliedError() | OutcomeLostError():
            return UnreachableError(f"DynamoDB did not answer: {error}. Check the endpoint, or run `make up`")
        case NotFoundError():
            return TableMissingError(table or str(error))
        case DeniedError():
            return AccessDeniedError(f"{error}. Check the credentials and what they may do")
        case RefusedError():
            return RequestRefusedError(error.code, error.message)
        case _:
            return RequestRefusedError(type(error).__name__, str(error))
