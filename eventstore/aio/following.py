"""Follows events, for asyncio: threads poll, and the pauses between polls take no thread."""

import asyncio
from collections.abc import AsyncGenerator

from eventstore.aio.stream import AsyncStream, paged
from eventstore.aio.threads import Threads
from eventstore.context import StoreContext
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.timeline import follower
from eventstore.timeline.follower import Following
from eventstore.timeline.seen import Seen


async def follow(
    threads: Threads,
    context: StoreContext,
    from_ms: int,
    following: Following,
    on_corrupt: OnCorrupt = None,
) -> AsyncGenerator[RecordedEvent, None]:
    """Yield the events from a moment on, until it is closed; see `EventStore.stream_events`."""
    seen = Seen(from_ms)
    while True:  # until the reader closes it
        look = follower.look(context, seen, round(following.overlap_seconds * 1000), on_corrupt)
        async with AsyncStream(paged(threads, look, context.runtime)) as events:
            async for event in events:
                yield event
        await asyncio.sleep(following.poll_seconds)
