"""Retries, refusals, broken documents and tokens, upcasting, and the index's lag."""

import base64
from dataclasses import replace

import pytest

from eventstore import AggregateRef, EventStore, NewEvent
from eventstore.cli.search import freshness
from eventstore.errors import (
    AccessDeniedError,
    CorruptRowError,
    InvalidTokenError,
    SearchExpiredError,
    SearchRefusedError,
    SearchUnreachableError,
    SetUpError,
)
from eventstore.rows.item import row_key
from eventstore.schema import EventTypes
from eventstore.search import EventSearch, SearchQuery
from eventstore.search.client import SearchLostError, SearchStatusError
from eventstore.search.document import encode
from eventstore.search.lag import committed_ms, refresh_seconds
from eventstore.system import SystemRuntime
from relay.destination import Park
from relay.outbox.row import RowId
from relay.outbox.writer import OutboxWriter

ALL = SearchQuery().oldest_first()


def text_of(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def test_what_a_store_stored_is_found(search, stored):
    """Events come back as they are loaded."""
    assert search.find(ALL) == stored
    assert search.find_events_by_type("PRICED", stored[0].timestamp_ms, 1) == [stored[1]]


def test_lost_answers_are_asked_for_again(search, index, stored):
    """Up to the bound of attempts; the caller sees nothing of it."""
    index.fail_next(SearchLostError("one"), SearchLostError("two"))

    assert search.count(ALL) == 2
    assert index.calls == 3


def test_the_attempts_are_bounded(search, index, stored):
    """Then an error says that asking again is safe."""
    index.fail_next(*[SearchLostError("down")] * 3)

    with pytest.raises(SearchUnreachableError, match="down"):
        search.find(ALL)
    assert index.calls == 3


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (401, "security_exception", AccessDeniedError),
        (403, "security_exception", AccessDeniedError),
        (400, "parsing_exception", SearchRefusedError),
        (404, "search_context_missing_exception", SearchExpiredError),
    ],
)
def test_refusals_are_not_repeated(search, index, stored, status, kind, error):
    """What time does not heal is said at once, as an error of the library."""
    index.fail_next(SearchStatusError(status, kind, "words"))

    with pytest.raises(error):
        search.find(ALL)
    assert index.calls == 1


def test_a_view_is_let_go_when_a_page_fails(search, index, stored):
    """Also when the index fails in the middle; where that fails too, nobody waits for it."""
    events = search.events(ALL, page_size=1)
    next(events)
    index.fail_next(SearchStatusError(400, "parsing_exception", "words"))
    with pytest.raises(SearchRefusedError):
        next(events)
    assert index.open_views == 0

    events = search.events(ALL, page_size=1)
    next(events)
    index.fail_next(SearchLostError("down"))
    calls = index.calls
    events.close()
    assert (index.open_views, index.calls) == (1, calls + 1)


def test_nothing_is_sent_before_the_first_event_is_asked_for(search, index, stored):
    """An iterator that nobody uses opens no view."""
    search.events(ALL).close()

    assert index.calls == 0


def test_a_view_that_expires_between_two_pages(search, index, stored):
    """The iterator says so."""
    events = search.events(ALL, page_size=1)
    next(events)
    index.expire_views()

    with pytest.raises(SearchExpiredError):
        next(events)


def test_a_document_that_cannot_be_read_hides_no_neighbours(search, index, stored):
    """Without a listener it is an error that names row and field; with one it is passed over."""
    broken = encode(replace(stored[0], event_id="broken", sequence_number=9)).replace(b'_first":1', b'_first":"one"')
    index.put_document("broken", broken)

    with pytest.raises(CorruptRowError, match=r"item-1/9 of inventory-events: attribute 'commitFirst' is of kind S"):
        search.find(ALL)
    told = []
    assert search.find(ALL, on_corrupt=told.append) == stored
    assert list(search.events(ALL, page_size=1, on_corrupt=told.append)) == stored
    assert search.page(ALL, on_corrupt=told.append).events == tuple(stored)
    assert [error.field for error in told] == ["commitFirst"] * 3


def test_a_document_of_an_earlier_template(search, index, stored):
    """It lacks the range of its commit, which is said by name."""
    old = encode(stored[0]).replace(b'"commit_first":1,', b"")
    index.put_document(stored[0].event_id, old)

    with pytest.raises(CorruptRowError, match="'commitFirst' is missing"):
        search.find(ALL)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "é",
        5,
        "x" * 70_000,
        text_of(b"[1]"),
        text_of(b"{}"),
    ],
)
def test_a_token_that_is_none(search, index, token):
    """Whatever is handed in, it is refused before anything is sent."""
    with pytest.raises(InvalidTokenError, match="not a page token"):
        search.page(ALL, token=token)
    with pytest.raises(InvalidTokenError):
        search.abandon(token)
    assert index.calls == 0


def test_a_token_of_another_version(search):
    """It says to begin again."""
    token = text_of(b'[2,"what","ever"]')

    with pytest.raises(InvalidTokenError, match=r"version 2.*begin again"):
        search.page(ALL, token=token)


def test_the_lag_of_an_index(search, index, store, client):
    """The oldest commit that is owed decides; delivered and parked ones do not count, parked ones are said."""
    assert search.index_lag().newest_indexed_ms is None
    results = [store.append(AggregateRef("Item", name), [NewEvent("ADDED", {})], expected_version=0) for name in "abcd"]
    index.add(store.load("c"))
    writer = OutboxWriter(client, store.context.tables, SystemRuntime(), store.context.options.read_backoff)
    writer.note({RowId("a", 1, results[0].commit_id): ["index"]})
    writer.park(RowId("b", 1, results[1].commit_id), "index", Park("too odd", "odd"))
    client.delete_item(TableName=store.context.tables.outbox, Key=row_key("c", 1))

    lag = search.index_lag()

    row = client.get_item(TableName=store.context.tables.outbox, Key=row_key("d", 1))["Item"]
    owed = int(row["committedAt"]["N"])  # its id's time may be a millisecond before it
    assert (lag.owed, lag.parked, lag.unreadable, lag.complete) == (1, 1, 0, True)
    assert lag.oldest_owed_ms == owed
    assert 0 <= lag.lag_seconds < 60
    assert lag.newest_indexed_ms == committed_ms(results[2].commit_id)
    assert lag.refresh_seconds == 1.0


def test_the_lag_is_bounded_in_what_it_reads(search, store):
    """It says when it has not seen the whole outbox."""
    for name in "abc":
        store.append(AggregateRef("Item", name), [NewEvent("ADDED", {})], expected_version=0)

    lag = search.index_lag(rows_max=2)
    assert (lag.owed, lag.complete) == (2, False)
    assert search.index_lag(rows_max=3).owed == 3


def test_an_outbox_row_that_says_no_time(search, client, store):
    """It is counted, and hides no other."""
    client.put_item(TableName=store.context.tables.outbox, Item={**row_key("x", 1), "committedAt": {"S": "noon"}})

    assert (search.index_lag().unreadable, search.index_lag().owed) == (1, 0)


def test_what_a_search_does_not_see_is_not_complete(search, index):
    """An index outside of the alias may hold anything: nothing is called complete, and it is named."""
    index.hide("inventory-events-2025.01", "is not under the alias inventory-events")

    lag = search.index_lag()

    assert not lag.complete
    assert lag.unseen == {"inventory-events-2025.01": "is not under the alias inventory-events"}
    assert "index inventory-events-2025.01 is not under the alias inventory-events" in freshness(lag)
    assert "has everything" not in freshness(lag)


def test_a_search_without_a_store_knows_no_lag(index):
    """It says where to get one that does."""
    with pytest.raises(SetUpError, match=r"EventStore\.search"):
        EventSearch(index).index_lag()


@pytest.mark.parametrize(
    ("intervals", "seconds"),
    [
        ({}, 1.0),
        ({"a": None}, 1.0),
        ({"a": "500ms"}, 0.5),
        ({"a": "30s", "b": None}, 30.0),
        ({"a": "2m"}, 120.0),
        ({"a": "-1", "b": "1s"}, None),
    ],
)
def test_refresh_intervals(intervals, seconds):
    """The longest counts; one that is switched off means that nothing can be said."""
    assert refresh_seconds(intervals) == seconds


def test_the_time_in_a_commit_id():
    """A UUIDv7 begins with its time; other ids tell none."""
    assert committed_ms("0194214f-9c00-7000-8000-000000000000") == 1_735_725_652_992
    assert committed_ms("9b2f3c0e-0000-4000-8000-000000000000") is None
    assert committed_ms("order-1:1-1") is None


def test_what_is_found_is_read_as_what_is_loaded(client, index, stored):
    """Upcasters and classes of the store's event types are applied to what is found."""
    types = EventTypes()
    types.add_upcaster(lambda data: {"item": data["sku"]}, "ADDED", 1)
    store = EventStore.open(client, events=types)

    (found,) = store.search(index).find_events_by_type("ADDED")

    assert found == store.load("item-1")[0]
    assert (found.schema_version, found.data) == (2, {"item": "A-1"})
