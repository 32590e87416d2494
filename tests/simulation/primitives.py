"""Flags, channels, locks and parts of a simulated process: each call hands the baton on."""

import math
from collections import deque
from collections.abc import Callable
from random import Random
from types import TracebackType
from typing import Any

from tests.simulation.scheduler import START_MS, Process, Scheduler, Task, microseconds


class SimulatedFlag:
    """A `Flag`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._waiters: list[Task] = []
        self._raised = False

    def set(self) -> None:
        """Raise it."""
        self._scheduler.step("flag.set")
        self.set_quietly()

    def set_quietly(self) -> None:
        """Raise it without handing the baton on."""
        self._raised = True
        for task in self._waiters:
            self._scheduler.wake(task)

    def is_set(self) -> bool:
        """Tell whether it was raised."""
        return self._raised

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until it is raised or the time is over."""
        if self._raised:
            self._scheduler.step("flag.seen")
        else:
            self._scheduler.wait("flag.wait", self._waiters, timeout_seconds, self.is_set)
        return self._raised


class SimulatedChannel:
    """A `Channel`; it never holds more than its capacity."""

    def __init__(self, scheduler: Scheduler, capacity: int) -> None:
        assert capacity > 0, "a channel without a bound is a leak"
        self._scheduler = scheduler
        self._capacity = capacity
        self._items: deque[Any] = deque()
        self._putters: list[Task] = []
        self._getters: list[Task] = []

    def put(self, item: Any, timeout_seconds: float) -> bool:
        """Hand an item over; False when there was no room in time."""
        deadline = self._scheduler.now_us + microseconds(timeout_seconds)
        self._scheduler.step("channel.put")
        while len(self._items) >= self._capacity:
            left = (deadline - self._scheduler.now_us) / 1e6
            if left <= 0:
                return False
            self._scheduler.wait("channel.full", self._putters, left, lambda: len(self._items) < self._capacity)
        self._items.append(item)
        for task in self._getters:
            self._scheduler.wake(task)
        return True

    def get(self, timeout_seconds: float) -> Any:
        """Take the oldest item; None when there was none in time."""
        deadline = self._scheduler.now_us + microseconds(timeout_seconds)
        self._scheduler.step("channel.get")
        while not self._items:
            left = (deadline - self._scheduler.now_us) / 1e6
            if left <= 0:
                return None
            self._scheduler.wait("channel.empty", self._getters, left, lambda: bool(self._items))
        item = self._items.popleft()
        for task in self._putters:
            self._scheduler.wake(task)
        return item


class SimulatedLock:
    """A lock. Who crashes inside lets it go: the memory it guards is gone with the process."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._holder: Task | None = None
        self._waiters: list[Task] = []

    def __enter__(self) -> None:
        self._scheduler.step("lock")
        assert self._holder is not self._scheduler.current, "a part waits for a lock that it holds"
        while self._holder is not None:
            self._scheduler.wait("lock.held", self._waiters, math.inf, lambda: self._holder is None)
        self._holder = self._scheduler.current

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._holder = None
        for task in self._waiters:
            self._scheduler.wake(task)


class SimulatedPart:
    """A `Part`."""

    def __init__(self, scheduler: Scheduler, task: Task) -> None:
        self._scheduler = scheduler
        self._task = task

    @property
    def name(self) -> str:
        """The name the part was started with."""
        return self._task.name

    @property
    def failure(self) -> BaseException | None:
        """What ended the part, when that was an exception."""
        return self._task.failure

    def is_alive(self) -> bool:
        """Tell whether the part still runs."""
        return not self._task.is_done

    def join(self, timeout_seconds: float) -> bool:
        """Wait for the part's end; False when it still runs after that time."""
        if self._task.is_done:
            self._scheduler.step("join")
        else:
            self._scheduler.wait("join", self._task.ends, timeout_seconds, lambda: self._task.is_done)
        return self._task.is_done


class SimulatedRuntime:
    """The `Runtime` of one simulated process.

    Args:
        scheduler: Holds the baton.
        process: Whose runtime it is.
        seed: Decides its randomness.
        skew_ms: How far its wall clock is ahead.
    """

    def __init__(self, scheduler: Scheduler, process: Process, seed: str, skew_ms: int = 0) -> None:
        self.scheduler = scheduler
        self.process = process
        self._random = Random(f"{process.name} {seed}")
        self._start_ms = START_MS + skew_ms

    def now_ms(self) -> int:
        """Return the process's wall clock."""
        return self._start_ms + self.scheduler.now_us // 1000

    def monotonic(self) -> float:
        """Return the seconds that have passed."""
        return self.scheduler.seconds

    def sleep(self, seconds: float) -> None:
        """Let that much simulated time pass."""
        self.scheduler.wait("sleep", None, seconds)

    def uniform(self) -> float:
        """Return the next number of the process's stream."""
        return self._random.random()

    def random_bytes(self, count: int) -> bytes:
        """Return the next bytes of the process's stream."""
        return self._random.randbytes(count)

    def lock(self) -> SimulatedLock:
        """Return a new lock."""
        return SimulatedLock(self.scheduler)

    def flag(self) -> SimulatedFlag:
        """Return a new flag, not raised."""
        return SimulatedFlag(self.scheduler)

    def channel(self, capacity: int) -> SimulatedChannel:
        """Return a new channel that holds at most `capacity` items."""
        return SimulatedChannel(self.scheduler, capacity)

    def spawn(self, name: str, body: Callable[[], None]) -> SimulatedPart:
        """Start a part of this process."""
        self.scheduler.step("spawn")
        return SimulatedPart(self.scheduler, self.scheduler.spawn(name, self.process, body))
