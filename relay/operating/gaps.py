"""Gaps: what has been owed for longer than a threshold and is not in flight, by aggregate."""

import heapq
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from eventstore.ports import Runtime
from eventstore.rows.refused import RefusedMark
from relay import defaults
from relay.destination import BUS, CommitKey
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
        unreadable: How many rows do not say where they stand, or are of a later release.
        settled: How many every destination has, so that only their rows are left.
        newer: Of the unreadable, how many a later release wrote.
        fault: What is wrong with the lowest unreadable row; None when there is none.
        held_up: Why the aggregate waits alone, when a live worker or the mark on one of its rows says that it does: the
            bus does not take its next event. Short and stable: `nack`, `silent`.
        refused: Destination → the mark of the lowest commit that it refuses.
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
    newer: int = 0
    fault: str | None = None
    held_up: str | None = None
    refused: Mapping[str, RefusedMark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gaps:
    """All gaps, the oldest in full.

    Attributes:
        aggregates: Aggregates that have one.
        commits: Commits in them.
        oldest: Gaps with the oldest commits, the oldest first; at most as many as were asked for.
        in_flight: Commits that are old enough but in a live worker's hands, and not of an aggregate that waits alone.
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
    held_up: str | None = None
    commits: int = 0
    first: int = 0
    last: int = 0
    oldest: int | None = None
    lacking: dict[str, int] = field(default_factory=dict)
    parked: dict[str, str] = field(default_factory=dict)
    waiting: int = 0
    unreadable: int = 0
    settled: int = 0
    newer: int = 0
    fault: str | None = None
    refused: dict[str, RefusedMark] = field(default_factory=dict)

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
        self.newer += debt.is_newer
        self.fault = self.fault or debt.fault
        for name, mark in debt.refused.items():
            self.refused.setdefault(name, mark)
        if BUS in debt.refused:
            self.held_up = self.held_up or debt.refused[BUS].reason

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
            self.newer,
            self.fault,
            self.held_up,
            self.refused,
        )


def find(
    reader: OutboxReader,
    destinations: Collection[str],
    in_flight: Collection[CommitKey],
    older_than_seconds: float,
    shown_max: int,
    runtime: Runtime,
    held_up: Mapping[str, str] | None = None,
) -> Gaps:
    """Look for gaps in one walk over the outbox; what is kept of it is bounded by `shown_max`.

    Args:
        reader: Of the outbox.
        destinations: All of them.
        in_flight: What live workers have in hand.
        older_than_seconds: Owed for at least so long.
        shown_max: Aggregates that are returned.
        runtime: Its clock counts.
        held_up: Aggregates that wait alone, each with the reason: what is in hand of them is a gap all the same.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    aggregates = commits = 0
    meant = Meant(older_than_seconds=older_than_seconds)
    walk = _Walk(reader, destinations, in_flight, meant, runtime, held_up or {})
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
        held_up: Mapping[str, str],
    ) -> None:
        self._held_up = held_up
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
                if draft is not None and draft.aggregate_id != row.aggregate_id:
                    yield draft.gap()
                    draft = None
                is_alone = row.aggregate_id in self._held_up or bool(draft and draft.held_up) or BUS in debt.refused
                if row.key in self._in_flight and not is_alone:
                    self.in_flight += 1
                    continue
                if draft is None:
                    draft = _Draft(row.aggregate_id, self._held_up.get(row.aggregate_id))
                draft.add(debt)
        if draft is not None:
            yield draft.gap()
