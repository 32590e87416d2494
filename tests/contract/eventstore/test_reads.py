"""Reads over many aggregates, verification and counts, on every DynamoDB: one suite, the same answers."""

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    AggregateTypeError,
    ByTime,
    ByType,
    CorruptRowError,
    EventStore,
    FindingKind,
    IndexMissingError,
    InvalidTokenError,
    NewEvent,
    TableNames,
    init_tables,
)
from eventstore.timeline import partition_reader

DAY = 1_700_006_400_000
"""2023-11-15 00:00 UTC."""

DAY_MS = 86_400_000

OpenStore = Callable[..., EventStore]
Keys = list[tuple[str, int]]


def append(store: EventStore, aggregate_id: str, *events: tuple[str, int]) -> None:
    """Append events, each a type and a time, to an aggregate in one commit."""
    news = [NewEvent(kind, {"time": time}, timestamp_ms=time) for kind, time in events]
    store.append(AggregateRef("ITEM", aggregate_id), news, expected_version=store.current_version(aggregate_id))


def keys(events: Any) -> Keys:
    """Return aggregate ids and numbers."""
    return [(event.aggregate_id, event.sequence_number) for event in events]


def paged(store: EventStore, query: Any, size: int) -> Iterator[Any]:
    """Yield a query's events page by page."""
    page = store.read_page(query, size=size)
    yield from page.events
    while page.token is not None:
        page = store.read_page(query, size=size, token=page.token)
        yield from page.events


def test_indexes_are_merged_into_one_order(open_store: OpenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    By type, by aggregate type and by time; forwards, backwards and in pages; with many events of one moment.
    """
    monkeypatch.setattr(partition_reader, "PAGE_MAX_PLACES", 4)
    monkeypatch.setattr(partition_reader, "RUN_MAX_PLACES", 3)
    chance = random.Random(7)
    store = open_store()
    for _ in range(12):
        times = [DAY + chance.choice([0, 0, 0, 1, DAY_MS]) for _ in range(5)]
        append(store, f"a-{chance.randint(1, 3)}", *[(chance.choice("XY"), time) for time in times])
    events = [event for number in (1, 2, 3) for event in store.load(f"a-{number}")]
    expected = sorted((event.timestamp_ms, event.aggregate_id, event.sequence_number, event.type) for event in events)
    everything: Keys = [(each[1], each[2]) for each in expected]
    only_x: Keys = [(each[1], each[2]) for each in expected if each[3] == "X"]
    morning: Keys = [(each[1], each[2]) for each in expected if each[0] < DAY + DAY_MS]

    assert keys(store.read_type("X")) == only_x
    assert keys(store.read_type("X", backwards=True)) == only_x[::-1]
    assert keys(store.read_aggregate_type("ITEM", limit=11)) == everything[:11]
    assert keys(store.read_between(DAY, DAY + 2 * DAY_MS)) == everything
    assert keys(store.read_between(DAY, DAY + DAY_MS, backwards=True)) == morning[::-1]
    assert keys(paged(store, ByTime(DAY, DAY + 2 * DAY_MS), 7)) == everything
    assert keys(paged(store, ByType("X", backwards=True), 3)) == only_x[::-1]
    assert keys(store.stream_events(DAY + 1)) == [(each[1], each[2]) for each in expected if each[0] > DAY]


def test_large_bodies_come_in_several_replies(open_store: OpenStore) -> None:
    """
    A BatchGetItem returns 16 MB at most and leaves the other keys unprocessed.
    """
    store = open_store()
    text = "x" * 390_000
    for number in range(3):
        aggregate = AggregateRef("ITEM", f"a-{number}")
        for version in (0, 10):
            news = [NewEvent("LARGE", {"text": text}, timestamp_ms=DAY + version) for _ in range(10)]
            store.append(aggregate, news, expected_version=version)

    found = [(event.sequence_number, len(event.data["text"])) for event in store.read_type("LARGE")]

    assert found == [(number, 390_000) for base in (1, 11) for _ in range(3) for number in range(base, base + 10)]
    assert list(store.verify()) == []


def test_an_aggregate_is_read_by_reference(open_store: OpenStore) -> None:
    """
    And another type is said to be one.
    """
    store = open_store()
    append(store, "a", ("X", DAY))

    assert keys(store.read(AggregateRef("ITEM", "a"))) == [("a", 1)]
    with pytest.raises(AggregateTypeError):
        list(store.read(AggregateRef("ORDER", "a")))


def test_an_index_that_is_absent_is_named(client: Any, open_store: OpenStore) -> None:
    """
    Both servers use words that the library understands.
    """
    store = open_store()
    events = store.context.tables.events
    client.delete_table(TableName=events)
    client.create_table(
        TableName=events,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "aggregateId", "AttributeType": "S"},
            {"AttributeName": "sequenceNumber", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "aggregateId", "KeyType": "HASH"},
            {"AttributeName": "sequenceNumber", "KeyType": "RANGE"},
        ],
    )
    client.get_waiter("table_exists").wait(TableName=events)

    with pytest.raises(IndexMissingError, match="TimestampIndex"):
        list(store.read_between(DAY, DAY + 1))


class SmallPages:
    """A client whose Scans and Queries return few rows at a time."""

    def __init__(self, inner: Any, limit: int) -> None:
        self._inner = inner
        self._limit = limit

    def scan(self, **request: Any) -> Any:
        return self._inner.scan(**request, Limit=self._limit)

    def query(self, **request: Any) -> Any:
        return self._inner.query(**{"Limit": self._limit, **request})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@pytest.mark.parametrize("limit", [1, 3])
def test_a_walk_crosses_pages(client: Any, open_store: OpenStore, limit: int) -> None:
    """
    However the pages cut aggregates and commits apart, a sound store is sound and is counted right.
    """
    store = open_store(client=client)
    for number in range(4):
        append(store, f"a-{number}", *[("X", DAY)] * (number + 1))
        append(store, f"a-{number}", ("Y", DAY + DAY_MS))
    cut = EventStore.open(SmallPages(client, limit), store.context.tables)  # type: ignore[arg-type]

    assert list(cut.verify()) == []
    assert list(cut.verify("a-3")) == []
    assert list(cut.verify(since_ms=DAY)) == []
    found = cut.stats()
    assert (found.total.events, found.aggregates, found.commits, found.outbox_rows) == (14, 4, 8, 8)
    assert {kind: count.events for kind, count in found.by_type.items()} == {"X": 10, "Y": 4}
    assert {day: count.events for day, count in found.by_day.items()} == {"2023-11-15": 10, "2023-11-16": 4}


def test_faults_are_found(client: Any, open_store: OpenStore) -> None:
    """
    A commit of which a part is lost, a row that cannot be read, and a key whose commit is gone.
    """
    store = open_store()
    names: TableNames = store.context.tables
    append(store, "half", *[("X", DAY)] * 3)
    append(store, "unreadable", ("X", DAY), ("X", DAY))
    gone = AggregateRef("ITEM", "gone")
    store.append(gone, [NewEvent("X", {})], expected_version=0, idempotency_key="key")
    for aggregate_id, number in (("half", 2), ("gone", 1)):
        key = {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(number)}}
        client.delete_item(TableName=names.events, Key=key)
    client.update_item(
        TableName=names.events,
        Key={"aggregateId": {"S": "unreadable"}, "sequenceNumber": {"N": "2"}},
        UpdateExpression="REMOVE eventType",
    )

    found = {(finding.kind, finding.aggregate_id, finding.number) for finding in store.verify()}

    assert found == {
        (FindingKind.HOLE, "half", 2),
        (FindingKind.BROKEN_COMMIT, "half", 3),
        (FindingKind.CORRUPT_ROW, "unreadable", 2),
        (FindingKind.OUTBOX_WITHOUT_EVENTS, "half", 2),
        (FindingKind.OUTBOX_WITHOUT_EVENTS, "gone", 1),
        (FindingKind.KEY_WITHOUT_COMMIT, "gone", 1),
    }
    assert store.stats().corrupt_rows == 1


@pytest.mark.parametrize("segments", [1, 2, 7])
@pytest.mark.parametrize("limit", [1, 4, 1_000])
def test_everything_comes_from_the_beginning(client: Any, open_store: OpenStore, segments: int, limit: int) -> None:
    """
    Each event once, per aggregate in order, in any number of segments, and on from any event by another store.
    """
    store = open_store()
    for number in range(9):
        append(store, f"a-{number}", *[("X", DAY)] * (number % 4 + 1))
        append(store, f"a-{number}", ("Y", DAY + 1))
    expected = sorted(key for number in range(9) for key in keys(store.load(f"a-{number}")))
    cut = EventStore.open(SmallPages(client, limit), store.context.tables)  # type: ignore[arg-type]

    for given in (0, 1, 7, len(expected)):
        walk = cut.read_all(segments=segments)
        before = keys(itertools.islice(walk, given))
        walk.close()
        found = before + keys(store.read_all(walk.token, segments=segments))
        assert sorted(found) == expected
        for number in range(9):
            numbers = [each for name, each in found if name == f"a-{number}"]
            assert numbers == list(range(1, len(numbers) + 1))


def test_half_a_history_is_not_handed_out(client: Any, open_store: OpenStore) -> None:
    """
    What a Scan does not show of a commit is read, and what is gone is named.
    """
    store = open_store()
    append(store, "a", ("X", DAY), ("X", DAY), ("X", DAY))
    hiding = EventStore.open(HidingScan(client, {"1", "3"}), store.context.tables)  # type: ignore[arg-type]
    assert keys(hiding.read_all()) == [("a", 1), ("a", 2), ("a", 3)]

    key = {"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "2"}}
    client.delete_item(TableName=store.context.tables.events, Key=key)

    with pytest.raises(CorruptRowError, match="a/2"):
        list(store.read_all())


class HidingScan:
    """A client whose Scans do not show some numbers."""

    def __init__(self, inner: Any, hidden: set[str]) -> None:
        self._inner, self._hidden = inner, hidden

    def scan(self, **request: Any) -> Any:
        reply = self._inner.scan(**request)
        return {**reply, "Items": [item for item in reply["Items"] if item["sequenceNumber"]["N"] not in self._hidden]}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_token_of_a_table_that_was_made_anew_is_refused(client: Any, open_store: OpenStore) -> None:
    """
    Both servers tell a table from a later one of its name.
    """
    store = open_store()
    append(store, "a", ("X", DAY), ("X", DAY))
    walk = store.read_all()
    next(walk)
    assert keys(store.read_all(walk.token)) == [("a", 2)]

    client.delete_table(TableName=store.context.tables.events)
    client.get_waiter("table_not_exists").wait(TableName=store.context.tables.events)
    init_tables(client, store.context.tables, protect=False)

    with pytest.raises(InvalidTokenError, match="made anew"):
        next(store.read_all(walk.token))


@pytest.mark.parametrize("limit", [1, 5, 1_000])
def test_aggregates_come_once_without_their_events(client: Any, open_store: OpenStore, limit: int) -> None:
    """
    Of a type, and of all types, however the pages cut their events.
    """
    store = open_store()
    for number in range(6):
        append(store, f"a-{number}", *[("X", DAY)] * (number * 3 + 1))
    store.append(AggregateRef("ORDER", "o-1"), [NewEvent("X", {})] * 5, expected_version=0)
    cut = EventStore.open(SmallPages(client, limit), store.context.tables)  # type: ignore[arg-type]
    items = {AggregateRef("ITEM", f"a-{number}") for number in range(6)}

    found, of_type = list(cut.aggregates()), list(cut.aggregates("ITEM"))

    assert len(found) == 7
    assert set(found) == items | {AggregateRef("ORDER", "o-1")}
    assert len(of_type) == 6
    assert set(of_type) == items


def test_pages_among_events_of_one_moment(open_store: OpenStore) -> None:
    """
    Each once and in order, whatever order the index has, also with a token that another store gave.
    """
    store = open_store()
    for number in range(5):
        append(store, f"a-{number}", *[("X", DAY)] * 40)
    append(store, "b", ("X", DAY + 1))
    expected = [*((f"a-{number}", each) for number in range(5) for each in range(1, 41)), ("b", 1)]

    for query in (ByType("X"), ByTime(DAY, DAY + 2)):
        assert keys(paged(store, query, 9)) == expected
        token = EventStore.open(store.context.client, store.context.tables).read_page(query, size=150).token
        assert keys(store.read_page(query, size=99, token=token).events) == expected[150:]
    assert keys(paged(store, ByType("X", backwards=True), 50)) == expected[::-1]
