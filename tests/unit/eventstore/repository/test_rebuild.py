"""Read models are rebuilt from the beginning: in portions, through crashes, beside writers, and followed from there."""

import random
from itertools import islice
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    EventStore,
    NewEvent,
    Projection,
    ReadModel,
    RecordedEvent,
    SnapshotPolicy,
)
from eventstore.testing import InMemoryEventStore, ManualRuntime, in_memory_store
from tests.unit.eventstore.worlds import Script


@pytest.fixture
def store() -> InMemoryEventStore[ManualRuntime]:
    made = in_memory_store()
    for number in range(20):
        receive(made, f"item-{number}", *range(1, number % 4 + 2))
    return made


def receive(store: EventStore, item: str, *quantities: int) -> None:
    news = [NewEvent("RECEIVED", {"quantity": quantity}) for quantity in quantities]
    store.append(AggregateRef("ITEM", item), news, expected_version=store.current_version(item))


def stock(state: dict[str, int], event: RecordedEvent) -> dict[str, int]:
    return {**state, event.aggregate_id: state.get(event.aggregate_id, 0) + event.data["quantity"]}


def model_of(store: EventStore, version: int = 2) -> ReadModel[dict[str, int]]:
    return ReadModel(store, "stock", initial=dict, evolve=stock, version=version)


def truth(store: EventStore) -> dict[str, int]:
    return {each.id: sum(event.data["quantity"] for event in store.load(each)) for each in store.aggregates("ITEM")}


@pytest.mark.parametrize("segments", [1, 4])
def test_a_read_model_is_built_from_everything(store: InMemoryEventStore[Any], segments: int) -> None:
    """
    Whatever order aggregates come in; feeding it all once more changes nothing.
    """
    model = model_of(store)

    assert model.feed(store.read_all(segments=segments)) == len(list(store.read_all()))
    assert model.state == truth(store)
    assert model.feed(store.read_all()) == 0


@pytest.mark.parametrize("seed", range(6))
def test_a_rebuild_outlives_crashes_and_writers(seed: int) -> None:
    """
    It is stopped between any two steps, begins again with what it had stored, and in the end has every event once.
    """
    chance = random.Random(seed)
    clock = ManualRuntime()
    store = in_memory_store(clock=clock)
    for number in range(20):
        receive(store, f"item-{number}", *range(1, number % 4 + 2))
    kept: str | None = None
    is_done = False
    while not is_done:  # each turn is a process; most crash
        model, walk = model_of(store), store.read_all(kept, segments=2)
        while True:
            portion = list(islice(walk, chance.randint(1, 9)))
            model.feed(portion)
            receive(store, f"item-{chance.randint(0, 25)}", chance.randint(1, 5))
            clock.advance(60.0)
            if chance.random() < 0.3:
                break  # before it has saved
            model.save()
            if chance.random() < 0.3:
                break  # with a model that is ahead of the token
            kept = walk.token
            if not portion:
                is_done = True
                break
        walk.close()
    model = model_of(store)
    receive(store, "item-30", 7)
    stop = Script([lambda: None])
    model.feed(store.stream_events(store.read_all(kept).follow_from_ms, follow=True, stop=stop))

    assert model.state == truth(store)


def test_the_former_version_serves_until_the_new_one_is_there(store: InMemoryEventStore[Any]) -> None:
    """
    Each has its own row.
    """
    old = model_of(store, version=1)
    old.feed(store.read_all())
    old.save()

    new = model_of(store, version=2)
    assert (new.events_applied, model_of(store, version=1).state) == (0, old.state)
    new.feed(store.read_all())
    new.save()

    assert model_of(store, version=2).state == old.state


def test_projections_are_made_anew_for_all_aggregates(store: InMemoryEventStore[Any]) -> None:
    """
    Their snapshots are written by loading each: ids come without their events.
    """

    def count(state: int, _: RecordedEvent) -> int:
        return state + 1

    def projection() -> Projection[int]:
        return Projection(store, "events", initial=0, evolve=count, version=2, snapshots=SnapshotPolicy.every(1))

    made = projection()
    loaded = {each.id: made.load(each.id).state for each in store.aggregates("ITEM")}
    again = projection()

    assert loaded == {f"item-{number}": number % 4 + 1 for number in range(20)}
    assert [again.load(f"item-{number}").state for number in range(20)] == [number % 4 + 1 for number in range(20)]
    assert again.stats.events_read == 0
