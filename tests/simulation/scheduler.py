"""One baton for all parts: simulated clocks, an order drawn from a seed, and crashes at any call of a port.

Every part has a thread of its own, and only the one that holds the baton runs. At a call of a port the baton may pass
to another part; when all of them wait, time jumps to the next deadline. So a run takes no real time, and the same seed
gives the same run.
"""

import hashlib
import heapq
import math
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

START_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z, where the wall clock begins."""

_MICROSECONDS = 1_000_000


def microseconds(seconds: float) -> int:
    """Return a span in whole microseconds, rounded up: a wait that is not over must let time pass."""
    return max(0, math.ceil(seconds * _MICROSECONDS))


class CrashedError(BaseException):
    """Unwinds a part of a process that has crashed; whatever it still tries at a port raises this again."""


class StuckError(Exception):
    """No part can ever go on (deadlock), or parts go on without an end (step limit)."""


@dataclass(eq=False, slots=True)
class Process:
    """What crashes together: the parts of one simulated process.

    Attributes:
        name: Shown in the trace.
        has_crashed: Its parts unwind at their next call of a port.
        stopped_until_us: None of its parts runs before; the others, and the servers, go on.
    """

    name: str
    has_crashed: bool = False
    stopped_until_us: int = 0


@dataclass(eq=False, slots=True)
class Task:
    """A part as the scheduler sees it."""

    name: str
    process: Process
    gate: threading.Lock
    failure: BaseException | None = None
    is_done: bool = False
    ticket: int = 0
    """Counts its waits, so that a deadline of an earlier one is told from that of this one."""
    is_waiting: bool = False
    waits_for: str = ""
    """What its last wait was for, until that is over."""
    ends: list["Task"] = field(default_factory=list)
    """Who waits for its end."""


class Scheduler:
    """Holds the baton.

    Args:
        seed: Decides the order.
        stickiness: Chance that a part keeps the baton at a port, 0 to 1.
        steps_max: More calls of ports than that are a livelock.
    """

    def __init__(self, seed: str, *, stickiness: float, steps_max: int) -> None:
        self._random = random.Random(f"order {seed}")
        self._stickiness = stickiness
        self._steps_max = steps_max
        self._now_us = 0
        self._ready: list[Task] = []
        self._deadlines: list[tuple[int, int, int, Task]] = []
        self._sequence = 0
        self._tasks: dict[Task, None] = {}  # in order of their start, so that a seed decides everything
        self._current: Task | None = None
        self._over = threading.Event()
        self._trace = hashlib.blake2b(digest_size=16)
        self.is_ending = False
        self.steps = 0
        self.failure: BaseException | None = None
        self.on_step: Callable[[str], None] = lambda _: None
        self.log: list[str] | None = None

    @property
    def now_us(self) -> int:
        """Microseconds since the beginning."""
        return self._now_us

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return self._now_us / _MICROSECONDS

    @property
    def current(self) -> Task:
        """The part that holds the baton."""
        assert self._current is not None, "nobody runs"
        return self._current

    def run(self, body: Callable[[], None]) -> None:
        """Run a first part and all that it starts; return when it has ended and the others are unwound.

        Raises:
            BaseException: What `fail` was called with, or what ended the first part.
        """
        first = self.spawn("world", Process("world"), lambda: self._guard(body))
        self._pass_on()
        self._over.wait()
        if self.failure is not None:
            raise self.failure
        if first.failure is not None:
            raise first.failure

    def fail(self, failure: BaseException) -> None:
        """End the run with a failure; the first one counts. Does not return."""
        if self.failure is None:
            self.failure = failure
        self.is_ending = True
        raise CrashedError

    def crash(self, process: Process) -> None:
        """Let a process crash: its parts unwind, where they stand."""
        process.has_crashed = True
        for task in tuple(self._tasks):
            if task.process is process and task.is_waiting:
                self.wake(task)

    def suspend(self, process: Process, seconds: float) -> None:
        """Stop all parts of a process for a while, as SIGSTOP does; the current part goes on to its next wait."""
        process.stopped_until_us = self._now_us + microseconds(seconds)

    def spawn(self, name: str, process: Process, body: Callable[[], None]) -> Task:
        """Add a part; it runs when it is given the baton."""
        task = Task(name, process, threading.Lock())
        task.gate.acquire()
        self._tasks[task] = None
        self._ready.append(task)
        threading.Thread(target=self._live, args=(task, body), name=f"sim-{name}", daemon=True).start()
        return task

    def step(self, what: str) -> None:
        """Do one step of the current part: the baton may pass to another.

        Raises:
            CrashedError: The part's process has crashed, or the run ends.
        """
        task = self.current
        self._note(task, what)
        if self._ready and self._random.random() >= self._stickiness:
            self._ready.append(task)
            self._hand_over(task)
        self._check(task)

    def wait(
        self, what: str, waiters: list[Task] | None, seconds: float, is_over: Callable[[], bool] = lambda: False
    ) -> None:
        """Let the current part wait until it is woken or the time is over; who woke it is for the caller to find out.

        Args:
            what: For the trace.
            waiters: Where those find the part who will wake it.
            seconds: How long.
            is_over: Tells whether what it waits for is there; asked once, since a pause may strike before the wait.

        Raises:
            CrashedError: As `step`.
        """
        task = self.current
        task.waits_for = what
        self._note(task, what)
        task.waits_for = "" if is_over() else what  # again, since a pause may have struck
        if not task.waits_for:
            return
        task.is_waiting = True
        self._wake_at(math.inf if seconds == math.inf else self._now_us + microseconds(seconds), task)
        if waiters is not None:
            waiters.append(task)
        try:
            self._hand_over(task)
        finally:
            task.waits_for = ""
            if waiters is not None and task in waiters:
                waiters.remove(task)
        self._check(task)

    def wake(self, task: Task) -> None:
        """Let a waiting part go on."""
        if task.is_waiting:
            task.is_waiting = False
            self._ready.append(task)

    def tasks(self) -> Sequence[Task]:
        """Return the parts that have not ended, in order of their start."""
        return tuple(self._tasks)

    def check(self) -> None:
        """Raise CrashedError when the current part must not go on."""
        self._check(self.current)

    def trace_hash(self) -> str:
        """Return a digest of every step so far."""
        return self._trace.hexdigest()

    def _guard(self, body: Callable[[], None]) -> None:
        try:
            body()
        finally:
            self.is_ending = True

    def _note(self, task: Task, what: str) -> None:
        self._check(task)
        self.steps += 1
        line = f"{self._now_us} {task.process.name}/{task.name} {what}"
        self._trace.update(line.encode())
        if self.log is not None:
            self.log.append(line)
        if self.steps > self._steps_max:
            self.fail(StuckError(f"{self.steps:,} steps and no end"))
        self.on_step(what)
        self._check(task)

    def _check(self, task: Task) -> None:
        if task.process.has_crashed or self.is_ending:
            raise CrashedError

    def _hand_over(self, task: Task) -> None:
        following = self._choose()
        if following is not task:
            self._current = following
            following.gate.release()
            task.gate.acquire()

    def _choose(self) -> Task:
        while True:
            while not self._ready:
                if self.is_ending:
                    for task in tuple(self._tasks):
                        self.wake(task)
                    continue
                self._let_time_pass()
            place = self._random.randrange(len(self._ready))
            self._ready[place], self._ready[-1] = self._ready[-1], self._ready[place]
            task = self._ready.pop()
            process = task.process
            if process.stopped_until_us <= self._now_us or process.has_crashed or self.is_ending:
                return task
            task.is_waiting = True
            self._wake_at(process.stopped_until_us, task)

    def _wake_at(self, until_us: float, task: Task) -> None:
        task.ticket += 1
        self._sequence += 1
        if until_us < math.inf:
            heapq.heappush(self._deadlines, (int(until_us), self._sequence, task.ticket, task))

    def _let_time_pass(self) -> None:
        while self._deadlines:
            until, _, ticket, task = heapq.heappop(self._deadlines)
            if task.is_waiting and task.ticket == ticket:
                self._now_us = max(self._now_us, until)
                self.wake(task)
                return
        if self.failure is None:
            self.failure = StuckError("every part waits and none has a deadline")
        self.is_ending = True

    def _pass_on(self) -> None:
        """Give the baton away for good."""
        if not self._tasks:
            self._over.set()
            return
        self._current = self._choose()
        self._current.gate.release()

    def _live(self, task: Task, body: Callable[[], None]) -> None:
        task.gate.acquire()
        try:
            self._check(task)
            body()
        except BaseException as failure:  # noqa: BLE001 - kept for whoever looks after the part
            task.failure = failure
        task.is_done = True
        self._tasks.pop(task, None)
        for waiter in task.ends:
            self.wake(waiter)
        self._pass_on()
