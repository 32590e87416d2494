"""Parked commits counted by destination and error class, row by row, in bounded memory. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from relay.destination import BUS, CommitKey
from relay.operating.parked.mark import Mark, MarkedRow
from relay.operating.parked.selection import Selection

GROUPS_MAX = 1_000
"""Groups that are told apart; marks of further ones are counted together under `OTHER`."""

OTHER = "(other)"
UNREADABLE = "unreadable row"
NEWER = "row of a later release"


@dataclass(frozen=True, slots=True)
class Example:
    """One commit of a group.

    Attributes:
        aggregate_id: Its aggregate.
        last: Last sequence number of the commit.
        reason: Why it was parked.
    """

    aggregate_id: str
    last: int
    reason: str


@dataclass(slots=True)
class Group:
    """Commits that were parked for the same destination with the same error class.

    Attributes:
        destination: The destination.
        error_class: The class.
        commits: How many there are.
        waiting: Commits that wait behind them for the bus; 0 for other destinations, where nothing waits.
        oldest_failed_at_ms: When the first of them failed first; None when no mark says it.
        examples: Some of them.
    """

    destination: str
    error_class: str
    commits: int = 0
    waiting: int = 0
    oldest_failed_at_ms: int | None = None
    examples: list[Example] = field(default_factory=list)

    def add(self, example: Example, failed_at_ms: int | None, examples_max: int) -> None:
        """Count one more."""
        self.commits += 1
        if len(self.examples) < examples_max:
            self.examples.append(example)
        times = [at_ms for at_ms in (self.oldest_failed_at_ms, failed_at_ms) if at_ms is not None]
        self.oldest_failed_at_ms = min(times, default=None)


class Grouping:
    """Counts rows as a walk brings them: an aggregate's rows together, in order."""

    def __init__(self, selection: Selection, examples_max: int) -> None:
        self._selection = selection
        self._examples_max = examples_max
        self._groups: dict[tuple[str, str], Group] = {}
        self._blocked: tuple[CommitKey, Group | None] | None = None
        self.rows = 0

    def add(self, rows: Iterable[MarkedRow]) -> None:
        """Count some more rows."""
        for row in rows:
            self.rows += 1
            if self._is_behind(row):
                if self._blocked is not None and self._blocked[1] is not None and BUS not in row.delivered:
                    self._blocked[1].waiting += 1
            elif row.blocks:
                self._blocked = (row.key, None)
            self._count_marks(row)

    def groups(self) -> list[Group]:
        """Return the groups, the largest of each destination first, the bus first of all."""
        return sorted(
            self._groups.values(),
            key=lambda group: (group.destination != BUS, group.destination, -group.commits, group.error_class),
        )

    def _is_behind(self, row: MarkedRow) -> bool:
        return self._blocked is not None and row.aggregate_id == self._blocked[0][0] and row.key > self._blocked[0]

    def _count_marks(self, row: MarkedRow) -> None:
        meant: list[tuple[str, str, Mark | None]] = [
            (mark.destination, mark.error_class, mark) for mark in self._selection.of(row)
        ]
        if row.first is None and BUS not in row.delivered and self._means_unreadable(row):
            meant.append((BUS, _unreadable(row), None))
        for destination, error_class, mark in meant:
            group = self._group(destination, error_class)
            fault = row.layout_fault or "the row does not say where it begins: it stays owed, unmarked"
            reason = mark.reason if mark else fault
            group.add(
                Example(row.aggregate_id, row.last, reason),
                mark.first_failed_at_ms if mark else None,
                self._examples_max,
            )
            if destination == BUS and self._blocked is not None and self._blocked[0] == row.key:
                self._blocked = (row.key, group)

    def _means_unreadable(self, row: MarkedRow) -> bool:
        chosen = self._selection
        return (
            chosen.aggregate_id in (None, row.aggregate_id)
            and chosen.destination in (None, BUS)
            and chosen.error_class in (None, _unreadable(row))
        )

    def _group(self, destination: str, error_class: str) -> Group:
        key = (destination, error_class)
        if key not in self._groups and len(self._groups) >= GROUPS_MAX:
            key = (destination, OTHER)
        return self._groups.setdefault(key, Group(*key))


def _unreadable(row: MarkedRow) -> str:
    return NEWER if row.is_newer else UNREADABLE
