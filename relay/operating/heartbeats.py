"""Which workers are alive, as an observer can tell: by counters that move while it looks."""

from collections.abc import Callable

from eventstore.ports import Runtime
from relay.leases.fleet import Fleet, WorkerRecord

LEASE_SECONDS_DEFAULT = 10.0
LATE_SECONDS = 2.0
"""How much later than the duration of a lease a heartbeat may be seen."""

_LOOK_SECONDS = 1.0


def lease_seconds(fleet: Fleet) -> float:
    """Return how long a lease lasts in this fleet."""
    return LEASE_SECONDS_DEFAULT if fleet.settings is None else fleet.settings.lease_ms / 1000


def silent_seconds(worker: WorkerRecord, now_ms: int) -> float:
    """Return the age of a worker's last heartbeat, by the two machines' clocks, which may differ a little."""
    return max(0.0, (now_ms - worker.updated_at_ms) / 1000)


def seems_dead(worker: WorkerRecord, fleet: Fleet, now_ms: int) -> bool:
    """Tell from a single look whether a worker has been silent for longer than a lease lasts."""
    return silent_seconds(worker, now_ms) > lease_seconds(fleet) + LATE_SECONDS


def seemingly_alive(fleet: Fleet, now_ms: int) -> frozenset[str]:
    """Return the workers that do not seem dead."""
    return frozenset(name for name, worker in fleet.workers.items() if not seems_dead(worker, fleet, now_ms))


class HeartbeatWatch:
    """Looks at the fleet about once a second and notes when each worker's counter moved, by its own clock."""

    def __init__(self, look: Callable[[], Fleet], runtime: Runtime) -> None:
        self._look = look
        self._runtime = runtime
        self._fleet = Fleet()
        self._looked_at: float | None = None
        self._seen: dict[str, tuple[int, float]] = {}

    @property
    def fleet(self) -> Fleet:
        """What the last look showed."""
        return self._fleet

    def look(self) -> None:
        """Look, unless that was done within the last second.

        Raises:
            EventStoreError: DynamoDB did not answer, or a record cannot be read.
        """
        now = self._runtime.monotonic()
        if self._looked_at is not None and now - self._looked_at < _LOOK_SECONDS:
            return
        self._fleet = self._look()
        self._looked_at = now
        before = self._seen
        self._seen = {
            name: before[name] if name in before and before[name][0] == worker.counter else (worker.counter, now)
            for name, worker in self._fleet.workers.items()
        }

    def nobody_lives(self) -> bool:
        """Tell whether there is no worker, or none whose counter has moved for as long as a lease lasts."""
        now, patience = self._runtime.monotonic(), lease_seconds(self._fleet) + LATE_SECONDS
        return all(now - moved_at > patience for _, moved_at in self._seen.values())
