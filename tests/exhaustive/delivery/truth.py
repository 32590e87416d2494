"""What has truly happened between a worker and the bus, and what must hold of it; by hand, beside the product."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS

PAUSE_SECONDS = 1.0
"""For so long at least a refused event is not tried again."""


@dataclass(slots=True)
class Truth:
    """What is on the bus and in the index, and what this process was told.

    Attributes:
        commits: Of the tables that are there now: the last number of each, by its id.
        reach: How far the bus has each aggregate of them.
        confirmed: Events that the bus has confirmed to this process, by commit and number.
        indexed: Commits that the index has.
        refused_at: When the bus last refused an aggregate's event, until it takes it.
        alone: Aggregates of which an event was refused, or silent, or held up when it was handed in.
    """

    commits: dict[str, tuple[str, int]] = field(default_factory=dict)
    reach: dict[str, int] = field(default_factory=dict)
    confirmed: set[tuple[str, int]] = field(default_factory=set)
    indexed: set[str] = field(default_factory=set)
    refused_at: dict[str, float] = field(default_factory=dict)
    alone: set[str] = field(default_factory=set)

    def make_anew(self, rows: list[OutboxRow]) -> None:
        """Forget what was in the tables: these are others."""
        self.commits = {row.commit_id: row.key for row in rows}
        self.reach = {row.aggregate_id: 0 for row in rows}
        self.refused_at.clear()

    def may_send(self, row: OutboxRow, number: int, now: float, *, is_claimed: bool) -> None:
        """Check that an event may go now.

        Args:
            row: Its commit.
            number: Its number.
            now: By the monotonic clock.
            is_claimed: Whether a source with a certain lease has handed in its commit, or one above.
        """
        assert is_claimed, f"{row.aggregate_id}/{number} is sent, and nobody who may claims it"
        assert (row.commit_id, number) not in self.confirmed, (
            f"{row.aggregate_id}/{number} was confirmed, and goes again"
        )
        refused_at = self.refused_at.get(row.aggregate_id)
        is_early = refused_at is not None and now - refused_at < PAUSE_SECONDS
        assert not is_early, f"{row.aggregate_id}/{number} was refused, and is tried again at once"
        if row.commit_id in self.commits:
            reach = self.reach[row.aggregate_id]
            assert number <= reach + 1, f"{row.aggregate_id}/{number} is sent when the bus has {reach}"

    def arrive(self, row: OutboxRow, number: int) -> None:
        """Let an event be on the bus."""
        if row.commit_id in self.commits:
            self.reach[row.aggregate_id] = max(self.reach[row.aggregate_id], number)

    def take(self, row: OutboxRow, number: int) -> None:
        """Let the bus take an event, and say so."""
        self.arrive(row, number)
        self.confirmed.add((row.commit_id, number))
        if self.refused_at.pop(row.aggregate_id, None) is not None:
            self.refused_at.clear()  # the others may try at once

    def has(self, row: OutboxRow, name: str) -> bool:
        """Tell whether a destination has a commit of the tables that are there."""
        if name == BUS:
            return self.reach[row.aggregate_id] >= row.last
        return row.commit_id in self.indexed

    def may_delete(self, row: OutboxRow, names: frozenset[str]) -> None:
        """Check that a row may go: every destination has its commit."""
        lacking = sorted(name for name in names if not self.has(row, name))
        assert not lacking, f"the row of {row.aggregate_id}/{row.last} goes, and {', '.join(lacking)} lacks it"

    def told(self) -> Mapping[str, object]:
        """Return what tells one truth from another."""
        return {
            "reach": self.reach,
            "confirmed": tuple(sorted(self.confirmed)),
            "indexed": tuple(sorted(self.indexed)),
            "refused": self.refused_at,
            "alone": tuple(sorted(self.alone)),
        }
