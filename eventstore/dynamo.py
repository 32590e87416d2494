"""DynamoDB behind one call: its refusals as typed outcomes, and reads that try again.

No exception of a client library leaves this module.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from zlib import crc32

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    PartialCredentialsError,
)

from eventstore.backoff import Backoff
from eventstore.errors import (
    AccessDeniedError,
    EndpointError,
    EventStoreError,
    RequestRefusedError,
    TableMissingError,
    ThrottledError,
    UnreachableError,
)
from eventstore.outcomes import (
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
from eventstore.ports import DynamoClient, Runtime, StreamsClient

T = TypeVar("T")

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 10.0

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


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where DynamoDB is, and as whom we come.

    Attributes:
        url: None for AWS itself.
        region: AWS region; None for boto3's own choice.
        access_key_id: None for boto3's own chain of credentials.
        secret_access_key: Likewise.
    """

    url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None


def connect(
    endpoint: Endpoint,
    *,
    connections_max: int = 32,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
) -> tuple[DynamoClient, StreamsClient]:
    """Return clients for the tables and for their streams.

    The clients retry nothing themselves: the callers know which attempts are safe, and wait through the ports.

    Args:
        endpoint: Where DynamoDB is.
        connections_max: Connections that each client keeps, which is how many requests it has on their way at once.
        connect_timeout_seconds: How long a connection may take to come about.
        read_timeout_seconds: How long an answer may take; after that it counts as lost.

    Raises:
        EndpointError: The endpoint is no URL, or no region is known.
    """
    config = Config(
        connect_timeout=connect_timeout_seconds,
        read_timeout=read_timeout_seconds,
        retries={"total_max_attempts": 1},
        max_pool_connections=connections_max,
        tcp_keepalive=True,
        parameter_validation=False,  # the shapes are ours and typed; checking them again doubles a request's cost
    )
    session = boto3.session.Session(
        region_name=endpoint.region,
        aws_access_key_id=endpoint.access_key_id,
        aws_secret_access_key=endpoint.secret_access_key,
    )
    try:
        clients: Any = (  # typed by stubs call by call; what we use of them is said in our ports
            session.client("dynamodb", endpoint_url=endpoint.url, config=config),
            session.client("dynamodbstreams", endpoint_url=endpoint.url, config=config),
        )
    except (BotoCoreError, ValueError) as error:
        reason = str(error).rstrip(".")
        raise EndpointError(
            f"no client for DynamoDB can be made: {reason}; check endpoint and region, which the commands read from"
            " EVENTSTORE_DYNAMODB_ENDPOINT_URL and EVENTSTORE_AWS_REGION (`make up` writes both for local servers)",
        ) from error
    for client in clients:
        client.meta.events.register("before-parse", _check_body)
    typed: tuple[DynamoClient, StreamsClient] = clients
    return typed


def _check_body(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse a reply whose body does not fit its checksum.

    A GetItem that was cut short looks like one of an absent item, so nothing else can tell. botocore checks this only
    where it may try again itself, and our clients may not.

    Raises:
        ChecksumError: As for a reply that got lost.
    """
    expected = response_dict["headers"].get("x-amz-crc32")
    actual = crc32(response_dict["body"])
    if expected is not None and actual != int(expected):
        raise ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=str(actual))
