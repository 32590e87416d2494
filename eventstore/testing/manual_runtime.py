"""A clock that moves when a test says so, and a runtime around it: no real waiting, and seeded randomness."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from eventstore.errors import InvalidInputError
from eventstore.payload import moments
from eventstore.ports import Channel, Flag, Part
from eventstore.system import SystemPart

START_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z, where a manual clock begins."""

_NS = 1_000_000_000
_LOOK_SECONDS = 0.05


class ManualRuntime:
    """A `Runtime` whose time passes only by `advance` and by what the program sleeps; threads may share it.

    A sleep returns at once and moves the clock. A wait for another thread (of flags and channels, such as the ones
    that `append_all` uses) waits for that thread, for real, and at most as long as it says; when every other thread
    that has used this runtime waits as well, or there is none, time jumps to the end of the wait instead.

    Args:
        now_ms: Where the wall clock begins: ms since 1970 UTC, or a `datetime` with a zone.
        seed: Decides all randomness, event ids included.
    """

    def __init__(self, now_ms: int | datetime = START_MS, *, seed: int = 0) -> None:
        self._random = random.Random(seed)  # noqa: S311 - tests are repeated, not kept secret
        self._wall_ns = moments.to_ms(now_ms, "now_ms") * 1_000_000
        self._passed_ns = 0
        self._changed = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self._waiting: dict[threading.Thread, _Wait] = {}
        self._starting = 0

    def now_ms(self) -> int:
        """Return the wall clock, milliseconds since 1970 UTC."""
        with self._changed:
            self._meet()
            return (self._wall_ns + self._passed_ns) // 1_000_000

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        with self._changed:
            self._meet()
            return self._passed_ns / _NS

    def advance(self, seconds: float) -> None:
        """Let time pass, for both clocks.

        Raises:
            InvalidInputError: Time runs forwards; `set_now_ms` turns the wall clock back.
        """
        if seconds < 0:
            raise InvalidInputError("seconds", f"is {seconds}; time runs forwards, and set_now_ms turns a clock back")
        with self._changed:
            self._passed_ns += round(seconds * _NS)
            self._changed.notify_all()

    def set_now_ms(self, now_ms: int | datetime) -> None:
        """Set the wall clock, also back, as operators and time servers do; what has passed stays as it is."""
        wall_ns = moments.to_ms(now_ms, "now_ms") * 1_000_000
        with self._changed:
            self._wall_ns = wall_ns - self._passed_ns

    def sleep(self, seconds: float) -> None:
        """Let that much time pass, at once."""
        with self._changed:
            self._meet()
        self.advance(max(0.0, seconds))

    def uniform(self) -> float:
        """Return the next number of the seed, in [0, 1)."""
        return self._random.random()

    def random_bytes(self, count: int) -> bytes:
        """Return the next bytes of the seed."""
        return self._random.randbytes(count)

    def lock(self) -> AbstractContextManager[object]:
        """Return a new lock."""
        return threading.Lock()

    def flag(self) -> Flag:
        """Return a new flag, not raised."""
        return ManualFlag(self)

    def channel(self, capacity: int) -> Channel[Any]:
        """Return a new channel that holds at most `capacity` items."""
        return ManualChannel(self, capacity)

    def spawn(self, name: str, body: Callable[[], None]) -> Part:
        """Start a part on a thread; its waits are this runtime's."""

        def run() -> None:
            with self._changed:
                self._meet()
                self._starting -= 1
            body()

        with self._changed:
            self._starting += 1
        return SystemPart(name, run)

    def wait_for(self, is_so: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait until something is so or the time is over, and tell which; what makes it so calls `tell`.

        Args:
            is_so: Asked under the runtime's lock, by any thread and often; it looks and changes nothing.
            timeout_seconds: By this clock, and for real at most as long.
        """
        with self._changed:
            return self._wait(is_so, timeout_seconds)

    def wait_and(self, is_so: Callable[[], bool], timeout_seconds: float, change: Callable[[], None]) -> bool:
        """Wait as `wait_for` does, and when it is so make a change that others may wait for, before it changes back."""
        with self._changed:
            if not self._wait(is_so, timeout_seconds):
                return False
            change()
            self._changed.notify_all()
            return True

    def tell(self, change: Callable[[], None]) -> None:
        """Make a change that a thread may wait for."""
        with self._changed:
            self._meet()
            change()
            self._changed.notify_all()

    def _meet(self) -> None:
        self._threads.add(threading.current_thread())

    def _wait(self, is_so: Callable[[], bool], timeout_seconds: float) -> bool:
        self._meet()
        me = threading.current_thread()
        end = self._passed_ns + round(max(0.0, timeout_seconds) * _NS)
        real_end = time.monotonic() + timeout_seconds
        self._waiting[me] = _Wait(is_so, end)
        self._changed.notify_all()
        try:
            while not is_so() and self._passed_ns < end:
                if self._is_quiet():
                    self._passed_ns = min(each.end_ns for each in self._waiting.values())
                    self._changed.notify_all()
                elif (left := real_end - time.monotonic()) <= 0:
                    self._passed_ns = end
                    self._changed.notify_all()
                else:
                    self._changed.wait(min(left, _LOOK_SECONDS))  # a thread may end without a word
            return is_so()
        finally:
            del self._waiting[me]

    def _is_quiet(self) -> bool:
        """Tell whether no thread is left that could end a wait: all wait, and none is about to continue."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        if self._starting or not self._threads <= self._waiting.keys():
            return False
        return all(self._passed_ns < each.end_ns and not each.is_so() for each in self._waiting.values())


@dataclass(frozen=True, slots=True)
class _Wait:
    """A thread's wait.

    Attributes:
        is_so: What it waits for.
        end_ns: When its time is over, in nanoseconds passed.
    """

    is_so: Callable[[], bool]
    end_ns: int


class ManualFlag:
    """A `Flag` whose waits take manual time."""

    def __init__(self, runtime: ManualRuntime) -> None:
        self._runtime = runtime
        self._raised = False

    def set(self) -> None:
        """Raise it."""

        def change() -> None:
            self._raised = True

        self._runtime.tell(change)

    def is_set(self) -> bool:
        """Tell whether it was raised."""
        return self._raised

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until it is raised or the time is over."""
        return self._runtime.wait_for(self.is_set, timeout_seconds)


class ManualChannel:
    """A `Channel` whose waits take manual time."""

    def __init__(self, runtime: ManualRuntime, capacity: int) -> None:
        assert capacity > 0, "a channel without a bound is a leak"
        self._runtime = runtime
        self._capacity = capacity
        self._items: deque[Any] = deque()

    def put(self, item: Any, timeout_seconds: float) -> bool:
        """Hand an item over; False when there was no room in time."""
        return self._runtime.wait_and(
            lambda: len(self._items) < self._capacity,
            timeout_seconds,
            lambda: self._items.append(item),
        )

    def get(self, timeout_seconds: float) -> Any:
        """Take the oldest item; None when there was none in time."""
        taken: list[Any] = []
        self._runtime.wait_and(
            lambda: bool(self._items),
            timeout_seconds,
            lambda: taken.append(self._items.popleft()),
        )
        return taken[0] if taken else None
