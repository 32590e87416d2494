"""Those who use the store beside writers and relay: each is a line of visits that outlives its processes.

A visitor's process crashes, is paused and comes back as a writer's does. What a visitor knows - tokens, positions, what
it was given - is what a service would have written down.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore import EventStore
from eventstore.context import StoreOptions
from eventstore.errors import InvalidTokenError, TryLaterError
from eventstore.testing import InMemoryDynamoDB
from tests.simulation.chance import Chance
from tests.simulation.checkers import Checkers
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.processes import BEGUN_IN_THE_STORM, Processes
from tests.simulation.scheduler import Scheduler
from tests.simulation.settings import WorldSettings
from tests.simulation.sight import Sight

PAUSES = (0.0, 0.05, 0.5, 2.0)
CALM_SECONDS = 30.0
"""So long after the storm everything is answered: what began in it has ended, and limiters have recovered."""

CALM_VISITS = 3
"""Visits of those who are not done when everything is written."""

TRIES_MAX = 200
"""Processes that one visitor may need; far more than any rate of crashes asks for."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What visitors share.

    Attributes:
        ledger: What has truly happened.
        sight: What a reader must see of it.
        chance: Draws.
        scheduler: Tells the time.
        settings: Of the world.
        checkers: What the outbox holds.
        database: The way to DynamoDB.
        epoch: Returns the store's epoch now.
    """

    ledger: Ledger
    sight: Sight
    chance: Chance
    scheduler: Scheduler
    settings: WorldSettings
    checkers: Checkers
    database: InMemoryDynamoDB
    epoch: Callable[[], int]

    def open_store(self, runtime: SimulatedRuntime, **how: Any) -> EventStore:
        """Open the store in a process."""
        options = StoreOptions(embed_max_bytes=self.settings.embed_max_bytes)
        return EventStore.open(self.database.client(), options=options, runtime=runtime, **how)


class Visitor:
    """One of them.

    Args:
        name: Names its stream of numbers, and its part.
        visits: How many.
        around: What all share.
    """

    visits = (10, 20)
    """How many there may be; a visit that reads everything is a dear one."""

    writes = False
    """Whether it appends; what it appends has to be delivered."""

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        self.name = name
        self._visits = self._left = visits
        self._around = around
        self._ledger = around.ledger
        self._sight = around.sight
        self._draw = around.chance.stream(name)
        self._tokens_of = around.epoch()

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self._left

    def begin_anew(self) -> None:
        """Have more to do, for another generation of the tables."""
        self._left = self._visits

    def start_over(self) -> None:
        """Forget how far it has come: the epoch was raised, and tokens of the former one are refused."""
        self._tokens_of = self._around.epoch()

    def work(self, runtime: SimulatedRuntime) -> None:
        """Do what is left, as one process."""
        began = self._around.scheduler.seconds
        try:
            store = self._open(runtime)
            while self._left:
                began = self._around.scheduler.seconds
                try:
                    self._visit(store, runtime)
                except TryLaterError as error:
                    self._excuse(error, began)
                except InvalidTokenError:
                    if self._around.epoch() == self._tokens_of:
                        raise
                    self.start_over()
                self._left -= 1
                runtime.sleep(self._draw.choice(PAUSES))
        except TryLaterError as error:
            self._excuse(error, began)

    def wind_up(self, *, is_away: bool) -> None:
        """Come to an end: in the calm, when everything is written.

        Args:
            is_away: Its process is not there, or is held up by something that began in the storm.
        """
        del is_away
        self._left = min(self._left, CALM_VISITS)

    def check(self) -> None:
        """Look at everything once more, at the end of the run."""

    def _open(self, runtime: SimulatedRuntime) -> EventStore:
        return self._around.open_store(runtime)

    def _visit(self, store: EventStore, runtime: SimulatedRuntime) -> None:
        raise NotImplementedError

    def _excuse(self, error: TryLaterError, began: float) -> None:
        """Let an error pass that a storm explains."""
        if began >= self._sight.calm_since + CALM_SECONDS:
            self._ledger.broken("in the calm every call is answered", f"{self.name}: {error!r}")


class Visitors:
    """Starts their processes, again and again."""

    def __init__(self, visitors: Sequence[Visitor], around: Surroundings, processes: Processes) -> None:
        self._visitors = visitors
        self._around = around
        self._processes = processes
        self._tries = dict.fromkeys((visitor.name for visitor in visitors), 0)

    def is_written(self) -> bool:
        """Tell whether those who append are done."""
        return all(visitor.is_done for visitor in self._visitors if visitor.writes)

    def is_done(self) -> bool:
        """Tell whether all are done."""
        return all(visitor.is_done for visitor in self._visitors)

    def clear_up(self) -> None:
        """The storm is over."""
        self._around.sight.calm_since = self._around.scheduler.seconds

    def left(self) -> list[str]:
        """Return the names of those who are not."""
        return [visitor.name for visitor in self._visitors if not visitor.is_done]

    def begin_anew(self) -> None:
        """Another generation of the tables begins."""
        self._around.sight.begin_anew()
        for visitor in self._visitors:
            visitor.begin_anew()

    def look_after(self) -> None:
        """Start those who have something to do and no process."""
        for visitor in self._visitors:
            task = self._processes.visitors.get(visitor.name)
            if visitor.is_done or (task is not None and not task.is_done):
                continue
            if task is not None and isinstance(task.failure, Exception):
                self._around.ledger.broken("a visitor does not fail", f"{visitor.name}: {task.failure!r}")
            self._tries[visitor.name] += 1
            if self._tries[visitor.name] > TRIES_MAX:
                self._around.ledger.broken("a visitor gets on", visitor.name)
            self._processes.start_visitor(visitor.name, visitor.work)

    def wind_up(self) -> None:
        """Let those come to an end who go on until everything is written."""
        for visitor in self._visitors:
            if not visitor.is_done:
                visitor.wind_up(is_away=self._is_away(visitor.name))

    def _is_away(self, name: str) -> bool:
        task = self._processes.visitors.get(name)
        if task is None or task.is_done or task.waits_for in BEGUN_IN_THE_STORM:
            return True
        return task.process.stopped_until_us > self._around.scheduler.now_us

    def check(self) -> None:
        """Look at everything once more, at the end of the run."""
        for visitor in self._visitors:
            task = self._processes.visitors.get(visitor.name)
            if task is not None and isinstance(task.failure, Exception):
                self._around.ledger.broken("a visitor does not fail", f"{visitor.name}: {task.failure!r}")
            visitor.check()
