"""The production implementation of the ports: the machine's clocks, threads and randomness."""

import os
import queue
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from eventstore.transport import forks

T = TypeVar("T")

_MONOTONIC_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # BOOTTIME counts suspended time; Linux only


def _freed(lock: threading.Lock) -> None:
    lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001 - as Python's own modules do


class SystemFlag:
    """A `Flag` on `threading.Event`."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Raise it."""
        self._event.set()

    def is_set(self) -> bool:
        """Tell whether it was raised."""
        return self._event.is_set()

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until it is raised or the time is over."""
        return self._event.wait(timeout_seconds)


class SystemChannel(Generic[T]):
    """A `Channel` on `queue.Queue`."""

    def __init__(self, capacity: int) -> None:
        assert capacity > 0, "a channel without a bound is a leak"
        self._queue: queue.Queue[T] = queue.Queue(capacity)

    def put(self, item: T, timeout_seconds: float) -> bool:
        """Hand an item over; False when there was no room in time."""
        try:
            self._queue.put(item, block=timeout_seconds > 0, timeout=timeout_seconds or None)
        except queue.Full:
            return False
        return True

    def get(self, timeout_seconds: float) -> T | None:
        """Take the oldest item; None when there was none in time."""
        try:
            return self._queue.get(block=timeout_seconds > 0, timeout=timeout_seconds or None)
        except queue.Empty:
            return None


class SystemPart:
    """A `Part` on a named daemon thread; the starter looks at `failure`, so nothing dies silently."""

    def __init__(self, name: str, body: Callable[[], None]) -> None:
        self._failure: BaseException | None = None
        self._body = body
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._body()
        except BaseException as failure:  # noqa: BLE001 - kept for the starter, who must hear of everything
            self._failure = failure

    @property
    def name(self) -> str:
        """The name the part was started with."""
        return self._thread.name

    @property
    def failure(self) -> BaseException | None:
        """What ended the part, when that was an exception."""
        return self._failure

    def is_alive(self) -> bool:
        """Tell whether the part still runs."""
        return self._thread.is_alive()

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the part's end; False when it still runs after that time."""
        self._thread.join(timeout_seconds)
        return not self._thread.is_alive()


class SystemRuntime:
    """The `Runtime` of production."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Return seconds that only grow; on Linux they count suspended time."""
        return time.clock_gettime(_MONOTONIC_CLOCK)

    def sleep(self, seconds: float) -> None:
        """Let that much time pass."""
        time.sleep(seconds)

    def uniform(self) -> float:
        """Return a random number in [0, 1); for jitter, not for secrets."""
        return random.random()  # noqa: S311

    def random_bytes(self, count: int) -> bytes:
        """Return that many bytes from the operating system."""
        return os.urandom(count)

    def lock(self) -> AbstractContextManager[object]:
        """Return a new lock; in a forked process it is free, whichever thread held it at the fork."""
        lock = threading.Lock()
        forks.renew_in_child(lock, _freed)
        return lock

    def flag(self) -> SystemFlag:
        """Return a new flag, not raised."""
        return SystemFlag()

    def channel(self, capacity: int) -> SystemChannel[object]:
        """Return a new channel that holds at most `capacity` items."""
        return SystemChannel(capacity)

    def spawn(self, name: str, body: Callable[[], None]) -> SystemPart:
        """Start a part that runs `body` once."""
        return SystemPart(name, body)
