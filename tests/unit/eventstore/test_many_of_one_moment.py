"""Many events with one timestamp: pages and reads look at each entry of the index about once, in bounded memory."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from eventstore import AggregateRef, ByAggregateType, ByTime, ByType, EventStore, NewEvent
from eventstore.testing import InMemoryDynamoDB, ManualRuntime, in_memory_store
from eventstore.timeline import partition_reader
from eventstore.timeline.place import Place
from eventstore.timeline.query import beyond
from eventstore.timeline.run_memory import RUN_KEPT_SECONDS, Moment, RunMemory
from eventstore.validation import TIMESTAMP_MAX_MS

from .worlds import append, keys

NOON = 1_700_049_600_000
"""2023-11-15 12:00 UTC."""

EVENTS = 2_000


class Counting:
    """A client that counts the entries of indexes that its Queries read, and the Queries."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.entries = self.queries = 0

    def query(self, **request: Any) -> Any:
        reply = self._inner.query(**request)
        if "IndexName" in request:
            self.entries += reply["ScannedCount"]
            self.queries += 1
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def filled(index_shards: int = 4) -> InMemoryDynamoDB:
    """Return a database with 2,000 events of one moment, of 40 aggregates, and one before and one after."""
    store = in_memory_store(index_shards=index_shards)
    news = [NewEvent("COUNTED", {}, timestamp_ms=NOON) for _ in range(EVENTS // 40)]
    for number in range(40):
        store.append(AggregateRef("ITEM", f"item-{number:02}"), news, expected_version=0)
    append(store, "early", NOON - 1)
    append(store, "late", NOON + 1)
    return store.database


@pytest.fixture(scope="module", params=[1, 64])
def database(request: pytest.FixtureRequest) -> InMemoryDynamoDB:
    return filled(request.param)


def paged(store: EventStore, query: Any, size: int) -> Iterator[list[Any]]:
    """Yield the pages of a query."""
    page = store.read_page(query, size=size)
    yield list(page.events)
    while page.token is not None:
        page = store.read_page(query, size=size, token=page.token)
        yield list(page.events)


@pytest.mark.parametrize("size", [10, 300])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    "make",
    [
        lambda backwards: ByType("COUNTED", backwards=backwards),
        lambda backwards: ByAggregateType("ITEM", from_ms=NOON, backwards=backwards),
        lambda backwards: ByTime(NOON - 5, NOON + 5, backwards=backwards),
    ],
    ids=["type", "aggregate type", "time"],
)
def test_pages_read_each_entry_about_once(
    database: InMemoryDynamoDB,
    make: Any,
    size: int,
    backwards: bool,  # noqa: FBT001
) -> None:
    """
    2,000 events in pages of 10 take no more entries than there are events and pages, in the same order as ever.
    """
    client = Counting(database.client())
    store = EventStore.open(client)  # type: ignore[arg-type]
    query = make(backwards)

    pages = list(paged(store, query, size))
    events = [event for page in pages for event in page]

    places = [(event.timestamp_ms, event.aggregate_id, event.sequence_number) for event in events]
    assert places == sorted(places, reverse=backwards)
    assert len(set(places)) == len(places) == EVENTS + 2 - (query.from_ms == NOON)
    assert client.entries <= len(places) + len(pages)


def test_the_end_of_a_moment_is_remembered_too(database: InMemoryDynamoDB) -> None:
    """
    A page that ends exactly with its last event does not make the next one look at all of them again.
    """
    client = Counting(database.client())
    store = EventStore.open(client)  # type: ignore[arg-type]
    query = ByType("COUNTED", from_ms=NOON)
    first = store.read_page(query, size=1_000)
    second = store.read_page(query, size=1_000, token=first.token)
    before = client.entries

    assert keys(store.read_page(query, token=second.token).events) == [("late", 1)]
    assert client.entries - before <= 1


def test_reads_look_at_each_entry_once(database: InMemoryDynamoDB) -> None:
    """
    Also without pages, and more of them than a page of the index holds.
    """
    client = Counting(database.client())
    store = EventStore.open(client)  # type: ignore[arg-type]

    assert len(list(store.read_type("COUNTED"))) == EVENTS + 2
    assert client.entries == EVENTS + 2


def test_more_than_there_is_room_for_is_read_once_more_for_each_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With room for 500 of 2,000 they are read four times over, in order.
    """
    client = Counting(filled(1).client())
    store = EventStore.open(client)  # type: ignore[arg-type]
    monkeypatch.setattr(partition_reader, "RUN_MAX_PLACES", 500)

    found = keys(store.read_type("COUNTED", from_ms=NOON, until_ms=NOON + 1))

    assert found == sorted(found)
    assert len(found) == EVENTS
    assert client.entries == 4 * EVENTS


def test_a_token_goes_on_in_another_process(database: InMemoryDynamoDB) -> None:
    """
    Which reads the moment once for itself.
    """
    query = ByType("COUNTED", from_ms=NOON, until_ms=NOON + 1)
    expected = [key for page in paged(EventStore.open(database.client()), query, 500) for key in keys(page)]
    token = EventStore.open(database.client()).read_page(query, size=700).token
    client = Counting(database.client())
    other = EventStore.open(client)  # type: ignore[arg-type]

    found: list[Any] = []
    while token is not None:
        page = other.read_page(query, size=100, token=token)
        found += keys(page.events)
        token = page.token

    assert found == expected[700:]
    assert client.entries <= EVENTS


@pytest.mark.parametrize("seed", range(8))
def test_any_pages_give_what_a_read_gives(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With any room and memory, in one process or alternating between two, forth and back, and again from any token.
    """
    chance = random.Random(seed)
    made = in_memory_store(index_shards=chance.choice([1, 3, 4]))
    for number in range(15):
        times = [NOON + chance.choice([0, 0, 0, 1, 2]) for _ in range(chance.randint(1, 8))]
        append(made, f"a-{number % 5}", *times)
    monkeypatch.setattr(partition_reader, "PAGE_MAX_PLACES", chance.choice([2, 5, 1_000]))
    monkeypatch.setattr(partition_reader, "RUN_MAX_PLACES", chance.choice([4, 20, 1_000]))
    stores = [EventStore.open(made.database.client()) for _ in range(2)]
    for store in stores:
        store._runs.places_max = chance.choice([1, 3, 10, 1_000])
    for backwards in (False, True):
        query = ByType("COUNTED", backwards=backwards)
        expected = keys(made.read_type("COUNTED", backwards=backwards))
        tokens: list[tuple[str | None, int]] = [(None, 0)]
        found: list[Any] = []
        while True:
            page = chance.choice(stores).read_page(query, size=chance.randint(1, 7), token=tokens[-1][0])
            found += keys(page.events)
            if page.token is None:
                break
            tokens.append((page.token, len(found)))
        assert found == expected
        for token, given in chance.sample(tokens, min(len(tokens), 8)):
            page = chance.choice(stores).read_page(query, size=9, token=token)
            assert keys(page.events) == expected[given : given + 9]


def test_what_is_stored_meanwhile_with_the_same_timestamp_comes_after_a_minute() -> None:
    """
    The documented limit: pages of one process may miss it so long; other moments, and other processes, do not.
    """
    clock = ManualRuntime()
    store = in_memory_store(clock=clock)
    append(store, "b", *[NOON] * 9, NOON + 1)
    query = ByType("COUNTED")
    token = store.read_page(query, size=3).token
    append(store, "c", NOON, NOON + 2)

    at_once = store.read_page(query, token=token)
    elsewhere = EventStore.open(store.database.client(), runtime=clock).read_page(query, token=token)
    clock.advance(RUN_KEPT_SECONDS + 0.001)
    later = store.read_page(query, token=token)

    complete = [*(("b", number) for number in range(4, 10)), ("c", 1), ("b", 10), ("c", 2)]
    assert keys(at_once.events) == [key for key in complete if key != ("c", 1)]
    assert keys(elsewhere.events) == keys(later.events) == complete


PLACES = [Place(NOON, f"a-{number}", 1) for number in range(10)]
QUERY = ByType("COUNTED")


def memory(places_max: int = 100) -> RunMemory:
    runtime = ManualRuntime()
    return RunMemory(runtime, runtime.lock(), places_max)


def moment(query: Any = QUERY, timestamp_ms: int = NOON) -> Moment:
    return Moment(query, 4, timestamp_ms)


def rest_of(runs: RunMemory, which: Moment, given: Place) -> tuple[list[Place], Place, bool] | None:
    rest = runs.rest(which, given)
    return None if rest is None else (list(rest.places), rest.last, rest.is_whole)


def test_a_memory_gives_what_comes_after_a_place() -> None:
    """
    Of that moment, query and number of write shards alone; not before where it begins.
    """
    runs = memory()
    runs.keep(moment(), PLACES[2], PLACES[3:7], is_whole=False)

    assert rest_of(runs, moment(), PLACES[4]) == (PLACES[5:7], PLACES[6], False)
    assert rest_of(runs, moment(), PLACES[2]) == (PLACES[3:7], PLACES[6], False)
    assert rest_of(runs, moment(), PLACES[8]) == ([], PLACES[8], False)
    assert rest_of(runs, moment(), PLACES[1]) is None
    assert rest_of(runs, moment(ByType("OTHER")), PLACES[4]) is None
    assert rest_of(runs, moment(timestamp_ms=NOON + 1), PLACES[4]) is None
    assert rest_of(runs, Moment(QUERY, 5, NOON), PLACES[4]) is None


def test_a_memory_reads_backwards() -> None:
    """
    As the query does.
    """
    query = ByType("COUNTED", backwards=True)
    runs = memory()
    runs.keep(moment(query), PLACES[7], PLACES[6:2:-1], is_whole=True)

    assert rest_of(runs, moment(query), PLACES[5]) == ([PLACES[4], PLACES[3]], PLACES[3], True)
    assert rest_of(runs, moment(query), PLACES[8]) is None


def test_a_memory_has_a_bound() -> None:
    """
    The oldest run goes first.
    """
    runs = memory(places_max=10)
    runs.keep(moment(timestamp_ms=1), None, PLACES[:5], is_whole=True)
    runs.keep(moment(timestamp_ms=2), None, PLACES[:5], is_whole=True)
    runs.keep(moment(timestamp_ms=3), None, PLACES[:5], is_whole=True)

    assert len(runs) == 10
    assert [runs.rest(moment(timestamp_ms=each), PLACES[0]) is not None for each in (1, 2, 3)] == [False, True, True]


@pytest.mark.parametrize(
    ("query", "timestamp_ms", "expected"),
    [
        (ByType("X"), 5, ByType("X", 6)),
        (ByType("X", 1, 7), 5, ByType("X", 6, 7)),
        (ByType("X", 1, 6), 5, None),
        (ByType("X"), TIMESTAMP_MAX_MS, None),
        (ByTime(1, 9), 8, None),
        (ByTime(1, 9), 7, ByTime(8, 9)),
        (ByType("X", backwards=True), 5, ByType("X", None, 5, backwards=True)),
        (ByType("X", 5, 9, backwards=True), 5, None),
        (ByType("X", 4, 9, backwards=True), 5, ByType("X", 4, 5, backwards=True)),
        (ByType("X", backwards=True), 0, None),
    ],
)
def test_what_is_beyond_a_moment(query: Any, timestamp_ms: int, expected: Any) -> None:
    """
    In the direction of the query, within its range.
    """
    assert beyond(query, timestamp_ms) == expected
