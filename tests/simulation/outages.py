"""Servers that are gone as a whole, and processes that are cut off from one of them while others are not."""

from collections.abc import Callable
from functools import partial
from random import Random

from tests.simulation.broker import SimulatedBroker
from tests.simulation.chance import Chance
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.index import SimulatedIndex
from tests.simulation.processes import Processes
from tests.simulation.reach import Reach
from tests.simulation.scheduler import Process, Scheduler

SECONDS = (1.0, 5.0, 15.0, 40.0)
"""How long an outage lasts: the longest is longer than any lease, and than any wait of a relay that has a bound."""


class Outages:
    """Lets servers go out of reach, for everybody or for one process, and come back.

    Args:
        scheduler: Tells the time.
        chance: Tells when, with numbers of its own.
        passage: The way to DynamoDB.
        broker: The bus.
        index: The index.
        processes: Those that may be cut off.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        *,
        passage: SimulatedPassage,
        broker: SimulatedBroker,
        index: SimulatedIndex,
        processes: Processes,
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._draw: Random = chance.stream("outages")
        self._dynamo, self._broker, self._index = passage.reach, broker, index
        self._processes = processes
        self._ends: list[tuple[float, Callable[[], None]]] = []

    def look(self) -> None:
        """Let an outage begin or end."""
        for end in [end for end in self._ends if end[0] <= self._scheduler.seconds]:
            self._ends.remove(end)
            end[1]()
        if self._chance.strikes("weather.dynamo_down"):
            self._dynamo.is_silent = self._draw.random() < 0.5
            self._dynamo.is_down = True
            self._later(lambda: setattr(self._dynamo, "is_down", False))
        if self._chance.strikes("weather.cut_off_from_dynamo"):
            self._cut_off(self._dynamo, self._anybody())
        if self._chance.strikes("weather.cut_off_from_bus"):
            process = self._a_worker()
            self._cut_off(self._broker.reach, process)
            if process is not None:
                self._broker.bury(process)
        if self._chance.strikes("weather.cut_off_from_index"):
            self._cut_off(self._index.reach, self._a_worker())
        if self._chance.strikes("weather.bus_restarts"):
            self._broker.restart()

    def clear_up(self) -> None:
        """Have everything in reach."""
        for _, end in self._ends:
            end()
        self._ends.clear()

    def _cut_off(self, reach: Reach, process: Process | None) -> None:
        if process is not None:
            reach.cut_off.add(process)
            self._later(partial(reach.cut_off.discard, process))

    def _a_worker(self) -> Process | None:
        running = [slot.process for slot in self._processes.relays if slot.is_running() and slot.process is not None]
        return self._draw.choice(running) if running else None

    def _anybody(self) -> Process | None:
        """Return a worker, or now and then a writer or an operator."""
        tasks = [*self._processes.writers.values(), self._processes.operator]
        others = [task.process for task in tasks if task is not None and not task.is_done]
        return self._draw.choice(others) if others and self._draw.random() < 1 / 3 else self._a_worker()

    def _later(self, end: Callable[[], None]) -> None:
        self._ends.append((self._scheduler.seconds + self._draw.choice(SECONDS), end))
