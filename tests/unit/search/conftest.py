"""A store in memory, and a search over what it holds."""

import pytest

from eventstore import AggregateRef, Backoff, EventStore, NewEvent, TableNames
from eventstore.dynamodb import tables
from eventstore.search import EventSearch, PromotedType, SearchOptions
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB, InMemorySearch

PROMOTED = {
    "price": PromotedType.DOUBLE,
    "count": PromotedType.LONG,
    "due": PromotedType.DATE,
    "note": PromotedType.TEXT,
}
OPTIONS = SearchOptions(promoted=PROMOTED, backoff=Backoff(attempts_max=3, base_seconds=0, cap_seconds=0))


@pytest.fixture
def client():
    made = InMemoryDynamoDB().client()
    tables.init(made, TableNames(), SystemRuntime())
    return made


@pytest.fixture
def store(client) -> EventStore:
    return EventStore.open(client)


@pytest.fixture
def index() -> InMemorySearch:
    return InMemorySearch(PROMOTED)


@pytest.fixture
def search(store, index) -> EventSearch:
    return store.search(index, OPTIONS)


@pytest.fixture
def stored(store, index):
    store.append(
        AggregateRef("Item", "item-1"),
        [NewEvent("ADDED", {"sku": "A-1"}), NewEvent("PRICED", {"price": 1.5})],
        expected_version=0,
    )
    events = store.load("item-1")
    index.add(events)
    return events
