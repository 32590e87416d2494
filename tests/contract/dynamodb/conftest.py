"""Gives every contract test an empty database: in memory, in memory behind HTTP, on DynamoDB Local, and on AWS.

DynamoDB Local keeps a database for each access key id, and four threads for it until it ends. So the tests of one run
share a database, and leave it without tables; the few that ask which streams there are have one of their own. AWS comes
in when `CONTRACT_AWS_REGION` is set, see `aws`.
"""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.http import DevServer
from tests.contract.dynamodb import aws

ENDPOINT_VARIABLE = "EVENTSTORE_DYNAMODB_ENDPOINT_URL"
ENV_FILE = Path(__file__).parents[3] / ".local" / "env"
CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 2, "mode": "standard"},
    parameter_validation=False,  # the server's refusals are what is compared
)


class Database(NamedTuple):
    """A database without tables, behind the two low-level clients."""

    client: Any
    streams: Any


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of this suite."""
    config.addinivalue_line(
        "markers",
        "local_differs(page, does): DynamoDB Local does otherwise than this page of the AWS documentation says",
    )
    config.addinivalue_line(
        "markers",
        "aws_differs(page, does): AWS does otherwise than a server in one process can; this page of its says so",
    )
    config.addinivalue_line("markers", "own_database: the test needs a database that no other test has used")


def local_endpoint() -> str | None:
    """Return where DynamoDB Local listens: from the environment, or as `make up` wrote it down."""
    if ENDPOINT_VARIABLE in os.environ:
        return os.environ[ENDPOINT_VARIABLE]
    lines = ENV_FILE.read_text().splitlines() if ENV_FILE.exists() else []
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{ENDPOINT_VARIABLE}=")), None)


@pytest.fixture(scope="session")
def local_server() -> str:
    """Return the address of a DynamoDB Local that answers; without one, skip, or fail in CI."""
    endpoint = local_endpoint()
    problem = f"DynamoDB Local is not running: `make up` starts it, or set {ENDPOINT_VARIABLE}"
    if endpoint is not None:
        try:
            connect("dynamodb", endpoint, "probe").list_tables()
        except (BotoCoreError, ClientError) as error:
            problem = f"DynamoDB Local does not answer at {endpoint}: {error}; `make up` starts it"
        else:
            return endpoint
    if os.environ.get("CI"):
        pytest.fail(problem)
    pytest.skip(problem)


def connect(service: str, endpoint: str, access_key_id: str) -> Any:
    """Return a client of one database of DynamoDB Local: each access key id has a database of its own."""
    return boto3.client(
        service,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=access_key_id,
        aws_secret_access_key="local",  # noqa: S106 - DynamoDB Local asks for one, and takes any
        config=CONFIG,
    )


def open_server(endpoint: str) -> Database:
    """Return a database of a server that nobody has used."""
    access_key_id = f"contract{uuid.uuid4().hex}"
    return Database(*(connect(service, endpoint, access_key_id) for service in ("dynamodb", "dynamodbstreams")))


@pytest.fixture(scope="session")
def shared_local(local_server: str) -> Iterator[Database]:
    """Give the database that the tests of this run share."""
    database = open_server(local_server)
    yield database
    for client in database:
        client.close()


@pytest.fixture(scope="session")
def dev_server() -> Iterator[str]:
    """Give the address of the in-memory DynamoDB behind HTTP."""
    server = DevServer()
    thread = Thread(target=server.serve, name="dev-server", daemon=True)
    thread.start()
    yield server.url
    server.stop()
    thread.join(5)
    server.close()


SERVERS = ["memory", "http", pytest.param("local", marks=pytest.mark.servers)]
if aws.region() is not None:
    SERVERS.append(pytest.param("aws", marks=pytest.mark.servers))


@pytest.fixture(params=SERVERS)
def dynamodb(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Give a database without tables."""
    if request.param == "memory":
        world = InMemoryDynamoDB()
        yield Database(world.client(), world.streams_client())
        return
    if request.param == "http":
        database = open_server(request.getfixturevalue("dev_server"))
        yield database
        for client in database:
            client.close()
        return
    if request.param == "aws":
        yield from on_aws(request)
        return
    difference = request.node.get_closest_marker("local_differs")
    if difference is not None:
        page, does = difference.kwargs["page"], difference.kwargs["does"]
        request.applymarker(pytest.mark.xfail(reason=f"DynamoDB Local {does}; AWS: {page}", strict=True))
    if request.node.get_closest_marker("own_database"):
        database = open_server(request.getfixturevalue("local_server"))
    else:  # a database costs DynamoDB Local four threads that it never gives back, so the others share one
        database = request.getfixturevalue("shared_local")
    yield database
    for name in database.client.list_tables()["TableNames"]:
        database.client.delete_table(TableName=name)


def on_aws(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Give the tables of one prefix on AWS, and remove them."""
    region = aws.region()
    assert region is not None, "the parameter is there only with a region"
    if request.node.get_closest_marker("own_database"):
        pytest.skip("an account of AWS has other tables and streams too")
    difference = request.node.get_closest_marker("aws_differs")
    if difference is not None:  # what comes late may come in time, so a success is no surprise
        page, does = difference.kwargs["page"], difference.kwargs["does"]
        request.applymarker(pytest.mark.xfail(reason=f"AWS {does}: {page}", strict=False))
    prefix = aws.new_prefix()
    database = Database(*(aws.connect(service, region, prefix) for service in ("dynamodb", "dynamodbstreams")))
    try:
        yield database
    finally:
        for name in database.client.list_tables()["TableNames"]:
            database.client.get_waiter("table_exists").wait(TableName=name)
            database.client.delete_table(TableName=name)
        for client in database:
            client.close()


@pytest.fixture
def client(dynamodb: Database) -> Any:
    """Give the database's client."""
    return dynamodb.client


@pytest.fixture
def streams(dynamodb: Database) -> Any:
    """Give the database's streams client."""
    return dynamodb.streams
