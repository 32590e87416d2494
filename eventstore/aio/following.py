"""Events as they come, for asyncio: looks by threads, and pauses between them that take no thread."""

import asyncio
from collections.abc import AsyncGenerator, Iterator

from eventstore.aio.stream import AsyncStream, paged
from eventstore.aio.threads import Threads
from eventstore.context import StoreContext
from eventstore.decoding import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.timeline import bodies, reader
from eventstore.timeline.follower import Following
from eventstore.timeline.query import ByTime
from eventstore.timeline.seen import Seen
from eventstore.validation import TIMESTAMP_MAX_MS


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
        look = _look(context, seen, round(following.overlap_seconds * 1000), on_corrupt)
        async with AsyncStream(paged(threads, look, context.runtime)) as events:
            async for event in events:
                yield event
        await asyncio.sleep(following.poll_seconds)


def _look(context: StoreContext, seen: Seen, overlap_ms: int, on_corrupt: OnCorrupt) -> Iterator[RecordedEvent]:
    """Yield what is new, as each pass of `eventstore.timeline.follower` does."""
    now_ms = context.runtime.now_ms()
    until_ms = min(now_ms + overlap_ms + 1, TIMESTAMP_MAX_MS + 1)
    seen.begin_pass(now_ms - overlap_ms)
    query = ByTime(seen.low_ms, max(seen.low_ms, until_ms))
    fresh = (place for place in reader.places(context, query, on_corrupt=on_corrupt) if seen.admit(place))
    yield from bodies.at(context, fresh, on_corrupt)
    seen.end_pass()
