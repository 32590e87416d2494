"""Follows events, for asyncio: threads poll, and the pauses between polls take no thread."""

import asyncio
from concurrent.futures import Future
from typing import Any

from eventstore.aio.stream import AsyncStream, Pages, ThreadedPages
from eventstore.aio.threads import Threads
from eventstore.context import StoreContext
from eventstore.errors import TryLaterError
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.timeline import follower
from eventstore.timeline.follower import Following, OnTrouble, Placed
from eventstore.timeline.seen import Seen


class AsyncEventStream(AsyncStream[RecordedEvent]):
    """Events as they come, for asyncio; see `EventStream`."""

    def __init__(self, pages: Pages, from_ms: int) -> None:
        super().__init__(pages)
        self._resume_ms = from_ms

    @property
    def resume_ms(self) -> int:
        """See `EventStream.resume_ms`: of the last event that the reader was given, whatever was fetched ahead."""
        return self._resume_ms

    def _given(self, item: Any) -> RecordedEvent:
        event: RecordedEvent
        event, self._resume_ms = item
        return event


class FollowedPages:
    """The pages of a follower, look after look, until it is closed; see `EventStore.stream_events`."""

    def __init__(
        self,
        threads: Threads,
        context: StoreContext,
        from_ms: int,
        following: Following,
        on_corrupt: OnCorrupt = None,
        on_trouble: OnTrouble = None,
    ) -> None:
        self._threads = threads
        self._context = context
        self._following = following
        self._on_corrupt = on_corrupt
        self._on_trouble = on_trouble
        self._seen = Seen(from_ms)
        self._look: ThreadedPages[Placed] | None = None
        self._has_looked = False

    @property
    def may_go_ahead(self) -> bool:
        """Whether a look is under way; the next one waits for the reader."""
        return self._look is not None

    async def fetch(self) -> tuple[list[Placed], bool]:
        """Return the next events of a look, after the pause before it; none where it found nothing."""
        if self._look is None:
            if self._has_looked:
                await asyncio.sleep(self._following.poll_seconds)
            self._has_looked = True
            placed = follower.look(self._context, self._seen, self._following.overlap_ms, self._on_corrupt)
            self._look = ThreadedPages(self._threads, placed, self._context.runtime)
        try:
            page, has_more = await self._look.fetch()
        except TryLaterError as error:
            page, has_more = [], False
            if self._on_trouble is not None:
                self._on_trouble(error)
        if not has_more:
            self._look = None
        return page, True

    def release(self) -> "Future[None] | None":
        """End the look under way."""
        return None if self._look is None else self._look.release()
