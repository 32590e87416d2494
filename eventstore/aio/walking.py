"""All events from the beginning, for asyncio."""

from typing import Any

from eventstore.aio.stream import AsyncStream, Pages
from eventstore.model import RecordedEvent
from eventstore.walk import EventWalk


class AsyncEventWalk(AsyncStream[RecordedEvent]):
    """All events from the beginning, for asyncio; see `EventWalk`."""

    def __init__(self, pages: Pages, walk: EventWalk) -> None:
        super().__init__(pages)
        self._walk = walk

    @property
    def token(self) -> str | None:
        """See `EventWalk.token`: behind the last event that the reader was given, whatever was fetched ahead."""
        return self._walk.token

    @property
    def follow_from_ms(self) -> int:
        """See `EventWalk.follow_from_ms`."""
        return self._walk.follow_from_ms

    def _given(self, item: Any) -> RecordedEvent:
        event: RecordedEvent
        event, segment, place = item
        self._walk._bookmark.note(segment, place)  # noqa: SLF001 - the same walk, for tasks
        return event
