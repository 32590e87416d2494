"""The relay table as it is, read with nothing of the relay's own: who owns which lease, and which process that is."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from tests.support.servers import Corner
from tests.support.waiting import until

TABLE = "inventory_relay"


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """One lease.

    Attributes:
        key: `lease#<stream label>#<shard id>`, or `lease#sweep`.
        owner: A worker's id, or None.
        term: Raised at every change of hands.
        counter: Raised by its owner as a heartbeat.
        finished: All of its shard is dealt with.
    """

    key: str
    owner: str | None
    term: int
    counter: int
    finished: bool

    @property
    def is_of_a_shard(self) -> bool:
        """Whether it is not the sweep's."""
        return self.key != "lease#sweep"


class LeaseTable:
    """Reads the records that the workers of a corner share."""

    def __init__(self, corner: Corner) -> None:
        self._client = corner.client

    def leases(self) -> list[LeaseRow]:
        """Return all leases."""
        return [
            LeaseRow(
                key,
                item["owner"]["S"] if "owner" in item else None,
                int(item["term"]["N"]),
                int(item["counter"]["N"]),
                item.get("state", {}).get("S") == "finished",
            )
            for key, item in self._records().items()
            if key.startswith("lease#")
        ]

    def shard_leases(self) -> list[LeaseRow]:
        """Return the leases of shards that are not finished."""
        return [lease for lease in self.leases() if lease.is_of_a_shard and not lease.finished]

    def worker_of(self, pid: int) -> str:
        """Return the worker that a process is; its record must be there."""
        (found,) = [
            key.removeprefix("worker#")
            for key, item in self._records().items()
            if key.startswith("worker#") and int(item["pid"]["N"]) == pid
        ]
        return found

    def workers(self) -> frozenset[str]:
        """Return the workers that have a record."""
        return frozenset(key.removeprefix("worker#") for key in self._records() if key.startswith("worker#"))

    def held_by(self, worker: str) -> frozenset[str]:
        """Return the keys of the shards that a worker holds; the sweep's is not counted."""
        return frozenset(lease.key for lease in self.shard_leases() if lease.owner == worker)

    def shares(self) -> dict[str, int]:
        """Return how many shards each worker that has a record holds."""
        leases = self.shard_leases()
        return {worker: sum(1 for lease in leases if lease.owner == worker) for worker in self.workers()}

    def are_carried_without(self, worker: str, keys: Collection[str]) -> bool:
        """Tell whether each of these leases is another worker's, or over."""
        found = {lease.key: lease for lease in self.leases()}
        return all(key not in found or found[key].finished or found[key].owner not in {None, worker} for key in keys)

    def await_carried_without(self, worker: str, keys: Collection[str], *, timeout_seconds: float) -> float:
        """Wait until each of these leases is another worker's, or over; return how many seconds that took."""
        began = time.monotonic()
        until(
            lambda: self.are_carried_without(worker, keys),
            f"somebody else carries what {worker} did",
            timeout_seconds=timeout_seconds,
        )
        return time.monotonic() - began

    def has(self, key: str) -> bool:
        """Tell whether there is such a record."""
        return key in self._records()

    def _records(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        request: dict[str, Any] = {
            "TableName": TABLE,
            "ConsistentRead": True,
            "KeyConditionExpression": "recordType = :fleet",
            "ExpressionAttributeValues": {":fleet": {"S": "fleet"}},
        }
        while True:  # as many pages as the partition has
            reply = self._client.query(**request)
            found.update({item["recordKey"]["S"]: item for item in reply["Items"]})
            if "LastEvaluatedKey" not in reply:
                return found
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
