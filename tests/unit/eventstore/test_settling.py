"""Waiting until bus and index have a commit."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    AppendResult,
    EventStore,
    InvalidInputError,
    NotSettledError,
    ParkedError,
    StoreOptions,
    TableNames,
)
from eventstore.backoff import Backoff
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.destination import Park
from relay.outbox.row import RowId
from relay.outbox.writer import OutboxWriter

from .conftest import ITEM, QUICK, event


class Stepped(SystemRuntime):
    """Time passes only by sleeping; at given moments somebody else acts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.plan: list[tuple[float, Callable[[], Any]]] = []

    def monotonic(self) -> float:
        return self.seconds

    def uniform(self) -> float:
        return 0.5

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        while self.plan and self.plan[0][0] <= self.seconds:
            self.plan.pop(0)[1]()


class World:
    """A store on a stepped clock, and a relay's hand on its outbox."""

    def __init__(self, database: InMemoryDynamoDB) -> None:
        self.client, self.runtime = database.client(), Stepped()
        self.calls: list[Any] = []
        options = StoreOptions(read_backoff=QUICK, index_refresh_seconds=1.0)
        self.store = EventStore.open(self.client, options=options, runtime=self.runtime)
        self.writer = OutboxWriter(self.client, TableNames(), SystemRuntime(), Backoff())

    def append(self, count: int = 1) -> AppendResult:
        version = self.store.current_version("item-1")
        return self.store.append(ITEM, [event() for _ in range(count)], expected_version=version)

    def deliver(self, result: AppendResult, *names: str) -> None:
        """Note who has a commit, as a relay does."""
        self.writer.note({_row(result): names})

    def settle(self, result: AppendResult) -> None:
        """Delete a commit's row, as a relay does."""
        self.writer.delete([_row(result)])

    def park(self, result: AppendResult, name: str) -> None:
        """Park a commit, as a relay does."""
        self.writer.park(_row(result), name, Park("the mapping refuses it", "rejected"))

    def at(self, seconds: float, act: Callable[[], Any]) -> None:
        self.runtime.plan.append((seconds, act))


def _row(result: AppendResult) -> RowId:
    return RowId(result.aggregate.id, result.version, result.commit_id)


@pytest.fixture
def world(database: InMemoryDynamoDB) -> World:
    return World(database)


class Odd(str):
    """Text with an equality of its own."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


def test_a_destination_is_its_plain_text(world: World) -> None:
    """
    A name of a subclass of text means the destination of that text.
    """
    result = world.append()
    world.deliver(result, "bus")
    result.wait_settled(5.0, Odd("bus"))


def test_it_returns_when_the_row_is_gone_and_the_index_has_refreshed(world: World) -> None:
    """
    A row that is gone is a commit that every destination has; searches show it a refresh later.
    """
    result = world.append(2)
    world.at(3.0, lambda: world.settle(result))

    result.wait_settled(10.0)

    assert 4.0 <= world.runtime.seconds <= 5.0


def test_the_bus_alone_needs_no_refresh_and_not_the_index(world: World) -> None:
    """
    The row stays, owed to the index; the bus is in `delivered`.
    """
    result = world.append()
    world.at(2.0, lambda: world.deliver(result, "bus"))

    result.wait_settled(10.0, "bus")

    assert 2.0 <= world.runtime.seconds < 3.0


def test_the_index_alone_waits_for_its_refresh(world: World) -> None:
    """
    One refresh interval behind the moment at which the index was seen to have it.
    """
    result = world.append()
    world.deliver(result, "index")

    result.wait_settled(10.0, "index")

    assert world.runtime.seconds == 1.0


def test_time_over_says_who_has_it(world: World) -> None:
    """
    The commit is stored and owed; the error names it, and who had it by then.
    """
    result = world.append()
    world.deliver(result, "bus")

    with pytest.raises(NotSettledError, match="index did not have it within 2 s") as caught:
        result.wait_settled(2.0, "index")

    assert (caught.value.commit_id, caught.value.delivered) == (result.commit_id, frozenset({"bus"}))
    assert world.runtime.seconds == pytest.approx(2.0)


def test_too_little_time_for_the_refresh_is_not_settled(world: World) -> None:
    """
    The index has it, and nobody can promise that searches show it.
    """
    result = world.append()
    world.settle(result)

    with pytest.raises(NotSettledError, match="too late"):
        result.wait_settled(0.5)

    assert world.runtime.seconds == pytest.approx(0.5)


def test_a_parked_commit_says_why(world: World) -> None:
    """
    Waiting longer would not help; other destinations are not held up by it.
    """
    result = world.append()
    world.park(result, "index")

    for destination in ("index", None):
        with pytest.raises(ParkedError) as caught:
            result.wait_settled(5.0, destination)
        assert (caught.value.destination, caught.value.reason) == ("index", "the mapping refuses it")
    world.deliver(result, "bus")
    result.wait_settled(5.0, "bus")


def test_what_was_delivered_after_all_is_not_parked(world: World) -> None:
    """
    `delivered` outranks `parked`; the other destination is still owed.
    """
    result = world.append()
    world.park(result, "index")
    world.deliver(result, "index")

    with pytest.raises(NotSettledError):
        result.wait_settled(2.0)
    result.wait_settled(2.0, "index")


def test_row_and_event_are_read_in_one_transaction(database: InMemoryDynamoDB) -> None:
    """
    A plain read of the outbox may come from before the commit, and would take it for settled.
    """
    inner, asked = database.client(), []

    class Recording:
        def transact_get_items(self, **request: Any) -> Any:
            asked.append([next(iter(each.values()))["TableName"] for each in request["TransactItems"]])
            return inner.transact_get_items(**request)

        def get_item(self, **request: Any) -> Any:
            assert request["TableName"] == "inventory_relay", "a plain read"
            return inner.get_item(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    store = EventStore.open(Recording(), runtime=Stepped())  # type: ignore[arg-type]
    result = store.append(ITEM, [event()], expected_version=0)
    inner.delete_item(TableName="inventory_outbox", Key={"aggregateId": {"S": "item-1"}, "sequenceNumber": {"N": "1"}})

    result.wait_settled(5.0)

    assert asked == [["inventory_events", "inventory_outbox"]]


def test_a_result_of_another_process_is_waited_for_by_the_store(world: World) -> None:
    """
    A result can be sent; its way back to the store stays behind.
    """
    result = pickle.loads(pickle.dumps(world.append()))  # noqa: S301 - our own bytes
    world.settle(result)

    with pytest.raises(InvalidInputError, match=r"EventStore\.wait_settled"):
        result.wait_settled(5.0)
    world.store.wait_settled(result, 5.0)


def test_a_commit_of_another_store_is_refused(world: World) -> None:
    """
    Its row is not in the outbox, which must not look like settled.
    """
    foreign = AppendResult(ITEM, "another commit", 1, 1, already_stored=False, attempts=1)

    with pytest.raises(InvalidInputError, match="another commit"):
        world.store.wait_settled(foreign, 5.0)


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), "5", None])
def test_a_time_that_cannot_be_is_refused(world: World, seconds: Any) -> None:
    """
    A wait has a bound.
    """
    with pytest.raises(InvalidInputError) as caught:
        world.append().wait_settled(seconds)

    assert caught.value.field == "timeout_seconds"
