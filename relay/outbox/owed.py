"""Which rows of the outbox an operator means, and what of them is work. Pure."""

from collections.abc import Collection
from dataclasses import dataclass

from eventstore.outbox_row import OutboxRow
from relay.destination import BUS, CommitKey
from relay.outbox.row import UnreadableRow
from relay.outbox.work import is_settled, lacking


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
