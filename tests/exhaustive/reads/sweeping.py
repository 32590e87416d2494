"""What a walk over the outbox keeps from the bus, however its rows are cut into pages."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark
from relay.destination import BUS, CommitKey
from relay.outbox.row import UnreadableRow
from relay.sweep import sweep
from relay.testing.commits import commit
from tests.exhaustive.enumeration import splits

NOW_MS = 1_735_689_600_000
ROWS_MAX = 4
KINDS = ("owed", "parked", "parked and delivered", "unreadable", "refused", "refused before")


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk.

    Attributes:
        kinds: What is the matter with each row, in the order of the scan.
        second: From which of them on they are of another aggregate.
        pages: Sizes of the pages.
    """

    kinds: tuple[str, ...]
    second: int
    pages: tuple[int, ...]

    def words(self) -> tuple[str, ...]:
        """Return it in words."""
        rows = [
            f"{each.aggregate_id}/{each.last} is {kind}" for each, kind in zip(self._rows(), self.kinds, strict=True)
        ]
        return *rows, f"a walk brings them in pages of {self.pages}"

    def check(self) -> None:
        """Kept are those above a row that waits for a person, and those that are paused with those above."""
        rows, found, blocked, start = self._rows(), set[CommitKey](), None, 0
        for size in self.pages:
            kept = sweep.kept_from_bus(rows[start : start + size], blocked, NOW_MS)
            found |= kept.keys
            blocked, start = kept.blocked, start + size
        assert found == self._wanted(rows), f"kept are {sorted(found)}"

    def _wanted(self, rows: list[OutboxRow | UnreadableRow]) -> set[CommitKey]:
        wanted: set[CommitKey] = set()
        for place, row in enumerate(rows):
            below = [self.kinds[at] for at in range(place) if rows[at].aggregate_id == row.aggregate_id]
            if self.kinds[place] == "refused" or {"parked", "unreadable", "refused"} & set(below):
                wanted.add(row.key)
        return wanted

    def _rows(self) -> list[OutboxRow | UnreadableRow]:
        rows: list[OutboxRow | UnreadableRow] = []
        for place, kind in enumerate(self.kinds):
            name, number = ("a", place + 1) if place < self.second else ("b", place - self.second + 1)
            rows.append(_row(name, number, kind))
        return rows


def _row(name: str, number: int, kind: str) -> OutboxRow | UnreadableRow:
    row = commit(name, number, 1)
    match kind:
        case "unreadable":
            return UnreadableRow(name, number, "broken", is_newer=False)
        case "parked":
            return replace(row, parked={BUS: "too large"})
        case "parked and delivered":
            return replace(row, parked={BUS: "too large"}, delivered=frozenset({BUS}))
        case "refused":
            return replace(row, refused={BUS: RefusedMark(3, NOW_MS - 1_000, NOW_MS + 1_000, "nack")})
        case "refused before":
            return replace(row, refused={BUS: RefusedMark(3, NOW_MS - 9_000, NOW_MS - 1_000, "nack")})
    return row


def walks() -> Iterator[Walk]:
    """Yield every walk over up to `ROWS_MAX` rows of two aggregates."""
    for count in range(ROWS_MAX + 1):
        for kinds, second, pages in product(product(KINDS, repeat=count), range(count + 1), splits(count)):
            yield Walk(kinds, second, pages)
