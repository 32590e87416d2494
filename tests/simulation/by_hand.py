"""What is tried in the calm with commands alone: no worker runs, so that each command's word is exact, and then all do.

Commits are written to a few aggregates, some parked with others behind them. Commands look at that, deliver it in
parts, release and deliver the rest. Then the workers come back, delivery is paused and resumed, and each goes on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from tests.simulation.checkers import Checkers
from tests.simulation.deeds import FINE, FOUND, PARTIAL, meant_by
from tests.simulation.desk import Answer
from tests.simulation.health import Health
from tests.simulation.ledger import CommitKey, Ledger
from tests.simulation.meanwhile import Meanwhile, RowKey, delivered, marks
from tests.simulation.processes import Processes
from tests.simulation.standing import Standing
from tests.simulation.torn_rows import PARKED_SECONDS
from tests.simulation.trials import JOIN_SECONDS, LEAVE_SECONDS, Trials
from tests.simulation.visits import LOOKS, SEARCHES, Visits

_TRIED = 0.3
"""Share of the seeds that try this."""

RATE = 4
BEHIND = 3
PAUSED_LOOK_SECONDS = 3.0
RESUMED_SECONDS = 30.0
"""Each worker's shards are read on by then after a resume."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay said, and what it did.

    Attributes:
        answer: What it said.
        gone: The rows that went.
        seen: What the rows were meanwhile.
        seconds: It took so long.
    """

    answer: Answer
    gone: set[RowKey]
    seen: Meanwhile
    seconds: float


class ByHand:
    """Tries commands in the calm."""

    def __init__(
        self,
        draw: Random,
        trials: Trials,
        standing: Standing,
        visits: Visits,
        health: Health,
        *,
        ledger: Ledger,
        checkers: Checkers,
        processes: Processes,
        look: Callable[[], None],
    ) -> None:
        self._draw = draw
        self._is_tried = draw.random() < _TRIED
        self._trials = trials
        self._standing = standing
        self._visits = visits
        self._health = health
        self._ledger = ledger
        self._checkers = checkers
        self._processes = processes
        self._look = look

    def attempt(self) -> None:
        """Deliver by hand, and let the workers come back."""
        if not self._is_tried:
            return
        self._trials._wait(self._trials._are_all_at_work, JOIN_SECONDS, "every worker comes to work")
        torn = self._visits.torn
        parked = "what can never be delivered is parked"
        self._trials._wait(
            lambda: not torn.unparked(), PARKED_SECONDS, parked, lambda: str(torn.unparked()), self._look
        )
        if not self._checkers.owed() and not torn.kinds:
            self._health.is_green(self._look)
        self._stop_all()
        keys = self._write()
        self._drop_for_one()
        for kind in LOOKS:
            self._visits.start(kind)
        self._end_visits()
        if self._checkers.destinations == frozenset(self._checkers.all_destinations):
            self._replay_in_parts(keys)
            self._release_and_replay()
        for kind in (*SEARCHES, *SEARCHES):
            self._visits.start(kind)
        self._end_visits()
        self._trials._wait(self._trials._are_all_at_work, JOIN_SECONDS, "every worker comes to work", look=self._look)
        self._trials._settle()
        if not self._checkers.owed() and not torn.kinds:
            self._health.is_green(self._look)
            self._pause_and_resume()

    def _stop_all(self) -> None:
        for slot in self._processes.relays:
            self._processes.stop(slot)
        stopped = "a relay that is told to stop stops"
        self._trials._wait(lambda: not self._processes.is_running(), LEAVE_SECONDS, stopped)

    def _write(self) -> list[CommitKey]:
        """Write to three aggregates in turn; one of them is parked at once, with some behind."""
        keys: list[CommitKey] = []
        self._standing._park(self._standing._write("hand-parked", 1))
        for _ in range(BEHIND):
            self._standing._write("hand-parked", 1)
        for number in range(self._draw.randint(6, 12)):
            keys.append(self._standing._write(f"hand-{number % 3}", self._draw.choice((1, 1, 2))))
            self._trials._runtime.sleep(self._draw.choice((0.0, 0.1, 1.5)))
        return keys

    def _drop_for_one(self) -> None:
        """Drop a commit that is parked for two destinations, for one of them; the other mark stays."""
        parked = self._standing._write("hand-dropped", 1)
        self._standing._park(parked, "bus", "index")
        words = ("--destination", "index", "--yes", "--reason", "simulated", "--json")
        answer = self._visits.ask("parked", "drop", parked[0], str(parked[1]), *words)
        row = self._visits.rows.row((parked[0], Decimal(parked[1])))
        if answer.code != FINE or (delivered(row), marks(row)) != ({"index"}, {"bus"}):
            self._ledger.broken("a drop is of what was asked", f"{parked} for the index: {row}; it says {answer}")

    def _replay_in_parts(self, keys: list[CommitKey]) -> None:
        since_ms = self._committed_ms(self._draw.choice(keys))
        meant = meant_by(None, since_ms, None)
        found = self._replay("--since", str(since_ms), "--dry-run")
        self._check(not found.gone, "a replay that only looks changes nothing", found)
        would = len([key for key in found.seen.sure(meant) if self._can_go(key)])
        self._check(found.answer.data["would_hand_over"] == would, f"{would} of them could go", found)
        limit = self._draw.randint(1, 3)
        found = self._replay("--aggregate", keys[0][0], "--limit", str(limit))
        self._check(len(found.gone) <= limit, f"a replay keeps to its limit of {limit}", found)
        found = self._replay("--since", str(since_ms))
        left = {key for key in self._there() if meant(key, self._visits.rows.row(key)) and self._can_settle(key)}
        self._check(not left, f"a replay delivers all that is selected: {sorted(left)[:3]}", found)
        below = {key for key in found.gone if not meant(key, found.seen.states[key][0] or {})}
        higher = {key[0] for key in found.gone - below}
        self._check(all(key[0] in higher for key in below), "a replay delivers what is selected alone", found)
        found = self._replay("--rate", f"{RATE}/s")
        there = len(self._there()) + len(self._visits.torn.kinds)
        self._check(found.answer.data["left"] == there, f"a replay says what it left: {there} rows", found)
        least = (len(found.gone) - 1) / RATE - 1.0
        self._check(found.seconds >= least, f"a replay keeps to its rate: {found.seconds:.1f} of {least:.1f} s", found)
        for key in keys:
            commit = self._ledger.commits[key]
            for name in self._checkers.destinations:
                self._check(self._ledger.has(name, commit), f"a replay delivers all: {key} to the {name}", found)

    def _release_and_replay(self) -> None:
        """Release what is parked while nobody runs; then a replay takes it, unless delivery is paused."""
        aggregate_id = next(key[0] for key in self._there() if str(key[0]).startswith("standing-hand-parked"))
        answer = self._visits.ask("parked", "release", "--aggregate", str(aggregate_id), "--wait", "2s", "--json")
        if answer.code != PARTIAL or answer.data["released"] != 1:
            self._ledger.broken("a release says what it did", f"one, and nobody takes it: {answer}")
        self._visits.ask("pause", "--reason", "simulated", "--json")
        found = self._replay("--aggregate", str(aggregate_id))
        self._check(
            found.answer.code == FOUND and not found.gone, "a replay delivers nothing while it is paused", found
        )
        self._visits.ask("resume", "--json")
        found = self._replay("--aggregate", str(aggregate_id))
        self._check(found.answer.code == FINE and len(found.gone) == BEHIND + 1, "a replay delivers all", found)

    def _pause_and_resume(self) -> None:
        """Every worker stands still while delivery is paused, and every one goes on afterwards."""
        self._visits.ask("pause", "--reason", "simulated", "--json")
        self._health.is_paused(self._look)
        keys = [self._standing._write(f"paused-{number}", 1) for number in range(6)]
        self._let_pass(PAUSED_LOOK_SECONDS)
        sent = [key for key in keys if self._ledger.taken.highest.get(key[0], 0) >= key[1]]
        if sent:
            self._ledger.broken("nothing is begun while delivery is paused", f"{sent} are on the bus")
        goal = self._trials.newest()
        self._visits.ask("resume", "--json")
        self._trials._wait(
            lambda: not self._trials.unread(goal),
            RESUMED_SECONDS,
            "every worker goes on after a resume",
            lambda: str(self._trials.unread(goal)[:3]),
            self._look,
        )
        self._health.is_green(self._look)

    def _replay(self, *words: str) -> Replayed:
        began = self._trials._runtime.monotonic()
        with self._visits.rows.looking() as seen:
            answer = self._visits.ask("replay", *words, "--json")
        found = Replayed(answer, {key for key, _ in seen.gone}, seen, self._trials._runtime.monotonic() - began)
        if "--dry-run" not in words:
            settled = answer.data["settled"]
            self._check(settled == len(found.gone), f"a replay says what it did: {len(found.gone)} rows went", found)
        return found

    def _there(self) -> set[RowKey]:
        return {(aggregate_id, Decimal(last)) for aggregate_id, last in self._checkers.owed()}

    def _can_go(self, key: RowKey) -> bool:
        """Tell whether a delivery could do something for a row: some destination lacks it that it does not wait for."""
        row = self._visits.rows.row(key)
        done = delivered(row) | marks(row)
        if self._checkers._is_behind_parked((str(key[0]), int(key[1]))):
            done |= {"bus"}
        return bool(row) and (delivered(row) >= self._checkers.destinations or not done >= self._checkers.destinations)

    def _can_settle(self, key: RowKey) -> bool:
        """Tell whether a replay could let a row go. It may give up on sides where no row goes for three walks."""
        return self._can_go(key) and not self._checkers._is_behind_parked((str(key[0]), int(key[1])))

    def _committed_ms(self, key: CommitKey) -> int:
        return int(self._visits.rows.row((key[0], Decimal(key[1])))["committedAt"]["N"])

    def _let_pass(self, seconds: float) -> None:
        self._standing._let_pass(seconds)

    def _end_visits(self) -> None:
        ended = "an operator's verb ends"
        self._trials._wait(lambda: not self._visits.are_there, JOIN_SECONDS, ended)

    def _check(self, is_so: bool, promise: str, found: Replayed) -> None:  # noqa: FBT001 - as an assertion has it
        if not is_so:
            self._ledger.broken("a replay by hand is exact", f"{promise}; it says {found.answer}")
