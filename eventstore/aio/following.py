"""Follows events, for asyncio: threads poll, and the pauses between polls take no thread."""

import asyncio
from concurrent.futures import Future

from eventstore.aio.stream import ThreadedPages
from eventstore.aio.threads import Threads
from eventstore.context import StoreContext
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.timeline import follower
from eventstore.timeline.follower import Following
from eventstore.timeline.seen import Seen


class FollowedPages:
    """The pages of a follower, look after look, until it is closed; see `EventStore.stream_events`."""

    def __init__(
        self,
        threads: Threads,
        context: StoreContext,
        from_ms: int,
        following: Following,
        on_corrupt: OnCorrupt = None,
    ) -> None:
        self._threads = threads
        self._context = context
        self._following = following
        self._on_corrupt = on_corrupt
        self._seen = Seen(from_ms)
        self._look: ThreadedPages[RecordedEvent] | None = None
        self._has_looked = False

    @property
    def may_go_ahead(self) -> bool:
        """Whether a look is under way; the next one waits for the reader."""
        return self._look is not None

    async def fetch(self) -> tuple[list[RecordedEvent], bool]:
        """Return the next events of a look, after the pause before it; none where it found nothing."""
        if self._look is None:
            if self._has_looked:
                await asyncio.sleep(self._following.poll_seconds)
            self._has_looked = True
            overlap_ms = round(self._following.overlap_seconds * 1000)
            events = follower.look(self._context, self._seen, overlap_ms, self._on_corrupt)
            self._look = ThreadedPages(self._threads, events, self._context.runtime)
        page, has_more = await self._look.fetch()
        if not has_more:
            self._look = None
        return page, True

    def release(self) -> "Future[None] | None":
        """End the look under way."""
        return None if self._look is None else self._look.release()
