"""A time-out or a cancellation around what is awaited: nothing is lost in silence, and nothing holds up the end."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from eventstore import (
    ANY,
    NO_EVENTS,
    AggregateRef,
    Append,
    Backoff,
    EventStore,
    InvalidInputError,
    NewEvent,
    StoreOptions,
    TryLaterError,
    UnreachableError,
)
from eventstore.aio import AsyncEventStore, AsyncStream
from eventstore.search import SearchQuery
from eventstore.testing import InMemorySearch
from tests.support.waiting import until

from .conftest import ITEM, PATIENCE_SECONDS, Gate, counted
from .test_streams import DAY_START_MS, run


async def by_wait_for(stream: AsyncStream[Any]) -> Any:
    return await asyncio.wait_for(anext(stream), 0.01)


async def by_timeout(stream: AsyncStream[Any]) -> Any:
    async with asyncio.timeout(0.01):
        return await anext(stream)


TIMEOUTS = [by_wait_for, by_timeout]
READS: dict[str, Callable[[AsyncEventStore], AsyncStream[Any]]] = {
    "read": lambda store: store.read(ITEM),
    "read_type": lambda store: store.read_type("COUNTED"),
    "stream_events": lambda store: store.stream_events(DAY_START_MS),
    "follower": lambda store: store.stream_events(DAY_START_MS, follow=True, poll_seconds=0.01),
}


@pytest.mark.parametrize("timed", TIMEOUTS)
@pytest.mark.parametrize("what", READS)
def test_a_time_out_loses_nothing(
    blocking_store: EventStore, gate: Gate, what: str, timed: Callable[[AsyncStream[Any]], Awaitable[Any]]
) -> None:
    """
    A stream goes on behind a time-out, at its first page and at a later one, and gives every event once.
    """
    gate.operation = "Query"
    for batch in range(3):
        blocking_store.append(ITEM, [counted(each) for each in range(50)], expected_version=batch * 50)

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        async with READS[what](store) as stream:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await timed(stream)
            gate.open()
            assert [(await anext(stream)).sequence_number for _ in range(150)] == list(range(1, 151))

    run(blocking_store, body)


@pytest.mark.parametrize("timed", TIMEOUTS)
def test_a_follower_that_is_asked_with_time_outs_does_not_end(
    blocking_store: EventStore, timed: Callable[[AsyncStream[Any]], Awaitable[Any]]
) -> None:
    """
    A reader that asks again and again gets what comes in the end.
    """

    async def body(store: AsyncEventStore) -> None:
        async with store.stream_events(DAY_START_MS, follow=True, poll_seconds=0.005) as events:
            for _ in range(5):
                with pytest.raises(TimeoutError):
                    await timed(events)
            await store.append(ITEM, [counted(7)], expected_version=NO_EVENTS)
            assert (await anext(events)).data == {"number": 7}

    run(blocking_store, body)


@pytest.mark.parametrize("timed", TIMEOUTS)
def test_a_time_out_around_many_appends_and_a_search(
    blocking_store: EventStore, gate: Gate, timed: Callable[[AsyncStream[Any]], Awaitable[Any]]
) -> None:
    """
    Outcomes and findings that came too late for one `anext` are given by the next.
    """
    index = InMemorySearch()

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        async with store.append_all([Append(ITEM, [counted()], ANY)]) as outcomes:
            with pytest.raises(TimeoutError):
                await timed(outcomes)
            gate.open()
            assert [each.index async for each in outcomes] == [0]
        index.add(blocking_store.load(ITEM))
        events = store.search(index).events(SearchQuery())
        assert [each.sequence_number async for each in events] == [1]
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    run(blocking_store, body)


def test_a_stream_of_a_cancelled_reader_says_so(blocking_store: EventStore, gate: Gate) -> None:
    """
    Its task was cancelled, so it was closed: whoever asks it still is told, and does not take it for the end.
    """
    gate.operation = "Query"
    blocking_store.append(ITEM, [counted()], expected_version=0)

    async def body(store: AsyncEventStore) -> None:
        stream = store.read(ITEM)

        async def read() -> None:
            async for _ in stream:
                pass

        gate.shut()
        task = asyncio.create_task(read())
        await asyncio.to_thread(gate.await_callers, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open()
        await asyncio.sleep(0)  # the loop tells of the task's end
        with pytest.raises(InvalidInputError, match="task that read it was cancelled"):
            await anext(stream)

    run(blocking_store, body)


def test_a_reader_that_survives_its_cancellation_reads_on(blocking_store: EventStore, gate: Gate) -> None:
    """
    A task that catches its cancellation, to finish what it does, has its stream still.
    """
    gate.operation = "Query"
    blocking_store.append(ITEM, [counted(), counted()], expected_version=0)

    async def body(store: AsyncEventStore) -> None:
        async def read() -> list[int]:
            stream = store.read(ITEM)
            try:
                first = await anext(stream)
            except asyncio.CancelledError:
                gate.open()
                first = await anext(stream)
            return [first.sequence_number, *[each.sequence_number async for each in stream]]

        gate.shut()
        task = asyncio.create_task(read())
        await asyncio.to_thread(gate.await_callers, 1)
        task.cancel()
        assert await task == [1, 2]

    run(blocking_store, body)


def test_a_closed_store_ends_streams_that_nobody_closed(blocking_store: EventStore) -> None:
    """
    A stalled source of appends, whose reader gave up by a time-out, does not hold up the store's end.
    """

    async def stalled() -> AsyncIterator[Append]:
        yield Append(AggregateRef("Item", "item-2"), [counted()], ANY)
        await asyncio.Event().wait()

    left: list[Any] = []

    async def body(store: AsyncEventStore) -> None:
        left.append(store.append_all(stalled()))
        assert (await anext(left[0])).index == 0
        with pytest.raises(TimeoutError):
            await by_wait_for(left[0])

    run(blocking_store, body)


def test_a_cancelled_wait_frees_its_thread(blocking_store: EventStore) -> None:
    """
    `wait_settled` that was cancelled is over within a look, whatever time it was given.
    """

    async def body(store: AsyncEventStore) -> None:
        result = await store.append(ITEM, [counted()], expected_version=0)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(store.wait_settled(result, 3600), 0.05)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(store.wait_settled(result, 3600), 0.05)

    run(blocking_store, body, long=1)


PROGRAM = """
import asyncio
from eventstore import AggregateRef, EventStore, NewEvent
from eventstore.aio import AsyncEventStore
from eventstore.system import SystemRuntime
from eventstore.testing import in_memory_store

async def main():
    store = AsyncEventStore(in_memory_store(clock=SystemRuntime()))
    result = await store.append(AggregateRef("Item", "a"), [NewEvent("COUNTED", {})], expected_version=0)
    try:
        await asyncio.wait_for(store.wait_settled(result, 3600), 0.05)
    except TimeoutError:
        print("given up")

asyncio.run(main())
"""


def test_a_cancelled_wait_does_not_hold_up_the_end_of_the_process() -> None:
    """
    A program that gave up waiting ends, without having closed its store.
    """
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=True)

    assert done.stdout == "given up\n"


def test_a_cancelled_load_reads_no_further_page(blocking_store: EventStore, gate: Gate) -> None:
    """
    A long history is not read to its end for nobody.
    """
    gate.operation = "Query"
    big = "x" * 300_000
    for version in range(5):
        blocking_store.append(ITEM, [NewEvent("COUNTED", {"big": big})], expected_version=version)

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        task = asyncio.create_task(store.load(ITEM))
        await asyncio.to_thread(gate.await_callers, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gate.open()

    run(blocking_store, body)
    assert len(gate.threads) == 1


def test_a_follower_outlives_an_outage(blocking_store: EventStore, gate: Gate) -> None:
    """
    A look that DynamoDB does not answer is told, and continued; `resume_ms` is that of what the reader was given.
    """
    told: list[TryLaterError] = []
    broken: Any = Broken(blocking_store.context.client)
    store = EventStore.open(broken, options=OPTIONS)
    now_ms = store.context.runtime.now_ms()
    blocking_store.append(
        ITEM, [NewEvent("COUNTED", {}, timestamp_ms=now_ms - age) for age in (60_000, 40_000, 0)], expected_version=0
    )

    async def body(opened: AsyncEventStore) -> None:
        del opened
        async with AsyncEventStore(store) as reader:
            broken.is_broken = True
            stream = reader.stream_events(now_ms - 90_000, follow=True, poll_seconds=0.01, on_trouble=told.append)
            coming = asyncio.ensure_future(anext(stream))
            await asyncio.to_thread(until, lambda: len(told) > 1, "two looks failed")
            assert stream.resume_ms == now_ms - 90_000
            broken.is_broken = False
            assert (await coming).sequence_number == 1
            assert stream.resume_ms == now_ms - 60_000
            assert [(await anext(stream)).sequence_number for _ in range(2)] == [2, 3]
            assert now_ms - 10_000 <= stream.resume_ms <= now_ms
            await stream.aclose()

    run(blocking_store, body)
    assert {type(error) for error in told} == {UnreachableError}


class Broken:
    """Passes calls on to a client, until it is broken: then no Query is answered."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.is_broken = False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation: Callable[..., Any] = getattr(self._inner, name)

        def call(**request: Any) -> Any:
            if self.is_broken and name == "query":
                raise ReadTimeoutError(endpoint_url="http://127.0.0.1")
            return operation(**request)

        return call


OPTIONS = StoreOptions(read_backoff=Backoff(attempts_max=1))
