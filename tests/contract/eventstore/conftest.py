"""Gives contract tests of the library a store: once in memory, once on DynamoDB Local.

The tests of one run share one database of DynamoDB Local, which keeps threads for each access key id until it ends;
each test that needs a store of its own gets tables with a prefix of its own.
"""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eventstore import Endpoint, EventStore, TableNames, connect, init_tables
from eventstore.testing import InMemoryDynamoDB

ENDPOINT_VARIABLE = "EVENTSTORE_DYNAMODB_ENDPOINT_URL"
ENV_FILE = Path(__file__).parents[3] / ".local" / "env"


def local_endpoint() -> str | None:
    """Return where DynamoDB Local listens: from the environment, or as `make up` wrote it down."""
    if ENDPOINT_VARIABLE in os.environ:
        return os.environ[ENDPOINT_VARIABLE]
    lines = ENV_FILE.read_text().splitlines() if ENV_FILE.exists() else []
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{ENDPOINT_VARIABLE}=")), None)


@pytest.fixture(scope="session", params=["memory", pytest.param("local", marks=pytest.mark.servers)])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a client of a database that the tests of this run share."""
    if request.param == "memory":
        yield InMemoryDynamoDB().client()
        return
    endpoint = local_endpoint()
    problem = f"DynamoDB Local is not running: `make up` starts it, or set {ENDPOINT_VARIABLE}"
    if endpoint is not None:
        found = connect(Endpoint(endpoint, "eu-central-1", f"store{uuid.uuid4().hex}", "local"))
        try:
            found.list_tables()  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the server is of no use
            problem = f"DynamoDB Local does not answer at {endpoint}: {error}; `make up` starts it"
        else:
            yield found
            found.close()
            return
    if os.environ.get("CI"):
        pytest.fail(problem)
    pytest.skip(problem)


@pytest.fixture
def open_store(client: Any) -> Iterator[Callable[..., EventStore]]:
    """Return stores with tables that no other test uses; takes the tables away."""
    made: list[str] = []

    def open_store(client: Any = client, index_shards: int = 3) -> EventStore:
        names = TableNames(f"t{uuid.uuid4().hex[:12]}")
        made.append(names.prefix)
        init_tables(client, names, index_shards=index_shards, protect=False)
        return EventStore.open(client, names)

    yield open_store
    for prefix in made:
        for table in ("events", "outbox", "relay", "snapshots", "idempotency"):
            client.delete_table(TableName=f"{prefix}_{table}")
