"""Marks on outbox rows, and the rows as an operator sees them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventstore.errors import CorruptRowError, NewerRowError
from eventstore.rows.item import INTEGER_MAX, ItemReader, content, is_text
from eventstore.rows.outbox import LAYOUT_KNOWN
from relay.destination import BUS, CommitKey
from relay.outbox.row import RowId, number_of

MARKS_AT_ONCE_MAX = 25
"""Marks that one request changes. A row has one per destination; of a row that was filled by hand, an expression with
all of them may be larger than the 4 KiB that DynamoDB takes."""

UNKNOWN_CLASS = "unknown"
"""Stands for the error class of a mark that does not say it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Why a commit was parked for one destination.

    Attributes:
        destination: The destination that cannot take it.
        reason: A sentence for a person.
        error_class: Short and stable, such as `message_too_large`.
        attempts: Attempts that failed; None when the mark does not say it.
        first_failed_at_ms: By the relay's clock; None as above.
        last_failed_at_ms: Same as above.
        stored: The mark as it is stored: a change of it is conditional on it.
    """

    destination: str
    reason: str
    error_class: str
    attempts: int | None
    first_failed_at_ms: int | None
    last_failed_at_ms: int | None
    stored: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """A row of the outbox, as far as it can be read: an operator must see broken ones too.

    Attributes:
        aggregate_id: Its aggregate.
        last: Last sequence number of the commit.
        commit_id: The append that stored it; None when the row does not say it.
        first: Its first; None when the row does not say it, so that nobody can put it in order.
        aggregate_type: The aggregate's type; `?` when the row does not say it.
        committed_at_ms: The writer's clock at the append; None when the row does not say it.
        delivered: Destinations that have the commit.
        marks: By destination; only those of destinations that do not have the commit: `delivered` outranks them.
        released_at_ms: When a mark was last removed by an operator; None when never.
        layout_fault: Why nothing but its key can be read: a later release wrote it, or it does not say which; None when
            it has a layout that is known.
        is_newer: Whether a later release wrote it, so that an upgrade is all it takes.
    """

    aggregate_id: str
    last: int
    commit_id: str | None
    first: int | None
    aggregate_type: str
    committed_at_ms: int | None
    delivered: frozenset[str]
    marks: Mapping[str, Mark]
    released_at_ms: int | None
    layout_fault: str | None = None
    is_newer: bool = False

    @property
    def id(self) -> RowId:
        """Whose row it is."""
        return RowId(self.aggregate_id, self.last, self.commit_id)

    @property
    def key(self) -> CommitKey:
        """The row's key."""
        return self.aggregate_id, self.last

    @property
    def blocks(self) -> bool:
        """Whether later commits of its aggregate cannot go to the bus because of it."""
        return BUS not in self.delivered and (BUS in self.marks or self.first is None)


def read(item: Mapping[str, Any], table: str = "the outbox") -> MarkedRow:
    """Return what can be said of a row. It has a key: DynamoDB checks that."""
    key = content(item, "aggregateId", "S")
    aggregate_id, last = key if is_text(key) else "?", number_of(item)
    try:
        ItemReader(item, table).check_layout(LAYOUT_KNOWN)
    except CorruptRowError as error:
        is_newer = isinstance(error, NewerRowError)
        return MarkedRow(
            aggregate_id, last, None, None, "?", None, frozenset(), {}, None, layout_fault=str(error), is_newer=is_newer
        )
    first = None if _integer(item, "sequenceNumber") is None else _integer(item, "firstSequence")
    delivered = frozenset(name for name in content(item, "delivered", "SS") or () if is_text(name))
    stored = content(item, "parked", "M") or {}
    return MarkedRow(
        aggregate_id=aggregate_id,
        last=last,
        commit_id=_text(item, "commitId") or None,
        first=first if first is not None and 1 <= first <= last else None,
        aggregate_type=_text(item, "aggregateType") or "?",
        committed_at_ms=_integer(item, "committedAt"),
        delivered=delivered,
        marks={name: _mark(name, value) for name, value in sorted(stored.items()) if name not in delivered},
        released_at_ms=_integer(item, "releasedAt"),
    )


def _mark(destination: str, stored: Mapping[str, Any]) -> Mark:
    fields = content({"mark": stored}, "mark", "M") or {}
    return Mark(
        destination=destination,
        reason=_text(fields, "reason") or _text({"mark": stored}, "mark") or "the mark does not say why",
        error_class=_text(fields, "errorClass") or UNKNOWN_CLASS,
        attempts=_integer(fields, "attempts"),
        first_failed_at_ms=_integer(fields, "firstFailedAt"),
        last_failed_at_ms=_integer(fields, "lastFailedAt"),
        stored=stored,
    )


def _text(item: Mapping[str, Any], field: str) -> str:
    text = content(item, field, "S")
    return text if is_text(text) else ""


def _integer(item: Mapping[str, Any], field: str) -> int | None:
    """Return a whole number of 64 bits; None when there is none."""
    try:
        number = int(str(content(item, field, "N")))
    except ValueError:
        return None
    return number if abs(number) <= INTEGER_MAX else None
