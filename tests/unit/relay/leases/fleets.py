"""Fleets as values, for tests of the rules: workers by load, seen for so long."""

from collections.abc import Mapping
from dataclasses import replace

from relay.leases import rules
from relay.leases.fleet import SWEEP_KEY, Fleet, Lease, WorkerRecord, WorkerState, lease_key
from relay.leases.rules import Heartbeat, View
from relay.leases.worker_report import ShardReport, WorkerReport

LABEL = "2025-01-01T00:00:00.000"
DURATION = 10.0


def key(shard: str) -> str:
    """Return the key of a shard's lease."""
    return lease_key(LABEL, shard)


def lease(shard: str, owner: str | None, *, term: int = 1, counter: int = 1, to: str | None = None) -> Lease:
    """Return a lease of a shard."""
    return Lease(key(shard), owner, term, counter, hand_over_to=to)


def sweep(owner: str | None) -> Lease:
    """Return the sweep's lease."""
    return Lease(SWEEP_KEY, owner, 1, 1)


def worker(
    worker_id: str, *, counter: int = 1, state: WorkerState = WorkerState.WORKING, lag: float | None = None
) -> WorkerRecord:
    """Return a worker's record."""
    report = None if lag is None else WorkerReport(shards=(ShardReport("s", lag, 0),))
    return WorkerRecord(worker_id, counter, "host", 1, "0.1.0", 0, 0, report, state)


def fleet(*records: Lease | WorkerRecord) -> Fleet:
    """Return a fleet of these records."""
    leases = {each.key: each for each in records if isinstance(each, Lease)}
    return Fleet(leases, {each.worker_id: each for each in records if isinstance(each, WorkerRecord)})


def view(
    seen: Fleet, me: str, *, now: float = 100.0, silent: Mapping[str, float] | None = None, moved: bool = True
) -> View:
    """Return what `me` knows: everything gave a sign just now, or was silent for so many seconds (by key or id)."""
    silent = silent or {}

    def heartbeat(name: str) -> Heartbeat:
        return Heartbeat((), now - silent.get(name, 0.0), moved)

    held = frozenset(each.key for each in seen.leases.values() if each.owner == me)
    leases = {name: heartbeat(name) for name in seen.leases}
    return View(seen, me, now, DURATION, leases, {name: heartbeat(name) for name in seen.workers}, held)


def shards(leases: list[Lease]) -> list[str | None]:
    """Return the shards of leases; None for the sweep's."""
    return [each.shard_id for each in leases]


def hand_over(seen: Fleet, asked: Lease, to: str) -> Fleet:
    """Return the fleet after a hand-over."""
    done = replace(asked, owner=to, term=asked.term + 1, counter=asked.counter + 1, hand_over_to=None)
    return replace(seen, leases={**seen.leases, asked.key: done})


def loads(seen: Fleet) -> dict[str, int]:
    """Return how many shards each worker has."""
    return {
        worker_id: sum(1 for each in seen.leases.values() if each.owner == worker_id and rules.is_shard(each))
        for worker_id in seen.workers
    }
