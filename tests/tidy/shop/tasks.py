"""The shop in asyncio."""

from collections.abc import AsyncIterator
from typing import assert_type

from eventstore import NO_EVENTS, Append, AppendResult, DynamoClient, Loaded, RecordedEvent
from eventstore.aio import AsyncEventStore, AsyncProjection, AsyncRepository, AsyncStream, ThreadPools

from .events import Received, item, types
from .stock import Remove, Stock, count, evolve, remove


async def sell(client: DynamoClient) -> Loaded[Stock]:
    """Receive some bolts, sell one, and return the stock."""
    async with await AsyncEventStore.open(client, events=types, threads=ThreadPools(calls=2)) as store:
        items = AsyncRepository(store, aggregate_type="Item", initial=Stock, evolve=evolve)
        tallies = AsyncProjection(store, "tallies", initial=dict, evolve=count)
        result = await store.append(item("nuts"), [Received(5)], expected_version=NO_EVENTS)
        assert_type(result, AppendResult)
        await items.transact("nuts", remove, Remove(1, "N-1"))
        assert_type((await tallies.load("nuts")).state, dict[str, int])
        assert [event.sequence_number async for event in history(store)] == [1, 2]
        async for outcome in store.append_all([Append(item("caps"), [Received(1)], 0)]):
            assert outcome.error is None
        return await items.load("nuts")


async def history(store: AsyncEventStore) -> AsyncIterator[RecordedEvent]:
    """Yield what happened to the nuts."""
    stream = store.read(item("nuts"))
    assert_type(stream, AsyncStream[RecordedEvent])
    async for event in stream:
        yield event


async def opened() -> AsyncEventStore:
    """Return the store that the environment names."""
    return await AsyncEventStore.from_environment(events=types)
