"""Reads of the shop: histories, times, pages, imports, checks, searches."""

from collections.abc import Iterator
from datetime import datetime
from typing import assert_type

from eventstore import (
    Append,
    AppendOutcome,
    AppendResult,
    BulkProgress,
    ByType,
    CorruptRowError,
    EventQuery,
    EventStore,
    EventStoreError,
    Finding,
    OnCorrupt,
    RecordedEvent,
    WrongExpectedVersionError,
)
from eventstore.search import EventSearch, SearchClient, SearchQuery

from .events import Received, item


def store_all(store: EventStore, quantities: dict[str, int]) -> list[AppendResult | EventStoreError]:
    """Store first deliveries of many items, and return what became of each."""
    appends = (Append(item(sku), [Received(many)], 0, idempotency_key="first") for sku, many in quantities.items())
    told: list[BulkProgress] = []
    ends: list[AppendResult | EventStoreError] = []
    for outcome in store.append_all(appends, concurrency=2, progress=told.append):
        assert_type(outcome, AppendOutcome)
        ends.append(outcome.error if outcome.result is None and outcome.error is not None else done(outcome))
    return ends


def done(outcome: AppendOutcome) -> AppendResult:
    """Return the result of an append that went well."""
    assert outcome.result is not None
    return outcome.result


def version_or_conflict(store: EventStore, sku: str) -> int | None:
    """Append at version 1, and return the new version or the one that another writer has made."""
    try:
        return store.append(item(sku), [Received(1)], expected_version=1).version
    except WrongExpectedVersionError as conflict:
        return conflict.actual


def between(store: EventStore, start: datetime, end: datetime) -> Iterator[RecordedEvent]:
    """Yield what happened in a time."""
    broken: list[CorruptRowError] = []
    on_corrupt: OnCorrupt = broken.append
    yield from store.read_between(start, end, on_corrupt=on_corrupt)


def pages(store: EventStore, start: datetime) -> list[int]:
    """Return the sizes of pages of deliveries."""
    query: EventQuery = ByType("STOCK_RECEIVED", from_ms=start)
    sizes: list[int] = []
    token: str | None = None
    while True:
        page = store.read_page(query, size=2, token=token)
        sizes.append(len(page.events))
        token = page.token
        if token is None:
            return sizes


def faults(store: EventStore) -> list[Finding]:
    """Return what is wrong with the store."""
    return list(store.verify())


def found(store: EventStore, client: SearchClient, start: datetime) -> list[RecordedEvent]:
    """Return deliveries of a shelf, by the search index."""
    search = store.search(client)
    assert_type(search, EventSearch)
    return search.find(SearchQuery().event_type("STOCK_RECEIVED").data("shelf", "A").between(start), limit=10)
