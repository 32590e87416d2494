"""One call to DynamoDB, and what it can end in, as typed outcomes and as errors of the library.

No exception of a client library leaves this module.
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from eventstore.dynamodb import answers, failures
from eventstore.dynamodb.errors import (
    DeniedError,
    DynamoError,
    NotFoundError,
    RefusedError,
    UnusableEndpointError,
    of_refusal,
)
from eventstore.errors import (
    AccessDeniedError,
    EndpointError,
    EventStoreError,
    RequestRefusedError,
    TableMissingError,
)
from eventstore.transport.call_stage import CALL, Stage
from eventstore.transport.time_limit import CURRENT


def call(
    operation: Callable[..., Mapping[str, Any]], /, *, within_seconds: float | None = None, **request: Any
) -> Mapping[str, Any]:
    """Make one call and return its reply.

    Args:
        operation: Method of a client.
        within_seconds: How long the call may take, by clients that `connect` made; at least 0.1. None leaves it to the
            client's time-outs.
        request: Arguments of the call.

    Raises:
        DynamoError: One of its kinds; never an exception of the client library, or of what it is made of.
    """
    if within_seconds is not None:
        CURRENT.begin(within_seconds)
    CALL.begin()
    try:
        reply = operation(**request)
    except ClientError as error:
        raise _of_client_error(error) from error
    except Exception as error:
        outcome = failures.outcome_of(error, CALL.stage)
        if outcome is None:
            raise
        raise outcome from error
    finally:
        CALL.end()
        CURRENT.ends_at = None
    answers.check(request, reply)
    return reply


def _of_client_error(error: ClientError) -> DynamoError:
    """Return what a refusal means; one of another operation than the call's is of whoever gives out credentials."""
    if CALL.stage is not Stage.UNSEEN and error.operation_name != CALL.operation:
        return failures.of_provider(error)
    return of_refusal(error.response)


def tables_of(request: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the tables that a request is about, each once."""
    if "TableName" in request:
        return (str(request["TableName"]),)
    if "RequestItems" in request:
        return tuple(request["RequestItems"])
    actions = (next(iter(action.values())) for action in request.get("TransactItems", ()))
    return tuple(dict.fromkeys(str(action["TableName"]) for action in actions))


def public_error(error: DynamoError, *, table: str = "") -> EventStoreError:
    """Return the library's error for an outcome that neither the caller nor time can fix.

    Args:
        error: How the call ended; not refused for load, and not unanswered: see `Caller.gave_up`.
        table: The table that is missing, if one is.
    """
    match error:
        case NotFoundError():
            return TableMissingError(table or str(error))
        case DeniedError():
            return AccessDeniedError(f"{error}. Check the credentials and what they may do")
        case UnusableEndpointError():
            return EndpointError(
                f"DynamoDB cannot be asked: {error}. Check endpoint, proxy (HTTPS_PROXY) and certificates"
            )
        case RefusedError():
            return RequestRefusedError(error.code, error.message)
        case _:
            return RequestRefusedError(type(error).__name__, str(error))
