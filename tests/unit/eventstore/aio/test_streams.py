"""Lazy reads of tasks: pages ahead, errors in their place, ends without leaks."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from eventstore import (
    ANY,
    NO_EVENTS,
    AggregateRef,
    Append,
    CorruptRowError,
    EventStore,
    EventStoreError,
    InvalidInputError,
    NewEvent,
    WrongExpectedVersionError,
)
from eventstore.aio import AsyncEventStore, AsyncStream, ThreadPools
from eventstore.aio.stream import ThreadedPages
from eventstore.aio.threads import Threads
from eventstore.search import SearchQuery
from eventstore.system import SystemRuntime
from eventstore.testing import InMemorySearch, ManualRuntime, in_memory_store
from tests.support.waiting import until

from .conftest import ITEM, PATIENCE_SECONDS, Gate, counted

DAY_START_MS = 1_735_689_600_000
HOUR_MS = 3_600_000


def run(store: EventStore, body: Callable[[AsyncEventStore], Awaitable[None]], **threads: int) -> None:
    """Run a test's body with a store for tasks; afterwards no call is under way and no thread is left."""

    async def whole() -> None:
        opened = AsyncEventStore(store, ThreadPools(**threads))
        async with asyncio.timeout(PATIENCE_SECONDS), opened:
            await body(opened)
        assert opened.threads._free == (threads.get("calls") or ThreadPools().calls)

    asyncio.run(whole())
    assert not [each.name for each in threading.enumerate() if each.name.startswith(("eventstore-aio", "append-"))]


async def numbers(stream: AsyncStream[Any]) -> list[int]:
    return [each.sequence_number async for each in stream]


async def pour(stream: AsyncStream[Any], keep: Callable[[Any], None]) -> None:
    async for each in stream:
        keep(each)


class Source:
    """A blocking iterator that tells what was taken of it, and whether it was closed."""

    def __init__(self, count: int, *, fails_at: int | None = None) -> None:
        self.taken = 0
        self.is_closed = threading.Event()
        self._items = self._give(count, fails_at)

    def _give(self, count: int, fails_at: int | None) -> Iterator[int]:
        try:
            for number in range(count):
                if number == fails_at:
                    raise LookupError(f"item {number}")
                self.taken += 1
                yield number
        finally:
            self.is_closed.set()

    def __iter__(self) -> Iterator[int]:
        return self._items

    def __next__(self) -> int:
        return next(self._items)

    def close(self) -> None:
        self._items.close()  # type: ignore[attr-defined]


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads("eventstore-aio-test", 2, 16)
    yield threads
    asyncio.run(threads.aclose())


def test_reads_give_what_the_blocking_ones_give(blocking_store: EventStore) -> None:
    """
    The same events in the same order, over several pages, by every way of reading.
    """
    for batch in range(3):
        blocking_store.append(ITEM, [counted(each) for each in range(90)], expected_version=batch * 90)

    async def body(store: AsyncEventStore) -> None:
        whole = list(range(1, 271))
        assert await numbers(store.read(ITEM)) == whole
        assert await numbers(store.read(ITEM, after=5, until=200, backwards=True)) == whole[5:200][::-1]
        assert await numbers(store.read(ITEM, limit=100)) == whole[:100]
        assert await numbers(store.read_type("COUNTED")) == whole
        assert await numbers(store.read_aggregate_type("Item", limit=150)) == whole[:150]
        assert await numbers(store.read_between(DAY_START_MS, DAY_START_MS + HOUR_MS)) == whole
        assert await numbers(store.stream_events(DAY_START_MS)) == whole
        assert [each async for each in store.verify()] == []

    run(blocking_store, body)


def test_arguments_are_refused_at_once(blocking_store: EventStore) -> None:
    """
    What is wrong with a read is said by the call, before anything is iterated.
    """

    async def body(store: AsyncEventStore) -> None:
        for wrong in (
            lambda: store.read(""),
            lambda: store.read(ITEM, after=5, until=4),
            lambda: store.read_type("COUNTED", limit=0),
            lambda: store.stream_events(-1, follow=True),
            lambda: store.stream_events(0, follow=True, poll_seconds=0),
            lambda: store.append_all([], concurrency=0),
            lambda: store.verify(ITEM.id, since_ms=1),
        ):
            with pytest.raises(InvalidInputError):
                wrong()

    run(blocking_store, body)


@pytest.mark.parametrize("read", [1, 100, 101, 250])
def test_at_most_one_page_is_fetched_ahead(threads: Threads, read: int) -> None:
    """
    Of an endless source no more is taken than the pages in use and one more; nothing before the first use.
    """
    source = Source(1_000_000)

    async def body() -> None:
        async with AsyncStream(ThreadedPages(threads, source, ManualRuntime())) as items:
            assert source.taken == 0
            for number in range(read):
                assert await anext(items) == number

    asyncio.run(body())
    pages = -(-read // 100)
    assert source.taken <= (pages + 1) * 100
    assert source.is_closed.is_set()


def test_the_next_page_is_fetched_while_one_is_used(threads: Threads) -> None:
    """
    The reader need not ask for it.
    """
    source = Source(1_000)

    async def body() -> None:
        async with AsyncStream(ThreadedPages(threads, source, ManualRuntime())) as items:
            await anext(items)
            await asyncio.to_thread(until, lambda: source.taken == 200, "the second page is fetched")

    asyncio.run(body())


def test_a_slow_source_is_not_waited_for_until_a_page_is_full(threads: Threads) -> None:
    """
    After a moment the reader gets what there is.
    """
    clock = ManualRuntime()
    given = []

    def slow() -> Iterator[int]:
        for number in range(5):
            given.append(number)
            clock.advance(0.2)
            yield number

    async def body() -> None:
        items = AsyncStream(ThreadedPages(threads, slow(), clock))
        assert await anext(items) == 0
        assert len(given) <= 2
        assert [each async for each in items] == [1, 2, 3, 4]

    asyncio.run(body())


@pytest.mark.parametrize("at", [0, 1, 99, 100, 101, 200])
def test_an_error_comes_behind_what_was_read_before_it(threads: Threads, at: int) -> None:
    """
    Wherever in a page it happens, every item before it is given first.
    """
    source = Source(1_000, fails_at=at)
    found: list[int] = []

    async def body() -> None:
        with pytest.raises(LookupError, match=f"item {at}"):
            await pour(AsyncStream(ThreadedPages(threads, source, ManualRuntime())), found.append)

    asyncio.run(body())
    assert found == list(range(at))


def test_an_error_that_nobody_waits_for_is_quiet(threads: Threads) -> None:
    """
    A page ahead that failed leaves no message behind when the reader went before it.
    """
    source = Source(1_000, fails_at=100)
    complaints: list[Any] = []

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        items = AsyncStream(ThreadedPages(threads, source, ManualRuntime()))
        await anext(items)
        await asyncio.to_thread(source.is_closed.wait, PATIENCE_SECONDS)
        await items.aclose()

    asyncio.run(body())
    assert complaints == []


def test_a_cancelled_reader_goes_on_and_the_source_is_closed(blocking_store: EventStore, gate: Gate) -> None:
    """
    The task does not wait for the page under way; its thread closes the iterator and is free again.
    """
    gate.operation = "Query"
    blocking_store.append(ITEM, [counted(), counted()], expected_version=0)

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        task = asyncio.create_task(numbers(store.read(ITEM)))
        await asyncio.to_thread(gate.await_callers, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not gate._open.is_set(), "the task went on before the thread did"
        gate.open()
        assert await numbers(store.read(ITEM)) == [1, 2]

    run(blocking_store, body, calls=1)


def test_a_reader_that_is_forgotten_leaves_nothing(threads: Threads) -> None:
    """
    A loop that is left by `break`, without closing the stream: asyncio closes it.
    """
    source = Source(1_000)

    async def body() -> None:
        async for _ in AsyncStream(ThreadedPages(threads, source, ManualRuntime())):
            break
        await asyncio.to_thread(until, source.is_closed.is_set, "the source is closed")

    asyncio.run(body())


def test_a_stream_that_is_never_used_sends_nothing(blocking_store: EventStore, gate: Gate) -> None:
    """
    It can be closed, and used no more.
    """

    async def body(store: AsyncEventStore) -> None:
        unused = store.read(ITEM)
        await unused.aclose()
        await unused.aclose()
        assert await numbers(unused) == []

    run(blocking_store, body)


def test_corrupt_rows_are_told(blocking_store: Any) -> None:
    """
    `on_corrupt` hears of a row that cannot be read, and its neighbours come.
    """
    blocking_store.append(ITEM, [counted(), counted(), counted()], expected_version=0)
    key = {"aggregateId": {"S": ITEM.id}, "sequenceNumber": {"N": "2"}}
    blocking_store.database.client().update_item(
        TableName="inventory_events", Key=key, UpdateExpression="REMOVE eventData"
    )

    async def body(store: AsyncEventStore) -> None:
        told: list[CorruptRowError] = []
        assert await numbers(store.read(ITEM, on_corrupt=told.append)) == [1, 3]
        assert [each.field for each in told] == ["eventData"]
        found: list[Any] = []
        with pytest.raises(CorruptRowError):
            await pour(store.read(ITEM), found.append)
        assert [each.sequence_number for each in found] == [1]
        assert [each.aggregate_id async for each in store.verify(ITEM.id)] == [ITEM.id]

    run(blocking_store, body)


def test_a_follower_gives_what_comes_and_ends_when_it_is_closed(blocking_store: EventStore) -> None:
    """
    Each event once, also those appended after it began; between its looks every thread is free.
    """

    async def body(store: AsyncEventStore) -> None:
        await store.append(ITEM, [counted(1)], expected_version=0)
        async with store.stream_events(DAY_START_MS, follow=True, poll_seconds=0.01) as events:
            assert (await anext(events)).data == {"number": 1}
            coming = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.03)  # let it look in vain
            assert not coming.done()
            await store.append(ITEM, [counted(2), counted(3)], expected_version=1)
            assert (await coming).data == {"number": 2}
            assert (await anext(events)).data == {"number": 3}

    run(blocking_store, body, calls=1)


def test_a_follower_looks_back_as_the_blocking_one_does(blocking_store: Any) -> None:
    """
    An event that shows up late is given once when it is within the overlap, and not when it is older.
    """
    clock: ManualRuntime = blocking_store.clock

    def stamped(age_seconds: int) -> NewEvent:
        return NewEvent("COUNTED", {"age": age_seconds}, timestamp_ms=clock.now_ms() - age_seconds * 1000)

    async def body(store: AsyncEventStore) -> None:
        clock.advance(3600)
        await store.append(ITEM, [stamped(0)], expected_version=0)
        async with store.stream_events(DAY_START_MS, follow=True, poll_seconds=0.01) as events:
            assert (await anext(events)).data == {"age": 0}
            coming = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(until, lambda: store.threads._free == 1, "the first look is over")
            await store.append(ITEM, [stamped(30), stamped(9), stamped(1)], expected_version=1)
            assert [(await coming).data, (await anext(events)).data] == [{"age": 9}, {"age": 1}]
            late = asyncio.ensure_future(anext(events))
            await asyncio.sleep(0.05)  # several looks over the same stretch
            assert not late.done()
            late.cancel()
            with pytest.raises(asyncio.CancelledError):
                await late

    run(blocking_store, body, calls=1)


def test_a_follower_can_be_cancelled(blocking_store: EventStore) -> None:
    """
    Also while it pauses, at once.
    """

    async def body(store: AsyncEventStore) -> None:
        async def follow() -> None:
            async for _ in store.stream_events(DAY_START_MS, follow=True, poll_seconds=3600):
                seen.set()

        seen = asyncio.Event()
        await store.append(ITEM, [counted()], expected_version=0)
        task = asyncio.create_task(follow())
        await seen.wait()
        await asyncio.to_thread(until, lambda: store.threads._free == 1, "the look is over")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(blocking_store, body, calls=1)


def appends(count: int) -> list[Append]:
    return [Append(AggregateRef("Item", f"item-{each}"), [counted(each)], NO_EVENTS) for each in range(count)]


def test_many_appends_come_to_outcomes_in_order(blocking_store: EventStore) -> None:
    """
    One outcome each, errors among them, and progress to the end.
    """
    wrong = Append(AggregateRef("Item", "item-3"), [counted()], 7)
    counts = []

    async def body(store: AsyncEventStore) -> None:
        given = [*appends(40), wrong]
        outcomes = [each async for each in store.append_all(given, progress=lambda each: counts.append(each.done))]
        assert [each.index for each in outcomes] == list(range(41))
        assert [type(each.error) for each in outcomes if each.error] == [WrongExpectedVersionError]

    run(blocking_store, body)
    assert counts == list(range(1, 42))


def test_many_appends_can_come_from_an_async_source(blocking_store: EventStore) -> None:
    """
    It runs in the event loop; its error comes behind the outcomes of what it gave before.
    """

    async def source() -> AsyncIterator[Append]:
        for each in appends(5):
            await asyncio.sleep(0)
            assert threading.current_thread() is threading.main_thread()
            yield each
        raise TimeoutError("the source ran dry")

    async def body(store: AsyncEventStore) -> None:
        found: list[Any] = []
        with pytest.raises(TimeoutError, match="ran dry"):
            await pour(store.append_all(source()), found.append)
        assert [each.index for each in found] == [0, 1, 2, 3, 4]

    run(blocking_store, body)


def test_many_appends_end_when_their_reader_is_cancelled(blocking_store: EventStore) -> None:
    """
    A source that gives nothing more holds nobody up.
    """

    async def source() -> AsyncIterator[Append]:
        for each in appends(2):
            yield each
        stalled.set()
        await asyncio.Event().wait()

    stalled = threading.Event()

    async def body(store: AsyncEventStore) -> None:
        async def read() -> None:
            async for _ in store.append_all(source()):
                pass

        task = asyncio.create_task(read())
        await asyncio.to_thread(stalled.wait, PATIENCE_SECONDS)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(blocking_store, body)


def test_many_appends_that_are_closed_send_no_more(blocking_store: EventStore) -> None:
    """
    What was on its way is stored, and an endless input ends.
    """

    def endless() -> Iterator[Append]:
        number = 0
        while True:
            yield Append(AggregateRef("Item", f"item-{number}"), [counted()], ANY)
            number += 1

    async def body(store: AsyncEventStore) -> None:
        async with store.append_all(endless(), concurrency=2) as outcomes:
            assert (await anext(outcomes)).index == 0
        stored = store.metrics().counts.appends
        assert 1 <= stored <= 100
        assert (await store.stats()).aggregates == stored

    run(blocking_store, body)


def test_a_search_lets_its_view_go(blocking_store: EventStore) -> None:
    """
    A search for tasks answers as the blocking one; its stream that is left early frees the view.
    """
    blocking_store.append(ITEM, [counted(each) for each in range(50)], expected_version=0)
    index = InMemorySearch()
    index.add(blocking_store.load(ITEM))
    query = SearchQuery().event_type("COUNTED").oldest_first()

    async def body(store: AsyncEventStore) -> None:
        search = store.search(index)
        assert await numbers(search.events(query, page_size=7)) == list(range(1, 51))
        assert index.open_views == 0
        async with search.events(query, page_size=7) as events:
            await anext(events)
            assert index.open_views == 1
        assert index.open_views == 0

        assert await search.count(query) == 50
        assert [each.sequence_number for each in await search.find(query, 2)] == [1, 2]
        assert len(await search.find_events_by_type("COUNTED", limit=3)) == 3
        assert [(each.value, each.count) for each in (await search.facets(query, "event_type")).counts] == [
            ("COUNTED", 50)
        ]
        page = await search.page(query, size=10)
        assert page.token is not None
        assert (await search.page(query, size=10, token=page.token)).events[0].sequence_number == 11
        await search.abandon(page.token)
        await search.refresh()
        assert index.open_views == 0
        assert (await search.index_lag()).owed == 1
        assert len((await search.raw({"size": 1}))["hits"]["hits"]) == 1

    run(blocking_store, body)


def test_a_verification_ends_when_it_is_closed(blocking_store: EventStore, gate: Gate) -> None:
    """
    Its walk goes no further than the page that it is reading.
    """
    gate.operation = "Scan"
    blocking_store.append(ITEM, [counted()], expected_version=0)

    async def body(store: AsyncEventStore) -> None:
        gate.shut()
        task = asyncio.create_task(anext(store.verify()))
        await asyncio.to_thread(gate.await_callers, 1)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        gate.open()

    run(blocking_store, body)
    assert len(gate.threads) == 1


def test_tasks_in_a_storm_leave_a_whole_store() -> None:
    """
    Writers of one aggregate, some cancelled at any moment: numbers without holes, each acknowledged event there once.
    """
    blocking_store = in_memory_store(clock=SystemRuntime())
    acknowledged: list[int] = []

    async def write(store: AsyncEventStore, number: int) -> None:
        with suppress(EventStoreError):
            await store.append(ITEM, [counted(number)], expected_version=ANY, idempotency_key=f"key-{number}")
            acknowledged.append(number)

    async def body(store: AsyncEventStore) -> None:
        tasks = [asyncio.create_task(write(store, each)) for each in range(120)]
        for place, task in enumerate(tasks):
            if place % 3 == 0:
                await asyncio.sleep(0.0002)
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(blocking_store, body, calls=4)
    stored = [each.data["number"] for each in blocking_store.load(ITEM)]
    assert len(stored) == len(set(stored))
    assert set(acknowledged) <= set(stored)
    assert len(acknowledged) >= 80
    assert list(blocking_store.verify()) == []
