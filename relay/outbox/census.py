"""What a walk over the outbox saw, counted per destination. Pure."""

from collections import Counter
from collections.abc import Collection

from eventstore.outbox_row import OutboxRow
from relay.outbox.row import UnreadableRow
from relay.outbox.work import lacking


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
