"""An outbox row as the relay sees it: a commit, a commit with a defect, or an unreadable row. Pure."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from eventstore.errors import CorruptRowError, NewerRowError
from eventstore.rows import outbox as outbox_row
from eventstore.rows.item import INTEGER_MAX, LAYOUT, content, is_text
from eventstore.rows.outbox import OutboxRow
from relay.destination import CommitKey

PAUSE_MAX_SECONDS = 600.0
"""No pause after a refusal is as long as this: a mark that says more was written by a clock that was wrong."""

NO_COMMIT_ID = ""
"""Stands in `OutboxRow.commit_id` for a row that does not say whose it is."""


class RowId(NamedTuple):
    """One commit's row: tables are remade and restored, and then another commit's row stands under the same key.

    Attributes:
        aggregate_id: First half of the row's key.
        last: Second half of the row's key.
        commit_id: The commit; None when the row does not say it.
    """

    aggregate_id: str
    last: int
    commit_id: str | None

    @property
    def key(self) -> CommitKey:
        """The row's key."""
        return self.aggregate_id, self.last


def row_id(row: OutboxRow) -> RowId:
    """Return which commit's row this is."""
    return RowId(row.aggregate_id, row.last, row.commit_id or None)


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """An outbox row of which not even the range of numbers can be read. It stays owed and holds up what is above it.

    It is never parked: a later release may read it, and a person may mend it.

    Attributes:
        aggregate_id: First half of its key; `?` when even that is not there.
        last: Second half of its key; 0 as above.
        reason: What is wrong with it, and what to do when it is newer.
        is_newer: Whether a later release wrote it, so that an upgrade is all it takes.
    """

    aggregate_id: str
    last: int
    reason: str
    is_newer: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """The row's key."""
        return self.aggregate_id, self.last


def of_row(item: Mapping[str, Any], table: str) -> OutboxRow | UnreadableRow:
    """Return the commit of an outbox row. It raises nothing, whatever the row holds.

    A row that is broken but says where it stands becomes a commit with a defect, which is parked in its turn. A row of
    a later release is unreadable, whatever else it seems to say.
    """
    try:
        return outbox_row.decode(item, table)
    except CorruptRowError as error:
        if error.field == LAYOUT:
            return UnreadableRow(*_key(item), str(error), is_newer=isinstance(error, NewerRowError))
        return _salvage(item, str(error))


def number_of(item: Mapping[str, Any]) -> int:
    """Return the number in a row's key; of one that is not whole, which no append makes, the whole number below it.

    Without a number, which DynamoDB does not store, it is 0.
    """
    try:
        return math.floor(Decimal(content(item, "sequenceNumber", "N")))
    except (ArithmeticError, ValueError, TypeError):
        return 0


def _key(item: Mapping[str, Any]) -> tuple[str, int]:
    aggregate_id = content(item, "aggregateId", "S")
    return aggregate_id if is_text(aggregate_id) else "?", number_of(item)


def _salvage(item: Mapping[str, Any], reason: str) -> OutboxRow | UnreadableRow:
    """Return what can be read of a broken row. DynamoDB checks that it has a key, not that its number is whole."""
    aggregate_id, last = _key(item)
    first = _whole(item, "firstSequence")
    if aggregate_id == "?" or _whole(item, "sequenceNumber") is None or first is None or not 1 <= first <= last:
        return UnreadableRow(aggregate_id, last, reason)
    return OutboxRow(
        aggregate_id=aggregate_id,
        aggregate_type=_text(item, "aggregateType"),
        commit_id=_text(item, "commitId", NO_COMMIT_ID),
        first=first,
        last=last,
        committed_at_ms=0,
        epoch=0,
        events=None,
        delivered=frozenset(name for name in content(item, "delivered", "SS") or () if is_text(name)),
        parked=dict.fromkeys(content(item, "parked", "M") or (), "?"),
        defect=reason,
    )


def _whole(item: Mapping[str, Any], field: str) -> int | None:
    """Return a whole number of 64 bits; None when there is none."""
    text = content(item, field, "N")
    try:
        number = int(text)
    except (ValueError, TypeError):
        return None
    return number if abs(number) <= INTEGER_MAX else None


def _text(item: Mapping[str, Any], field: str, missing: str = "?") -> str:
    text = content(item, field, "S")
    return text if is_text(text) else missing


def lacking(row: OutboxRow, destinations: Collection[str]) -> frozenset[str]:
    """Return the destinations for which the commit is work: they do not have it and it is not parked for them.

    `delivered` outranks `parked`. That a commit may have to wait behind an earlier one is for `relay.delivery.order` to
    say.
    """
    return frozenset(destinations) - row.delivered - frozenset(row.parked)


def pause_seconds(row: OutboxRow, name: str, now_ms: int) -> float:
    """Return for how long a destination is to be left alone with a commit that it refused; 0 when it may have it.

    A mark that asks for more than any pause lasts is of a clock that was wrong, and counts for nothing; so does one for
    a destination that has the commit.

    Args:
        row: The commit's row.
        name: The destination.
        now_ms: This worker's clock.
    """
    mark = row.refused.get(name)
    if mark is None or name in row.delivered:
        return 0.0
    left = (mark.until_ms - now_ms) / 1000
    return left if 0.0 < left <= PAUSE_MAX_SECONDS else 0.0


def is_settled(delivered: Collection[str], destinations: Collection[str]) -> bool:
    """Tell whether every destination has the commit, so that its row goes."""
    return frozenset(destinations) <= frozenset(delivered)


@dataclass(frozen=True, slots=True)
class Absent:
    """No row: the commit is settled (or the number belongs to no commit's end, which a hole-free history excludes)."""


@dataclass(frozen=True, slots=True)
class Present:
    """The row is there."""

    row: OutboxRow


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The row is there and cannot be decoded: nobody can say that the bus has it, so what is above it waits.

    Attributes:
        reason: As in `UnreadableRow`.
        is_newer: As in `UnreadableRow`.
    """

    reason: str = ""
    is_newer: bool = False


Answer = Absent | Present | Unreadable
