"""A worker of a newer release, as its records show it: it lives, and writes attributes that this release lacks."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.servers import Corner

TABLE = "inventory_relay"
SIGN_SECONDS = 0.3
JOIN_SECONDS = 10.0


@contextmanager
def foreign_worker(corner: Corner, worker_id: str, protocol: int, lease_ms: int) -> Iterator[None]:
    """Put its settings in force, and let it send heartbeats."""
    now = {"N": str(int(time.time() * 1000))}
    corner.client.put_item(
        TableName=TABLE,
        Item={
            **_key("settings"),
            "destinations": {"SS": ["bus", "index"]},
            "namePrefix": {"S": corner.run},
            "leaseMs": {"N": str(lease_ms)},
            "protocol": {"N": str(protocol)},
            "regions": {"SS": ["eu-central-1"]},
        },
    )
    corner.client.put_item(
        TableName=TABLE,
        Item={
            **_key(f"worker#{worker_id}"),
            "counter": {"N": "1"},
            "state": {"S": "dreaming"},
            "host": {"S": "elsewhere"},
            "pid": {"N": "1"},
            "release": {"S": "99.0.0"},
            "startedAt": now,
            "updatedAt": now,
            "report": {"S": '{"mood": "fine"}'},
        },
    )
    over = threading.Event()
    thread = threading.Thread(target=_live, args=(corner, worker_id, over), name="foreign worker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(JOIN_SECONDS)


def _live(corner: Corner, worker_id: str, over: threading.Event) -> None:
    while not over.wait(SIGN_SECONDS):
        corner.client.update_item(
            TableName=TABLE,
            Key=_key(f"worker#{worker_id}"),
            UpdateExpression="ADD #counter :one",
            ExpressionAttributeNames={"#counter": "counter"},
            ExpressionAttributeValues={":one": {"N": "1"}},
        )


def _key(record_key: str) -> dict[str, dict[str, str]]:
    return {"recordType": {"S": "fleet"}, "recordKey": {"S": record_key}}
