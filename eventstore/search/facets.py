"""How often each value of a field occurs among the events of a query."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from eventstore.errors import InvalidInputError
from eventstore.search import fields

BY_FIELD = frozenset({fields.EVENT_TYPE, fields.AGGREGATE_TYPE})
DAY = "day"
NAME = "facet"


@dataclass(frozen=True, slots=True)
class FacetCount:
    """One value.

    Attributes:
        value: The value as text; a day is `YYYY-MM-DD`, UTC.
        count: How many events have it.
    """

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Facets:
    """Counts by value.

    Attributes:
        counts: The most frequent values, most frequent first; of days the newest, newest first.
        others: How many occurrences belong to values that are not shown.
        error_bound: By how much a count may be too low at most; 0 where every count is exact. Each month's index
            reports its own most frequent values, so that with many values one can be missed in some month.
    """

    counts: Sequence[FacetCount]
    others: int
    error_bound: int


class _Bucket(msgspec.Struct):
    key: str | int | float
    doc_count: int
    key_as_string: str | None = None


class Aggregation(msgspec.Struct):
    """An aggregation of a reply."""

    buckets: list[_Bucket]
    sum_other_doc_count: int = 0
    doc_count_error_upper_bound: int = 0


def request(by: str, size: int) -> dict[str, Any]:
    """Return the `aggs` of a search body.

    Raises:
        InvalidInputError: There is no such facet.
    """
    if by == DAY:
        histogram = {
            "field": fields.TIMESTAMP,
            "calendar_interval": "day",
            "format": "yyyy-MM-dd",
            "min_doc_count": 1,
            "order": {"_key": "desc"},
        }
        return {NAME: {"date_histogram": histogram}}
    field = by if isinstance(by, str) and by in BY_FIELD else None
    if field is None and isinstance(by, str):
        root, _, path = by.partition(".")
        if fields.kind_of(root) is fields.FieldKind.FLATTENED and path.strip(".") and "\0" not in path:
            field = by
    if field is None:
        raise InvalidInputError(
            "by", f"is {by!r}; give event_type, aggregate_type, day, data.<path> or metadata.<path>"
        )
    return {NAME: {"terms": {"field": field, "size": size, "order": [{"_count": "desc"}, {"_key": "asc"}]}}}


def read(found: Aggregation | None, by: str, size: int) -> Facets:
    """Return the counts of a reply; all days come, since a histogram has no size."""
    if found is None:
        return Facets((), 0, 0)
    counts = tuple(FacetCount(bucket.key_as_string or str(bucket.key), bucket.doc_count) for bucket in found.buckets)
    if by == DAY:
        return Facets(counts[:size], sum(each.count for each in counts[size:]), 0)
    return Facets(counts, found.sum_other_doc_count, max(0, found.doc_count_error_upper_bound))
