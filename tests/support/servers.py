"""The real servers of this clone, each test in a corner of its own."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventstore import EventStore, TableNames, connect
from eventstore.dynamodb import tables
from eventstore.dynamodb.connection import Endpoint
from eventstore.ports import DynamoClient
from eventstore.system import SystemRuntime
from relay.demo import clean_up
from relay.destinations.resource_names import Names

ROOT = Path(__file__).parents[2]
ENV_FILE = ROOT / ".local" / "env"
NEEDED = ("EVENTSTORE_DYNAMODB_ENDPOINT_URL", "RELAY_RABBITMQ_URL", "RELAY_ELASTICSEARCH_URL")


def addresses() -> dict[str, str]:
    """Return what `make up` wrote, the environment winning; skip without servers, or fail where CI promises them."""
    found: dict[str, str] = {}
    if ENV_FILE.is_file():
        lines = ENV_FILE.read_text().splitlines()
        found = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    found.update({name: os.environ[name] for name in NEEDED if name in os.environ})
    missing = [name for name in NEEDED if name not in found]
    if missing:
        message = f"the real servers are not up ({', '.join(missing)} unset): run `make up`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@dataclass(frozen=True, slots=True)
class Corner:
    """A database, an exchange and indices that no other test uses.

    Attributes:
        run: Its name: access key id of DynamoDB Local, and prefix on bus and index.
        environment: What a process needs to find it.
        client: For its tables, which exist.
    """

    run: str
    environment: dict[str, str]
    client: DynamoClient

    @property
    def rabbitmq_url(self) -> str:
        """Where the bus is."""
        return self.environment["RELAY_RABBITMQ_URL"]

    @property
    def elasticsearch_url(self) -> str:
        """Where the index is."""
        return self.environment["RELAY_ELASTICSEARCH_URL"]

    @property
    def names(self) -> Names:
        """Names on the bus and in the index."""
        return Names(self.run)

    def store(self) -> EventStore:
        """Return its store."""
        return EventStore.open(self.client)

    def remove(self) -> None:
        """Take its queues and indices away; the database goes with DynamoDB Local, which keeps it in memory."""
        clean_up.remove_bus(self.rabbitmq_url, self.names, self.run)
        clean_up.remove_index(self.elasticsearch_url, self.names)


def make_corner(**elsewhere: str) -> Corner:
    """Return a new corner with its tables; `elsewhere` are addresses, named as in `NEEDED`, of other servers."""
    found = {**addresses(), **elsewhere}
    run = f"test{uuid.uuid4().hex[:12]}"
    environment = {
        "EVENTSTORE_DYNAMODB_ENDPOINT_URL": found["EVENTSTORE_DYNAMODB_ENDPOINT_URL"],
        "EVENTSTORE_AWS_REGION": "eu-central-1",
        "EVENTSTORE_AWS_ACCESS_KEY_ID": run,
        "EVENTSTORE_AWS_SECRET_ACCESS_KEY": "local",
        "RELAY_RABBITMQ_URL": found["RELAY_RABBITMQ_URL"],
        "RELAY_ELASTICSEARCH_URL": found["RELAY_ELASTICSEARCH_URL"],
        "RELAY_NAME_PREFIX": run,
    }
    client = connect(Endpoint(found["EVENTSTORE_DYNAMODB_ENDPOINT_URL"], "eu-central-1", run, "local"))
    tables.init(client, TableNames(), SystemRuntime(), protect=False)
    return Corner(run, environment, client)
