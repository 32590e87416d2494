"""Views of one aggregate, and views that are fed."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    CorruptRowError,
    DecideAgainError,
    EventStore,
    InvalidInputError,
    LimitExceededError,
    Loaded,
    Projection,
    ReadModel,
    RecordedEvent,
    Repository,
    SnapshotPolicy,
)
from eventstore.testing import InMemoryDynamoDB
from tests.unit.eventstore.conftest import lost

from .conftest import CountingClient, Stock, evolve

Fill = Callable[..., None]


def largest(best: int, event: RecordedEvent) -> int:
    return max(best, event.data["by"])


def test_a_projection_is_kept_beside_the_aggregate(
    stocks: EventStore, database: InMemoryDynamoDB, counting: CountingClient, fill: Fill
) -> None:
    """
    Its snapshots have their own rows, and spare the events below them just as well.
    """
    fill(5, 9, 1)
    every = SnapshotPolicy.every(3)
    Repository(stocks, aggregate_type="ITEM", initial=Stock(), evolve=evolve, snapshots=every).load("item-1")
    Projection(stocks, "largest", initial=0, evolve=largest, snapshots=every).load("item-1")
    view = Projection(stocks, "largest", initial=0, evolve=largest, snapshots=every)

    assert view.load("item-1") == Loaded(9, 3, "snapshot", 0)
    assert view.load("item-1", as_of_sequence=1) == Loaded(5, 1, "events", 1)
    rows = database.client().scan(TableName="inventory_snapshots")["Items"]
    assert {row["aggregateId"]["S"] for row in rows} == {"item-1", "projection/largest/item-1"}
    assert view.stats.snapshot_hits == 1


def test_very_long_ids_have_projections_too(stocks: EventStore, fill: Fill) -> None:
    """
    The key would be over 2,048 bytes, so a digest stands for it.
    """
    fill(5, item="i" * 2048)
    every = SnapshotPolicy.every(1)
    Projection(stocks, "largest", initial=0, evolve=largest, snapshots=every).load("i" * 2048)
    again = Projection(stocks, "largest", initial=0, evolve=largest, snapshots=every).load("i" * 2048)
    assert again == Loaded(5, 1, "snapshot", 0)


def totals(state: dict[str, int], event: RecordedEvent) -> dict[str, int]:
    state[event.aggregate_id] = state.get(event.aggregate_id, 0) + event.data["by"]
    return state


def model(store: EventStore, **arguments: Any) -> ReadModel[dict[str, int]]:
    return ReadModel(store, "totals", initial=dict, evolve=totals, **arguments)


def test_a_read_model_drops_repeats(stocks: EventStore, fill: Fill) -> None:
    """
    A consumer may be given everything again.
    """
    fill(5, 9)
    fill(1, item="item-2")
    events = [*stocks.load("item-1"), *stocks.load("item-2")]
    view = model(stocks)

    assert view.feed(events) == 3
    assert view.feed(events) == 0
    assert view.state == {"item-1": 14, "item-2": 1}
    assert view.position_of("item-1") == (1, 2)


def test_a_read_model_goes_on_where_it_was_saved(stocks: EventStore, fill: Fill) -> None:
    """
    State and positions come back together.
    """
    fill(5, 9)
    view = model(stocks)
    view.feed(stocks.load("item-1"))
    assert view.save() is True
    assert view.save() is False
    fill(1)

    again = model(stocks)
    assert again.state == {"item-1": 14}
    assert again.feed(stocks.load("item-1")) == 1
    assert (again.state, again.events_applied) == ({"item-1": 15}, 3)
    assert again.save() is True


def test_another_version_of_a_read_model_starts_from_nothing(stocks: EventStore, fill: Fill) -> None:
    """
    It leaves alone what the version before has saved, so that both can be fed while one takes over from the other.
    """
    fill(5)
    old = model(stocks)
    old.feed(stocks.load("item-1"))
    old.save()

    new = model(stocks, version=2)
    assert new.state == {}
    new.feed(stocks.load("item-1"))
    assert new.save() is True
    fill(9)
    old.feed(stocks.load("item-1"))
    assert old.save() is True
    assert (model(stocks).state, model(stocks, version=2).state) == ({"item-1": 14}, {"item-1": 5})


@pytest.mark.parametrize(
    "item", ["read-model/totals", "read-model/totals@1", "projection/largest/item-1", "aggregate/read-model/totals@1"]
)
def test_no_aggregate_meets_the_row_of_a_view(
    stocks: EventStore, database: InMemoryDynamoDB, fill: Fill, item: str
) -> None:
    """
    Whatever an aggregate is called: its snapshot has a row of its own, and so have the views.
    """
    every = SnapshotPolicy.every(1)
    fill(5)
    view = model(stocks)
    view.feed(stocks.load("item-1"))
    view.save()
    Projection(stocks, "largest", initial=0, evolve=largest, snapshots=every).load("item-1")
    fill(7, 7, item=item)
    Repository(stocks, aggregate_type="ITEM", initial=Stock(), evolve=evolve, snapshots=every).load(item)
    again = Repository(stocks, aggregate_type="ITEM", initial=Stock(), evolve=evolve, snapshots=every)

    assert model(stocks).state == {"item-1": 5}
    assert Projection(stocks, "largest", initial=0, evolve=largest, snapshots=every).load("item-1").origin == "snapshot"
    assert again.load(item) == Loaded(Stock(14, (1, 2)), 2, "snapshot", 0)
    assert len(database.client().scan(TableName="inventory_snapshots")["Items"]) == 3


def test_long_ids_that_look_like_keys_have_snapshots_too(stocks: EventStore, fill: Fill) -> None:
    """
    With what tells them apart the key would be over 2,048 bytes, so a digest stands for it.
    """
    every = SnapshotPolicy.every(1)
    item = "read-model/" + "i" * 2037
    fill(5, item=item)
    for origin in ("events", "snapshot"):
        items = Repository(stocks, aggregate_type="ITEM", initial=Stock(), evolve=evolve, snapshots=every)
        assert items.load(item) == Loaded(Stock(5, (1,)), 1, origin, 1 if origin == "events" else 0)  # type: ignore[arg-type]


def test_two_feeders_are_found_out(stocks: EventStore, fill: Fill) -> None:
    """
    Who saves second is told to begin again, and nothing is overwritten.
    """
    fill(5, 9)
    first, second = model(stocks), model(stocks)
    first.feed(stocks.load("item-1"))
    second.feed(stocks.read("item-1", until=1))
    first.save()

    with pytest.raises(DecideAgainError, match="saved by another feeder"):
        second.save()
    assert model(stocks).state == {"item-1": 14}


def test_a_save_whose_reply_was_lost_is_recognised(stocks: EventStore, counting: CountingClient, fill: Fill) -> None:
    """
    The second attempt finds its own row.
    """
    fill(5)
    view = model(stocks)
    view.feed(stocks.load("item-1"))

    def lose(request: dict[str, Any]) -> None:
        counting.before.clear()
        counting.inner.put_item(**request)
        raise lost()

    counting.before["put_item"] = lose
    assert view.save() is True
    assert model(stocks).state == {"item-1": 5}


def test_a_read_model_too_large_for_a_row_says_so(stocks: EventStore, fill: Fill) -> None:
    """
    The error has both sizes.
    """
    fill(5)
    view = ReadModel(stocks, "large", initial="", evolve=lambda _, event: "x" * 410_000)
    view.feed(stocks.load("item-1"))
    with pytest.raises(LimitExceededError):
        view.save()


def test_a_saved_model_that_cannot_be_read_says_what_to_do(
    stocks: EventStore, database: InMemoryDynamoDB, fill: Fill
) -> None:
    """
    It is never taken for an empty one.
    """
    fill(5)
    view = model(stocks)
    view.feed(stocks.load("item-1"))
    view.save()
    database.client().update_item(
        TableName="inventory_snapshots",
        Key={"aggregateId": {"S": "read-model/totals@1"}},
        UpdateExpression="SET #state = :x",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":x": {"S": "[]"}},
    )
    with pytest.raises(CorruptRowError, match="raise the model's version"):
        model(stocks)


@pytest.mark.parametrize("name", ["", "a/b", None, "\ud800", "n" * 513])
def test_names_that_cannot_be_keys_are_refused(stocks: EventStore, name: Any) -> None:
    """
    A name becomes a part of a key.
    """
    with pytest.raises(InvalidInputError):
        Projection(stocks, name, initial=0, evolve=largest)
