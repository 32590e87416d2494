"""Several sources, each read by a part of its own, as one iterator: batch by batch, as they come."""

import contextvars
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TypeVar

from eventstore.ports import Channel, Flag, Runtime

T = TypeVar("T")

BATCH_ITEMS = 100
"""Items that are handed over together."""

BATCHES_PER_SOURCE = 2
_LOOK_SECONDS = 0.5
_STOP_SECONDS = 5.0


class _End:
    """A source is used up, or has failed."""

    def __init__(self, failure: BaseException | None) -> None:
        self.failure = failure


def merged(runtime: Runtime, name: str, sources: Sequence[Iterator[T]]) -> Generator[T, None, None]:
    """Yield what sources give; items of one source keep their order.

    At most 200 items per source wait to be taken, beside what each source holds itself. When one fails, its error is
    raised behind what it gave, and the others are stopped.

    Args:
        runtime: Makes the parts, which have the caller's context variables.
        name: First part of their names.
        sources: Each is used by its own part alone.
    """
    channel: Channel[Any] = runtime.channel(len(sources) * BATCHES_PER_SOURCE)
    stop = runtime.flag()
    parts = [runtime.spawn(f"{name}-{number}", _feeding(each, channel, stop)) for number, each in enumerate(sources)]
    left = len(sources)
    try:
        while left:  # a part puts its end, whatever happens to it
            batch = channel.get(_LOOK_SECONDS)
            if isinstance(batch, _End):
                if batch.failure is not None:
                    raise batch.failure
                left -= 1
            elif batch is not None:
                yield from batch
    finally:
        stop.set()
        for part in parts:
            part.join(_STOP_SECONDS)


def _feeding(source: Iterator[Any], channel: Channel[Any], stop: Flag) -> Callable[[], None]:
    context = contextvars.copy_context()
    return lambda: context.run(_feed, source, channel, stop)


def _feed(source: Iterator[Any], channel: Channel[Any], stop: Flag) -> None:
    batch: list[Any] = []
    end = _End(None)
    try:
        for item in source:
            batch.append(item)
            if len(batch) == BATCH_ITEMS:
                if not _put(channel, batch, stop):
                    return
                batch = []
    except BaseException as failure:  # noqa: BLE001 - raised in the caller's thread, behind what came before it
        end = _End(failure)
    if not batch or _put(channel, batch, stop):
        _put(channel, end, stop)


def _put(channel: Channel[Any], item: Any, stop: Flag) -> bool:
    """Hand something over; False when nobody wants it any more."""
    while not stop.is_set():
        if channel.put(item, _LOOK_SECONDS):
            return True
    return False
