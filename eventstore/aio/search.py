"""Search for asyncio: the calls of `EventSearch`, awaited."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eventstore.aio.stream import PAGE_ITEMS, AsyncStream, ThreadedPages
from eventstore.aio.threads import Threads
from eventstore.event_codec import OnCorrupt
from eventstore.model import RecordedEvent
from eventstore.ports import Clock
from eventstore.search.event_search import LAG_ROWS_MAX_DEFAULT, PAGE_SIZE_DEFAULT, EventSearch, SearchPage
from eventstore.search.facets import Facets
from eventstore.search.lag import IndexLag
from eventstore.search.query import SearchQuery


class AsyncEventSearch:
    """An `EventSearch` for asyncio, made by `AsyncEventStore.search`; arguments, results and errors are the same."""

    def __init__(self, search: EventSearch, threads: Threads, clock: Clock) -> None:
        self._search = search
        self._threads = threads
        self._clock = clock

    async def find_events_by_type(
        self,
        event_type: str,
        from_: int | datetime = 0,
        limit: int = 100,
        *,
        on_corrupt: OnCorrupt = None,
    ) -> list[RecordedEvent]:
        """See `EventSearch.find_events_by_type`."""
        return await self._threads.run(
            lambda: self._search.find_events_by_type(event_type, from_, limit, on_corrupt=on_corrupt)
        )

    async def find(self, query: SearchQuery, limit: int = 100, *, on_corrupt: OnCorrupt = None) -> list[RecordedEvent]:
        """See `EventSearch.find`."""
        return await self._threads.run(lambda: self._search.find(query, limit, on_corrupt=on_corrupt))

    def events(
        self,
        query: SearchQuery,
        *,
        limit: int | None = None,
        page_size: int = PAGE_SIZE_DEFAULT,
        on_corrupt: OnCorrupt = None,
    ) -> AsyncStream[RecordedEvent]:
        """See `EventSearch.events`. The view is released when the stream ends or is closed."""
        events = self._search.events(query, limit=limit, page_size=page_size, on_corrupt=on_corrupt)
        return AsyncStream(ThreadedPages(self._threads, events, self._clock, size=min(page_size, PAGE_ITEMS)))

    async def page(
        self,
        query: SearchQuery,
        *,
        size: int = PAGE_SIZE_DEFAULT,
        token: str | None = None,
        new_view: bool = False,
        on_corrupt: OnCorrupt = None,
    ) -> SearchPage:
        """See `EventSearch.page`."""
        return await self._threads.run(
            lambda: self._search.page(query, size=size, token=token, new_view=new_view, on_corrupt=on_corrupt)
        )

    async def abandon(self, token: str) -> None:
        """See `EventSearch.abandon`."""
        await self._threads.run(lambda: self._search.abandon(token))

    async def count(self, query: SearchQuery) -> int:
        """See `EventSearch.count`."""
        return await self._threads.run(lambda: self._search.count(query))

    async def facets(self, query: SearchQuery, by: str, size: int = 20) -> Facets:
        """See `EventSearch.facets`."""
        return await self._threads.run(lambda: self._search.facets(query, by, size))

    async def raw(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `EventSearch.raw`."""
        return await self._threads.run(lambda: self._search.raw(body))

    async def refresh(self) -> None:
        """See `EventSearch.refresh`."""
        await self._threads.run(self._search.refresh)

    async def index_lag(self, *, rows_max: int = LAG_ROWS_MAX_DEFAULT) -> IndexLag:
        """See `EventSearch.index_lag`."""
        return await self._threads.run(lambda: self._search.index_lag(rows_max=rows_max))
