"""Counts of what a store has done since it was opened."""

from dataclasses import dataclass, fields
from operator import add, attrgetter

from eventstore.dynamodb.limiter import LimiterState
from eventstore.ports import Runtime
from eventstore.transport import forks


@dataclass(frozen=True, slots=True)
class AppendCounts:
    """Appends counted since the store was opened; every number only grows.

    Attributes:
        appends: Commits that were stored, each aggregate of `append_many` counted.
        events: Events in them.
        repeats: Commits of those that an earlier attempt or an earlier call had stored.
        attempts: Requests of TransactWriteItems sent.
        throttles: Attempts refused for load.
        conflicts: Attempts that met another transaction, or an earlier attempt of their own still under way.
        lost_replies: Attempts whose reply did not come.
        unreached: Attempts that never reached DynamoDB.
        stale: Refusals since the aggregate was at another version.
        refused: Calls that ended in an error which no further attempt can fix.
        gave_up: Calls that ended since attempts, time or the queue's room were used up.
    """

    appends: int = 0
    events: int = 0
    repeats: int = 0
    attempts: int = 0
    throttles: int = 0
    conflicts: int = 0
    lost_replies: int = 0
    unreached: int = 0
    stale: int = 0
    refused: int = 0
    gave_up: int = 0


_numbers = attrgetter(*(each.name for each in fields(AppendCounts)))


@dataclass(frozen=True, slots=True)
class StoreMetrics:
    """A snapshot of a store's counts.

    Attributes:
        counts: What it has done since it was opened.
        limiter: What its limiter is doing now.
    """

    counts: AppendCounts
    limiter: LimiterState


class Counters:
    """Counts for a store; threads share it, and a forked process begins its own, so that sums count nothing twice.

    Args:
        runtime: Gives the lock.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._lock = runtime.lock()
        self._begin()
        forks.renew_in_child(self, Counters._begin)

    def _begin(self) -> None:
        self._counts = AppendCounts()

    def add(self, more: AppendCounts) -> None:
        """Add numbers."""
        with self._lock:
            self._counts = AppendCounts(*map(add, _numbers(self._counts), _numbers(more)))

    def snapshot(self) -> AppendCounts:
        """Return the numbers as they are now."""
        with self._lock:
            return self._counts
