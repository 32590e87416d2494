"""Gaps: what has been owed for longer than a threshold and is not in flight, by aggregate."""

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from eventstore.ports import Runtime
from relay import defaults
from relay.destination import CommitKey
from relay.outbox.debt import Debt, Ledger, Meant
from relay.outbox.reader import OutboxReader


@dataclass(frozen=True, slots=True)
class Gap:
    """What one aggregate has been owed for too long.

    Attributes:
        aggregate_id: The aggregate.
        commits: How many commits.
        first: Last number of the lowest of them.
        last: Last number of the highest.
        oldest_committed_at_ms: When the oldest of them was committed; None when it does not say it.
        lacking: By destination, how many of them it lacks.
        parked: Destination → reason, of the lowest commit that is parked for it.
        waiting: How many wait for the bus behind one that is parked or unreadable.
        unreadable: How many rows do not say where they stand.
        settled: How many every destination has, so that only their rows are left.
    """

    aggregate_id: str
    commits: int
    first: int
    last: int
    oldest_committed_at_ms: int | None
    lacking: dict[str, int]
    parked: dict[str, str]
    waiting: int
    unreadable: int
    settled: int


@dataclass(frozen=True, slots=True)
class Gaps:
    """All gaps, the oldest in full.

    Attributes:
        aggregates: Aggregates that have one.
        commits: Commits in them.
        oldest: Gaps with the oldest commits, the oldest first; at most as many as were asked for.
        in_flight: Commits that are old enough but in a live worker's hands.
        rows: Rows of the outbox that were looked at.
    """

    aggregates: int
    commits: int
    oldest: tuple[Gap, ...]
    in_flight: int
    rows: int


@dataclass(slots=True)
class _Draft:
    """An aggregate's gap while its rows are being read."""

    aggregate_id: str
    commits: int = 0
    first: int = 0
    last: int = 0
    oldest: int | None = None
    lacking: dict[str, int] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)
    waiting: int = 0
    unreadable: int = 0
    settled: int = 0

    def add(self, debt: Debt) -> None:
        number = debt.key[1]
        self.commits += 1
        self.first, self.last = self.first or number, number
        if debt.committed_at_ms is not None:
            self.oldest = debt.committed_at_ms if self.oldest is None else min(self.oldest, debt.committed_at_ms)
        for name in debt.lacking | debt.parked.keys():
            self.lacking[name] = self.lacking.get(name, 0) + 1
        for name, reason in debt.parked.items():
            self.parked.setdefault(name, f"{number}: {reason}")
        self.waiting += debt.behind is not None
        self.unreadable += not debt.is_readable
        self.settled += debt.is_complete

    def gap(self) -> Gap:
        return Gap(
            self.aggregate_id,
            self.commits,
            self.first,
            self.last,
            self.oldest,
            dict(sorted(self.lacking.items())),
            dict(sorted(self.parked.items())),
            self.waiting,
            self.unreadable,
            self.settled,
        )


def find(
    reader: OutboxReader,
    destinations: Collection[str],
    in_flight: Collection[CommitKey],
    older_than_seconds: float,
    shown_max: int,
    runtime: Runtime,
) -> Gaps:
    """Look for gaps in one walk over the outbox; what is kept of it is bounded by `shown_max`.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    aggregates = commits = 0
    walk = _Walk(reader, destinations, in_flight, Meant(older_than_seconds=older_than_seconds), runtime)
    kept: list[tuple[float, int, Gap]] = []
    for gap in walk.gaps():
        aggregates += 1
        commits += gap.commits
        age_order = -(gap.oldest_committed_at_ms or 0)  # what does not say when it was committed counts as oldest
        entry = (age_order, -aggregates, gap)
        if len(kept) < shown_max:
            heapq.heappush(kept, entry)
        else:
            heapq.heappushpop(kept, entry)
    oldest = tuple(gap for _, _, gap in sorted(kept, key=lambda entry: entry[:2], reverse=True))
    return Gaps(aggregates, commits, oldest, walk.in_flight, walk.rows)


class _Walk:
    def __init__(
        self,
        reader: OutboxReader,
        destinations: Collection[str],
        in_flight: Collection[CommitKey],
        meant: Meant,
        runtime: Runtime,
    ) -> None:
        self._reader = reader
        self._destinations = destinations
        self._in_flight = frozenset(in_flight)
        self._meant = meant
        self._runtime = runtime
        self.in_flight = 0
        self.rows = 0

    def gaps(self) -> Iterator[Gap]:
        """Yield each aggregate's gap: a walk brings an aggregate's rows together."""
        ledger = Ledger(self._destinations)
        draft: _Draft | None = None
        for rows in self._reader.walk(None, defaults.OUTBOX_PAGE_ROWS):
            now_ms = self._runtime.now_ms()
            for row in rows:
                self.rows += 1
                debt = ledger.debt(row)
                if not self._meant.includes(row, now_ms):
                    continue
                if row.key in self._in_flight:
                    self.in_flight += 1
                    continue
                if draft is None or draft.aggregate_id != row.aggregate_id:
                    if draft is not None:
                        yield draft.gap()
                    draft = _Draft(row.aggregate_id)
                draft.add(debt)
        if draft is not None:
            yield draft.gap()
