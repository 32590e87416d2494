"""A store in one line, and stored events out of nothing."""

from dataclasses import dataclass

import pytest

from eventstore import (
    ANY,
    AggregateRef,
    EventStore,
    EventTypes,
    InvalidInputError,
    NewEvent,
    NotJsonError,
    NotSettledError,
    StoreOptions,
    TableNames,
)
from eventstore.ids import timestamp_ms
from eventstore.system import SystemRuntime
from eventstore.testing import ManualRuntime, history, in_memory_store, recorded

ITEM = AggregateRef("Item", "item-1")
START_MS = 1_735_689_600_000


@dataclass(frozen=True)
class Received:
    quantity: int


@pytest.fixture
def types() -> EventTypes:
    types = EventTypes()
    types.add_class(Received, "RECEIVED", 2)
    types.add_upcaster(lambda data: {"quantity": data["amount"]}, "RECEIVED", 1)
    return types


def test_a_store_is_ready_at_once() -> None:
    """
    It appends and reads; its clock decides times and ids, so two of them do the same.
    """

    def stored() -> list[object]:
        store = in_memory_store()
        store.append(ITEM, [NewEvent("COUNTED", {})], expected_version=0)
        store.clock.advance(1.5)
        store.append(ITEM, [NewEvent("COUNTED", {})], expected_version=1)
        return list(store.load(ITEM))

    first = stored()
    assert [each.timestamp_ms for each in first] == [START_MS, START_MS + 1500]  # type: ignore[attr-defined]
    assert first == stored()


def test_its_database_can_be_reached() -> None:
    """
    For a look at rows, and for a second store on it.
    """
    store = in_memory_store(table_names=TableNames("shop"), index_shards=2)
    store.append(ITEM, [NewEvent("COUNTED", {})], expected_version=0)
    second = in_memory_store(database=store.database, table_names=TableNames("shop"), clock=store.clock)

    assert store.database.client().scan(TableName="shop_events")["Count"] == 1
    assert second.load(ITEM) == store.load(ITEM)
    assert second.context.record.index_shards == 2


def test_it_takes_what_a_store_takes(types: EventTypes) -> None:
    """
    Event types, options and a clock; any `EventStore` will do where one is asked for.
    """
    clock = SystemRuntime()
    store = in_memory_store(events=types, options=StoreOptions(embed_max_bytes=0), clock=clock)
    store.append(ITEM, [Received(3)], expected_version=ANY)

    assert isinstance(store, EventStore)
    assert store.clock is clock
    assert store.context.options.embed_max_bytes == 0
    assert store.load(ITEM)[0].payload == Received(3)
    assert store.load(ITEM)[0].timestamp_ms > START_MS


def test_nothing_waits() -> None:
    """
    A wait for a relay that is not there ends at once, and the clock has moved on.
    """
    store = in_memory_store()
    result = store.append(ITEM, [NewEvent("COUNTED", {})], expected_version=0)
    with pytest.raises(NotSettledError):
        store.wait_settled(result, 600.0)
    assert 600 <= store.clock.monotonic() < 601


def test_tokens_of_the_database_end_by_the_same_clock() -> None:
    """
    What DynamoDB forgets after ten minutes is forgotten after ten manual minutes.
    """
    clock = ManualRuntime()
    database = in_memory_store(clock=clock).database
    assert database._engine.now_ms() == START_MS
    clock.advance(601)
    assert database._engine.now_ms() == START_MS + 601_000


def test_a_recorded_event_has_sensible_defaults() -> None:
    """
    All that a store fills in is there, and the same in each run.
    """
    event = recorded(NewEvent("COUNTED", {"number": 1}))

    assert (event.aggregate_type, event.aggregate_id, event.sequence_number) == ("Item", "item-1", 1)
    assert (event.commit_first, event.commit_last, event.epoch) == (1, 1, 1)
    assert event.timestamp_ms == timestamp_ms(event.event_id) == START_MS + 1_000
    assert (event.data, event.metadata, event.payload) == ({"number": 1}, {}, {"number": 1})
    assert event == recorded(NewEvent("COUNTED", {"number": 1}))


def test_ids_of_recorded_events_differ() -> None:
    """
    For each aggregate and number, and between event and commit.
    """
    events = [
        recorded(NewEvent("COUNTED", {}), aggregate=AggregateRef(kind, name), sequence_number=number)
        for kind in ("Item", "Order")
        for name in ("1", "2")
        for number in (1, 2, 3)
    ]
    assert len({each.event_id for each in events} | {each.commit_id for each in events}) == 24


def test_recorded_events_are_read_as_a_store_reads(types: EventTypes) -> None:
    """
    Upcasters and classes apply; times and metadata are the event's.
    """
    old = recorded(NewEvent("RECEIVED", {"amount": 3}, {"user": "ann"}, 1, 77), event_types=types)
    new = recorded(Received(3), event_types=types, timestamp_ms=88)

    assert (old.schema_version, old.payload, old.stored.schema_version) == (2, Received(3), 1)
    assert (old.metadata, old.timestamp_ms) == ({"user": "ann"}, 77)
    assert (new.payload, new.timestamp_ms) == (Received(3), 88)


def test_recorded_events_are_checked_as_by_an_append(types: EventTypes) -> None:
    """
    What no store would take is refused in a store's words.
    """
    with pytest.raises(NotJsonError, match=r"events\[0\]\.data\.at"):
        recorded(NewEvent("COUNTED", {"at": object()}))
    with pytest.raises(InvalidInputError, match="type"):
        recorded(NewEvent("COUN TED", {}))
    with pytest.raises(InvalidInputError, match="EventTypes"):
        recorded(Received(1))
    with pytest.raises(InvalidInputError, match="sequence_number"):
        recorded(NewEvent("COUNTED", {}), sequence_number=0)
    with pytest.raises(InvalidInputError, match="the upcaster of 'RECEIVED' version 1 raised KeyError"):
        recorded(NewEvent("RECEIVED", {}, schema_version=1), event_types=types)


def test_a_history_is_numbered() -> None:
    """
    From 1, or behind what was there; stored events keep their numbers, and the next ones follow them.
    """
    new = NewEvent("COUNTED", {})
    other = AggregateRef("Order", "order-1")

    assert history() == []
    assert [each.sequence_number for each in history(new, new, after=5)] == [6, 7]
    mixed = history(recorded(new, sequence_number=3), new, recorded(new, aggregate=other), new)
    assert [(each.aggregate_id, each.sequence_number) for each in mixed] == [
        ("item-1", 3),
        ("item-1", 4),
        ("order-1", 1),
        ("item-1", 5),
    ]
    assert history(new, aggregate=other)[0].aggregate_type == "Order"
