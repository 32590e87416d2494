"""Admission control for all appends of a store: as many as the table can take, the others wait in a bounded queue."""

import logging
from collections import deque
from dataclasses import dataclass
from enum import Enum

from eventstore.dynamodb import aimd
from eventstore.dynamodb.aimd import AimdSettings
from eventstore.ports import Flag, Runtime
from eventstore.transport import forks

_LOG = logging.getLogger(__name__)


class Signal(Enum):
    """What a request says about the load."""

    WENT_WELL = "went well"
    THROTTLED = "throttled"
    SAYS_NOTHING = "says nothing"


@dataclass(frozen=True, slots=True)
class LimiterState:
    """What a limiter is doing.

    Attributes:
        limit: Requests that may be on their way at once.
        in_flight: Requests on their way.
        waiting: Calls that wait for their turn.
        turned_away: Calls that were refused at once since too many waited.
        cuts: How often throttles made the limit smaller.
    """

    limit: int
    in_flight: int
    waiting: int
    turned_away: int
    cuts: int


@dataclass(slots=True, eq=False)
class _Waiter:
    flag: Flag
    admitted: bool = False


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to have one request in flight.

    Attributes:
        began: Monotonic seconds at its start.
        cuts: Cuts of the limit until then.
    """

    began: float
    cuts: int


class Limiter:
    """Admits requests first come, first served. Threads share it; a forked process begins its own.

    Args:
        runtime: Clock, locks and waiting.
        settings: Numbers of the rule.
        queue_max: Calls that may wait; more are turned away at once.
    """

    def __init__(self, runtime: Runtime, settings: AimdSettings, queue_max: int) -> None:
        self._runtime = runtime
        self._settings = settings
        self._queue_max = queue_max
        self._lock = runtime.lock()
        self._begin()
        forks.renew_in_child(self, Limiter._begin)

    def _begin(self) -> None:
        """Begin with nothing under way: in a forked process the threads that were are gone."""
        self._rule = aimd.begin(self._settings)
        self._in_flight = 0
        self._turned_away = 0
        self._queue: deque[_Waiter] = deque()

    def enter(self, timeout_seconds: float) -> Slot | None:
        """Wait for a turn; None when it did not come in time, or when too many wait. What is entered must be left."""
        with self._lock:
            if not self._queue and self._in_flight < self._rule.slots:
                self._in_flight += 1
                return self._slot()
            if len(self._queue) >= self._queue_max:
                self._turned_away += 1
                return None
            waiter = _Waiter(self._runtime.flag())
            self._queue.append(waiter)
        try:
            waiter.flag.wait(timeout_seconds)
        except BaseException:
            if self._withdraw(waiter) is not None:
                self._give_back()
            raise
        return self._withdraw(waiter)

    def leave(self, slot: Slot, signal: Signal) -> None:
        """Give a turn back, with what the request said about the load."""
        seconds = self._runtime.monotonic() - slot.began
        with self._lock:
            before = self._rule
            self._rule = aimd.timed(self._rule, seconds)
            if signal is Signal.WENT_WELL:
                self._rule = aimd.grown(self._rule, self._settings, self._in_flight)
            elif signal is Signal.THROTTLED:
                self._rule = aimd.cut(self._rule, self._settings, slot.cuts)
            after = self._rule
        self._give_back()
        if after.cuts > before.cuts:
            _LOG.warning("limit: from %d to %d requests at once, after a throttle", before.slots, after.slots)

    def retry_after_seconds(self) -> float:
        """Return when those that wait now will have had their turn."""
        with self._lock:
            return aimd.retry_after_seconds(self._rule, len(self._queue))

    def state(self) -> LimiterState:
        """Return what it is doing."""
        with self._lock:
            return LimiterState(
                self._rule.slots,
                self._in_flight,
                len(self._queue),
                self._turned_away,
                self._rule.cuts,
            )

    def _slot(self) -> Slot:
        return Slot(self._runtime.monotonic(), self._rule.cuts)

    def _withdraw(self, waiter: _Waiter) -> Slot | None:
        """Take a waiter out of the queue; a slot when it had been admitted at the last moment."""
        with self._lock:
            if waiter.admitted:
                return self._slot()
            self._queue.remove(waiter)
            return None

    def _give_back(self) -> None:
        with self._lock:
            self._in_flight -= 1
            while self._queue and self._in_flight < self._rule.slots:
                waiter = self._queue.popleft()
                waiter.admitted = True
                self._in_flight += 1
                waiter.flag.set()
