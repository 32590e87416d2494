"""The event store for asyncio: the calls of `EventStore`, awaited."""

import asyncio
from collections.abc import AsyncIterable, Callable, Iterable, Sequence
from datetime import datetime
from itertools import takewhile
from types import TracebackType
from typing import Self, TypeVar

from eventstore import limits, validation
from eventstore.aio import async_source
from eventstore.aio.following import AsyncEventStream, FollowedPages
from eventstore.aio.search import AsyncEventSearch
from eventstore.aio.stream import AsyncStream, ThreadedPages
from eventstore.aio.threads import ThreadPools, Threads
from eventstore.aio.walking import AsyncEventWalk
from eventstore.append import await_delivery, bulk
from eventstore.append.bulk import AppendOutcome, OnBulkProgress
from eventstore.append.metrics import StoreMetrics
from eventstore.context import StoreContext, StoreOptions
from eventstore.dynamodb.table_names import TableNames
from eventstore.event_codec import AppendableEvent, OnCorrupt
from eventstore.expectation import Expectation
from eventstore.model import AggregateRef, Append, AppendResult, RecordedEvent
from eventstore.payload import moments
from eventstore.payload.row_write import RowWrite
from eventstore.ports import DynamoClient, Flag, Runtime
from eventstore.schema import EventTypes, SchemaReport
from eventstore.schema.check import OnScanned
from eventstore.search.client import SearchClient
from eventstore.search.options import SearchOptions
from eventstore.store import EventStore
from eventstore.timeline import follower
from eventstore.timeline.follower import Following, OnTrouble
from eventstore.timeline.query import EventQuery
from eventstore.timeline.reader import Page
from eventstore.verify import Finding
from eventstore.verify.counts import StoreStats
from eventstore.verify.verifier import OnWalked

T = TypeVar("T")

OUTCOMES_PER_PAGE = 16
"""Outcomes of `append_all` that are handed over together, when they come fast."""


class AsyncEventStore:
    """An `EventStore` for asyncio; arguments, results and errors are the same. Tasks, also of several loops, share it.

    Threads do the work, since the client of DynamoDB blocks: at most `ThreadPools.calls` for calls, and
    `ThreadPools.long` for those that may take long. No call blocks the event loop.

    A task that is cancelled goes on at once. What waited for a thread is called off; what had begun goes on in its
    thread to its end, which time-outs and bounds of attempts bring about, and nobody hears of its result. Functions
    that you hand over (`progress`, `on_corrupt`, `decide`, `evolve`, upcasters) run in such a thread, with the
    context variables of your task.

        async with await AsyncEventStore.open(client) as store:
            await store.append(aggregate, events, expected_version=NO_EVENTS)
    """

    def __init__(self, store: EventStore, threads: ThreadPools | None = None) -> None:
        """Wrap an open store with threads; `AsyncEventStore.open` does both.

        Args:
            store: The store.
            threads: How many; 16 and 8 when left out.
        """
        pools = threads or ThreadPools()
        self._store = store
        self._is_ours = False
        self._calls = Threads("eventstore-aio-call", pools.calls, pools.waiting_max)
        self._long = Threads("eventstore-aio-long", pools.long, pools.waiting_max)

    @classmethod
    async def from_environment(
        cls,
        *,
        options: StoreOptions | None = None,
        runtime: Runtime | None = None,
        events: EventTypes | None = None,
        threads: ThreadPools | None = None,
    ) -> Self:
        """Open the store that the environment names; see `EventStore.from_environment`, and `open`."""
        store = await asyncio.to_thread(EventStore.from_environment, options=options, runtime=runtime, events=events)
        return cls._owning(store, threads)

    @classmethod
    async def open(
        cls,
        client: DynamoClient,
        tables: TableNames | None = None,
        *,
        options: StoreOptions | None = None,
        runtime: Runtime | None = None,
        events: EventTypes | None = None,
        threads: ThreadPools | None = None,
    ) -> Self:
        """Open a store; see `EventStore.open`. Close it with `async with`, or `aclose`.

        Args:
            client: As in `EventStore.open`; it stays the caller's.
            tables: Same as above.
            options: Same as above.
            runtime: Same as above.
            events: Same as above.
            threads: How many stand behind it; 16 and 8 when left out.
        """
        store = await asyncio.to_thread(
            EventStore.open, client, tables, options=options, runtime=runtime, events=events
        )
        return cls._owning(store, threads)

    @classmethod
    def _owning(cls, store: EventStore, threads: ThreadPools | None) -> Self:
        """Return a store that closes what is behind it, which nobody else has."""
        made = cls(store, threads)
        made._is_ours = True
        return made

    async def aclose(self) -> None:
        """Refuse further calls, wait for those in progress, and close the store behind it. Safe to repeat.

        A store that was wrapped, as `AsyncEventStore(store)`, stays open.
        """
        await self._calls.aclose()
        await self._long.aclose()
        if self._is_ours:
            await asyncio.to_thread(self._store.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def blocking(self) -> EventStore:
        """The store behind it, for code that blocks."""
        return self._store

    @property
    def threads(self) -> Threads:
        """The threads for calls, for what is built on top of a store."""
        return self._calls

    @property
    def context(self) -> StoreContext:
        """See `EventStore.context`."""
        return self._store.context

    async def append(
        self,
        aggregate: AggregateRef,
        events: Sequence[AppendableEvent],
        *,
        expected_version: int | Expectation,
        idempotency_key: str | None = None,
        command_fingerprint: str | None = None,
        deadline_seconds: float | None = None,
        also: Sequence[RowWrite] = (),
    ) -> AppendResult:
        """Append events to one aggregate, all or none; see `EventStore.append`.

        When the task is cancelled meanwhile, the events may be stored or not: an append whose request was sent is not
        taken back, and its result reaches nobody. With an `idempotency_key`, repeat it: that stores nothing twice.
        Without one, load the aggregate and look. `deadline_seconds` begins when a thread takes the call up.
        """
        return await self._calls.run(
            lambda: self._store.append(
                aggregate,
                events,
                expected_version=expected_version,
                idempotency_key=idempotency_key,
                command_fingerprint=command_fingerprint,
                deadline_seconds=deadline_seconds,
                also=also,
            )
        )

    async def append_many(
        self,
        appends: Sequence[Append],
        *,
        deadline_seconds: float | None = None,
        also: Sequence[RowWrite] = (),
    ) -> list[AppendResult]:
        """See `EventStore.append_many`; for a cancellation see `append`."""
        return await self._calls.run(
            lambda: self._store.append_many(appends, deadline_seconds=deadline_seconds, also=also)
        )

    def append_all(
        self,
        appends: Iterable[Append] | AsyncIterable[Append],
        *,
        concurrency: int = 8,
        deadline_seconds: float | None = None,
        progress: OnBulkProgress | None = None,
    ) -> AsyncStream[AppendOutcome]:
        """Append many independent commits, several at a time; see `EventStore.append_all`.

        Besides a thread of the pool for long calls it has `concurrency` threads of its own while it runs. Closing the
        stream waits for the appends on their way; cancelling its reader does not: they go on to their end.

        Args:
            appends: Any number, also from an async source, which runs in the event loop. A thread of the pool waits
                for it.
            concurrency: As in `EventStore.append_all`.
            deadline_seconds: Same as above.
            progress: Same as above, but called in a thread of the pool.
        """
        stop = self.context.runtime.flag()
        if not isinstance(appends, Iterable):
            appends = async_source.blocking(appends, asyncio.get_running_loop(), stop)
        outcomes = bulk.run_with_pauses(
            self.context.runtime,
            self._store._sender(deadline_seconds),  # noqa: SLF001 - the same store, for tasks
            appends,
            concurrency=concurrency,
            progress=progress,
        )
        return AsyncStream(ThreadedPages(self._long, outcomes, self.context.runtime, size=OUTCOMES_PER_PAGE, stop=stop))

    async def wait_settled(self, result: AppendResult, timeout_seconds: float, destination: str | None = None) -> None:
        """See `EventStore.wait_settled`. Await this one: `result.wait_settled` would block the event loop.

        It takes a thread of the pool for long calls. Cancelled, it ends with the look that is under way.
        """
        validation.check_seconds(timeout_seconds, "timeout_seconds")
        stop = self.context.runtime.flag()
        await self._long.run(
            lambda: await_delivery.until_settled(self.context, result, timeout_seconds, destination, stop), stop
        )

    def metrics(self) -> StoreMetrics:
        """See `EventStore.metrics`."""
        return self._store.metrics()

    def read(
        self,
        aggregate: AggregateRef | str,
        *,
        after: int = 0,
        until: int | None = None,
        backwards: bool = False,
        limit: int | None = None,
        consistent: bool = True,
        on_corrupt: OnCorrupt = None,
    ) -> AsyncStream[RecordedEvent]:
        """See `EventStore.read`."""
        events = self._store.read(
            aggregate,
            after=after,
            until=until,
            backwards=backwards,
            limit=limit,
            consistent=consistent,
            on_corrupt=on_corrupt,
        )
        return AsyncStream(ThreadedPages(self._calls, events, self.context.runtime))

    async def load(self, aggregate: AggregateRef | str) -> list[RecordedEvent]:
        """See `EventStore.load`. Cancelled, it ends with the page that it is reading."""
        stop = self.context.runtime.flag()
        events = self._store.read(aggregate)
        return await self._calls.run(lambda: list(takewhile(lambda _: not stop.is_set(), events)), stop)

    async def schema_check(self, *, scan: bool = True, on_scanned: OnScanned | None = None) -> SchemaReport:
        """See `EventStore.schema_check`. Cancelled, it ends with the page that it is reading."""
        stop = self.context.runtime.flag()
        told = _ending(stop, on_scanned)
        return await self._long.run(lambda: self._store.schema_check(scan=scan, on_scanned=told), stop)

    async def current_version(self, aggregate: AggregateRef | str) -> int:
        """See `EventStore.current_version`."""
        return await self._calls.run(lambda: self._store.current_version(aggregate))

    def read_type(
        self,
        event_type: str,
        *,
        from_ms: int | datetime | None = None,
        until_ms: int | datetime | None = None,
        backwards: bool = False,
        limit: int | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> AsyncStream[RecordedEvent]:
        """See `EventStore.read_type`."""
        events = self._store.read_type(
            event_type,
            from_ms=from_ms,
            until_ms=until_ms,
            backwards=backwards,
            limit=limit,
            on_corrupt=on_corrupt,
        )
        return AsyncStream(ThreadedPages(self._calls, events, self.context.runtime))

    def read_aggregate_type(
        self,
        aggregate_type: str,
        *,
        from_ms: int | datetime | None = None,
        until_ms: int | datetime | None = None,
        backwards: bool = False,
        limit: int | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> AsyncStream[RecordedEvent]:
        """See `EventStore.read_aggregate_type`."""
        events = self._store.read_aggregate_type(
            aggregate_type,
            from_ms=from_ms,
            until_ms=until_ms,
            backwards=backwards,
            limit=limit,
            on_corrupt=on_corrupt,
        )
        return AsyncStream(ThreadedPages(self._calls, events, self.context.runtime))

    def read_between(
        self,
        from_ms: int | datetime,
        until_ms: int | datetime,
        *,
        backwards: bool = False,
        limit: int | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> AsyncStream[RecordedEvent]:
        """See `EventStore.read_between`."""
        events = self._store.read_between(from_ms, until_ms, backwards=backwards, limit=limit, on_corrupt=on_corrupt)
        return AsyncStream(ThreadedPages(self._calls, events, self.context.runtime))

    async def read_page(
        self,
        query: EventQuery,
        *,
        size: int = 100,
        token: str | None = None,
        on_corrupt: OnCorrupt = None,
    ) -> Page:
        """See `EventStore.read_page`."""
        return await self._calls.run(
            lambda: self._store.read_page(query, size=size, token=token, on_corrupt=on_corrupt)
        )

    def read_all(
        self,
        token: str | None = None,
        *,
        segments: int | None = None,
        segment: int | None = None,
        consistent: bool = True,
        on_corrupt: OnCorrupt = None,
    ) -> AsyncEventWalk:
        """See `EventStore.read_all`. Several segments have threads of their own, besides one of the pool."""
        walk = self._store.read_all(
            token, segments=segments, segment=segment, consistent=consistent, on_corrupt=on_corrupt
        )
        placed = walk._placed  # noqa: SLF001 - the same walk, for tasks
        return AsyncEventWalk(ThreadedPages(self._calls, placed, self.context.runtime), walk)

    def aggregates(self, aggregate_type: str | None = None) -> AsyncStream[AggregateRef]:
        """See `EventStore.aggregates`."""
        found = self._store.aggregates(aggregate_type)
        return AsyncStream(ThreadedPages(self._calls, found, self.context.runtime))

    def stream_events(
        self,
        from_ms: int | datetime,
        *,
        follow: bool = False,
        overlap_seconds: float = limits.FOLLOW_OVERLAP_SECONDS_DEFAULT,
        poll_seconds: float = limits.FOLLOW_POLL_SECONDS_DEFAULT,
        on_corrupt: OnCorrupt = None,
        on_trouble: OnTrouble = None,
    ) -> AsyncEventStream:
        """See `EventStore.stream_events`. A follower ends when it is closed or cancelled.

        Between two looks it takes no thread; the pause is by the event loop's clock.
        """
        following, from_ms = Following(overlap_seconds, poll_seconds), moments.to_ms(from_ms, "from_ms")
        so_far = follower.stream(self.context, from_ms, following, follow=False, on_corrupt=on_corrupt)
        if not follow:  # so far it only says what is wrong with the arguments, and sends nothing before it is used
            placed = so_far._placed  # noqa: SLF001 - the same stream, for tasks
            return AsyncEventStream(ThreadedPages(self._calls, placed, self.context.runtime), from_ms)
        pages = FollowedPages(self._calls, self.context, from_ms, following, on_corrupt, on_trouble)
        return AsyncEventStream(pages, from_ms)

    def verify(
        self,
        aggregate_id: str | None = None,
        *,
        since_ms: int | datetime | None = None,
        event_ids_max: int = limits.VERIFY_EVENT_IDS_MAX_DEFAULT,
        progress: OnWalked = lambda _: None,
    ) -> AsyncStream[Finding]:
        """See `EventStore.verify`. Closed or cancelled, it ends with the page that it is reading."""
        stop = self.context.runtime.flag()
        findings = self._store.verify(
            aggregate_id, since_ms=since_ms, event_ids_max=event_ids_max, progress=_ending(stop, progress)
        )
        return AsyncStream(ThreadedPages(self._long, findings, self.context.runtime, stop=stop))

    async def stats(self, *, progress: OnWalked = lambda _: None) -> StoreStats:
        """See `EventStore.stats`. Cancelled, it ends with the page that it is reading."""
        stop = self.context.runtime.flag()
        told = _ending(stop, progress)
        return await self._long.run(lambda: self._store.stats(progress=told), stop)

    async def latest_of_day(self, day: str, *, limit: int, since_ms: int | datetime = 0) -> list[RecordedEvent]:
        """See `EventStore.latest_of_day`."""
        return await self._calls.run(lambda: self._store.latest_of_day(day, limit=limit, since_ms=since_ms))

    def search(self, client: SearchClient, options: SearchOptions | None = None) -> AsyncEventSearch:
        """See `EventStore.search`."""
        return AsyncEventSearch(self._store.search(client, options), self._calls, self.context.runtime)


class _EndedError(Exception):
    """Ends a walk that nobody awaits any more; never reaches a caller."""


def _ending(stop: Flag, progress: Callable[[T], None] | None) -> Callable[[T], None]:
    """Return a progress function that ends the walk once the flag is raised."""

    def told(progressed: T) -> None:
        if stop.is_set():
            raise _EndedError
        if progress is not None:
            progress(progressed)

    return told
