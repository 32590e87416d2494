"""Bounded pools of threads that carry out blocking calls for tasks of asyncio."""

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar
from weakref import WeakSet

from eventstore.errors import InvalidInputError, ThrottledError
from eventstore.ports import Flag
from eventstore.transport import forks

T = TypeVar("T")

CALL_THREADS_DEFAULT = 16
LONG_THREADS_DEFAULT = 8
WAITING_MAX_DEFAULT = 4096
THREADS_MAX = 256
_RETRY_AFTER_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ThreadPools:
    """How many threads stand behind an `AsyncEventStore`; they are started when they are needed.

    Attributes:
        calls: For appends, loads, pages: what takes milliseconds. With more of them than
            `eventstore.connect(connections_max=…)` threads wait for connections.
        long: For what may take long: `wait_settled`, `append_all`, `verify`, `stats`, `schema_check`. They get no
            thread of the others, and take none away.
        waiting_max: Calls of each kind that may wait for a thread; more are turned away at once.
    """

    calls: int = CALL_THREADS_DEFAULT
    long: int = LONG_THREADS_DEFAULT
    waiting_max: int = WAITING_MAX_DEFAULT

    def __post_init__(self) -> None:
        """Refuse values that cannot work.

        Raises:
            InvalidInputError: A number of threads is not 1 to 256, or `waiting_max` is below 0.
        """
        for field, low, high in (("calls", 1, THREADS_MAX), ("long", 1, THREADS_MAX), ("waiting_max", 0, None)):
            given: object = getattr(self, field)
            is_count = isinstance(given, int) and not isinstance(given, bool)
            if not is_count or getattr(self, field) < low or (high is not None and getattr(self, field) > high):
                bounds = f"{low} or more" if high is None else f"{low} to {high}"
                raise InvalidInputError(f"threads.{field}", f"is {given!r}, not {bounds}")


@dataclass(frozen=True, slots=True, eq=False)
class _Turn:
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[None]"


class Held(Protocol):
    """What keeps threads busy until it is released."""

    def release(self) -> object:
        """End it, after what is under way. Safe to repeat."""
        ...


class Threads:
    """One pool. Tasks of several event loops may share it; a forked process begins its own.

    A call has a thread to itself from its start to its end, also when the task that awaits it was cancelled: so no
    more calls are ever under way than there are threads, and what waits can still be called off.

    Args:
        name: First part of the threads' names.
        count: Threads at most.
        waiting_max: Calls that may wait for one; more are turned away.
    """

    def __init__(self, name: str, count: int, waiting_max: int) -> None:
        self._name = name
        self._count = count
        self._waiting_max = waiting_max
        self._is_closed = False
        self._held: WeakSet[Held] = WeakSet()
        self._begin()
        forks.renew_in_child(self, Threads._begin)

    def _begin(self) -> None:
        """Begin with no thread and no turn: a forked process has none of those that were started before."""
        self._executor = ThreadPoolExecutor(self._count, thread_name_prefix=self._name)
        self._lock = threading.Lock()
        self._free = self._count
        self._turns: deque[_Turn] = deque()

    async def run(self, call: Callable[[], T], stop: Flag | None = None) -> T:
        """Carry out a blocking call in a thread, with the context variables of the task.

        When the task is cancelled it goes on at once. A call that has not begun is called off; one that has begun
        goes on to its own end, and nobody hears of it.

        Args:
            call: The call.
            stop: Raised at a cancellation, for calls that look at it.

        Raises:
            ThrottledError: Too many calls wait. Nothing was sent.
            InvalidInputError: The pool is closed.
        """
        await self._enter()
        try:
            future = self._executor.submit(contextvars.copy_context().run, _carry_out, call)
        except BaseException:
            self._leave()
            raise
        future.add_done_callback(lambda _: self._leave())
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if stop is not None:
                stop.set()
            raise

    def start(self, call: Callable[[], None]) -> "Future[None] | None":
        """Run a call as soon as a thread is free, ahead of those that wait; None when it is too late."""
        try:
            return self._executor.submit(call)
        except RuntimeError:  # the pool is shut down
            return None

    def release_at_end(self, held: "Held") -> None:
        """Have something released when the pool is closed, unless it is forgotten before."""
        self._held.add(held)

    async def aclose(self) -> None:
        """Refuse waiting and new calls, and wait for those in progress."""
        for held in list(self._held):
            held.release()
        with self._lock:
            self._is_closed = True
            turns = list(self._turns)
            self._turns.clear()
        for turn in turns:
            _tell(turn, _refuse)
        await asyncio.to_thread(self._executor.shutdown)

    async def _enter(self) -> None:
        """Wait for a thread; what is entered must be left."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._is_closed:
                raise _closed()
            if self._free:
                self._free -= 1
                return
            if len(self._turns) >= self._waiting_max:
                raise ThrottledError(
                    f"{len(self._turns)} calls wait for a thread: nothing was sent; make fewer calls at once, or allow"
                    " more threads",
                    retry_after_seconds=_RETRY_AFTER_SECONDS,
                )
            turn = _Turn(loop, loop.create_future())
            self._turns.append(turn)
        try:
            await turn.future
        except asyncio.CancelledError:
            with self._lock:
                has_come = turn not in self._turns
                if not has_come:
                    self._turns.remove(turn)
            if has_come:
                self._leave()
            raise

    def _leave(self) -> None:
        """Give a thread to the next in line; called from any thread."""
        with self._lock:
            while self._turns:
                if _tell(self._turns.popleft(), _admit):
                    return
            self._free += 1


def _carry_out(call: Callable[[], T]) -> T:
    try:
        return call()
    except StopIteration as error:  # futures cannot carry it: the awaiting task would never hear of its end
        raise RuntimeError("StopIteration was raised by the call") from error


def _tell(turn: _Turn, what: "Callable[[asyncio.Future[None]], None]") -> bool:
    """Notify a waiting task; False when its loop is gone, and every task of it."""
    try:
        turn.loop.call_soon_threadsafe(what, turn.future)
    except RuntimeError:
        return False
    return True


def _admit(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _refuse(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_exception(_closed())


def _closed() -> InvalidInputError:
    return InvalidInputError("store", "is closed; open a new one")
