"""What rows of the outbox owe: which an operator means, what can be done about each, and all of them counted. Pure."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS, CommitKey
from relay.outbox.row import UnreadableRow, is_settled, lacking


@dataclass(frozen=True, slots=True)
class Meant:
    """Rows that meet all that is said; None says nothing.

    Attributes:
        aggregate_id: Of this aggregate only.
        since_ms: Committed then or later, by the writer's clock.
        older_than_seconds: Committed at least so long ago, likewise.
    """

    aggregate_id: str | None = None
    since_ms: int | None = None
    older_than_seconds: float | None = None

    def includes(self, row: OutboxRow | UnreadableRow, now_ms: int) -> bool:
        """Tell whether a row is meant. One that does not say when it was committed is old."""
        if self.aggregate_id not in (None, row.aggregate_id):
            return False
        committed_at_ms = 0 if isinstance(row, UnreadableRow) else row.committed_at_ms
        if self.since_ms is not None and committed_at_ms < self.since_ms:
            return False
        return self.older_than_seconds is None or now_ms - committed_at_ms >= self.older_than_seconds * 1000


@dataclass(frozen=True, slots=True)
class Debt:
    """What is owed of one row.

    Attributes:
        key: The row.
        committed_at_ms: When it was committed; None when it does not say it.
        lacking: Destinations that lack it and for which it is not parked.
        parked: Destinations that lack it and for which it is parked, with the reason.
        behind: Last number of the commit below it that holds it up for the bus; None when none does.
        is_readable: Whether it says where it stands.
        is_complete: Whether every destination has it, so that only the row must go.
    """

    key: CommitKey
    committed_at_ms: int | None
    lacking: frozenset[str]
    parked: dict[str, str]
    behind: int | None
    is_readable: bool
    is_complete: bool

    def can_go(self, closed_off: Collection[str] = ()) -> bool:
        """Tell whether there is something that a delivery could do for it now."""
        held_up = {BUS} if self.behind is not None else set()
        return self.is_complete or bool(self.lacking - held_up - set(closed_off))


class Ledger:
    """Says of each row what is owed, as a walk brings an aggregate's rows together, in order."""

    def __init__(self, destinations: Collection[str]) -> None:
        self._destinations = frozenset(destinations)
        self._block: CommitKey | None = None

    def debt(self, row: OutboxRow | UnreadableRow) -> Debt:
        """Return what is owed of the next row."""
        block = self._block
        behind = block[1] if block is not None and block[0] == row.aggregate_id and block[1] < row.last else None
        if isinstance(row, UnreadableRow):
            if behind is None:
                self._block = row.key
            return Debt(row.key, None, self._destinations, {}, behind, is_readable=False, is_complete=False)
        parked = {name: reason for name, reason in row.parked.items() if name not in row.delivered}
        if BUS in parked and behind is None:
            self._block = row.key
        return Debt(
            row.key,
            row.committed_at_ms or None,  # a broken row says 0
            lacking(row, self._destinations),
            parked,
            None if BUS in row.delivered else behind,
            is_readable=True,
            is_complete=is_settled(row.delivered, self._destinations),
        )


class Census:
    """Counts the rows of one walk; its size does not depend on theirs.

    Attributes:
        rows: All of them, the unreadable ones included.
        owed: Per destination how many lack it, parked ones left out.
        parked: Per destination how many are parked for it.
        unreadable: Rows that say not even where they begin.
        oldest_committed_at_ms: Of those that are owed and not parked; None when there is none, or none says it.
    """

    def __init__(self, destinations: Collection[str]) -> None:
        self._destinations = frozenset(destinations)
        self.rows = 0
        self.owed: Counter[str] = Counter(dict.fromkeys(sorted(self._destinations), 0))
        self.parked: Counter[str] = Counter(dict.fromkeys(sorted(self._destinations), 0))
        self.unreadable = 0
        self.oldest_committed_at_ms: int | None = None

    def add(self, row: OutboxRow | UnreadableRow) -> None:
        """Count a row."""
        self.rows += 1
        if isinstance(row, UnreadableRow):
            self.unreadable += 1
            self.owed.update(self._destinations)
            return
        owed = lacking(row, self._destinations)
        self.owed.update(owed)
        self.parked.update(frozenset(row.parked) & self._destinations - row.delivered)
        at = row.committed_at_ms
        if owed and at > 0 and (self.oldest_committed_at_ms is None or at < self.oldest_committed_at_ms):
            self.oldest_committed_at_ms = at  # a row that is broken may not say it
