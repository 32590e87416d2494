"""Clients for DynamoDB: address, credentials, and time-outs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zlib import crc32

from botocore.exceptions import BotoCoreError, ChecksumError
from urllib3.util import Timeout

from eventstore.errors import EndpointError
from eventstore.ports import DynamoClient, StreamsClient
from eventstore.transport.bounded_socket import bounded
from eventstore.transport.time_limit import CURRENT

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 10.0
_SECONDS_LEAST = 0.001
"""urllib3 takes no time-out of 0."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where DynamoDB is, and with which credentials.

    Attributes:
        url: None for AWS itself.
        region: AWS region; None for boto3's own choice.
        access_key_id: None for boto3's own chain of credentials.
        secret_access_key: Same as above.
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
        EndpointError: The endpoint is not a URL, or no region is known.
    """
    import boto3  # noqa: PLC0415 - a tenth of a second, which commands that only explain themselves do without
    from botocore.config import Config  # noqa: PLC0415 - as above

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
            f"no client for DynamoDB can be created: {reason}; check endpoint and region, which the commands read from"
            " EVENTSTORE_DYNAMODB_ENDPOINT_URL and EVENTSTORE_AWS_REGION (`make up` writes both for local servers)",
        ) from error
    for client in clients:
        client.meta.events.register("before-parse", _check_body)
        _obey_time_limits(client, connect_timeout_seconds, read_timeout_seconds)
    typed: tuple[DynamoClient, StreamsClient] = clients
    return typed


class _CallTimeout(Timeout):
    """The time-outs of a client, shortened to what the call of this thread may take.

    urllib3 asks for a copy before each request.
    """

    def clone(self) -> Timeout:
        """Return the time-outs of the request that is about to be sent."""
        timeout = super().clone()
        left = CURRENT.left_seconds()
        if left is not None:
            timeout.total = max(left, _SECONDS_LEAST)  # which shortens both others where they are longer
        return timeout


def _obey_time_limits(client: Any, connect_seconds: float, read_seconds: float) -> None:
    """Have a client's requests end when the time of the call that makes them is over.

    boto3 takes time-outs for a client, not for a call. Where a version of it keeps its connections otherwise, calls
    last as long as the client's time-outs say; a test with a server that hangs would show it.
    """
    session = client._endpoint.http_session  # noqa: SLF001 - nothing public leads there
    timeout = _CallTimeout(connect=float(connect_seconds), read=float(read_seconds))
    session._timeout = timeout  # noqa: SLF001 - for connections through a proxy
    session._manager.connection_pool_kw["timeout"] = timeout  # noqa: SLF001 - for all others
    pools = session._pool_classes_by_scheme  # noqa: SLF001 - and for an answer that comes drop by drop
    for scheme, pool in pools.items():
        pools[scheme] = type(pool.__name__, (pool,), {"ConnectionCls": bounded(pool.ConnectionCls)})


def _check_body(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Refuse a reply whose body does not match its checksum.

    A GetItem that was cut short looks like one of an absent item, so nothing else can tell. botocore checks this only
    where it may try again itself, and our clients may not.

    Raises:
        ChecksumError: As for a reply that got lost.
    """
    expected = response_dict["headers"].get("x-amz-crc32")
    actual = crc32(response_dict["body"])
    if expected is not None and actual != int(expected):
        raise ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=str(actual))
