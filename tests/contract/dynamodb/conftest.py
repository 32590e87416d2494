"""Gives every contract test a fresh, empty database: once in memory, once on DynamoDB Local."""

import itertools
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from eventstore.testing import InMemoryDynamoDB

ENDPOINT_VARIABLE = "EVENTSTORE_DYNAMODB_ENDPOINT_URL"
ENV_FILE = Path(__file__).parents[3] / ".local" / "env"
CONFIG = Config(
    connect_timeout=5,
    read_timeout=30,
    retries={"total_max_attempts": 2, "mode": "standard"},
    parameter_validation=False,  # the server's refusals are what is compared
)


class Database(NamedTuple):
    """A fresh database behind the two low-level clients."""

    client: Any
    streams: Any


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of this suite."""
    config.addinivalue_line(
        "markers",
        "local_differs(page, does): DynamoDB Local does otherwise than this page of the AWS documentation says",
    )


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


@pytest.fixture(params=["memory", pytest.param("local", marks=pytest.mark.servers)])
def dynamodb(request: pytest.FixtureRequest) -> Iterator[Database]:
    """Give a fresh, empty database."""
    if request.param == "memory":
        world = InMemoryDynamoDB()
        yield Database(world.client(), world.streams_client())
        return
    endpoint = request.getfixturevalue("local_server")
    difference = request.node.get_closest_marker("local_differs")
    if difference is not None:
        page, does = difference.kwargs["page"], difference.kwargs["does"]
        request.applymarker(pytest.mark.xfail(reason=f"DynamoDB Local {does}; AWS: {page}", strict=True))
    access_key_id = f"contract{uuid.uuid4().hex}"
    database = Database(*(connect(service, endpoint, access_key_id) for service in ("dynamodb", "dynamodbstreams")))
    yield database
    for name in itertools.islice(database.client.list_tables()["TableNames"], 10):
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
