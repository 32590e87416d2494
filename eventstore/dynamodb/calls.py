"""DynamoDB behind one call: its refusals as typed outcomes, and reads that try again.

No exception of a client library leaves this module.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

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
from eventstore.errors import (
    AccessDeniedError,
    EventStoreError,
    RequestRefusedError,
    TableMissingError,
    ThrottledError,
    UnreachableError,
)
from eventstore.ports import Runtime

T = TypeVar("T")

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


def call(operation: Callable[..., Mapping[str, Any]], /, **request: Any) -> Mapping[str, Any]:
    """Make one call and return its reply.

    Raises:
        DynamoError: One of its kinds; never an exception of the client library.
    """
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


def read(
    runtime: Runtime,
    backoff: Backoff,
    operation: Callable[..., Mapping[str, Any]],
    /,
    *,
    needs: str | None = None,
    **request: Any,
) -> Mapping[str, Any]:
    """Make a call that is safe to repeat, again and again within the bound, and return its reply.

    Args:
        runtime: Clock and randomness for the delays.
        backoff: Bound of attempts and their delays.
        operation: Method of a client.
        needs: Key that a whole reply has; a reply without it was cut short and counts as lost.
        request: Arguments of the call.

    Raises:
        ThrottledError: Refused for load at every attempt.
        UnreachableError: No answer at every attempt.
        TableMissingError: The table does not exist.
        AccessDeniedError: Credentials are missing, wrong, or not allowed to do this.
        RequestRefusedError: A defect.
    """
    last: DynamoError = OutcomeLostError("never asked")
    for attempt in range(1, backoff.attempts_max + 1):
        if attempt > 1:
            runtime.sleep(backoff.delay_seconds(attempt - 1, runtime.uniform()))
        try:
            reply = call(operation, **request)
            if needs is None or needs in reply:
                return reply
            last = OutcomeLostError(f"the reply lacks {needs}")
        except (NotAppliedError, OutcomeLostError) as error:
            last = error
        except TransactionCancelledError as error:  # of a TransactGetItems: only conflicts and throttles can cause it
            last = error
        except DynamoError as error:
            raise public_error(error, table=str(request.get("TableName", ""))) from error
    raise public_error(last, backoff=backoff) from last


def public_error(error: DynamoError, *, table: str = "", backoff: Backoff | None = None) -> EventStoreError:
    """Return the library's error for an outcome that its caller cannot mend."""
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
