"""Operators who come by: several at the same time, at any moment, each with one command, some interrupted.

A seed has a few kinds of them. They come and go with the weather; in the calm those who have come end what they do.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.simulation.chance import Chance
from tests.simulation.checkers import Checkers
from tests.simulation.deeds import Deeds
from tests.simulation.desk import Answer, CommandLines
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.index import SimulatedIndex
from tests.simulation.ledger import Ledger
from tests.simulation.looks import Looks
from tests.simulation.meanwhile import RowWatch
from tests.simulation.primitives import SimulatedFlag, SimulatedRuntime
from tests.simulation.processes import Processes
from tests.simulation.scheduler import Scheduler
from tests.simulation.searching import Searches, hide_and_show
from tests.simulation.torn_rows import TornRows

LOOKS = ("status", "gaps", "parked_list", "parked_show", "verify")
DEEDS = ("release", "drop", "replay", "pause")
SEARCHES = ("search", "freshness")
VISITORS_MAX = 3
_VISITED, _SEARCHED, _TORN = 0.4, 0.3, 0.25
"""Shares of the seeds that have operators, searches, and rows that are torn."""

_INTERRUPTED = 0.1
"""Chance per look that a command which listens is interrupted."""

ASKED_SECONDS = 120.0
"""In a calm world a command that is asked has ended by then."""

_PAUSES = (1.0, 5.0, 20.0)


class Visits:
    """Lets operators come.

    Attributes:
        commands: The command lines.
        looks: What they look at.
        deeds: What they do.
        rows: What the outbox was meanwhile.
        torn: Rows that nobody can read, or deliver.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        *,
        ledger: Ledger,
        checkers: Checkers,
        passage: SimulatedPassage,
        processes: Processes,
        index: SimulatedIndex,
    ) -> None:
        self._scheduler = scheduler
        self._index = index
        self._chance = chance
        self._ledger = ledger
        self._passage = passage
        self._processes = processes
        self._draw = draw = chance.stream("visits")
        self._kinds = [draw.choice(LOOKS), draw.choice(LOOKS), draw.choice(DEEDS), draw.choice(DEEDS)]
        self._kinds *= draw.random() < _VISITED
        self._kinds += list(SEARCHES) * (draw.random() < _SEARCHED)
        self._has_torn = draw.random() < _TORN
        self._resume_at: float | None = None
        self.rows = RowWatch(passage, scheduler)
        self.torn = TornRows(scheduler, chance, ledger=ledger, checkers=checkers, passage=passage, rows=self.rows)
        self.commands = CommandLines(ledger, scheduler, passage, processes.relay_of, draw.choice((2, 5, 500)))
        self.looks = Looks(ledger, checkers, self.commands, self.rows, self.torn, draw)
        self.deeds = Deeds(ledger, checkers, self.commands, self.rows, draw)
        self.searches = Searches(
            scheduler,
            chance,
            ledger=ledger,
            checkers=checkers,
            index=index,
            rows=self.rows,
            open_store=processes.open_store,
            draw=draw,
        )
        checkers.on_begin_anew += [self.rows.begin_anew, lambda _: self.torn.begin_anew()]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have command lines within the block."""
        with self.commands.watching():
            yield

    @property
    def are_there(self) -> bool:
        """Whether an operator is at work, or has yet to end a pause."""
        self._forget()
        return bool(self._processes.callers) or self._resume_at is not None

    def look(self) -> None:
        """Let somebody come, or something be torn, now and then."""
        self._forget()
        if self._has_torn and self._chance.strikes("weather.torn_row"):
            with self._passage.direct():
                self.torn.add()
        hide_and_show(self._index, self._chance)
        self._interrupt(_INTERRUPTED)
        now = self._scheduler.seconds
        if self._resume_at is not None and self._resume_at <= now:
            is_pausing = any(task.name == "pause" for task in self._processes.callers)
            self._resume_at = now + 1.0 if self.rows.is_paused or is_pausing else None
            if self.rows.is_paused:
                self.start("resume")
        if self._kinds and len(self._processes.callers) < VISITORS_MAX and self._chance.strikes("weather.visit"):
            kind = self._draw.choice(self._kinds)
            if kind == "pause" and self._resume_at is None:
                self._resume_at = now + self._draw.choice(_PAUSES)
            self.start(kind)

    def clear_up(self) -> None:
        """Let those who listen come to an end."""
        self._interrupt(1.0)

    def start(self, kind: str) -> None:
        """Let an operator come, with one of `LOOKS`, `DEEDS` or `SEARCHES`, or to resume delivery."""
        place = next(each for each in (self.looks, self.deeds, self.searches) if hasattr(each, kind))
        visit: Callable[[SimulatedRuntime], None] = getattr(place, kind)
        runtime = self._processes.runtime("operator")

        def body() -> None:
            try:
                visit(runtime)
            except Exception as error:  # noqa: BLE001 - no command, and nothing that looks at one, may fail so
                self._ledger.broken("a command does not fail", repr(error))

        self._processes.callers.append(self._scheduler.spawn(kind, runtime.process, body))

    def ask(self, *words: str) -> Answer:
        """Let an operator run `relay` with some words in a calm world, and return what it came to."""
        runtime = self._processes.runtime("operator")
        answers: list[Answer] = []
        task = self._scheduler.spawn(
            words[0], runtime.process, lambda: answers.append(self.commands.relay(runtime, *words))
        )
        deadline = self._scheduler.seconds + ASKED_SECONDS
        while not task.is_done:
            if self._scheduler.seconds >= deadline:
                self._ledger.broken("an operator's verb ends", f"{words} not within {ASKED_SECONDS:g} s")
            self._scheduler.wait("asking", task.ends, 1.0, lambda: task.is_done)
        if not answers:
            self._ledger.broken("a command does not fail", f"{words}: {task.failure!r}")
        return answers[0]

    def _forget(self) -> None:
        self._processes.callers[:] = [task for task in self._processes.callers if not task.is_done]

    def _interrupt(self, chance: float) -> None:
        for stop in list(self.commands.stops.values()):
            if isinstance(stop, SimulatedFlag) and self._draw.random() < chance:
                stop.set_quietly()
