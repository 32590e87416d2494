"""How far the index is behind the store: what it lacks, what it shows, and how soon new documents are found."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from eventstore.context import StoreContext
from eventstore.errors import CorruptRowError
from eventstore.rows.item import Item, ItemReader
from eventstore.rows.outbox import LAYOUT_KNOWN

DESTINATION = "index"
"""The index's name in the sets `delivered` and `parked` of outbox rows."""

PAGE_ROWS = 500
REFRESH_DEFAULT_SECONDS = 1.0
"""Elasticsearch's default of `index.refresh_interval`."""

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UUID7_VERSION = 7


@dataclass(frozen=True, slots=True)
class IndexLag:
    """How fresh a search is. All times are writers' clocks.

    What was committed before `oldest_owed_ms` is in the index, and can be found `refresh_seconds` later at most; parked
    commits are the exception: they wait for a person. With nothing owed, everything committed is there.

    Attributes:
        lag_seconds: Age of the oldest commit the index lacks; 0 when it lacks none. A lower bound unless `complete`.
        oldest_owed_ms: When that commit was made, milliseconds since 1970 UTC; None when none is owed.
        owed: Commits the index lacks, as far as was looked.
        parked: Commits the index could not take, as far as was looked; a person must look at them.
        unreadable: Rows of the outbox that say not when they were committed.
        complete: Whether the whole outbox was looked at, and a search sees all of the store's indices.
        newest_indexed_ms: When the newest commit that a search shows was made; None for an empty index. Not how far
            the index has come: the index takes commits in any order.
        refresh_seconds: How long until what was delivered is found: the longest refresh interval of the indices. None
            when one of them never refreshes by itself.
        unseen: Indices of the store that a search does not see, or not in full: name → why. An operator must act.
    """

    lag_seconds: float
    oldest_owed_ms: int | None
    owed: int
    parked: int
    unreadable: int
    complete: bool
    newest_indexed_ms: int | None
    refresh_seconds: float | None
    unseen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IndexDebt:
    """What the outbox owes to the index; see `IndexLag`."""

    oldest_ms: int | None = None
    owed: int = 0
    parked: int = 0
    unreadable: int = 0
    rows: int = 0
    complete: bool = True


def debt(context: StoreContext, rows_max: int) -> IndexDebt:
    """Scan the outbox, at most `rows_max` rows of it, by consistent reads.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    found = IndexDebt()
    request: dict[str, Any] = {"TableName": context.tables.outbox, "ConsistentRead": True}
    request["Limit"] = min(PAGE_ROWS, rows_max)
    for reply in context.caller.pages(context.client.scan, request, needs="Items"):
        for item in reply["Items"]:
            found = _count(found, item, context.tables.outbox)
        if found.rows >= rows_max and "LastEvaluatedKey" in reply:
            return replace(found, complete=False)
        request["Limit"] = min(PAGE_ROWS, rows_max - found.rows)
    return found


def committed_ms(commit_id: str) -> int | None:
    """Return when a commit was made: its id is a UUIDv7, which begins with the time; None for any other id."""
    try:
        number = UUID(commit_id)
    except ValueError:
        return None
    return number.int >> 80 if number.version == _UUID7_VERSION else None


def refresh_seconds(intervals: Mapping[str, str | None]) -> float | None:
    """Return the longest of some refresh intervals; None when one is switched off or cannot be read."""
    longest = 0.0
    for text in intervals.values():
        if text is None:
            longest = max(longest, REFRESH_DEFAULT_SECONDS)
            continue
        match = _DURATION.fullmatch(text)
        if match is None:
            return None
        longest = max(longest, float(match[1]) * _UNITS[match[2]])
    return longest or REFRESH_DEFAULT_SECONDS


def _count(found: IndexDebt, item: Item, table: str) -> IndexDebt:
    found = replace(found, rows=found.rows + 1)
    row = ItemReader(item, table)
    try:
        row.check_layout(LAYOUT_KNOWN)
        if DESTINATION in row.text_set("delivered"):
            return found
        if DESTINATION in row.text_map("parked"):
            return replace(found, parked=found.parked + 1)
        committed = row.integer("committedAt")
    except CorruptRowError:
        return replace(found, unreadable=found.unreadable + 1)
    oldest = committed if found.oldest_ms is None else min(found.oldest_ms, committed)
    return replace(found, owed=found.owed + 1, oldest_ms=oldest)
