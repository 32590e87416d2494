"""An async source, read by a thread: items of an event loop for code that blocks."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from eventstore.ports import Flag

T = TypeVar("T")

_LOOK_SECONDS = 0.5
_END = object()


def blocking(source: AsyncIterable[T], loop: asyncio.AbstractEventLoop, stop: Flag) -> Iterator[T]:
    """Yield what an async source gives, which runs in its loop; ends early when the flag is raised or the loop is gone.

    Args:
        source: The source.
        loop: Where it runs; not in the caller's thread.
        stop: Ends it, within half a second.
    """
    items = aiter(source)
    while not stop.is_set():
        item = _result(asyncio.run_coroutine_threadsafe(_next(items), loop), loop, stop)
        if item is _END:
            return
        yield item


def _result(coming: "Future[Any]", loop: asyncio.AbstractEventLoop, stop: Flag) -> Any:
    while True:  # until the source gives something, or somebody ends it
        try:
            return coming.result(_LOOK_SECONDS)
        except TimeoutError:
            if coming.done():  # it is the source's own
                raise
            if stop.is_set() or loop.is_closed():
                coming.cancel()
                return _END


async def _next(items: AsyncIterator[Any]) -> Any:
    return await anext(items, _END)
