"""The event store for programs on asyncio: the same calls, awaited; bounded pools of threads do the work.

    from eventstore.aio import AsyncEventStore

Values and errors are those of `eventstore`.
"""

from eventstore.aio.following import AsyncEventStream
from eventstore.aio.repository import AsyncProjection, AsyncRepository
from eventstore.aio.search import AsyncEventSearch
from eventstore.aio.store import AsyncEventStore
from eventstore.aio.stream import AsyncStream
from eventstore.aio.threads import ThreadPools, Threads
from eventstore.aio.walking import AsyncEventWalk

__all__ = [
    "AsyncEventSearch",
    "AsyncEventStore",
    "AsyncEventStream",
    "AsyncEventWalk",
    "AsyncProjection",
    "AsyncRepository",
    "AsyncStream",
    "ThreadPools",
    "Threads",
]
