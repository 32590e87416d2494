"""An outbox row as the relay sees it: a commit, a commit with a defect, or an unreadable row. Pure."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from eventstore.errors import CorruptRowError
from eventstore.rows import outbox as outbox_row
from eventstore.rows.outbox import OutboxRow
from relay.destination import CommitKey

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

    Attributes:
        aggregate_id: First half of its key.
        last: Second half of its key.
        reason: What is wrong with it.
    """

    aggregate_id: str
    last: int
    reason: str

    @property
    def key(self) -> tuple[str, int]:
        """The row's key."""
        return self.aggregate_id, self.last


def of_row(item: Mapping[str, Any], table: str) -> OutboxRow | UnreadableRow:
    """Return the commit of an outbox row.

    A row that is broken but says where it stands becomes a commit with a defect, which is parked in its turn.
    """
    try:
        return outbox_row.decode(item, table)
    except CorruptRowError as error:
        return _salvage(item, str(error))


def number_of(item: Mapping[str, Any]) -> int:
    """Return the number in a row's key; of one that is not whole, which no append makes, the whole number below it."""
    return math.floor(Decimal(item["sequenceNumber"]["N"]))


def _salvage(item: Mapping[str, Any], reason: str) -> OutboxRow | UnreadableRow:
    """Return what can be read of a broken row. DynamoDB checks that it has a key, not that its number is whole."""
    aggregate_id, last = item["aggregateId"]["S"], number_of(item)
    first_text = item.get("firstSequence", {}).get("N", "")
    is_whole = Decimal(item["sequenceNumber"]["N"]) == last
    if not is_whole or not first_text.isdecimal() or not 1 <= int(first_text) <= last:
        return UnreadableRow(aggregate_id, last, reason)
    return OutboxRow(
        aggregate_id=aggregate_id,
        aggregate_type=item.get("aggregateType", {}).get("S", "?"),
        commit_id=item.get("commitId", {}).get("S", NO_COMMIT_ID),
        first=int(first_text),
        last=last,
        committed_at_ms=0,
        epoch=0,
        events=None,
        delivered=frozenset(item.get("delivered", {}).get("SS", ())),
        parked=dict.fromkeys(item.get("parked", {}).get("M", {}), "?"),
        defect=reason,
    )


def lacking(row: OutboxRow, destinations: Collection[str]) -> frozenset[str]:
    """Return the destinations for which the commit is work: they do not have it and it is not parked for them.

    `delivered` outranks `parked`. That a commit may have to wait behind an earlier one is for `relay.delivery.order` to
    say.
    """
    return frozenset(destinations) - row.delivered - frozenset(row.parked)


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
    """The row is there and cannot be decoded: nobody can say that the bus has it, so what is above it waits."""


Answer = Absent | Present | Unreadable
