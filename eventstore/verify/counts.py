"""A store counted: how many events, of which types, on which days, how large. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from eventstore.errors import CorruptRowError
from eventstore.rows import event as event_row
from eventstore.rows.item import Item, item_size

NAMES_MAX = 20_000
"""Types, and days, counted one by one; room for fifty years of days."""

OTHERS = "(others)"
"""Counts what came after that many."""


@dataclass(frozen=True, slots=True)
class EventCount:
    """Some events, counted.

    Attributes:
        events: How many.
        size_bytes: Their rows in the events table, as DynamoDB counts bytes, without indexes.
    """

    events: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class StoreStats:
    """A store, counted by one walk over it, while writers may have been writing.

    Attributes:
        total: All events, unreadable rows included.
        aggregates: How many aggregates have events.
        commits: How many appends stored them.
        corrupt_rows: Rows of events that cannot be read; they are in `total` alone.
        largest_bytes: Size of the largest row.
        by_type: Event type → its events, most events first.
        by_aggregate_type: Aggregate type → its events, most events first.
        by_day: UTC day of the timestamp, `YYYY-MM-DD` → its events, oldest first.
        outbox_rows: Commits that are owed.
        idempotency_rows: Keys that callers have used.
    """

    total: EventCount
    aggregates: int
    commits: int
    corrupt_rows: int
    largest_bytes: int
    by_type: Mapping[str, EventCount]
    by_aggregate_type: Mapping[str, EventCount]
    by_day: Mapping[str, EventCount]
    outbox_rows: int
    idempotency_rows: int


class Counts:
    """Adds up rows of events that come aggregate by aggregate."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._total = EventCount()
        self._largest = 0
        self._aggregates = 0
        self._commits = 0
        self._corrupt = 0
        self._last_aggregate: str | None = None
        self._by_type: dict[str, EventCount] = {}
        self._by_aggregate_type: dict[str, EventCount] = {}
        self._by_day: dict[str, EventCount] = {}

    @property
    def events(self) -> int:
        """How many rows were taken."""
        return self._total.events

    @property
    def aggregates(self) -> int:
        """Of how many aggregates."""
        return self._aggregates

    def take(self, item: Item) -> None:
        """Take the next row, whatever it holds."""
        size = item_size(item)
        self._total = _plus(self._total, size)
        self._largest = max(self._largest, size)
        aggregate_id = item["aggregateId"]["S"]
        if aggregate_id != self._last_aggregate:
            self._aggregates += 1
            self._last_aggregate = aggregate_id
        try:
            event = event_row.decode(item, self._table)
            day = event_row.day_of(event.timestamp_ms)
        except (CorruptRowError, ValueError, OverflowError, OSError):
            self._corrupt += 1
            return
        self._commits += event.sequence_number == event.commit_last
        _add(self._by_type, event.type, size)
        _add(self._by_aggregate_type, event.aggregate_type, size)
        _add(self._by_day, day, size)

    def result(self, *, outbox_rows: int, idempotency_rows: int) -> StoreStats:
        """Return the sums."""
        return StoreStats(
            total=self._total,
            aggregates=self._aggregates,
            commits=self._commits,
            corrupt_rows=self._corrupt,
            largest_bytes=self._largest,
            by_type=_most_first(self._by_type),
            by_aggregate_type=_most_first(self._by_aggregate_type),
            by_day=dict(sorted(self._by_day.items())),
            outbox_rows=outbox_rows,
            idempotency_rows=idempotency_rows,
        )


def _plus(one: EventCount, size: int) -> EventCount:
    return EventCount(one.events + 1, one.size_bytes + size)


def _add(tallies: dict[str, EventCount], name: str, size: int) -> None:
    if name not in tallies and len(tallies) >= NAMES_MAX:
        name = OTHERS
    tallies[name] = _plus(tallies.get(name, EventCount()), size)


def _most_first(tallies: dict[str, EventCount]) -> dict[str, EventCount]:
    return dict(sorted(tallies.items(), key=lambda each: (-each[1].events, each[0])))
