"""Lazy iterators for asyncio: a thread fetches the next page while the current one is used."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from eventstore.aio.threads import Threads
from eventstore.ports import Clock, Flag

T = TypeVar("T")

PAGE_ITEMS = 100
LINGER_SECONDS = 0.1
"""A page that is not full goes to the reader after this time."""


class AsyncStream(AsyncIterator[T], Generic[T]):
    """An async iterator that is fetched page by page, at most one page of 100 items ahead of its reader, one task.

    Nothing is sent before it is used. One that is left before its end should be closed: by `async with`, or `aclose`.
    Otherwise asyncio closes it when it is forgotten.
    """

    def __init__(self, items: AsyncGenerator[T, None]) -> None:
        self._items = items

    def __aiter__(self) -> "AsyncStream[T]":
        return self

    def __anext__(self) -> Awaitable[T]:
        return self._items.__anext__()

    async def aclose(self) -> None:
        """End it: wait for the page that is being fetched, and release what the read holds. Safe to repeat."""
        await self._items.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class _Feeder(Generic[T]):
    """A blocking iterator, a page at a time; used by one thread at a time."""

    def __init__(self, items: Iterator[T], size: int, clock: Clock) -> None:
        self._items = items
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._failure: Exception | None = None
        self._is_closing = False
        self.has_ended = False

    def take(self) -> tuple[list[T], bool]:
        """Return the next items, and whether more may come; an error comes after the items before it."""
        with self._lock:
            if self._failure is not None:
                raise self._failure
            page: list[T] = []
            began = self._clock.monotonic()
            try:
                for item in self._items:
                    page.append(item)
                    if self._is_closing or len(page) >= self._size or self._clock.monotonic() - began > LINGER_SECONDS:
                        return page, True
            except Exception as error:
                self.has_ended = True
                if not page:
                    raise
                self._failure = error
                return page, True
            self.has_ended = True
            return page, False

    def hurry(self) -> None:
        """Let the current page end with its next item."""
        self._is_closing = True

    def close(self) -> None:
        """End the iterator, after the page that is under way."""
        with self._lock:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()


async def paged(
    threads: Threads,
    items: Iterator[T],
    clock: Clock,
    *,
    size: int = PAGE_ITEMS,
    stop: Flag | None = None,
) -> AsyncGenerator[T, None]:
    """Yield the items of a blocking iterator.

    When it is closed it waits for the page under way; when the reader is cancelled it does not: a thread then goes on
    to that page's end, closes the iterator, and is free.

    Args:
        threads: Do the work.
        items: The iterator.
        clock: Decides when a page that is not full is given out.
        size: Items of a page.
        stop: Raised at the end, for iterators that look at it.
    """
    feeder = _Feeder(items, size, clock)
    ahead: asyncio.Task[tuple[list[T], bool]] | None = None
    is_hurried = False
    try:
        page, more = await threads.run(feeder.take)
        while True:  # as many pages as there are
            ahead = asyncio.create_task(threads.run(feeder.take)) if more else None
            for item in page:
                yield item
            if ahead is None:
                return
            page, more = await ahead
    except asyncio.CancelledError:
        is_hurried = True
        raise
    finally:
        if stop is not None:
            stop.set()
        if ahead is not None and not ahead.cancel() and not ahead.cancelled():
            ahead.exception()  # seen: nobody will ask for it
        feeder.hurry()
        closing = None if feeder.has_ended else threads.start(feeder.close)
        if closing is not None and not is_hurried:
            await asyncio.shield(asyncio.wrap_future(closing))
