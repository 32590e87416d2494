"""Lazy iterators for asyncio: a thread fetches the next page while the current one is used."""

import asyncio
import contextlib
import threading
import weakref
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from eventstore.aio.threads import Threads
from eventstore.errors import InvalidInputError
from eventstore.ports import Clock, Flag

T = TypeVar("T")

PAGE_ITEMS = 100
LINGER_SECONDS = 0.1
"""A page that is not full goes to the reader after this time."""


class Pages(Protocol):
    """What a stream gets its items from, a page at a time."""

    @property
    def may_go_ahead(self) -> bool:
        """Whether the next page may be fetched before the reader asks for it."""
        ...

    async def fetch(self) -> tuple[list[Any], bool]:
        """Return the next items, and whether more may come. It is never called off half-way, unless it is the end."""
        ...

    def release(self) -> "Future[None] | None":
        """End it, after the page under way, and return what tells that it has ended; None when it has."""
        ...


class AsyncStream(AsyncIterator[T], Generic[T]):
    """An async iterator that is fetched page by page, at most one page of 100 items ahead of its reader, one task.

    Nothing is sent before it is used. A time-out around `anext` loses nothing: the page goes on being fetched, and the
    next `anext` gives the item. Only the last item, an error or `aclose` ends a stream.

    One that is left before its end should be closed: by `async with`, or `aclose`. Otherwise it is closed when its
    reader has ended by a cancellation, or when it is forgotten.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._items: list[Any] = []
        self._next = 0
        self._has_more = True
        self._was_left = False
        self._turns = 0
        self._ahead: asyncio.Task[tuple[list[Any], bool]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __aiter__(self) -> "AsyncStream[T]":
        return self

    async def __anext__(self) -> T:
        while self._next >= len(self._items):  # a page may be empty; there are as many as there are
            if self._was_left:
                raise InvalidInputError("stream", "was closed when the task that read it was cancelled; start it anew")
            if not self._has_more:
                raise StopAsyncIteration
            await self._turn()
        item = self._items[self._next]
        self._next += 1
        return self._given(item)

    async def aclose(self) -> None:
        """End it: wait for the page that is being fetched, and release what the read holds. Safe to repeat."""
        closing = self._release()
        if closing is not None:
            await asyncio.shield(asyncio.wrap_future(closing))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            self._release()  # whoever is cancelled goes on at once
            return
        await self.aclose()

    def __del__(self) -> None:
        """Release what a forgotten stream holds, in its loop: this may run in any thread, at any place."""
        loop = getattr(self, "_loop", None)
        if loop is not None and self._has_more:
            with contextlib.suppress(RuntimeError):  # the loop is closed, and every task of it gone
                loop.call_soon_threadsafe(_release, self._pages, self._ahead)

    def _given(self, item: Any) -> T:
        """Return what the reader gets of an item that its page holds."""
        given: T = item
        return given

    async def _turn(self) -> None:
        """Wait for the next page, and have the one after it fetched."""
        self._turns += 1
        ahead = self._ahead or self._begin()
        try:
            page, has_more = await asyncio.shield(ahead)
        except asyncio.CancelledError:
            if ahead.cancelled() and not self._has_more:
                return  # another task closed the stream
            self._watch(asyncio.current_task())
            raise  # the page is kept for the reader's next turn
        except BaseException:
            self._release()
            raise
        if self._ahead is not ahead:
            return  # another task has taken the page, or closed the stream
        self._items, self._next, self._has_more, self._ahead = page, 0, has_more, None
        if has_more and self._pages.may_go_ahead:
            self._begin()

    def _watch(self, reader: "asyncio.Task[Any] | None") -> None:
        """Close the stream should its reader end by this cancellation; one that only had a time-out goes on.

        A task that is made of `anext` alone, as older Pythons make one for `wait_for`, has its reader elsewhere.
        """
        if reader is not None and getattr(reader.get_coro(), "cr_code", None) is not AsyncStream.__anext__.__code__:
            reader.add_done_callback(partial(_leave, weakref.ref(self), self._turns))

    def _begin(self) -> "asyncio.Task[tuple[list[Any], bool]]":
        self._loop = asyncio.get_running_loop()
        self._ahead = self._loop.create_task(_fetch(self._pages))
        self._ahead.add_done_callback(_see)
        return self._ahead

    def _release(self) -> "Future[None] | None":
        ahead, self._ahead = self._ahead, None
        was_open, self._has_more = self._has_more, False
        self._items, self._next = [], 0
        return _release(self._pages, ahead) if was_open else None


def _leave(stream: "weakref.ref[AsyncStream[Any]]", turns: int, reader: "asyncio.Task[Any]") -> None:
    left = stream()
    if left is not None and reader.cancelled() and left._turns == turns:  # noqa: SLF001 - its own part
        left._was_left = left._has_more  # noqa: SLF001 - as above
        left._release()  # noqa: SLF001 - as above


def _fetch(pages: Pages) -> Coroutine[Any, Any, tuple[list[Any], bool]]:
    return pages.fetch()


def _see(page: "asyncio.Task[Any]") -> None:
    """Look at how a page ended: nobody may ask for it any more."""
    if not page.cancelled():
        page.exception()


def _release(pages: Pages, ahead: "asyncio.Task[Any] | None") -> "Future[None] | None":
    if ahead is not None:
        ahead.cancel()
    return pages.release()


class _Feeder(Generic[T]):
    """A blocking iterator, a page at a time; used by one thread at a time.

    None in place of an item says that the next one has to be waited for, so that a page is given out before.
    """

    def __init__(self, items: Iterator[T | None], size: int, clock: Clock) -> None:
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
                    if item is None:
                        if page or self._is_closing:
                            return page, True
                        continue
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


class ThreadedPages(Generic[T]):
    """The pages of a blocking iterator, each filled by a thread.

    Args:
        threads: Do the work.
        items: The iterator; None of it is a pause, and no item.
        clock: Decides when a page that is not full is given out.
        size: Items of a page.
        stop: Raised at the end, for iterators that look at it.
    """

    may_go_ahead = True

    def __init__(
        self,
        threads: Threads,
        items: Iterator[T | None],
        clock: Clock,
        *,
        size: int = PAGE_ITEMS,
        stop: Flag | None = None,
    ) -> None:
        self._threads = threads
        self._feeder = _Feeder(items, size, clock)
        self._stop = stop
        threads.release_at_end(self)

    async def fetch(self) -> tuple[list[T], bool]:
        """Return the next items, and whether more may come; an error comes after the items before it."""
        return await self._threads.run(self._feeder.take)

    def release(self) -> "Future[None] | None":
        """End the iterator after the page under way, in a thread; None when it has ended, or it is too late."""
        if self._stop is not None:
            self._stop.set()
        self._feeder.hurry()
        return None if self._feeder.has_ended else self._threads.start(self._feeder.close)
