"""Queries over the events of all aggregates, and which partitions of which index hold them. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from eventstore import jsontext
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.payload import moments
from eventstore.payload.plain import scalar
from eventstore.rows.event import day_of
from eventstore.timeline.place import Place
from eventstore.validation import TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS

DAY_MS = 86_400_000
DAYS_MAX = 3_660
"""Days in one read by time, ten years. Each costs a request per write shard, also when nothing happened."""


@dataclass(frozen=True, slots=True)
class ByType:
    """The events of one type, of all aggregates.

    Attributes:
        event_type: As stored.
        from_ms: Only events with this timestamp or a later one: milliseconds since 1970 UTC, or a `datetime` with a
            zone, which is kept as milliseconds; None for all.
        until_ms: Only events with an earlier timestamp than this, as above; None for all.
        backwards: Newest first.
    """

    event_type: str
    from_ms: int | datetime | None = None
    until_ms: int | datetime | None = None
    backwards: bool = False

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        object.__setattr__(self, "event_type", _checked_name(self.event_type, "event_type"))
        _keep_range(self)


@dataclass(frozen=True, slots=True)
class ByAggregateType:
    """The events of all aggregates of one type.

    Attributes:
        aggregate_type: As stored.
        from_ms: Only events with this timestamp or a later one: milliseconds since 1970 UTC, or a `datetime` with a
            zone, which is kept as milliseconds; None for all.
        until_ms: Only events with an earlier timestamp than this, as above; None for all.
        backwards: Newest first.
    """

    aggregate_type: str
    from_ms: int | datetime | None = None
    until_ms: int | datetime | None = None
    backwards: bool = False

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        object.__setattr__(self, "aggregate_type", _checked_name(self.aggregate_type, "aggregate_type"))
        _keep_range(self)


@dataclass(frozen=True, slots=True)
class ByTime:
    """The events of a time range.

    Attributes:
        from_ms: Only events with this timestamp or a later one, as in `ByType`.
        until_ms: Only events with an earlier timestamp than this, as above; at most 3,660 days later.
        backwards: Newest first.
    """

    from_ms: int | datetime
    until_ms: int | datetime
    backwards: bool = False

    def __post_init__(self) -> None:
        """Refuse invalid values, and spans of too many days."""
        for field, value in (("from_ms", self.from_ms), ("until_ms", self.until_ms)):
            if value is None:
                raise InvalidInputError(field, "is missing: a read by time needs both ends")
        _keep_range(self)
        days = len(_days(*_both_ends(self)))
        if days > DAYS_MAX:
            raise LimitExceededError("until_ms", limit=DAYS_MAX, actual=days, unit="days")


EventQuery = ByType | ByAggregateType | ByTime
"""What `EventStore.read_page` reads."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A range of one partition of an index.

    Attributes:
        index: Name of the index.
        attribute: The index's partition key.
        value: Its value, write shard included.
        low_ms: Only entries with this timestamp or a later one.
        high_ms: Only entries with this timestamp or an earlier one.
    """

    index: str
    attribute: str
    value: str
    low_ms: int
    high_ms: int


def stages(query: EventQuery, index_shards: int, given: Place | None = None) -> Iterator[list[Partition]]:
    """Yield what must be read: the partitions of one list are merged, the lists follow one another.

    Args:
        query: What is wanted.
        index_shards: Write shards of the store.
        given: The last event that the reader has; earlier ones, in the direction of reading, are left out.
    """
    low, high = _both_ends(query)
    high -= 1
    if given is not None:
        low, high = (low, min(high, given.timestamp_ms)) if query.backwards else (max(low, given.timestamp_ms), high)
    if low > high:
        return
    match query:
        case ByType(event_type):
            yield _sharded("EventTypeIndex", "eventTypeShard", event_type, low, high, index_shards)
        case ByAggregateType(aggregate_type):
            yield _sharded("AggregateTypeIndex", "aggregateTypeShard", aggregate_type, low, high, index_shards)
        case ByTime():
            days = _days(low, high + 1)
            for day in reversed(days) if query.backwards else days:
                start = day * DAY_MS
                edges = max(low, start), min(high, start + DAY_MS - 1)
                yield _sharded("TimestampIndex", "dayShard", day_of(start), *edges, index_shards)


def beyond(query: EventQuery, timestamp_ms: int) -> EventQuery | None:
    """Return the query for what comes after a moment, in its direction; None when nothing can."""
    first, behind = _both_ends(query)
    if query.backwards:
        return None if timestamp_ms <= first else replace(query, until_ms=timestamp_ms)
    return None if timestamp_ms + 1 >= behind else replace(query, from_ms=timestamp_ms + 1)


def of_day(day: str, since_ms: int | datetime = 0) -> ByTime:
    """Return the query for one day's events, newest first.

    Args:
        day: UTC day, `YYYY-MM-DD`.
        since_ms: Only events with this timestamp or a later one.

    Raises:
        InvalidInputError: It is not a day.
    """
    try:
        start = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise InvalidInputError("day", f"is {day!r}, not a day of the form YYYY-MM-DD") from None
    start_ms = round(start.timestamp()) * 1000
    end_ms = start_ms + DAY_MS
    return ByTime(min(max(start_ms, moments.to_ms(since_ms, "since_ms")), end_ms), end_ms, backwards=True)


def describe(query: EventQuery) -> str:
    """Return a text that is the same for equal queries alone."""
    match query:
        case ByType(value):
            subject = ["type", value]
        case ByAggregateType(value):
            subject = ["aggregate type", value]
        case ByTime():
            subject = ["time"]
    return jsontext.encode([*subject, query.from_ms, query.until_ms, query.backwards], "query")


def _sharded(index: str, attribute: str, value: str, low: int, high: int, index_shards: int) -> list[Partition]:
    return [Partition(index, attribute, f"{value}#{shard}", low, high) for shard in range(index_shards)]


def _days(from_ms: int, until_ms: int) -> range:
    """Return the numbers, since 1970, of the days that a range touches."""
    if from_ms >= until_ms:
        return range(0)
    return range(from_ms // DAY_MS, (until_ms - 1) // DAY_MS + 1)


def _checked_name(name: str, field: str) -> str:
    if not isinstance(name, str) or not name:
        raise InvalidInputError(field, "is empty or not text")
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(field, "holds half of a surrogate pair") from error
    plain: str = scalar(name)
    return plain


def _keep_range(query: EventQuery) -> None:
    """Check the ends of a query, and keep them as milliseconds."""
    from_ms, until_ms = (moments.to_ms_or_none(getattr(query, field), field) for field in ("from_ms", "until_ms"))
    for field, value, highest in (
        ("from_ms", from_ms, TIMESTAMP_MAX_MS),
        ("until_ms", until_ms, TIMESTAMP_MAX_MS + 1),
    ):
        if value is not None and not TIMESTAMP_MIN_MS <= value <= highest:
            raise InvalidInputError(field, f"is {value}, outside of the years 1970 to 9999")
        object.__setattr__(query, field, value)
    if from_ms is not None and until_ms is not None and until_ms < from_ms:
        raise InvalidInputError("until_ms", f"is {until_ms}, below from_ms={from_ms}: the range is reversed")


def _both_ends(query: EventQuery) -> tuple[int, int]:
    """Return the first moment of a query and the one behind its last, those of all time where it has none."""
    first = TIMESTAMP_MIN_MS if query.from_ms is None else moments.to_ms(query.from_ms, "from_ms")
    behind = TIMESTAMP_MAX_MS + 1 if query.until_ms is None else moments.to_ms(query.until_ms, "until_ms")
    return first, behind
