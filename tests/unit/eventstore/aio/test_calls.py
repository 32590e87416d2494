"""Calls of tasks: results, threads and their bounds, cancellation, the end."""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from eventstore import (
    ANY,
    NO_EVENTS,
    AggregateRef,
    Append,
    ByType,
    Decision,
    EventStore,
    EventTypes,
    InvalidInputError,
    NotSettledError,
    RowConditionError,
    RowPut,
    TableMissingError,
    ThrottledError,
    WrongExpectedVersionError,
)
from eventstore.aio import AsyncEventStore, AsyncProjection, AsyncRepository, ThreadPools
from eventstore.testing import InMemoryDynamoDB, in_memory_store

from .conftest import ITEM, PATIENCE_SECONDS, Gate, counted


def run(store: EventStore, body: Callable[[AsyncEventStore], Awaitable[None]], **threads: int) -> None:
    """Run a test's body with a store for tasks, and close that; nothing may hang."""

    async def whole() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS), AsyncEventStore(store, ThreadPools(**threads)) as opened:
            await body(opened)

    asyncio.run(whole())


def test_calls_answer_as_the_blocking_ones(blocking_store: EventStore) -> None:
    """
    Results and errors of awaited calls are those of the blocking store.
    """

    async def body(store: AsyncEventStore) -> None:
        result = await store.append(ITEM, [counted(1), counted(2)], expected_version=NO_EVENTS)
        other = AggregateRef("Item", "item-2")
        many = await store.append_many([Append(ITEM, [counted(3)], 2), Append(other, [counted(4)], NO_EVENTS)])
        with pytest.raises(WrongExpectedVersionError) as refused:
            await store.append(ITEM, [counted(9)], expected_version=1)

        assert (result.version, [each.version for each in many], refused.value.actual) == (2, [3, 1], 3)
        assert await store.current_version(ITEM) == 3
        assert await store.load(ITEM) == blocking_store.load(ITEM)
        assert await store.latest_of_day("2025-01-01", limit=2) == blocking_store.latest_of_day("2025-01-01", limit=2)
        assert await store.stats() == blocking_store.stats()
        assert store.metrics().counts.appends == 3

    run(blocking_store, body)


def test_pages_resume(blocking_store: EventStore) -> None:
    """
    A token of the blocking store goes on here, and the other way round.
    """
    blocking_store.append(ITEM, [counted(each) for each in range(3)], expected_version=NO_EVENTS)
    first = blocking_store.read_page(ByType("COUNTED"), size=2)

    async def body(store: AsyncEventStore) -> None:
        second = await store.read_page(ByType("COUNTED"), size=2, token=first.token)
        assert [each.sequence_number for each in second.events] == [3]
        assert second.token is None

    run(blocking_store, body)


def test_opening_needs_tables() -> None:
    """
    `open` raises what the blocking one raises, and closes behind `async with`.
    """

    async def body() -> None:
        with pytest.raises(TableMissingError):
            await AsyncEventStore.open(InMemoryDynamoDB().client())
        database = in_memory_store().database
        async with await AsyncEventStore.open(database.client()) as store:
            assert await store.current_version("item-1") == 0

    asyncio.run(body())


def test_threads_are_bounded_and_named(blocking_store: EventStore, gate: Gate) -> None:
    """
    Never more calls are under way than there are threads, whose names say whose they are; the others wait their turn.
    """

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        tasks = [
            asyncio.create_task(store.append(AggregateRef("Item", f"item-{each}"), [counted()], expected_version=0))
            for each in range(9)
        ]
        await asyncio.to_thread(gate.await_callers, 2)
        gate.open()
        results = await asyncio.gather(*tasks)

        assert [each.version for each in results] == [1] * 9
        assert gate.most == 2
        assert {name.rpartition("_")[0] for name in gate.threads} == {"eventstore-aio-call"}

    run(blocking_store, body, calls=2)


def test_too_many_waiting_calls_are_turned_away(blocking_store: EventStore, gate: Gate) -> None:
    """
    With the waiting room full a call is refused at once, with nothing sent and a time to come again.
    """

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        first = asyncio.create_task(store.append(ITEM, [counted()], expected_version=0))
        await asyncio.to_thread(gate.await_callers, 1)
        second = asyncio.create_task(store.current_version(ITEM))
        await asyncio.sleep(0)
        with pytest.raises(ThrottledError) as refused:
            await store.append(ITEM, [counted()], expected_version=ANY)
        gate.open()

        assert refused.value.retry_after_seconds > 0
        assert (await first).version == 1
        assert await second == 1
        assert blocking_store.current_version(ITEM) == 1

    run(blocking_store, body, calls=1, waiting_max=1)


def test_a_call_that_waits_can_be_called_off(blocking_store: EventStore, gate: Gate) -> None:
    """
    Cancelled before it got a thread, an append is never sent; the next one in line gets the thread.
    """

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        first = asyncio.create_task(store.append(ITEM, [counted(1)], expected_version=0))
        await asyncio.to_thread(gate.await_callers, 1)
        second = asyncio.create_task(store.append(ITEM, [counted(2)], expected_version=ANY))
        third = asyncio.create_task(store.append(ITEM, [counted(3)], expected_version=ANY))
        await asyncio.sleep(0)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        gate.open()
        await asyncio.gather(first, third)

        assert [each.data["number"] for each in await store.load(ITEM)] == [1, 3]

    run(blocking_store, body, calls=1)


def test_an_append_that_is_cancelled_on_its_way_may_be_stored(blocking_store: EventStore, gate: Gate) -> None:
    """
    The task goes on at once; the request is not taken back; with its key the append can be repeated, once stored.
    """

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        task = asyncio.create_task(store.append(ITEM, [counted()], expected_version=0, idempotency_key="order-7"))
        await asyncio.to_thread(gate.await_callers, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not gate._open.is_set(), "the task went on before the thread did"
        gate.open()
        again = await store.append(ITEM, [counted()], expected_version=0, idempotency_key="order-7")

        assert (again.version, again.already_stored) == (1, True)
        assert len(await store.load(ITEM)) == 1

    run(blocking_store, body, calls=1)


def test_a_turn_that_comes_with_a_cancellation_is_not_lost(blocking_store: EventStore, gate: Gate) -> None:
    """
    A task that is cancelled in the moment in which it gets a thread gives the thread back.
    """

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        first = asyncio.create_task(store.append(ITEM, [counted()], expected_version=0))
        await asyncio.to_thread(gate.await_callers, 1)
        second = asyncio.create_task(store.current_version(ITEM))
        await asyncio.sleep(0)
        gate.open()
        while store.threads._turns:  # the event loop stands still until the turn was given
            pass
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        await first

        assert await store.current_version(ITEM) == 1

    run(blocking_store, body, calls=1)


def test_waiting_for_destinations_takes_no_thread_of_calls(blocking_store: EventStore, gate: Gate) -> None:
    """
    However many tasks wait until commits are settled, appends go on.
    """
    gate.operation = "TransactGetItems"

    async def body(store: AsyncEventStore) -> None:
        result = await store.append(ITEM, [counted()], expected_version=0)
        gate.shut()
        waits = [asyncio.create_task(store.wait_settled(result, 0.5)) for _ in range(3)]
        await asyncio.to_thread(gate.await_callers, 1)
        assert (await store.append(ITEM, [counted()], expected_version=1)).version == 2
        gate.open()
        outcomes = await asyncio.gather(*waits, return_exceptions=True)

        assert [type(each) for each in outcomes] == [NotSettledError] * 3
        assert {name.rpartition("_")[0] for name in gate.threads} == {"eventstore-aio-long"}

    run(blocking_store, body, calls=1, long=1)


def test_walks_end_when_they_are_cancelled(blocking_store: EventStore, gate: Gate) -> None:
    """
    `stats` of a task that was cancelled reads no further page.
    """
    gate.operation = "Scan"
    blocking_store.append(ITEM, [counted()], expected_version=0)
    told: list[Any] = []

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        task = asyncio.create_task(store.stats(progress=told.append))
        await asyncio.to_thread(gate.await_callers, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open()

    run(blocking_store, body)
    assert (len(gate.threads), told) == (1, [])


def test_context_variables_of_the_task_are_seen(blocking_store: EventStore) -> None:
    """
    What the caller's context holds, such as a trace, holds in the thread.
    """
    trace = contextvars.ContextVar("trace", default="none")
    seen = []

    def evolve(count: int, _: object) -> int:
        seen.append((trace.get(), threading.current_thread() is threading.main_thread()))
        return count + 1

    async def body(store: AsyncEventStore) -> None:
        trace.set("request-1")
        await store.append(ITEM, [counted()], expected_version=0)
        projection = AsyncProjection(store, "count", initial=0, evolve=evolve)
        assert (await projection.load(ITEM.id)).state == 1

    run(blocking_store, body)
    assert seen == [("request-1", False)]


def test_states_load_and_decide(blocking_store: EventStore) -> None:
    """
    A repository for tasks loads, decides and counts as the blocking one.
    """

    async def body(store: AsyncEventStore) -> None:
        items = AsyncRepository(store, aggregate_type="Item", initial=0, evolve=lambda n, each: n + each.data["number"])
        tasks = [items.transact("item-1", lambda _, number: [counted(number)], 1) for _ in range(5)]
        await asyncio.gather(*tasks)

        assert (await items.load("item-1")).state == 5
        assert (await items.load("item-1", as_of_sequence=2)).state == 2
        assert items.stats.loads >= 7

    run(blocking_store, body)


def test_several_aggregates_and_rows_go_along(blocking_store: EventStore) -> None:
    """
    `transact_many`, `also` and the bound of a call are handed on.
    """
    blocking_store.context.client.create_table(
        TableName="emails",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
    )
    row = RowPut("emails", {"email": "a"}, "attribute_not_exists(email)")

    def decide(states: Mapping[str, int], number: int) -> Decision:
        return Decision(dict.fromkeys(states, counted(number)), answer=sorted(states.values()), also=[row])

    async def body(store: AsyncEventStore) -> None:
        items = AsyncRepository(store, aggregate_type="Item", initial=0, evolve=lambda n, each: n + each.data["number"])
        more = {"idempotency_key": "k", "metadata": {"user": "u"}, "max_staleness_seconds": 0}
        done = await items.transact_many(["item-1", "item-2"], decide, 2, **more)
        again = await items.transact_many(["item-1", "item-2"], decide, 2, **more)

        assert (done.states, done.answer, done.versions) == ({"item-1": 2, "item-2": 2}, [0, 0], again.versions)
        assert (await store.load("item-2"))[0].metadata == {"user": "u"}
        with pytest.raises(RowConditionError):
            await items.transact("item-1", lambda *_: Decision(counted(1), also=[row]), None, metadata={"user": "u"})
        with pytest.raises(RowConditionError):
            await store.append(ITEM, [counted()], expected_version=ANY, also=[row])
        with pytest.raises(RowConditionError):
            await store.append_many([Append(ITEM, [counted()], ANY)], also=[row])
        assert (await items.load("item-1", max_staleness_seconds=60)).events_read == 0

    run(blocking_store, body)


def test_what_a_decision_raises_reaches_the_task(blocking_store: EventStore) -> None:
    """
    Also `StopIteration`, which a future cannot carry.
    """

    def decide(_: int, command: type[Exception]) -> list[Any]:
        raise command("no")

    async def body(store: AsyncEventStore) -> None:
        items = AsyncRepository(store, aggregate_type="Item", initial=0, evolve=lambda n, _: n)
        with pytest.raises(LookupError, match="no"):
            await items.transact("item-1", decide, LookupError)
        with pytest.raises(RuntimeError, match="StopIteration"):
            await items.transact("item-1", decide, StopIteration)

    run(blocking_store, body)


def test_schemas_are_checked() -> None:
    """
    `schema_check` answers for the registry that the store was opened with.
    """
    types = EventTypes()
    types.add_plain("COUNTED", 2)
    last_year = in_memory_store()
    last_year.append(ITEM, [counted()], expected_version=0)
    blocking_store = in_memory_store(events=types, database=last_year.database)

    async def body(store: AsyncEventStore) -> None:
        report = await store.schema_check()
        assert [(each.event_type, each.schema_version) for each in report.findings] == [
            ("COUNTED", 1),
            ("COUNTED", 2),
        ]
        assert report == blocking_store.schema_check()

    run(blocking_store, body)


def test_loops_one_after_the_other_share_a_store(blocking_store: EventStore) -> None:
    """
    A store is bound to no event loop.
    """
    store = AsyncEventStore(blocking_store, ThreadPools(calls=1))
    for number in range(2):
        result = asyncio.run(_append_twice(store, number * 2))
        assert result == number * 2 + 2
    asyncio.run(store.aclose())


async def _append_twice(store: AsyncEventStore, version: int) -> int:
    await asyncio.gather(
        store.append(ITEM, [counted()], expected_version=ANY), store.append(ITEM, [counted()], expected_version=ANY)
    )
    assert await store.current_version(ITEM) == version + 2
    return version + 2


def test_a_closed_store_refuses(blocking_store: EventStore, gate: Gate) -> None:
    """
    Closing waits for what is under way, and refuses what waits and what comes; it can be repeated.
    """

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        first = asyncio.create_task(store.append(ITEM, [counted()], expected_version=0))
        await asyncio.to_thread(gate.await_callers, 1)
        second = asyncio.create_task(store.current_version(ITEM))
        await asyncio.sleep(0)
        closing = asyncio.create_task(store.aclose())
        with pytest.raises(InvalidInputError, match="closed"):
            await second
        with pytest.raises(InvalidInputError, match="closed"):
            await store.load(ITEM)
        assert not closing.done()
        gate.open()
        await closing

        assert (await first).version == 1
        await store.aclose()

    run(blocking_store, body, calls=1)
    assert not [each.name for each in threading.enumerate() if each.name.startswith("eventstore-aio")]


@pytest.mark.parametrize("wrong", [{"calls": 0}, {"long": 257}, {"waiting_max": -1}, {"calls": True}])
def test_numbers_of_threads_are_checked(wrong: dict[str, int]) -> None:
    """
    A pool that could not work is refused by name.
    """
    with pytest.raises(InvalidInputError, match=f"threads.{next(iter(wrong))}"):
        ThreadPools(**wrong)
