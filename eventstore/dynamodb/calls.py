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

from eventstore.dynamodb.errors import (
    DeniedError,
    DynamoError,
    NotAppliedError,
    NotFoundError,
    OutcomeLostError,
    RefusedError,
    of_refusal,
)
from eventstore.errors import (
    AccessDeniedError,
    EventStoreError,
    RequestRefusedError,
    TableMissingError,
)
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
        DynamoError: One of its kinds; never an exception of the client library.
    """
    if within_seconds is not None:
        CURRENT.begin(within_seconds)
    try:
        return operation(**request)
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DeniedError(str(error)) from error
    except ClientError as error:
        raise of_refusal(error.response) from error
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        raise NotAppliedError("Unreachable", str(error), reached=False) from error
    except BotoCoreError as error:
        raise OutcomeLostError(str(error)) from error
    finally:
        CURRENT.ends_at = None


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
        case RefusedError():
            return RequestRefusedError(error.code, error.message)
        case _:
            return RequestRefusedError(type(error).__name__, str(error))
