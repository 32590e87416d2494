"""Clients for DynamoDB: address, credentials, and time-outs."""

import re
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from eventstore import checks
from eventstore.dynamodb import failures, replies
from eventstore.errors import AccessDeniedError, EndpointError, InvalidInputError
from eventstore.ports import ClosableClient, StreamsClient
from eventstore.transport import bounded_session, forks, request_text

CONNECT_TIMEOUT_SECONDS = 3.0
READ_TIMEOUT_SECONDS = 10.0
CONNECTIONS_MAX_DEFAULT = 32
CONNECTIONS_MAX = 1_000
"""Files that a process may have open are 1,024 by default on Linux."""
TIMEOUT_MAX_SECONDS = 3_600.0
_SECRETS = frozenset({"secret_access_key", "session_token"})
_HEADERS = _SECRETS | {"access_key_id"}
_HEADER = re.compile(r"[!-~]+")
"""What keys and tokens consist of. One that was read with the line break behind it would be shown by an error."""


@dataclass(frozen=True, slots=True, repr=False)
class Endpoint:
    """Where DynamoDB is, and with which credentials.

    Attributes:
        url: None for AWS itself.
        region: AWS region; None for boto3's own choice.
        access_key_id: None for boto3's own chain of credentials.
        secret_access_key: Same as above.
        session_token: Of temporary credentials; goes with the two above.
        profile: Of boto3's configuration files, in place of keys; None for boto3's own choice.
    """

    url: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    profile: str | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            InvalidInputError: A key is given without the other, a token without keys, a profile beside them, or one
                of them cannot be one.
        """
        for field in fields(self):
            given: object = getattr(self, field.name)
            if given is not None and not (isinstance(given, str) and given):
                raise InvalidInputError(f"endpoint.{field.name}", "is empty or not text; leave it out, or give text")
            if field.name in _HEADERS and given is not None and not _HEADER.fullmatch(str(given)):
                reason = "holds space, a line break or a letter that is not ASCII; give it without"
                raise InvalidInputError(f"endpoint.{field.name}", reason)
        if (self.access_key_id is None) != (self.secret_access_key is None):
            missing = "access_key_id" if self.access_key_id is None else "secret_access_key"
            raise InvalidInputError(f"endpoint.{missing}", "is missing; give both keys or none")
        if self.session_token is not None and self.access_key_id is None:
            raise InvalidInputError("endpoint.session_token", "is given without keys; it goes with both of them")
        if self.profile is not None and self.access_key_id is not None:
            raise InvalidInputError("endpoint.profile", "is given together with keys; choose one of them")

    def __repr__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        shown = {name: "***" if value and name in _SECRETS else value for name, value in values.items()}
        return f"Endpoint({', '.join(f'{name}={value!r}' for name, value in shown.items())})"


def connect(
    endpoint: Endpoint,
    *,
    connections_max: int = CONNECTIONS_MAX_DEFAULT,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
) -> ClosableClient:
    """Return a client of DynamoDB for `EventStore.open` and `init_tables`: boto3's, within bounds.

    It retries nothing itself: the callers know which attempts are safe, and wait through the ports. Whoever connects
    closes: `contextlib.closing(connect(…))`, or `close()`. A store that it was given to leaves it open.

    Args:
        endpoint: Where DynamoDB is.
        connections_max: Connections that it opens at most, 1 to 1,000; a request that finds none free waits.
        connect_timeout_seconds: How long a connection may take to come about.
        read_timeout_seconds: How long an answer may take; after that it counts as lost.

    Raises:
        InvalidInputError: A bound cannot be one.
        EndpointError: The endpoint is not a URL, or no region is known.
        AccessDeniedError: The credentials cannot be had: a profile, a file or a sign-in is missing or out of date.
    """
    bounds = _Bounds(connections_max, connect_timeout_seconds, read_timeout_seconds)
    client: ClosableClient
    (client,) = _clients(endpoint, bounds, "dynamodb")
    return client


def connect_with_streams(
    endpoint: Endpoint,
    *,
    connections_max: int = CONNECTIONS_MAX_DEFAULT,
    connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
    read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
) -> tuple[ClosableClient, StreamsClient]:
    """Return clients for the tables and for their streams, each with connections of its own; see `connect`."""
    bounds = _Bounds(connections_max, connect_timeout_seconds, read_timeout_seconds)
    client, streams = _clients(endpoint, bounds, "dynamodb", "dynamodbstreams")
    return client, streams


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What a client keeps to."""

    connections_max: int
    connect_seconds: float
    read_seconds: float

    def __post_init__(self) -> None:
        checks.check_count(self.connections_max, "connections_max", 1, CONNECTIONS_MAX)
        checks.check_number(self.connect_seconds, "connect_timeout_seconds", above=0, most=TIMEOUT_MAX_SECONDS)
        checks.check_number(self.read_seconds, "read_timeout_seconds", above=0, most=TIMEOUT_MAX_SECONDS)


def _clients(endpoint: Endpoint, bounds: _Bounds, *services: str) -> list[Any]:
    """Return a client for each service; what we use of them is said in our ports."""
    _check_address(endpoint)
    import boto3  # noqa: PLC0415 - a tenth of a second, which commands that only explain themselves do without
    import botocore.session  # noqa: PLC0415 - as above
    from botocore.config import Config  # noqa: PLC0415 - as above

    from eventstore.environment import aws_files  # noqa: PLC0415 - as above

    config = Config(
        connect_timeout=bounds.connect_seconds,
        read_timeout=bounds.read_seconds,
        retries={"total_max_attempts": 1},
        max_pool_connections=bounds.connections_max,
        tcp_keepalive=True,
        # One text: botocore would put its own together twice for each call, a sixth of the cost of an append.
        user_agent=f"eventstore Boto3/{boto3.__version__} Botocore/{botocore.__version__}",
        parameter_validation=False,  # the shapes are ours and typed; checking them again doubles a request's cost
    )
    try:
        core = botocore.session.get_session()
        session: Any = boto3.session.Session(
            botocore_session=core,
            region_name=endpoint.region,
            aws_access_key_id=endpoint.access_key_id,
            aws_secret_access_key=endpoint.secret_access_key,
            aws_session_token=endpoint.session_token,
            profile_name=endpoint.profile,
        )
        aws_files.follow(core)
        clients = [session.client(service, endpoint_url=endpoint.url, config=config) for service in services]
    except Exception as error:  # what looks for settings and credentials runs programs and reads files of any content
        raise _no_client(error) from error
    for client in clients:
        replies.watch(client, is_own=True)
        request_text.write_at_once(client)
        bounded_session.bound(
            client,
            connections_max=bounds.connections_max,
            connect_seconds=bounds.connect_seconds,
            read_seconds=bounds.read_seconds,
        )
        forks.renew_connections(client)
    return clients


def _check_address(endpoint: Endpoint) -> None:
    if endpoint.url is None:
        return
    try:
        url = urlsplit(endpoint.url)
        is_address = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        raise EndpointError(f"the endpoint {endpoint.url!r} is no URL; give one like http://host:8000")
    if "@" in url.netloc:
        raise EndpointError("the endpoint's URL holds a user or a password: DynamoDB takes keys, give those instead")


def _no_client(error: Exception) -> EndpointError | AccessDeniedError:
    """Return the library's error for a client that could not be made."""
    reason = " ".join(str(error).split()).rstrip(".")
    if failures.is_of_credentials(error):
        return AccessDeniedError(f"no credentials for DynamoDB can be had: {reason}; {failures.cure_of(error)}")
    return EndpointError(
        f"no client for DynamoDB can be created: {reason}; check endpoint and region, which the commands read from"
        " EVENTSTORE_DYNAMODB_ENDPOINT_URL and EVENTSTORE_AWS_REGION (`make up` writes both for local servers)",
    )
