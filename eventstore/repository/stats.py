"""Counts of what a repository has done: for metrics, and to see whether its policies pay off."""

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields

from eventstore.transport import forks


@dataclass(frozen=True, slots=True)
class RepositoryStats:
    """Counts since the repository was made.

    Attributes:
        loads: Calls of `load`, and the loads of `transact`.
        cache_hits: Loads that started from a state in memory.
        answered_from_memory: Those of them that asked the table nothing, as the staleness bound allows.
        snapshot_hits: Loads that started from a snapshot.
        snapshots_ignored: Snapshots met that could not be used: another fold or epoch, or unreadable.
        snapshots_unread: Snapshots that could not be asked for; the events answered.
        snapshots_written: Snapshots stored.
        snapshots_superseded: Snapshots not stored since a newer one was there.
        snapshots_too_large: States over 400 KB, which a row cannot hold; such aggregates load from their events.
        snapshots_unencodable: States that the codec refused or that do not come back equal; give another codec.
        snapshots_failed: Snapshots that DynamoDB did not take; the load went on.
        events_read: Events folded.
        conflicts: Appends of `transact` that met another writer and were decided again.
    """

    loads: int = 0
    cache_hits: int = 0
    answered_from_memory: int = 0
    snapshot_hits: int = 0
    snapshots_ignored: int = 0
    snapshots_unread: int = 0
    snapshots_written: int = 0
    snapshots_superseded: int = 0
    snapshots_too_large: int = 0
    snapshots_unencodable: int = 0
    snapshots_failed: int = 0
    events_read: int = 0
    conflicts: int = 0


_NAMES = frozenset(each.name for each in fields(RepositoryStats))


class RepositoryCounters:
    """Counts that threads share; a forked process begins its own, so that sums count nothing twice."""

    def __init__(self, lock: AbstractContextManager[object]) -> None:
        self._lock = lock
        self._begin()
        forks.renew_in_child(self, RepositoryCounters._begin)

    def _begin(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        assert name in _NAMES, f"unknown counter {name}"
        with self._lock:
            self._counts[name] += count

    def stats(self) -> RepositoryStats:
        """Return the counts."""
        with self._lock:
            return RepositoryStats(**self._counts)
