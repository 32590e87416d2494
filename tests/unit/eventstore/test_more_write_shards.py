"""Write shards are raised while stores are open: readers, followers and verification notice, within a stated bound."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    ByTime,
    CorruptRowError,
    EventStore,
    FindingKind,
    NewEvent,
    StoreOptions,
    TableMissingError,
    UnreachableError,
)
from eventstore.limits import STORE_RECORD_FRESH_SECONDS
from eventstore.rows.event import write_shard
from eventstore.testing import InMemoryDynamoDB, InMemoryEventStore, ManualRuntime, in_memory_store

from .conftest import QUICK, lost
from .worlds import Script, Watched, append, keys

SHARDS_BEFORE, SHARDS_AFTER = 2, 16


@pytest.fixture
def clock() -> ManualRuntime:
    return ManualRuntime()


@pytest.fixture
def made(clock: ManualRuntime) -> InMemoryEventStore[ManualRuntime]:
    return in_memory_store(clock=clock, index_shards=SHARDS_BEFORE)


@pytest.fixture
def watched(made: InMemoryEventStore[ManualRuntime]) -> Watched:
    return Watched(made.database.client())


@pytest.fixture
def reader(watched: Watched, clock: ManualRuntime) -> EventStore:
    """Return a store that was opened before anything is raised."""
    options = StoreOptions(read_backoff=QUICK)
    return EventStore.open(watched, options=options, runtime=clock)  # type: ignore[arg-type]


def set_shards(database: InMemoryDynamoDB, shards: Any) -> None:
    """Raise the number as an operator does."""
    database.client().update_item(
        TableName="inventory_relay",
        Key={"recordType": {"S": "store"}, "recordKey": {"S": "settings"}},
        UpdateExpression="SET indexShards = :shards",
        ExpressionAttributeValues={":shards": {"N": str(shards)}},
    )


def wide(made: InMemoryEventStore[ManualRuntime]) -> tuple[EventStore, str]:
    """Raise the number; return a writer that was opened after that, and an id whose first event only it can index."""
    set_shards(made.database, SHARDS_AFTER)
    aggregate_id = next(
        name for name in map(str, range(999)) if write_shard(name, 1, SHARDS_AFTER) >= SHARDS_BEFORE + 1
    )
    return EventStore.open(made.database.client(), runtime=made.clock), aggregate_id


READS: list[Callable[[EventStore, int], Any]] = [
    lambda store, now: store.read_type("COUNTED"),
    lambda store, now: store.read_type("COUNTED", backwards=True),
    lambda store, now: store.read_aggregate_type("ITEM"),
    lambda store, now: store.read_between(now - 9, now + 9),
    lambda store, now: store.read_page(ByTime(now - 9, now + 9)).events,
    lambda store, now: store.stream_events(now - 9),
]


@pytest.mark.parametrize("read", READS, ids=["type", "backwards", "aggregate type", "time", "page", "stream"])
def test_an_open_reader_notices_within_half_a_minute(
    made: InMemoryEventStore[ManualRuntime], reader: EventStore, watched: Watched, clock: ManualRuntime, read: Any
) -> None:
    """
    Until then it may miss what is in the new write shards, and it asks for the number no more often than that.
    """
    writer, aggregate_id = wide(made)
    now = clock.now_ms()
    append(writer, aggregate_id, now)
    watched.calls.clear()

    assert keys(read(reader, now)) == []
    assert watched.calls["get_item"] == 0
    clock.advance(STORE_RECORD_FRESH_SECONDS + 0.001)

    assert keys(read(reader, now)) == [(aggregate_id, 1)]
    assert keys(read(reader, now)) == [(aggregate_id, 1)]
    assert watched.calls["get_item"] == 1


@pytest.mark.parametrize("overlap_seconds", [0, 10.0])
def test_a_follower_misses_nothing(
    made: InMemoryEventStore[ManualRuntime], reader: EventStore, clock: ManualRuntime, overlap_seconds: float
) -> None:
    """
    It asks at each look, so that the next look goes back to before the first event in a new write shard.
    """
    written: list[str] = []

    def raised() -> None:
        writer, aggregate_id = wide(made)
        append(writer, aggregate_id, clock.now_ms())
        written.append(aggregate_id)
        clock.advance(1.0)

    stop = Script([raised, lambda: clock.advance(1.0)])
    found = keys(reader.stream_events(clock.now_ms(), follow=True, overlap_seconds=overlap_seconds, stop=stop))

    assert found == [(written[0], 1)]


def test_a_follower_misses_nothing_that_is_stored_during_its_look(
    made: InMemoryEventStore[ManualRuntime], watched: Watched, clock: ManualRuntime
) -> None:
    """
    The number is raised, and an event stored, right after the look has asked for the number.
    """
    written: list[str] = []

    class RaisedBehindTheQuestion(Watched):
        def get_item(self, **request: Any) -> Any:
            reply = self.inner.get_item(**request)
            if self.armed and not written:
                clock.advance(0.001)
                writer, aggregate_id = wide(made)
                append(writer, aggregate_id, clock.now_ms())
                written.append(aggregate_id)
            return reply

        armed = False

    client = RaisedBehindTheQuestion(made.database.client())
    reader = EventStore.open(client, runtime=clock)  # type: ignore[arg-type]
    client.armed = True
    stop = Script([lambda: clock.advance(1.0)])

    found = keys(reader.stream_events(clock.now_ms(), follow=True, overlap_seconds=0, stop=stop))

    assert found == [(written[0], 1)]


def test_a_follower_outlives_a_question_without_answer(
    made: InMemoryEventStore[ManualRuntime], clock: ManualRuntime
) -> None:
    """
    As any other of its requests; the next look asks again.
    """

    class Deaf(Watched):
        silent = False

        def get_item(self, **request: Any) -> Any:
            if self.silent:
                raise lost()
            return self.inner.get_item(**request)

    client = Deaf(made.database.client())
    reader = EventStore.open(client, options=StoreOptions(read_backoff=QUICK), runtime=clock)  # type: ignore[arg-type]
    append(made, "a", clock.now_ms())
    client.silent = True
    troubles: list[Exception] = []
    stop = Script([lambda: setattr(client, "silent", False), lambda: None])

    found = keys(reader.stream_events(clock.now_ms(), follow=True, stop=stop, on_trouble=troubles.append))

    assert found == [("a", 1)]
    assert [type(each) for each in troubles] == [UnreachableError]


def test_verification_knows_the_new_number(made: InMemoryEventStore[ManualRuntime], reader: EventStore) -> None:
    """
    At once: events in write shards that this store did not know are sound, and those beyond are not.
    """
    writer, aggregate_id = wide(made)
    append(writer, aggregate_id, made.clock.now_ms())

    assert list(reader.verify()) == []
    assert list(reader.verify(aggregate_id)) == []
    assert list(reader.verify(since_ms=made.clock.now_ms() - 9)) == []
    set_shards(made.database, SHARDS_BEFORE)
    assert {each.kind for each in reader.verify()} == {FindingKind.WRONG_INDEX_KEY}


def test_verification_notices_a_number_that_is_raised_meanwhile(
    made: InMemoryEventStore[ManualRuntime], reader: EventStore, watched: Watched
) -> None:
    """
    It asks again before it calls an index key wrong, and what was wrong already stays so.
    """
    append(made, "sound", made.clock.now_ms())
    walk = reader.verify(progress=lambda progress: None)
    scans = watched.inner.scan

    def scan(**request: Any) -> Any:
        if request["TableName"] == "inventory_events":
            writer, aggregate_id = wide(made)
            append(writer, aggregate_id, made.clock.now_ms())
            append(writer, "spoilt", made.clock.now_ms())
            made.database.client().update_item(
                TableName="inventory_events",
                Key={"aggregateId": {"S": "spoilt"}, "sequenceNumber": {"N": "1"}},
                UpdateExpression="SET dayShard = :key",
                ExpressionAttributeValues={":key": {"S": "1999-01-01#99"}},
            )
        return scans(**request)

    watched.inner = Replaced(watched.inner, scan)

    assert [(each.kind, each.aggregate_id) for each in walk] == [(FindingKind.WRONG_INDEX_KEY, "spoilt")]


class Replaced:
    """A client with another `scan`."""

    def __init__(self, inner: Any, scan: Callable[..., Any]) -> None:
        self._inner, self.scan = inner, scan

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def test_a_number_that_was_lowered_hides_nothing_from_open_readers(
    made: InMemoryEventStore[ManualRuntime], reader: EventStore, clock: ManualRuntime
) -> None:
    """
    It must never be lowered; should it be, a reader that knew more goes on asking all that it knew.
    """
    writer, aggregate_id = wide(made)
    append(writer, aggregate_id, clock.now_ms())
    clock.advance(STORE_RECORD_FRESH_SECONDS + 1)
    assert keys(reader.read_type("COUNTED")) == [(aggregate_id, 1)]

    set_shards(made.database, 1)
    clock.advance(STORE_RECORD_FRESH_SECONDS + 1)

    assert keys(reader.read_type("COUNTED")) == [(aggregate_id, 1)]


@pytest.mark.parametrize("shards", [0, -1, 65, 1.5])
def test_a_number_that_cannot_be_is_refused(
    made: InMemoryEventStore[ManualRuntime], reader: EventStore, clock: ManualRuntime, shards: Any
) -> None:
    """
    By whoever opens, and by open readers, in words that name the attribute; nothing looks empty.
    """
    set_shards(made.database, shards)
    clock.advance(STORE_RECORD_FRESH_SECONDS + 1)

    with pytest.raises(CorruptRowError, match="indexShards"):
        EventStore.open(made.database.client())
    with pytest.raises(CorruptRowError, match="indexShards"):
        list(reader.read_type("COUNTED"))


def test_a_record_that_is_gone_is_an_error(
    made: InMemoryEventStore[ManualRuntime], reader: EventStore, clock: ManualRuntime
) -> None:
    """
    And appends, which need it no more, go on.
    """
    made.database.client().delete_item(
        TableName="inventory_relay", Key={"recordType": {"S": "store"}, "recordKey": {"S": "settings"}}
    )
    clock.advance(STORE_RECORD_FRESH_SECONDS + 1)

    with pytest.raises(TableMissingError):
        list(reader.read_type("COUNTED"))
    assert reader.append(AggregateRef("ITEM", "a"), [NewEvent("COUNTED", {})], expected_version=0).version == 1
