"""Which snapshot may replace which: the same on the in-memory DynamoDB and on DynamoDB Local."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    Endpoint,
    EventStore,
    NewEvent,
    ReadModel,
    RecordedEvent,
    Repository,
    SnapshotPolicy,
    TableNames,
    connect,
    init_tables,
)
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import ConditionFailedError
from eventstore.repository.snapshot_row import Snapshot, put_request, swap_request
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB

VARIABLE = "EVENTSTORE_DYNAMODB_ENDPOINT_URL"
ENV_FILE = Path(__file__).parents[3] / ".local" / "env"
TABLES = TableNames()


@pytest.fixture(scope="module")
def local() -> Iterator[Any]:
    """Give a client of DynamoDB Local with tables; each key has a database of its own, and one serves this module."""
    lines = ENV_FILE.read_text().splitlines() if ENV_FILE.exists() else []
    written = next((line.partition("=")[2] for line in lines if line.startswith(f"{VARIABLE}=")), None)
    url = os.environ.get(VARIABLE, written)
    if url is None:
        message = f"DynamoDB Local is not up ({VARIABLE} unset): run `make up`"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    client = connect(Endpoint(url, "eu-central-1", f"snapshots{uuid.uuid4().hex[:8]}", "local"))
    init_tables(client, TABLES, SystemRuntime(), protect=False)
    yield client
    for name in client.list_tables()["TableNames"]:  # type: ignore[attr-defined]
        client.delete_table(TableName=name)  # type: ignore[attr-defined]


@pytest.fixture(params=["memory", pytest.param("local", marks=pytest.mark.servers)])
def client(request: pytest.FixtureRequest) -> Any:
    """Give a client of tables in which no test uses the same keys."""
    if request.param == "local":
        return request.getfixturevalue("local")
    database = InMemoryDynamoDB()
    init_tables(database.client(), TABLES, SystemRuntime())
    return database.client()


def snapshot(key: str, version: int, fold: str = "f@1", epoch: int = 1) -> Snapshot:
    return Snapshot(key, version, fold, epoch, taken_at_ms=1, state="{}")


def put(client: Any, request: dict[str, Any]) -> bool:
    try:
        calls.call(client.put_item, **request)
    except ConditionFailedError:
        return False
    return True


@pytest.mark.parametrize(
    ("version", "fold", "epoch", "replaces"),
    [
        (6, "f@1", 1, True),
        (5, "f@1", 1, False),
        (4, "f@1", 1, False),
        (5, "f@2", 1, True),
        (4, "f@2", 1, False),
        (1, "f@1", 2, True),
        (9, "f@1", 0, False),
    ],
)
def test_a_snapshot_replaces_none_that_is_newer(
    client: Any,
    version: int,
    fold: str,
    epoch: int,
    replaces: bool,  # noqa: FBT001
) -> None:
    """
    Later events replace earlier ones, another fold replaces at the same event, a later epoch replaces always.
    """
    key = f"put-{version}-{fold}-{epoch}"
    assert put(client, put_request(snapshot(key, 5), TABLES.snapshots))
    assert put(client, put_request(snapshot(key, version, fold, epoch), TABLES.snapshots)) is replaces


@pytest.mark.parametrize(
    ("fold", "epoch", "believed", "replaces"),
    [("f@1", 1, 5, True), ("f@1", 1, 0, False), ("f@1", 1, 6, False), ("f@2", 1, 0, True), ("f@1", 2, 0, True)],
)
def test_a_read_model_replaces_what_its_feeder_knows(
    client: Any,
    fold: str,
    epoch: int,
    believed: int,
    replaces: bool,  # noqa: FBT001
) -> None:
    """
    The row that was read, or one of another fold or an earlier epoch; not what somebody else has saved since.
    """
    key = f"swap-{fold}-{epoch}-{believed}"
    assert put(client, swap_request(snapshot(key, 5), TABLES.snapshots, replaces=0))
    request = swap_request(snapshot(key, 7, fold, epoch), TABLES.snapshots, replaces=believed)
    assert put(client, request) is replaces


def test_a_broken_snapshot_is_replaced(client: Any) -> None:
    """
    A row without a number is no newer one.
    """
    client.put_item(TableName=TABLES.snapshots, Item={"aggregateId": {"S": "broken"}})
    assert put(client, put_request(snapshot("broken", 1), TABLES.snapshots))


def add(total: int, event: RecordedEvent) -> int:
    by: int = event.data["by"]
    return total + by


def test_states_are_the_same_with_and_without_snapshots(client: Any) -> None:
    """
    Load, decide, snapshot, and load again in another process.
    """
    store = EventStore.open(client)
    item = AggregateRef("ITEM", f"item-{uuid.uuid4().hex}")
    store.append(item, [NewEvent("CHANGED", {"by": by}) for by in range(1, 11)], expected_version=0)
    items = Repository(store, aggregate_type="ITEM", initial=0, evolve=add, snapshots=SnapshotPolicy.every(5))

    done = items.transact(item.id, lambda total, by: [NewEvent("CHANGED", {"by": by - total})], 7)
    again = Repository(store, aggregate_type="ITEM", initial=0, evolve=add, snapshots=SnapshotPolicy.every(5))

    assert (done.before.state, done.version) == (55, 11)
    loaded = again.load(item.id)
    assert (loaded.state, loaded.version, loaded.origin, loaded.events_read) == (7, 11, "snapshot", 1)


def test_a_read_model_survives_its_process(client: Any) -> None:
    """
    Saved and brought back.
    """
    store = EventStore.open(client)
    item = AggregateRef("ITEM", f"item-{uuid.uuid4().hex}")
    store.append(item, [NewEvent("CHANGED", {"by": 3})], expected_version=0)
    name = f"sum-{uuid.uuid4().hex}"
    model = ReadModel(store, name, initial=0, evolve=add)
    model.feed(store.load(item))
    model.save()

    assert ReadModel(store, name, initial=0, evolve=add).state == 3
