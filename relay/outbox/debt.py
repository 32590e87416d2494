"""What rows of the outbox owe: those an operator selects, what can be done about each, and counts. Pure."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark
from relay.destination import BUS, CommitKey
from relay.outbox.row import UnreadableRow, is_settled, lacking

NAMES_MAX = 50
"""Destinations that parked commits are counted by, and reasons of refusals; those beyond are counted together, as
`OTHER_NAME`."""

OTHER_NAME = "other"


@dataclass(frozen=True, slots=True)
class Meant:
    """Rows that match every condition; None is no condition.

    Attributes:
        aggregate_id: Of this aggregate only.
        since_ms: Committed then or later, by the writer's clock.
        older_than_seconds: Committed at least this long ago, as above.
    """

    aggregate_id: str | None = None
    since_ms: int | None = None
    older_than_seconds: float | None = None

    def includes(self, row: OutboxRow | UnreadableRow, now_ms: int) -> bool:
        """Tell whether a row is selected. One that does not say when it was committed counts as old."""
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
        fault: Why it cannot be read; None when it can.
        is_newer: Whether a later release wrote it, so that an upgrade is all it takes.
        refused: Of those in `lacking`, the ones that do not take it for now, with what the row says of it.
    """

    key: CommitKey
    committed_at_ms: int | None
    lacking: frozenset[str]
    parked: dict[str, str]
    behind: int | None
    is_readable: bool
    is_complete: bool
    fault: str | None = None
    is_newer: bool = False
    refused: Mapping[str, RefusedMark] = field(default_factory=dict)

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
            return Debt(
                row.key,
                None,
                self._destinations,
                {},
                behind,
                is_readable=False,
                is_complete=False,
                fault=row.reason,
                is_newer=row.is_newer,
            )
        parked = {name: reason for name, reason in row.parked.items() if name not in row.delivered}
        if BUS in parked and behind is None:
            self._block = row.key
        owed = lacking(row, self._destinations)
        return Debt(
            row.key,
            row.committed_at_ms or None,  # a broken row says 0
            owed,
            parked,
            None if BUS in row.delivered else behind,
            is_readable=True,
            is_complete=is_settled(row.delivered, self._destinations),
            refused={name: mark for name, mark in row.refused.items() if name in owed},
        )


@dataclass(frozen=True, slots=True)
class Survey:
    """The outbox counted; `relay status` and the metrics show this one value.

    A row is owed to a destination, parked for it, or neither. What cannot go without a person is in `parked` or
    `unreadable`, whatever destinations are in force; an alert on the two misses none.

    Attributes:
        rows: Rows counted, the unreadable ones included.
        owed: By destination in force, how many commits it lacks that are not parked for it. An unreadable row is owed
            to nobody that could be named.
        owed_to_others_only: The bus has them, another destination in force lacks them.
        parked: By destination, in force or not, how many commits are parked for it that it does not have.
        parked_rows: Commits that are parked for one destination or more.
        unreadable: Not even their range can be read, or a later release wrote them; a person must look.
        newer: Of the unreadable, those of a later release: an upgrade is all it takes.
        complete_rows: Every destination in force has them; the sweep deletes them.
        oldest_committed_at_ms: When the oldest that is owed was committed; None when none is, or none says it.
        complete: Whether all rows were counted.
        refused: Of `owed`, by destination, how many commits it did not take though it took others, three times in a row
            or more; they are tried again.
        refusal_reasons: By reason, how many such refusals there are.
    """

    rows: int = 0
    owed: Mapping[str, int] = field(default_factory=dict)
    owed_to_others_only: int = 0
    parked: Mapping[str, int] = field(default_factory=dict)
    parked_rows: int = 0
    unreadable: int = 0
    newer: int = 0
    complete_rows: int = 0
    oldest_committed_at_ms: int | None = None
    complete: bool = True
    refused: Mapping[str, int] = field(default_factory=dict)
    refusal_reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def owed_to_bus(self) -> int:
        """Commits that the bus lacks and that are not parked for it."""
        return self.owed.get(BUS, 0)


class Census:
    """Counts the rows of one walk: the only place where the outbox is counted. Its size does not depend on the rows.

    Args:
        destinations: Those in force.
    """

    def __init__(self, destinations: Collection[str]) -> None:
        self._destinations = frozenset(destinations)
        self._owed: Counter[str] = Counter(dict.fromkeys(sorted(self._destinations), 0))
        self._parked: Counter[str] = Counter(dict.fromkeys(sorted(self._destinations), 0))
        self._refused: Counter[str] = Counter(dict.fromkeys(sorted(self._destinations), 0))
        self._refusal_reasons: Counter[str] = Counter()
        self._rows = self._owed_to_others_only = self._parked_rows = self._complete_rows = 0
        self._unreadable = self._newer = 0
        self._oldest_committed_at_ms: int | None = None

    @property
    def rows(self) -> int:
        """Rows counted so far."""
        return self._rows

    def add(self, row: OutboxRow | UnreadableRow) -> None:
        """Count a row."""
        self._rows += 1
        if isinstance(row, UnreadableRow):
            self._unreadable += 1
            self._newer += row.is_newer
            return
        marked = frozenset(row.parked) - row.delivered
        self._parked.update(_known(name, self._parked) for name in marked)
        self._parked_rows += bool(marked)
        self._complete_rows += is_settled(row.delivered, self._destinations)
        owed = lacking(row, self._destinations)
        self._owed.update(owed)
        for name, mark in row.refused.items():
            if name in owed:
                self._refused[name] += 1
                self._refusal_reasons[_known(mark.reason, self._refusal_reasons)] += 1
        self._owed_to_others_only += bool(owed) and BUS in row.delivered
        at = row.committed_at_ms
        if owed and at > 0 and (self._oldest_committed_at_ms is None or at < self._oldest_committed_at_ms):
            self._oldest_committed_at_ms = at  # a row that is broken may not say it

    def survey(self, *, complete: bool) -> Survey:
        """Return the count so far.

        Args:
            complete: Whether these are all rows of the outbox.
        """
        return Survey(
            rows=self._rows,
            owed=dict(self._owed),
            owed_to_others_only=self._owed_to_others_only,
            parked=dict(self._parked),
            parked_rows=self._parked_rows,
            unreadable=self._unreadable,
            newer=self._newer,
            complete_rows=self._complete_rows,
            oldest_committed_at_ms=self._oldest_committed_at_ms,
            complete=complete,
            refused=dict(self._refused),
            refusal_reasons=dict(self._refusal_reasons),
        )


def _known(name: str, counted: Collection[str]) -> str:
    """Return the name under which a mark is counted: marks are stored text, and may name anything."""
    return name if name in counted or len(counted) < NAMES_MAX else OTHER_NAME
