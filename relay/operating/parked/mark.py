"""Marks on outbox rows, and the rows as an operator sees them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.destination import BUS, CommitKey
from relay.outbox.row import RowId, number_of

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


def read(item: Mapping[str, Any]) -> MarkedRow:
    """Return what can be said of a row. It has a key: DynamoDB checks that."""
    last = number_of(item)
    first = _integer(item.get("firstSequence"))
    delivered = frozenset(str(name) for name in _kind(item.get("delivered"), "SS") or ())
    stored = _kind(item.get("parked"), "M") or {}
    return MarkedRow(
        aggregate_id=item["aggregateId"]["S"],
        last=last,
        commit_id=_kind(item.get("commitId"), "S") or None,
        first=first if first is not None and 1 <= first <= last else None,
        aggregate_type=str(_kind(item.get("aggregateType"), "S") or "?"),
        committed_at_ms=_integer(item.get("committedAt")),
        delivered=delivered,
        marks={name: _mark(name, value) for name, value in sorted(stored.items()) if name not in delivered},
        released_at_ms=_integer(item.get("releasedAt")),
    )


def _mark(destination: str, value: Mapping[str, Any]) -> Mark:
    fields = _kind(value, "M") or {}
    return Mark(
        destination=destination,
        reason=str(_kind(fields.get("reason"), "S") or _kind(value, "S") or "the mark does not say why"),
        error_class=str(_kind(fields.get("errorClass"), "S") or UNKNOWN_CLASS),
        attempts=_integer(fields.get("attempts")),
        first_failed_at_ms=_integer(fields.get("firstFailedAt")),
        last_failed_at_ms=_integer(fields.get("lastFailedAt")),
        stored=value,
    )


def _kind(value: object, kind: str) -> Any:
    return value.get(kind) if isinstance(value, Mapping) else None


def _integer(value: object) -> int | None:
    text = str(_kind(value, "N"))
    try:
        return int(text)
    except ValueError:
        return None
