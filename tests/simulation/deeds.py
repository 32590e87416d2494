"""What operators do by commands, each compared with what its process changed: release, drop, replay, pause, resume."""

from collections.abc import Callable
from random import Random

from tests.simulation.checkers import DESTINATIONS, OLD_CLASS, TORN, Checkers
from tests.simulation.desk import CommandLines
from tests.simulation.ledger import Ledger
from tests.simulation.meanwhile import Meanwhile, Row, RowKey, RowWatch, delivered, marks
from tests.simulation.primitives import SimulatedRuntime

FINE, FOUND, UNREACHABLE, PARTIAL, UNKNOWN = 0, 1, 3, 4, 5
_DEED = ("--by", "an operator", "--reason", "simulated", "--json")
_MISTAKES = 0.3
"""Chance that a drop names a destination or a commit for which it is not parked."""

GONE_FAR_BACK_MS = 30_000


class Deeds:
    """Deeds of operators; each is what one process does."""

    def __init__(
        self, ledger: Ledger, checkers: Checkers, commands: CommandLines, rows: RowWatch, draw: Random
    ) -> None:
        self._ledger = ledger
        self._checkers = checkers
        self._commands = commands
        self._rows = rows
        self._draw = draw

    def release(self, runtime: SimulatedRuntime) -> None:
        """Release what is selected in some way, and perhaps follow it."""
        draw, parked = self._draw, self._checkers.parked()
        aggregate_id = draw.choice(parked)[0] if parked and draw.random() < 0.3 else None
        name = draw.choice((None, *DESTINATIONS))
        error_class = OLD_CLASS if draw.random() < 0.2 else None
        wait = draw.choice(("0s", "20s"))
        given = {"--aggregate": aggregate_id, "--destination": name, "--error-class": error_class}
        chosen = [word for option, value in given.items() if value is not None for word in (option, value)]

        def selected(key: RowKey, row: Row) -> bool:
            return not str(key[0]).startswith(TORN) and any(
                aggregate_id in (None, key[0])
                and name in (None, each)
                and error_class in (None, row["parked"]["M"][each]["M"].get("errorClass", {}).get("S"))
                for each in marks(row) - delivered(row)
            )

        with self._rows.looking() as seen:
            answer = self._commands.relay(runtime, "parked", "release", *(chosen or ("--all",)), "--wait", wait, *_DEED)
        if seen.is_void or answer.code not in {FINE, FOUND, PARTIAL}:
            return
        left = [key for key in seen.sure(selected) if len(seen.states[key]) == 1]
        if left:
            self._wrong("a release lets go of all that is selected", f"{chosen}: {left}")
        data, mine = answer.data, self._unmarked(seen, runtime)
        released = {key for key, *_ in mine if not str(key[0]).startswith(TORN)}
        anybody = {key for key, *_ in seen.unmarked}
        if not len(released) <= data["released"] + data["changed_meanwhile"] or data["released"] > len(anybody):
            self._wrong("a release says what it did", f"{len(released)} to {len(anybody)} rows; it says {data}")
        if answer.code == FINE and wait != "0s":
            for key, each, _ in mine:
                commit = self._ledger.commits.get((str(key[0]), int(key[1])))
                if commit is not None and not self._ledger.has(each, commit):
                    self._wrong("what is said to have arrived has", f"{key} at the {each}")

    def drop(self, runtime: SimulatedRuntime) -> None:
        """Drop one commit, for one destination or for all."""
        draw = self._draw
        keys = self._checkers.owed() if draw.random() < _MISTAKES else self._checkers.parked()
        if not keys:
            return
        aggregate_id, last = draw.choice(keys)
        name = draw.choice((None, None, *DESTINATIONS))
        chosen = () if name is None else ("--destination", name)
        with self._rows.looking() as seen:
            answer = self._commands.relay(runtime, "parked", "drop", aggregate_id, str(last), *chosen, "--yes", *_DEED)
        if seen.is_void:
            return
        mine = self._unmarked(seen, runtime)
        wrong = [(key, each) for key, each, _ in mine if key != (aggregate_id, last) or name not in (None, each)]
        if wrong:
            self._wrong("a drop is of what was asked", f"{aggregate_id} {last} for {name}: {wrong}")
        if answer.code == FINE:
            said = set(answer.data["destinations"])
            if said != {each for _, each, _ in mine} or not all(has_it for _, _, has_it in mine):
                self._wrong("a drop says what it did", f"{mine}; it says {answer.data}")
        elif answer.code != UNKNOWN and mine:
            self._wrong("a drop that is refused changes nothing", f"exit code {answer.code}: {mine}")

    def pause(self, runtime: SimulatedRuntime) -> None:
        """Pause delivery."""
        with self._rows.looking() as seen:
            answer = self._commands.relay(runtime, "pause", *_DEED)
        if answer.code == FINE and not seen.is_void and not any(seen.was_paused):
            self._wrong("a pause that is said is there", answer.text)

    def resume(self, runtime: SimulatedRuntime) -> None:
        """Resume delivery."""
        with self._rows.looking() as seen:
            answer = self._commands.relay(runtime, "resume", *_DEED)
        if answer.code == FINE and not seen.is_void and all(seen.was_paused):
            self._wrong("a resume that is said is done", answer.text)

    def replay(self, runtime: SimulatedRuntime) -> None:
        """Replay what is selected in some way, or ask what that would do."""
        draw, owed, now_ms = self._draw, self._checkers.owed(), runtime.now_ms()
        aggregate_id = draw.choice(owed)[0] if owed and draw.random() < 0.3 else None
        since_ms = now_ms - draw.choice((1_000, 5_000, GONE_FAR_BACK_MS)) if draw.random() < 0.4 else None
        older = draw.choice((1, 5)) if draw.random() < 0.3 else None
        limit, rate = draw.choice((None, None, 1, 3)), draw.choice((None, None, "2/s"))
        is_dry = draw.random() < 0.2
        given = {
            "--aggregate": aggregate_id,
            "--since": None if since_ms is None else str(since_ms),
            "--older-than": None if older is None else f"{older}s",
            "--limit": None if limit is None else str(limit),
            "--rate": rate,
        }
        chosen = [word for option, value in given.items() if value is not None for word in (option, value)]
        meant = meant_by(aggregate_id, since_ms, None if older is None else now_ms - older * 1000)
        with self._rows.looking() as seen:
            answer = self._commands.relay(runtime, "replay", *chosen, *(("--dry-run",) if is_dry else ()), "--json")
        if seen.is_void or answer.code not in {FINE, FOUND, UNREACHABLE, PARTIAL} or not answer.text:
            return
        mine = {key for key, process in seen.gone if process is runtime.process}
        if is_dry:
            if mine:
                self._wrong("a replay that only looks changes nothing", f"{chosen}: {mine}")
            return
        data = answer.data
        if data is None:
            return
        gone = {key for key, _ in seen.gone}
        if data["settled"] > len(gone):
            self._wrong("a replay says what it did", f"{chosen}: {len(gone)} rows went; it says {data}")
        if limit is not None and data["handed_over"] > limit:
            self._wrong("a replay keeps to its limit", f"{chosen}: it says {data}")
        left = {key for key in seen.sure(meant) if not str(key[0]).startswith(TORN)}
        if answer.code == FINE and left:
            self._wrong("a replay that leaves nothing has left nothing", f"{chosen}: {sorted(left)[:3]}; {data}")
        if data["complete"] and data["left"] < len(left):
            self._wrong("a replay says what it left", f"{chosen}: {len(left)} rows; it says {data}")

    def _unmarked(self, seen: Meanwhile, runtime: SimulatedRuntime) -> list[tuple[RowKey, str, bool]]:
        """Return the marks that this process has removed."""
        return [(key, name, has_it) for key, process, name, has_it in seen.unmarked if process is runtime.process]

    def _wrong(self, promise: str, detail: str) -> None:
        self._ledger.broken(promise, detail)


def meant_by(aggregate_id: str | None, since_ms: int | None, until_ms: int | None) -> Callable[[RowKey, Row], bool]:
    """Return whether a row is of an aggregate, and says that it was committed since, and until, some time."""

    def is_meant(key: RowKey, row: Row) -> bool:
        at_ms = int(row.get("committedAt", {}).get("N", "0"))
        in_time = (since_ms is None or at_ms >= since_ms) and (until_ms is None or at_ms <= until_ms)
        return aggregate_id in (None, key[0]) and in_time

    return is_meant
