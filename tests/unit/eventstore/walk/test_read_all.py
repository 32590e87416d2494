"""Everything from the beginning: each event once, per aggregate in order, in any segments, and resumable anywhere."""

import contextlib
import itertools
import random
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import pytest

from eventstore import (
    ANY,
    AggregateRef,
    Backoff,
    ByType,
    CorruptRowError,
    EventStore,
    EventTypes,
    EventWalk,
    InvalidInputError,
    InvalidTokenError,
    NewEvent,
    OutcomeUnknownError,
    RecordedEvent,
    StoreOptions,
    TableMissingError,
    TableNames,
    TryLaterError,
    UnreachableError,
    init_tables,
)
from eventstore.testing import InMemoryDynamoDB, InMemoryEventStore, ManualRuntime, Weather, in_memory_store
from tests.unit.eventstore.conftest import lost

EVENTS = "inventory_events"
AT_ONCE = StoreOptions(read_backoff=Backoff(attempts_max=3, base_seconds=0.0, cap_seconds=0.0))


def fill(store: EventStore, aggregates: int = 12) -> None:
    """Store aggregates of 1 to 5 events, in commits of two."""
    for number in range(aggregates):
        for version in range(0, number % 5 + 1, 2):
            news = [NewEvent("COUNTED", {"of": number})] * min(2, number % 5 + 1 - version)
            store.append(AggregateRef("ITEM", f"a-{number}"), news, expected_version=version)


@pytest.fixture
def store() -> InMemoryEventStore[ManualRuntime]:
    made = in_memory_store()
    fill(made)
    return made


def keys(events: Iterable[RecordedEvent]) -> list[tuple[str, int]]:
    return [(event.aggregate_id, event.sequence_number) for event in events]


def everything(store: EventStore, aggregates: int = 12) -> list[tuple[str, int]]:
    return sorted(key for number in range(aggregates) for key in keys(store.load(f"a-{number}")))


def numbers_by_aggregate(found: Iterable[tuple[str, int]]) -> dict[str, list[int]]:
    numbers: dict[str, list[int]] = defaultdict(list)
    for aggregate_id, number in found:
        numbers[aggregate_id].append(number)
    return numbers


class Cut:
    """A client whose Scans give few rows at a time; counts calls."""

    def __init__(self, inner: Any, rows: int = 1_000) -> None:
        self._inner, self._rows = inner, rows
        self.calls: Counter[str] = Counter()
        self.scans: list[dict[str, Any]] = []

    def scan(self, **request: Any) -> Any:
        self.calls["scan"] += 1
        self.scans.append(request)
        return self._inner.scan(**request, Limit=self._rows)

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._inner, name)

        def call(**request: Any) -> Any:
            self.calls[name] += 1
            return operation(**request)

        return call


def reopened(store: InMemoryEventStore[Any], client: Any) -> EventStore:
    return EventStore.open(client, options=AT_ONCE, runtime=store.clock)


@pytest.mark.parametrize("segments", [1, 2, 5, 64])
@pytest.mark.parametrize("rows", [1, 3, 1_000])
def test_every_event_comes_once(store: InMemoryEventStore[Any], segments: int, rows: int) -> None:
    """
    Of each aggregate in order, however pages and segments cut the table; the last segments may be empty.
    """
    found = keys(reopened(store, Cut(store.database.client(), rows)).read_all(segments=segments))

    assert sorted(found) == everything(store)
    assert all(numbers == sorted(numbers) for numbers in numbers_by_aggregate(found).values())


def test_events_are_read_as_they_are_everywhere_else(store: InMemoryEventStore[Any]) -> None:
    """
    With payload, metadata and upcasters.
    """
    types = EventTypes()
    types.add_upcaster(lambda data: {**data, "lifted": True}, "COUNTED", 1)
    lifted = EventStore.open(store.database.client(), events=types)

    by_key = {(event.aggregate_id, event.sequence_number): event for event in lifted.read_all(segments=3)}

    assert [by_key["a-4", each.sequence_number] for each in lifted.load("a-4")] == lifted.load("a-4")
    assert by_key["a-4", 1].data == {"of": 4, "lifted": True}


def test_nothing_is_sent_before_it_is_used(store: InMemoryEventStore[Any]) -> None:
    """
    And only what is needed then: of which table it is, the store record, and a page.
    """
    client = Cut(store.database.client(), rows=3)
    reader = reopened(store, client)
    client.calls.clear()

    walk = reader.read_all()
    assert client.calls == {}
    next(walk)

    assert client.calls == {"describe_table": 1, "get_item": 1, "scan": 1}
    assert [each["ConsistentRead"] for each in client.scans] == [True]
    next(reader.read_all(consistent=False))
    assert client.scans[-1]["ConsistentRead"] is False


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("rows", [1, 2, 1_000])
def test_it_goes_on_behind_any_event(store: InMemoryEventStore[Any], segments: int, rows: int) -> None:
    """
    What was given and what a later walk gives is everything, once, in order; also in another process.
    """
    expected = everything(store)
    for given in range(len(expected) + 1):
        walk = reopened(store, Cut(store.database.client(), rows)).read_all(segments=segments)
        before = keys(itertools.islice(walk, given))
        token = walk.token
        walk.close()

        after = keys(EventStore.open(store.database.client()).read_all(token, segments=segments))

        assert (token is None) == (given == 0)
        assert sorted(before + after) == expected
        assert all(each == sorted(each) for each in numbers_by_aggregate(before + after).values())


def test_a_token_says_how_many_segments(store: InMemoryEventStore[Any]) -> None:
    """
    They can be left out when it goes on.
    """
    walk = store.read_all(segments=3)
    first = keys(itertools.islice(walk, 5))

    assert sorted(first + keys(store.read_all(walk.token))) == everything(store)


def test_before_its_first_event_it_has_the_token_it_began_with(store: InMemoryEventStore[Any]) -> None:
    """
    A walk that is given up at once loses nothing.
    """
    walk = store.read_all()
    next(walk)

    assert store.read_all(walk.token).token == walk.token
    assert store.read_all().token is None


def test_after_its_last_event_it_gives_nothing_twice(store: InMemoryEventStore[Any]) -> None:
    """
    Also when it is asked once more, and with its token.
    """
    walk = store.read_all(segments=2)
    list(walk)

    assert next(walk, None) is None
    assert keys(store.read_all(walk.token)) == []


def test_workers_share_the_segments(store: InMemoryEventStore[Any]) -> None:
    """
    Each has its own token, and together they give everything once.
    """
    found = []
    for segment in range(3):
        walk = store.read_all(segments=3, segment=segment)
        first = keys(itertools.islice(walk, 2))
        found += first + keys(store.read_all(walk.token))

    assert sorted(found) == everything(store)


def test_an_empty_store_has_no_events() -> None:
    """
    However it is asked.
    """
    store = in_memory_store()

    assert keys(store.read_all()) == keys(store.read_all(segments=4)) == []


class Veiled(Cut):
    """A client whose Scans, and the Queries of a while, do not show some rows."""

    def __init__(self, inner: Any, hidden: set[tuple[str, int]], queries: int = 0, rows: int = 1_000) -> None:
        super().__init__(inner, rows)
        self.hidden = hidden
        self.queries = queries

    def scan(self, **request: Any) -> Any:
        return self._without_hidden(super().scan(**request))

    def query(self, **request: Any) -> Any:
        reply = self._inner.query(**request)
        self.queries -= 1
        return self._without_hidden(reply) if self.queries >= 0 else reply

    def _without_hidden(self, reply: Any) -> Any:
        seen = [
            item
            for item in reply["Items"]
            if (item["aggregateId"]["S"], int(item["sequenceNumber"]["N"])) not in self.hidden
        ]
        return {**reply, "Items": seen}


@pytest.mark.parametrize("queries", [0, 1, 2, 9])
@pytest.mark.parametrize("rows", [1, 1_000])
@pytest.mark.parametrize(
    "hidden",
    [
        {("a-4", 1)},
        {("a-4", 2)},
        {("a-4", 3)},
        {("a-9", 2), ("a-9", 4), ("a-4", 1), ("a-4", 2)},
        {("a-8", number) for number in (1, 2, 3)},
        {("a-6", 1)},
        {("a-6", 2)},
    ],
)
def test_rows_of_a_transaction_that_is_being_applied(
    store: InMemoryEventStore[Any], hidden: set[tuple[str, int]], rows: int, queries: int
) -> None:
    """
    A Scan shows some and not yet the others: they are read for themselves, so that no history has a hole.
    """
    found = keys(reopened(store, Veiled(store.database.client(), hidden, queries, rows)).read_all())

    assert sorted(found) == everything(store)
    assert all(numbers == sorted(numbers) for numbers in numbers_by_aggregate(found).values())


def test_half_a_commit_is_no_end(store: InMemoryEventStore[Any]) -> None:
    """
    Its first event is shown, and the rest is known to exist; also when a walk goes on behind the first.
    """
    hidden = {("a-6", 2)}
    walk = reopened(store, Veiled(store.database.client(), hidden)).read_all()
    before = list(itertools.takewhile(lambda key: key != ("a-6", 1), keys_one_by_one(walk)))

    after = keys(reopened(store, Veiled(store.database.client(), hidden)).read_all(walk.token))

    assert after[0] == ("a-6", 2)
    assert sorted([*before, ("a-6", 1), *after]) == everything(store)


def keys_one_by_one(walk: EventWalk) -> Iterable[tuple[str, int]]:
    return ((event.aggregate_id, event.sequence_number) for event in walk)


def test_a_commit_that_is_not_shown_at_all_is_not_missed(store: InMemoryEventStore[Any]) -> None:
    """
    Nothing says that it is there: it counts as stored after the walk had passed, and nothing is asked.
    """
    client = Veiled(store.database.client(), {("a-9", 5), ("a-0", 1)})
    reader = reopened(store, client)
    client.calls.clear()

    found = keys(reader.read_all())

    assert sorted(found) == [key for key in everything(store) if key not in client.hidden]
    assert client.calls["transact_get_items"] == 0


@pytest.mark.parametrize("segments", [1, 3])
@pytest.mark.parametrize(
    ("lost_rows", "told"),
    [([("a-9", 2)], "a-9/2"), ([("a-9", 1), ("a-9", 2), ("a-9", 3)], "a-9/1 to 3"), ([("a-3", 4)], "a-3/4")],
)
def test_rows_that_are_missing_for_good(
    store: InMemoryEventStore[Any], lost_rows: list[tuple[str, int]], told: str, segments: int
) -> None:
    """
    Are an error that names them, or told of, and the rest comes.
    """
    expected = [key for key in everything(store) if key not in lost_rows]
    for aggregate_id, number in lost_rows:
        key = {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(number)}}
        store.database.client().delete_item(TableName=EVENTS, Key=key)
    errors: list[CorruptRowError] = []

    assert sorted(keys(store.read_all(segments=segments, on_corrupt=errors.append))) == expected
    assert [error.key for error in errors] == [told]
    with pytest.raises(CorruptRowError, match=told):
        list(store.read_all(segments=segments))


def test_rows_that_cannot_be_read(store: InMemoryEventStore[Any]) -> None:
    """
    The caller is told in its own thread, once of each, and a walk that failed can go on with one who is told.
    """
    client = store.database.client()
    key = {"aggregateId": {"S": "a-4"}, "sequenceNumber": {"N": "3"}}
    client.update_item(TableName=EVENTS, Key=key, UpdateExpression="REMOVE eventData")
    row = client.get_item(TableName=EVENTS, Key={**key, "sequenceNumber": {"N": "2"}})["Item"]
    client.put_item(TableName=EVENTS, Item={**row, "sequenceNumber": {"N": "2.5"}})
    told: list[tuple[str, int]] = []

    def tell(error: CorruptRowError) -> None:
        told.append((error.key, threading.get_ident()))

    for segments in (1, 4):
        told.clear()
        found = keys(store.read_all(segments=segments, on_corrupt=tell))
        assert sorted(found) == everything_but(store, "a-4", 3)
        assert sorted(told) == [("a-4/2.5", threading.get_ident()), ("a-4/3", threading.get_ident())]
    walk = store.read_all()
    before = []
    with pytest.raises(CorruptRowError):
        before.extend(keys_one_by_one(walk))
    after = keys(store.read_all(walk.token, on_corrupt=lambda _: None))
    assert sorted(before + after) == everything_but(store, "a-4", 3)


def everything_but(store: EventStore, aggregate_id: str, number: int) -> list[tuple[str, int]]:
    ids = {f"a-{each}" for each in range(12)} - {aggregate_id}
    found = [key for each in ids for key in keys(store.load(each))]
    return sorted(found + [(aggregate_id, each) for each in (1, 2, 4, 5) if each != number])


class Failing(Cut):
    """A client whose Scans fail from one on, until it is healed."""

    def __init__(self, inner: Any, rows: int, after: int) -> None:
        super().__init__(inner, rows)
        self.after = after

    def scan(self, **request: Any) -> Any:
        if self.calls["scan"] >= self.after:
            self.calls["scan"] += 1
            raise lost()
        return super().scan(**request)


@pytest.mark.parametrize("segments", [1, 4])
@pytest.mark.parametrize("after", [0, 1, 6, 9])
def test_an_error_comes_behind_what_was_read_and_the_token_goes_on(
    store: InMemoryEventStore[Any], segments: int, after: int
) -> None:
    """
    Nothing is lost by it, and no thread is left.
    """
    client = Failing(store.database.client(), 2, after)
    walk = reopened(store, client).read_all(segments=segments)
    before = []
    with pytest.raises(UnreachableError):
        before.extend(keys_one_by_one(walk))

    assert not [each.name for each in threading.enumerate() if each.name.startswith("walk-")]
    client.after = 999
    assert sorted(before + keys(reopened(store, client).read_all(walk.token, segments=segments))) == everything(store)


def test_threads_end_with_the_walk(store: InMemoryEventStore[Any]) -> None:
    """
    Closed, forgotten or used up.
    """
    closed = store.read_all(segments=4)
    next(closed)
    closed.close()
    forgotten = store.read_all(segments=4)
    next(forgotten)
    del forgotten
    list(store.read_all(segments=4))

    assert not [each.name for each in threading.enumerate() if each.name.startswith("walk-")]
    assert next(closed, None) is None


class Gauge(Cut):
    """A client that counts the Scans that are under way at the same time, and lets them wait for each other."""

    def __init__(self, inner: Any, parties: int) -> None:
        super().__init__(inner)
        self.barrier = threading.Barrier(parties)

    def scan(self, **request: Any) -> Any:
        self.barrier.wait(20.0)
        return super().scan(**request)


def test_segments_are_read_at_the_same_time(store: InMemoryEventStore[Any]) -> None:
    """
    No Scan of four is answered before all four were sent.
    """
    reader = EventStore.open(Gauge(store.database.client(), 4))  # type: ignore[arg-type]

    assert sorted(keys(reader.read_all(segments=4))) == everything(store)


def test_a_reader_that_waits_holds_the_segments_up() -> None:
    """
    A page and some batches of each are in memory, not the table.
    """
    store = in_memory_store()
    for number in range(60):
        store.append(AggregateRef("ITEM", f"a-{number}"), [NewEvent("COUNTED", {})] * 50, expected_version=0)
    client = Cut(store.database.client(), rows=50)
    walk = EventStore.open(client).read_all(segments=2)  # type: ignore[arg-type]
    next(walk)
    walk.close()

    # of 60 pages: one batch was taken; two per segment wait, and each part has one more in hand and reads one page more
    assert client.calls["scan"] <= 2 * 8 + 2


def token_of(store: EventStore, **how: Any) -> str:
    walk = store.read_all(**how)
    list(itertools.islice(walk, 4))
    assert walk.token is not None
    walk.close()
    return walk.token


def raise_epoch(store: InMemoryEventStore[Any]) -> None:
    store.database.client().update_item(
        TableName="inventory_relay",
        Key={"recordType": {"S": "store"}, "recordKey": {"S": "settings"}},
        UpdateExpression="SET epoch = :epoch",
        ExpressionAttributeValues={":epoch": {"N": "2"}},
    )


def test_a_token_of_another_epoch_is_refused(store: InMemoryEventStore[Any]) -> None:
    """
    Also by a store that was opened before the epoch was raised, before any event is read.
    """
    token = token_of(store)
    raise_epoch(store)
    client = Cut(store.database.client())
    for reader in (store, EventStore.open(client)):  # type: ignore[arg-type]
        with pytest.raises(InvalidTokenError, match=r"is of epoch 1, and the store is at 2 .*Begin without token"):
            next(reader.read_all(token))

    assert client.calls["scan"] == 0
    assert sorted(keys(store.read_all())) == everything(store)


@pytest.mark.parametrize("what", [(EVENTS,), (EVENTS, "inventory_outbox", "inventory_relay")])
def test_a_token_of_tables_that_were_made_anew_is_refused(
    store: InMemoryEventStore[Any], what: tuple[str, ...]
) -> None:
    """
    Their keys are other ones, whatever the epoch says.
    """
    token = token_of(store)
    client = store.database.client()
    for table in what:
        client.delete_table(TableName=table)
    with pytest.raises(TableMissingError):
        next(store.read_all(token))
    init_tables(client, protect=False)
    EventStore.open(client).append(AggregateRef("ITEM", "b-1"), [NewEvent("COUNTED", {})], expected_version=0)

    with pytest.raises(InvalidTokenError, match="made anew or restored since"):
        next(store.read_all(token))


def test_a_token_of_another_store_is_refused(store: InMemoryEventStore[Any]) -> None:
    """
    Tables of another prefix beside these.
    """
    token = token_of(store)
    other = in_memory_store(database=store.database, table_names=TableNames("other"))

    with pytest.raises(InvalidTokenError, match="of another events table"):
        next(other.read_all(token))


@pytest.mark.parametrize(
    ("made", "given", "told"),
    [
        ({"segments": 4}, {"segments": 8}, "is of a walk in segments=4, not 8"),
        ({}, {"segments": 2}, "is of a walk in segments=1, not 2"),
        ({"segments": 4}, {"segments": 4, "segment": 1}, "is of all segments, not of segment=1"),
        ({"segments": 4, "segment": 2}, {"segments": 4, "segment": 1}, "is of segment=2, not of segment=1"),
    ],
)
def test_a_token_of_other_segments_is_refused_at_once(
    store: InMemoryEventStore[Any], made: dict[str, int], given: dict[str, int], told: str
) -> None:
    """
    By the call itself, in words that say which ones it is of.
    """
    token = token_of(store, **made)

    with pytest.raises(InvalidTokenError, match=told):
        store.read_all(token, **given)


def test_tokens_of_pages_and_walks_are_told_apart(store: InMemoryEventStore[Any]) -> None:
    """
    Whoever mixes them up is told where each belongs.
    """
    page_token = store.read_page(ByType("COUNTED"), size=1).token

    with pytest.raises(InvalidTokenError, match="give it to `read_page`"):
        store.read_all(page_token)
    with pytest.raises(InvalidTokenError, match="give it to `read_all`"):
        store.read_page(ByType("COUNTED"), token=token_of(store))


def test_any_damage_of_a_token_is_found(store: InMemoryEventStore[Any]) -> None:
    """
    Every character matters, and nothing but the typed error is raised.
    """
    token = token_of(store)
    for at in range(len(token) - 1):  # the last character's spare bits say nothing
        other = "A" if token[at] != "A" else "B"
        for damaged in (token[:at] + other + token[at + 1 :], token[:at] + token[at + 1 :]):
            with pytest.raises(InvalidTokenError):
                store.read_all(damaged)
    for odd in ("", ".", "w1.", "w1.AAAA", "w2.AAAA", "x", 7, b"w1.", "w1." + "A" * 3_000_000, "ü.ü"):
        with pytest.raises(InvalidTokenError):
            store.read_all(odd)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"segments": 0}, "segments"),
        ({"segments": 65}, "segments"),
        ({"segments": 2.0}, "segments"),
        ({"segments": True}, "segments"),
        ({"segment": 0}, "segment"),
        ({"segments": 2, "segment": 2}, "segment"),
        ({"segments": 2, "segment": -1}, "segment"),
    ],
)
def test_segments_that_cannot_be_are_refused_by_the_call(
    store: InMemoryEventStore[Any], how: dict[str, Any], field: str
) -> None:
    """
    The error names the argument.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.read_all(**how)

    assert caught.value.field == field


def test_a_token_needs_no_escaping_and_is_short(store: InMemoryEventStore[Any]) -> None:
    """
    As its docstring says.
    """
    uuids = in_memory_store()
    for number in range(64):
        uuids.append(
            AggregateRef("ITEM", f"0197a5f0-0000-7000-8000-{number:012}"), [NewEvent("X", {})], expected_version=0
        )
    one, walk = token_of(uuids), uuids.read_all(segments=8)
    list(walk)

    assert one.replace("-", "").replace("_", "").replace(".", "").isalnum()
    assert len(one) <= 150
    assert walk.token is not None
    assert len(walk.token) <= 150 + 7 * 75


def test_what_is_stored_meanwhile_is_found_by_a_follower_from_where_it_says() -> None:
    """
    Whatever of it the walk has given: together they give every event, also when the walk was resumed hours later.
    """
    clock = ManualRuntime()
    store = in_memory_store(clock=clock)
    fill(store)
    began_ms = clock.now_ms()
    walk = store.read_all()
    found = keys(itertools.islice(walk, 10))
    clock.advance(3_600.0)
    for number in range(12, 24):
        store.append(AggregateRef("ITEM", f"a-{number}"), [NewEvent("COUNTED", {})], expected_version=0)
    store.append(AggregateRef("ITEM", found[0][0]), [NewEvent("COUNTED", {})], expected_version=len_of(store, found[0]))

    walk = store.read_all(walk.token)
    found += keys(walk)
    found += keys(store.stream_events(walk.follow_from_ms))

    assert walk.follow_from_ms == began_ms - 10_000
    assert sorted(set(found)) == everything(store, 24)


def len_of(store: EventStore, key: tuple[str, int]) -> int:
    return store.current_version(key[0])


@pytest.mark.parametrize("seed", range(5))
def test_writers_beside_a_walk_leave_no_hole_in_it(seed: int) -> None:
    """
    Appended between any two of its events: numbers go up by one from 1, whole commits, and all that was there before.
    """
    chance = random.Random(seed)
    store = in_memory_store()
    fill(store)
    before = everything(store)
    reader = reopened(store, Cut(store.database.client(), rows=chance.choice([1, 2, 5])))
    walk = reader.read_all(segments=chance.choice([1, 3]))
    given: dict[str, list[RecordedEvent]] = defaultdict(list)
    for event in walk:
        given[event.aggregate_id].append(event)
        aggregate = AggregateRef("ITEM", f"a-{chance.randint(0, 15)}")
        if chance.random() < 0.5 and sum(map(len, given.values())) < 200:
            news = [NewEvent("COUNTED", {})] * chance.randint(1, 3)
            store.append(aggregate, news, expected_version=store.current_version(aggregate.id))

    for events in given.values():
        assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
        assert events[-1].sequence_number == events[-1].commit_last
    assert set(before) <= {key for events in given.values() for key in keys(events)}


@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_a_walk_through_rough_weather_is_whole(seed: int, consistent: bool) -> None:  # noqa: FBT001
    """
    One that goes on with its token whenever it fails gives whole histories, and a consistent one all there was before.

    Pages end early, transactions are shown in part, replies are stale or lost, and requests throttled.
    """
    chance = random.Random(seed)
    clock = ManualRuntime(seed=seed)
    database = InMemoryDynamoDB(clock=clock, random=random.Random(seed))
    made = in_memory_store(clock=clock, database=database)
    database.weather = Weather.rough()
    versions: Counter[str] = Counter()
    while sum(versions.values()) < 150:
        aggregate = AggregateRef("ITEM", f"a-{chance.randint(0, 20)}")
        news = [NewEvent("COUNTED", {})] * chance.randint(1, 4)
        with contextlib.suppress(TryLaterError, OutcomeUnknownError):
            versions[aggregate.id] = made.append(aggregate, news, expected_version=ANY).version
    token, given, segments = None, list[RecordedEvent](), chance.choice([1, 3])
    for _ in range(200):
        walk = made.read_all(token, segments=segments, consistent=consistent)
        try:
            given.extend(walk)
            break
        except TryLaterError:
            token = walk.token
    else:
        pytest.fail("the walk did not come to its end")

    numbers = numbers_by_aggregate(keys(given))
    for aggregate_id, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), aggregate_id
    last = {event.aggregate_id: event for event in given}
    assert all(event.sequence_number == event.commit_last for event in last.values())
    if consistent:
        assert all(len(numbers[aggregate_id]) >= version for aggregate_id, version in versions.items())
