"""What cannot be meant is refused before anything is sent, by an error that names the field."""

from datetime import datetime

import pytest

from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.search import PromotedType, SearchOptions, SearchQuery

Q = SearchQuery()


@pytest.mark.parametrize(
    ("build", "field"),
    [
        (Q.event_type, "event_type"),
        (lambda: Q.event_type(""), "event_type"),
        (lambda: Q.event_type("A", ""), "event_type"),
        (lambda: Q.event_type(5), "event_type"),
        (lambda: Q.aggregate_type(""), "aggregate_type"),
        (lambda: Q.aggregate_id(""), "aggregate_id"),
        (lambda: Q.aggregate_id("\ud800"), "aggregate_id"),
        (lambda: Q.correlation_id(""), "correlation_id"),
        (lambda: Q.event_type(*map(str, range(1001))), "event_type"),
        (Q.between, "between"),
        (lambda: Q.between(from_ms=-1), "from_ms"),
        (lambda: Q.between(from_ms=1.5), "from_ms"),
        (lambda: Q.between(from_ms=True), "from_ms"),
        (lambda: Q.between(2, 1), "until_ms"),
        (lambda: Q.between(2, 2), "until_ms"),
        (lambda: Q.between(until_ms=10**15), "until_ms"),
        (lambda: Q.data("", "x"), "data"),
        (lambda: Q.data(".", "x"), "data"),
        (lambda: Q.data("a\0b", "x"), "data"),
        (lambda: Q.data("a", None), "data.a"),
        (lambda: Q.data("a", ["x"]), "data.a"),
        (lambda: Q.data("a", float("nan")), "data.a"),
        (lambda: Q.data("a", "x" * 1025), "data.a"),
        (lambda: Q.metadata("a", "\ud800"), "metadata.a"),
        (lambda: Q.promoted_range("price"), "promoted.price"),
        (lambda: Q.promoted_range("price", 2, 1), "promoted.price.below"),
        (lambda: Q.promoted_range("price", float("inf")), "promoted.price.at_least"),
        (lambda: Q.promoted_range("price", True), "promoted.price.at_least"),
        (lambda: Q.promoted_range("due", datetime(2025, 1, 1)), "promoted.due.at_least"),  # noqa: DTZ001
        (lambda: Q.promoted_text("note", "  "), "promoted.note"),
        (lambda: SearchOptions(prefix="Shop"), "options.prefix"),
        (lambda: SearchOptions(promoted={"a b": PromotedType.LONG}), "options.promoted"),
        (lambda: SearchOptions(timeout_seconds=0), "options.timeout_seconds"),
        (lambda: SearchOptions(keep_alive_seconds=0), "options.keep_alive_seconds"),
    ],
)
def test_refused_when_it_is_built(build, field):
    """The error names the field."""
    with pytest.raises(InvalidInputError) as caught:
        build()
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("query", "field", "hint"),
    [
        (Q.promoted_range("weight", 1), "promoted.weight", "not promoted .*RELAY_INDEX_PROMOTED"),
        (Q.promoted_text("weight", "x"), "promoted.weight", "not promoted"),
        (Q.promoted_range("note", "a"), "promoted.note", "use promoted_text"),
        (Q.promoted_text("price", "x"), "promoted.price", "use promoted_range"),
        (Q.promoted_range("price", "1.5"), "promoted.price.at_least", "give a number"),
        (Q.promoted_range("count", 1.5), "promoted.count.at_least", "whole number"),
        (Q.promoted_range("count", below=2**63), "promoted.count.below", "64 bits"),
        (Q.promoted_range("due", "tomorrow"), "promoted.due.at_least", "ISO 8601"),
        (Q.promoted_range("due", "2025-02-01", "2025-01-01"), "promoted.due.below", "reversed"),
    ],
)
def test_refused_when_it_is_used(search, index, query, field, hint):
    """What depends on the promoted fields is known to the search; nothing is sent all the same."""
    for use in (search.find, search.events, search.page, search.count, lambda q: search.facets(q, "day")):
        with pytest.raises(InvalidInputError, match=hint) as caught:
            use(query)
        assert caught.value.field == field
    assert index.calls == 0


@pytest.mark.parametrize(
    ("use", "field"),
    [
        (lambda search: search.find(Q, 0), "limit"),
        (lambda search: search.find(Q, 10_001), "limit"),
        (lambda search: search.find(Q, True), "limit"),
        (lambda search: search.find_events_by_type("", 0, 10), "event_type"),
        (lambda search: search.find_events_by_type("A", -1, 10), "from_ms"),
        (lambda search: search.events(Q, limit=0), "limit"),
        (lambda search: search.events(Q, page_size=10_001), "page_size"),
        (lambda search: search.page(Q, size=0), "size"),
        (lambda search: search.facets(Q, "colour"), "by"),
        (lambda search: search.facets(Q, "data."), "by"),
        (lambda search: search.facets(Q, "day", 0), "size"),
        (lambda search: search.raw([]), "body"),
        (lambda search: search.raw({"query": {1}}), "body.query"),
        (lambda search: search.index_lag(rows_max=0), "rows_max"),
    ],
)
def test_arguments_out_of_bounds(search, index, use, field):
    """Bounds are checked before anything is sent, also for what is read lazily."""
    with pytest.raises(InvalidInputError) as caught:
        use(search)
    assert caught.value.field == field
    assert index.calls == 0


def test_a_query_is_a_value():
    """A method returns another query and leaves its own alone; the order of alternatives does not matter."""
    one = Q.event_type("A", "B")
    one.data("x", 1)

    assert one == Q.event_type("B", "A", "B")
    assert len({one, Q.event_type("B", "A")}) == 1
    assert one.oldest_first().newest_first() == one


def test_conditions_are_bounded():
    """A loop that adds conditions for ever ends in an error, not in a huge request."""
    query = Q
    for number in range(100):
        query = query.data("x", number)
    with pytest.raises(LimitExceededError, match="at most 100"):
        query.data("x", 100)
