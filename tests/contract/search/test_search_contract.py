"""What a search finds, in memory and on Elasticsearch alike."""

import json
from datetime import UTC, datetime

import pytest

from eventstore.errors import InvalidTokenError, SearchExpiredError, SearchRefusedError
from eventstore.search import EventSearch, FacetCount, SearchQuery
from relay.testing.commits import NEW_YEAR_2025_MS, commit

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
ALL = SearchQuery()


def at(hours: float) -> int:
    return NEW_YEAR_2025_MS + int(hours * HOUR_MS)


def ids(events):
    return [event.event_id for event in events]


def item(name: str, hours: float, data: dict | None = None, metadata: dict | None = None, **fields):
    return commit(
        name,
        data_json=json.dumps(data or {}),
        metadata_json=json.dumps(metadata or {}),
        timestamp_ms=at(hours),
        **fields,
    )


def test_what_is_found_is_what_was_stored(world):
    """Every field of a recorded event comes out of its document, payload and metadata digit by digit."""
    stored = commit(
        "größe",
        4,
        3,
        aggregate_type="Parcel",
        event_type="Sent",
        data_json='{"weight":1.50,"big":123456789012345678901234567890,"small":1E-7,"minus":-0,"b":1,"a":"é\\u0000"}',
        metadata_json='{"user":"u","x":[1.0]}',
        timestamp_ms=1_738_367_999_999,
        epoch=7,
    )
    world.index(stored)

    assert world.search.find(ALL.oldest_first()) == list(stored.events)


def test_an_index_that_was_never_written(world):
    """There is nothing to be found, and that is not an error."""
    assert world.search.find(ALL) == []
    assert list(world.search.events(ALL)) == []
    assert world.search.page(ALL).events == ()
    assert world.search.count(ALL) == 0
    assert world.search.facets(ALL, "event_type").counts == ()
    assert world.search.raw({"query": {"match_all": {}}})["hits"]["hits"] == []
    world.search.refresh()


def test_by_type_from_a_time_on(world):
    """Oldest first, from the given time inclusive, as many as asked for."""
    world.index(*[item(f"a{hour}", hour) for hour in (3, 1, 2, 0)], item("b", 2, event_type="Paid"))

    assert ids(world.search.find_events_by_type("Placed", at(1), 2)) == ["a1:1", "a2:1"]
    assert ids(world.search.find_events_by_type("Placed")) == ["a0:1", "a1:1", "a2:1", "a3:1"]
    assert world.search.find_events_by_type("Unknown") == []


SHELF = [
    item(
        "a", 0, {"sku": "A-1", "price": 9.5, "n": 1, "on": True, "lines": [{"sku": "X"}, {"sku": "Y"}]}, {"user": "u1"}
    ),
    item(
        "b", 1, {"sku": "B-2", "price": 12.5, "n": 2, "on": False, "note": "Handle with care"}, {"correlation_id": "c1"}
    ),
    item("c", 2, {"sku": "B-2", "price": 20, "stock": {"count": 5}, "due": "2025-02-01"}, event_type="Paid"),
    item("d", 3, {"price": "odd", "due": 1_738_368_000_000, "note": "care of Köln"}, aggregate_type="Parcel"),
]


@pytest.fixture(scope="module")
def shelf(asked_world):
    """A world with what is on the shelf."""
    asked_world.index(*SHELF)
    return asked_world


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (ALL, "abcd"),
        (ALL.event_type("Paid"), "c"),
        (ALL.event_type("Paid", "Placed", "Nothing"), "abcd"),
        (ALL.aggregate_type("Parcel"), "d"),
        (ALL.aggregate_id("a"), "a"),
        (ALL.aggregate_id("a", "d"), "ad"),
        (ALL.correlation_id("c1"), "b"),
        (ALL.between(from_ms=at(1)), "bcd"),
        (ALL.between(until_ms=at(1)), "a"),
        (ALL.between(at(1), at(3)), "bc"),
        (ALL.data("sku", "B-2"), "bc"),
        (ALL.data("sku", "b-2"), ""),
        (ALL.data("lines.sku", "Y"), "a"),
        (ALL.data("n", 2), "b"),
        (ALL.data("price", 12.5), "b"),
        (ALL.data("on", value=True), "a"),
        (ALL.data("stock.count", 5), "c"),
        (ALL.metadata("user", "u1"), "a"),
        (ALL.data("sku", "B-2").event_type("Placed"), "b"),
        (ALL.event_type("Paid").event_type("Placed"), ""),
        (ALL.promoted_range("price", at_least=12.5), "bc"),
        (ALL.promoted_range("price", below=12.5), "a"),
        (ALL.promoted_range("price", 9.5, 20), "ab"),
        (ALL.promoted_range("stock.count", 5, 6), "c"),
        (ALL.promoted_range("due", "2025-02-01"), "cd"),
        (ALL.promoted_range("due", 1_738_368_000_000, 1_738_368_000_001), "cd"),
        (ALL.promoted_range("due", below=datetime(2025, 2, 1, tzinfo=UTC)), ""),
        (ALL.promoted_range("due", below=2025), ""),
        (ALL.promoted_text("note", "CARE"), "bd"),
        (ALL.promoted_text("note", "care handle"), "b"),
        (ALL.promoted_text("note", "köln"), "d"),
        (ALL.promoted_text("note", "car"), ""),
    ],
)
def test_conditions(shelf, query, found):
    """Each condition meets what it says, all must hold, and finding, counting and reading pages agree."""
    expected = [f"{name}:1" for name in found]
    assert ids(shelf.search.find(query.oldest_first())) == expected
    assert ids(shelf.search.find(query)) == expected[::-1]
    assert ids(shelf.search.events(query.oldest_first(), page_size=1)) == expected
    assert shelf.search.count(query) == len(expected)


def test_pages_cover_everything_once_both_ways(world):
    """Pages of any size, over several months, hold each event once and in order, also many of one millisecond."""
    rows = [commit(f"a{number:03}", 1, 5, timestamp_ms=at(24 * 20 * (number % 3))) for number in range(40)]
    world.index(*rows)

    forwards = ids(world.search.events(ALL.oldest_first(), page_size=33))
    assert len(set(forwards)) == 200
    assert ids(world.search.events(ALL, page_size=64)) == forwards[::-1]
    assert ids(world.search.events(ALL.oldest_first(), limit=70, page_size=33)) == forwards[:70]

    paged, token, pages = [], None, 0
    while token is not None or pages == 0:
        page = world.search.page(ALL.oldest_first(), size=50 + pages, token=token)
        paged += ids(page.events)
        token, pages = page.token, pages + 1
    assert paged == forwards
    assert pages == 4


def test_pages_are_of_one_moment(world):
    """What is indexed between two pages is not in the second, unless a new view is asked for."""
    world.index(item("a", 0), item("c", 2))
    first = world.search.page(ALL.oldest_first(), size=1)
    world.index(item("b", 1))

    assert ids(first.events) == ["a:1"]
    assert ids(world.search.page(ALL.oldest_first(), size=5, token=first.token, new_view=True).events) == ["b:1", "c:1"]
    assert ids(world.search.page(ALL.oldest_first(), size=5, token=first.token).events) == ["c:1"]


def test_a_token_is_bound_to_its_query(world):
    """With another condition, order or index it is refused before anything is sent."""
    world.index(item("a", 0), item("b", 1))
    token = world.search.page(ALL, size=1).token

    for other in (ALL.oldest_first(), ALL.event_type("Placed")):
        with pytest.raises(InvalidTokenError, match="of another query"):
            world.search.page(other, token=token)
    world.search.abandon(token)


def test_a_view_that_is_gone(world):
    """Its token says so and what to do; with a new view the pages go on behind it."""
    world.index(item("a", 0), item("b", 1))
    token = world.search.page(ALL.oldest_first(), size=1).token
    world.search.abandon(token)
    world.search.abandon(token)

    with pytest.raises(SearchExpiredError, match="start again without the token, or continue after it with"):
        world.search.page(ALL.oldest_first(), token=token)
    assert ids(world.search.page(ALL.oldest_first(), token=token, new_view=True).events) == ["b:1"]


class Listening:
    """A client that remembers the views that were opened."""

    def __init__(self, client):
        self._client = client
        self.views = []

    def open_view(self, *arguments):
        self.views.append(self._client.open_view(*arguments))
        return self.views[-1]

    def __getattr__(self, name):
        return getattr(self._client, name)


@pytest.mark.parametrize("taken", [1, 2, 3, 6])
def test_views_are_let_go(world, taken):
    """When an iteration ends, by itself or because nobody goes on, its view is gone on the server."""
    world.index(*[item(f"a{number}", number) for number in range(5)])
    client = Listening(world.client)
    search = EventSearch(client, world.options)

    events = search.events(ALL, page_size=2)
    for _ in zip(range(taken), events, strict=False):
        pass
    events.close()

    (view,) = client.views
    with pytest.raises(SearchExpiredError):
        search.raw({"pit": {"id": view, "keep_alive": "1s"}, "size": 1})


def test_the_last_page_lets_its_view_go(world):
    """Whoever reads to the end leaves nothing behind."""
    world.index(item("a", 0))
    client = Listening(world.client)
    search = EventSearch(client, world.options)

    assert search.page(ALL, size=2).token is None
    with pytest.raises(SearchExpiredError):
        search.raw({"pit": {"id": client.views[0], "keep_alive": "1s"}, "size": 1})


def test_facets(world):
    """Values with their counts, most frequent first; days newest first; the rest is said."""
    world.index(
        *[item(f"a{number}", 24 * number, {"sku": "A"}) for number in range(3)],
        *[item(f"b{number}", 0, {"sku": "B", "on": True}, {"user": "u"}, event_type="Paid") for number in range(2)],
        item("c", 0, {"sku": ["A", "C"]}, aggregate_type="Parcel", event_type="Sent"),
    )

    types = world.search.facets(ALL, "event_type", 2)
    assert types.counts == (FacetCount("Placed", 3), FacetCount("Paid", 2))
    assert (types.others, types.error_bound) == (1, 0)
    assert world.search.facets(ALL, "aggregate_type").counts == (FacetCount("Order", 5), FacetCount("Parcel", 1))
    days = world.search.facets(ALL, "day", 2)
    assert days.counts == (FacetCount("2025-01-03", 1), FacetCount("2025-01-02", 1))
    assert days.others == 4
    assert world.search.facets(ALL, "data.sku").counts == (FacetCount("A", 4), FacetCount("B", 2), FacetCount("C", 1))
    assert world.search.facets(ALL, "data.on").counts == (FacetCount("true", 2),)
    assert world.search.facets(ALL.event_type("Paid"), "metadata.user").counts == (FacetCount("u", 2),)
    assert world.search.facets(ALL, "data.nothing").counts == ()


def test_raw(world):
    """The escape hatch gives the reply as it came; what is not understood is refused in the server's words."""
    world.index(item("a", 0), item("b", 1))

    reply = world.search.raw({"query": {"term": {"aggregate_id": "b"}}})
    assert reply["hits"]["total"] == {"value": 1, "relation": "eq"}
    assert reply["hits"]["hits"][0]["_source"]["commit_last"] == 1
    with pytest.raises(SearchRefusedError, match="nonsense") as caught:
        world.search.raw({"query": {"nonsense": {"a": 1}}})
    assert caught.value.status == 400


def test_a_long_value_is_kept_but_not_findable(world):
    """1,024 characters can be found, more cannot, and the event is there all the same."""
    world.index(item("a", 0, {"text": "x" * 1024}), item("b", 1, {"text": "x" * 1025}))

    assert world.search.count(ALL.data("text", "x" * 1024)) == 1
    assert world.search.count(ALL) == 2
    assert ids(world.search.find(ALL.aggregate_id("b"))) == ["b:1"]


def test_refresh_interval(world):
    """Unset it is Elasticsearch's own default, one second."""
    world.index(item("a", 0), item("b", 24 * 40))

    intervals = world.client.refresh_intervals(world.names.alias, 10)
    assert set(intervals.values()) == {None}
    assert all(name.startswith(world.names.alias) for name in intervals)
