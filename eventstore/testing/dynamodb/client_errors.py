"""Turns refusals of the service into the exceptions that a boto3 client raises."""

from typing import Any

from botocore.exceptions import ClientError, ConnectionClosedError

from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError

MODELLED_CODES = frozenset(
    {
        "ConditionalCheckFailedException",
        "ExpiredIteratorException",
        "IdempotentParameterMismatchException",
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ResourceInUseException",
        "ResourceNotFoundException",
        "TableNotFoundException",
        "ThrottlingException",
        "TransactionCanceledException",
        "TransactionConflictException",
        "TransactionInProgressException",
        "TrimmedDataAccessException",
    }
)
"""The codes that have a class of their own; all others, such as ValidationException, are plain ClientErrors."""

_CLASSES: dict[str, type[ClientError]] = {code: type(code, (ClientError,), {}) for code in MODELLED_CODES}


class ClientExceptions:
    """The classes behind `client.exceptions.NAME`; all clients share them."""

    def __getattr__(self, name: str) -> type[ClientError]:
        try:
            return ClientError if name == "ClientError" else _CLASSES[name]
        except KeyError:
            raise AttributeError(f"no such exception: {name}; there are {', '.join(sorted(_CLASSES))}") from None


def client_error(error: ServiceError, operation: str, request_id: str) -> ClientError:
    """Return the exception that a boto3 client raises for a refusal."""
    response: dict[str, Any] = {
        "Error": {"Message": error.message, "Code": error.code},
        "ResponseMetadata": response_metadata(request_id, error.status),
        **error.members,
    }
    return _CLASSES.get(error.code, ClientError)(response, operation)  # type: ignore[arg-type]


def connection_error(_error: ConnectionLostError) -> ConnectionClosedError:
    """Return the exception that a boto3 client raises when it gets no reply; it does not say what took effect."""
    return ConnectionClosedError(endpoint_url="memory:")


def response_metadata(request_id: str, status: int) -> dict[str, Any]:
    """Return `ResponseMetadata` of a reply."""
    return {
        "RequestId": request_id,
        "HTTPStatusCode": status,
        "HTTPHeaders": {"x-amzn-requestid": request_id},
        "RetryAttempts": 0,
    }
