"""Options are checked where they are given, by their names and with their bounds; limits of reads are capped."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    AimdSettings,
    Backoff,
    CachePolicy,
    EventStore,
    InvalidInputError,
    SnapshotPolicy,
    StoreOptions,
    TableNames,
    init_tables,
)
from eventstore.search import SearchOptions
from eventstore.testing import InMemoryDynamoDB

from .conftest import ITEM, FaultyClient, event

NAN, INFINITY, HUGE = float("nan"), float("inf"), 10**400

REFUSED: list[tuple[Callable[..., Any], str, str, list[object]]] = [
    (Backoff, "attempts_max", "backoff.attempts_max", [0, -1, 1_001, 2.0, True, None, "3"]),
    (Backoff, "base_seconds", "backoff.base_seconds", [-0.1, 86_401, NAN, INFINITY, HUGE, None, "1", True]),
    (Backoff, "cap_seconds", "backoff.cap_seconds", [-1, 86_401, NAN, INFINITY, None]),
    (AimdSettings, "minimum", "limiter.minimum", [0, 0.5, True, 10_001]),
    (AimdSettings, "start", "limiter.start", [0, 33, 1.5, None]),
    (AimdSettings, "maximum", "limiter.maximum", [0, 10_001, 33.0]),
    (AimdSettings, "increase", "limiter.increase", [0, -1.0, NAN, INFINITY, "1"]),
    (AimdSettings, "decrease", "limiter.decrease", [0, 1, 1.5, NAN, None]),
    (StoreOptions, "embed_max_bytes", "options.embed_max_bytes", [-1, 409_601, 1.5, True, None]),
    (StoreOptions, "append_deadline_seconds", "options.append_deadline_seconds", [0, -1, 86_401, NAN, None, "1"]),
    (StoreOptions, "limiter_queue_max", "options.limiter_queue_max", [-1, 1_000_001, 0.5]),
    (StoreOptions, "index_refresh_seconds", "options.index_refresh_seconds", [-1, NAN, INFINITY, None]),
    (StoreOptions, "append_backoff", "options.append_backoff", [None, 3, {}]),
    (StoreOptions, "read_backoff", "options.read_backoff", [None, 3]),
    (StoreOptions, "contention_backoff", "options.contention_backoff", [None, 3]),
    (StoreOptions, "settle_backoff", "options.settle_backoff", [None, 3]),
    (StoreOptions, "limiter", "options.limiter", [None, 3, Backoff()]),
    (TableNames, "prefix", "tables.prefix", ["with space", "a/b", "x" * 201, None, 7, "line\n"]),
    (SnapshotPolicy, "every_events", "snapshots.every_events", [0, -1, 1.5, True]),
    (SnapshotPolicy, "older_than_seconds", "snapshots.older_than_seconds", [-1, NAN, INFINITY, "1"]),
    (CachePolicy, "size", "size", [-1, 1.5, True, None]),
    (CachePolicy, "max_staleness_seconds", "max_staleness_seconds", [-1, NAN, None, "1"]),
    (SearchOptions, "timeout_seconds", "options.timeout_seconds", [0, 301, NAN, None, "1"]),
    (SearchOptions, "keep_alive_seconds", "options.keep_alive_seconds", [0, 86_401, 1.5, None]),
    (SearchOptions, "backoff", "options.backoff", [None, 3]),
]


@pytest.mark.parametrize(
    ("kind", "option", "field", "given"),
    [
        pytest.param(kind, option, field, value, id=f"{field}={str(value)[:20]!r}")
        for kind, option, field, values in REFUSED
        for value in values
    ],
)
def test_a_value_that_cannot_work(kind: Callable[..., Any], option: str, field: str, given: object) -> None:
    """
    Refused where it is given; the error names it and says what it may be.
    """
    with pytest.raises(InvalidInputError) as caught:
        kind(**{option: given})

    assert caught.value.field == field
    assert any(word in caught.value.reason for word in ("give", "use", "not from"))


@pytest.mark.parametrize(
    "accepted",
    [
        lambda: Backoff(1, 0, 0),
        lambda: Backoff(1_000, 86_400, 86_400),
        lambda: AimdSettings(start=1, maximum=1),
        lambda: AimdSettings(start=10_000, minimum=10_000, maximum=10_000, increase=10_000, decrease=0.99),
        lambda: StoreOptions(embed_max_bytes=0, limiter_queue_max=0, index_refresh_seconds=0),
        lambda: StoreOptions(embed_max_bytes=409_600, append_deadline_seconds=86_400),
        lambda: TableNames("x" * 200),
        lambda: SnapshotPolicy.every(1),
        lambda: SnapshotPolicy.older_than(0),
        lambda: CachePolicy(0, 0),
    ],
)
def test_the_bounds_themselves(accepted: Callable[[], object]) -> None:
    """
    The least and the most that is allowed is allowed.
    """
    assert accepted() is not None


def test_two_rules_for_snapshots() -> None:
    """
    One of them would be ignored without a word.
    """
    with pytest.raises(InvalidInputError, match="choose one"):
        SnapshotPolicy(every_events=5, older_than_seconds=5)


class Limits:
    """Notes the limits of queries, and refuses what is no number of 32 bits, as DynamoDB Local does."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.seen: list[int] = []

    def query(self, **request: Any) -> Any:
        self.seen.append(request.get("Limit", 0))
        assert request.get("Limit", 0) < 2**31
        return self.inner.query(**request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@pytest.mark.parametrize("most", [1, 2, 2**31 - 1, 2**31, 2**63, 10**30])
def test_a_limit_of_any_size(store: EventStore, client: FaultyClient, most: int) -> None:
    """
    What is more than a page holds is asked for page by page, whatever the number is.
    """
    store.append(ITEM, [event(number) for number in range(3)], expected_version=0)
    client.inner = limits = Limits(client.inner)

    assert len(list(store.read(ITEM, limit=most))) == min(most, 3)
    assert len(list(store.read(ITEM, limit=most, backwards=True))) == min(most, 3)
    assert len(list(store.read_type("COUNTED", limit=most))) == min(most, 3)
    assert len(list(store.read_aggregate_type("ITEM", limit=most))) == min(most, 3)
    assert max(limits.seen) <= 100_000


@pytest.mark.parametrize("until", [3, 10**15, 10**15 + 1, 2**63, 10**40])
def test_a_place_beyond_any_history(until: int) -> None:
    """
    Numbers that no key can hold are behind the last event.
    """
    database = InMemoryDynamoDB()
    init_tables(database.client())
    store = EventStore.open(database.client())
    store.append(ITEM, [event(number) for number in range(3)], expected_version=0)

    assert len(list(store.read(ITEM, until=until))) == 3
    assert list(store.read(ITEM, after=max(until, 10**15))) == []
