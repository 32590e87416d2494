"""Gives contract tests of the fleet's records a table: once in memory, once on DynamoDB Local."""

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from eventstore import Endpoint, TableNames, connect
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.leases.fleet_table import FleetTable
from tests.contract.eventstore.conftest import ENDPOINT_VARIABLE, local_endpoint


@pytest.fixture(scope="session", params=["memory", pytest.param("local", marks=pytest.mark.servers)])
def client(request: pytest.FixtureRequest) -> Iterator[Any]:
    """Give a client of a database with tables."""
    if request.param == "memory":
        found: Any = InMemoryDynamoDB().client()
    else:
        endpoint = local_endpoint()
        problem = f"DynamoDB Local is not running: `make up` starts it, or set {ENDPOINT_VARIABLE}"
        try:
            found = connect(Endpoint(endpoint, "eu-central-1", f"leases{uuid.uuid4().hex}", "local"))
            if endpoint is None:
                raise ConnectionError("no address")  # noqa: TRY301 - met right below
            found.list_tables()
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the server is of no use
            if os.environ.get("CI"):
                pytest.fail(f"{problem}: {error}")
            pytest.skip(f"{problem}: {error}")
    tables.init(found, TableNames(), SystemRuntime(), protect=False)
    yield found
    for table in ("events", "outbox", "relay", "snapshots", "idempotency"):
        found.delete_table(TableName=f"inventory_{table}")


@pytest.fixture
def table(client: Any) -> FleetTable:
    """Give the fleet's records, none of them there."""
    keys = client.scan(TableName="inventory_relay", ProjectionExpression="recordType, recordKey")["Items"]
    for key in keys:
        client.delete_item(TableName="inventory_relay", Key=key)
    return FleetTable(client, TableNames(), SystemRuntime(), Backoff(attempts_max=2))
