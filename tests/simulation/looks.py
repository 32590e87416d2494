"""Commands that only look, each compared with what was true meanwhile: status, gaps, parked list and show, verify."""

from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Any

from tests.simulation.checkers import DESTINATIONS, TORN, Checkers
from tests.simulation.desk import Answer, CommandLines
from tests.simulation.ledger import Ledger
from tests.simulation.meanwhile import Meanwhile, Row, RowKey, RowWatch, delivered, marks
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.torn_rows import DEFECTIVE, UNREADABLE, TornRows

FINE, FOUND, UNREACHABLE = 0, 1, 3
_MAY_PASS = frozenset({"hole", "broken_commit", "outbox_without_events", "key_without_commit"})
"""What a transaction looks like while it is applied: `verify` looks again for 0.2 s, and a storm may hide it longer."""

REPORTED_SECONDS = 45.0
"""A worker that lives says by then that a commit is not in its hands any more."""


class Looks:
    """Looks of operators; each is what one process does."""

    def __init__(
        self,
        ledger: Ledger,
        checkers: Checkers,
        commands: CommandLines,
        rows: RowWatch,
        torn: TornRows,
        draw: Random,
    ) -> None:
        self._ledger = ledger
        self._checkers = checkers
        self._commands = commands
        self._rows = rows
        self._torn = torn
        self._draw = draw

    def status(self, runtime: SimulatedRuntime) -> None:
        """See what `relay status` counts."""
        most = self._draw.choice((None, None, 1, 3))
        limit = () if most is None else ("--rows-max", str(most))
        in_force = self._checkers.destinations
        answer, seen = self._look(runtime, "status", "--json", *limit)
        if answer is None or in_force != self._checkers.destinations:
            return
        data = answer.data
        outbox = data["outbox"]
        self._is_paused_as_said(seen, data["pause"])
        everything = len(seen.sure(_any))
        if not outbox["complete"]:
            if most is None or (everything and len(seen.possible(_any)) <= most - 1):
                self._wrong("status", "all rows are counted", outbox)
            return
        if most is not None and everything > most:
            self._wrong("status", f"not all of {everything} rows can be counted", outbox)
        self._counts("status", "rows", outbox["rows"], seen, lambda _key, _row: True, torn=None)
        for name in sorted(in_force):
            owed = _sound(lambda row, name=name: name not in delivered(row) | marks(row))
            self._counts("status", f"owed to the {name}", outbox["owed"][name], seen, owed)
            parked = _sound(lambda row, name=name: name in marks(row) - delivered(row))
            self._counts("status", f"parked for the {name}", outbox["parked_for"][name], seen, parked)
        self._counts("status", "parked", outbox["parked"], seen, _sound(lambda row: bool(marks(row) - delivered(row))))
        self._counts("status", "settled", outbox["settled_rows"], seen, _sound(lambda row: delivered(row) >= in_force))
        self._counts("status", "unreadable", outbox["unreadable"], seen, self._of(UNREADABLE), torn=None)
        self._counts("status", "newer", outbox["newer"], seen, self._of({"a later layout"}), torn=None)
        self._is_as_old(seen, data["at_ms"], outbox["oldest_age_seconds"], in_force)

    def gaps(self, runtime: SimulatedRuntime) -> None:
        """See what `relay gaps` lists."""
        seconds = self._draw.choice((0, 5, 60))
        began_ms = runtime.now_ms()
        answer, seen = self._look(runtime, "gaps", "--json", "--older-than", f"{seconds}s", "--rows", "10000")
        if answer is None:
            return
        data, ended_ms = answer.data, runtime.now_ms()
        if (answer.code == FOUND) != bool(data["aggregates"]):
            self._wrong("gaps", f"exit code {answer.code}", data)
        old = _older(began_ms - seconds * 1000, is_torn_old=False)
        old_by_then = _older(ended_ms - seconds * 1000, is_torn_old=True)
        said = data["commits"] + data["in_flight"]
        least, most = len(seen.sure(old)), len(seen.possible(old_by_then))
        if not least <= said <= most:
            self._wrong("gaps", f"{least} to {most} commits are old enough", data)
        listed = {gap["aggregate_id"]: gap for gap in data["oldest"]}
        if len(listed) != data["aggregates"]:
            self._wrong("gaps", f"{data['aggregates']} aggregates are listed", data)
        self._gaps_are_there(seen, listed, old, old_by_then)

    def _gaps_are_there(
        self,
        seen: Meanwhile,
        listed: Mapping[str, Any],
        old: Callable[[RowKey, Row], bool],
        old_by_then: Callable[[RowKey, Row], bool],
    ) -> None:
        """Each gap that is listed has its rows, and what waits for a person is listed."""
        for name, gap in listed.items():
            there = seen.possible(lambda key, row, name=name: key[0] == name and old_by_then(key, row))
            if gap["commits"] > len(there):
                self._wrong("gaps", f"{name} has at most {len(there)} gaps", gap)
        for key in seen.sure(lambda key, row: old(key, row) and "bus" in marks(row) - delivered(row)):
            gap = listed.get(key[0], {})
            if self._rows.seconds_unchanged(key) > REPORTED_SECONDS and "bus" not in gap.get("parked", {}):
                self._wrong("gaps", f"{key} is parked for the bus", gap)
        for key in seen.sure(self._of(UNREADABLE)):
            if not listed.get(key[0], {}).get("unreadable"):
                self._wrong("gaps", f"{key} cannot be read: {self._torn.kinds.get(key)}", listed)

    def parked_list(self, runtime: SimulatedRuntime) -> None:
        """See what `relay parked list` counts."""
        chosen = self._draw.choice((None, *DESTINATIONS))
        limit = () if chosen is None else ("--destination", chosen)
        answer, seen = self._look(runtime, "parked", "list", "--json", *limit)
        if answer is None:
            return
        groups = answer.data["groups"]
        for name in DESTINATIONS if chosen is None else (chosen,):
            said = sum(each["commits"] for each in groups if each["destination"] == name)
            marked = _sound(lambda row, name=name: name in marks(row) - delivered(row))
            self._counts("parked list", name, said, seen, self._or_unreadable(marked) if name == "bus" else marked)
        if seen.sure(self._of(UNREADABLE)) and chosen in (None, "bus"):
            classes = {each["error_class"] for each in groups}
            if not classes & {"unreadable row", "row of a later release"}:
                self._wrong("parked list", "a row cannot be read", groups)

    def parked_show(self, runtime: SimulatedRuntime) -> None:
        """See what `relay parked show` says of one commit."""
        keys = self._checkers.parked() or self._checkers.owed()
        if not keys:
            return
        aggregate_id, last = self._draw.choice(keys)
        answer, seen = self._look(runtime, "parked", "show", aggregate_id, str(last), "--json")
        if answer is None:
            return
        states = next((states for key, states in seen.states.items() if key == (aggregate_id, last)), [None])
        if answer.code == FOUND:
            if None not in states:
                self._wrong("parked show", f"{aggregate_id} {last} is there", answer.text)
            return
        data = answer.data
        said = set(data["delivered"]), {mark["destination"] for mark in data["parked"]}
        if said not in [(delivered(row), marks(row) - delivered(row)) for row in states if row is not None]:
            self._wrong("parked show", f"{aggregate_id} {last} was {states}", data)

    def verify(self, runtime: SimulatedRuntime) -> None:
        """See whether `eventstore verify` finds what is torn, and nothing else."""
        is_hiding = self._rows.is_hiding()
        with self._rows.looking() as seen:
            answer = self._commands.eventstore(runtime, "verify", "--json")
        if seen.is_void or answer.code not in {FINE, FOUND}:
            return
        faults = [line for line in answer.lines if line["severity"] == "fault"]
        for fault in faults:
            if fault["kind"] in _MAY_PASS and is_hiding:
                continue
            if not fault["aggregate_id"].startswith(TORN):
                self._wrong("verify", "the store is sound", fault)
        named = {fault["aggregate_id"] for fault in faults}
        for key in seen.sure(self._of(self._torn.kinds.values())):
            if key[0] not in named:
                self._wrong("verify", f"{key} is torn: {self._torn.kinds[key]}", faults)
        if (answer.code == FOUND) != bool(faults):
            self._wrong("verify", f"exit code {answer.code}", faults)

    def _look(self, runtime: SimulatedRuntime, *arguments: str) -> tuple[Answer | None, Meanwhile]:
        """Run a command that looks; give no answer when it had none, or the tables were made anew."""
        with self._rows.looking() as seen:
            answer = self._commands.relay(runtime, *arguments)
        is_answer = answer.code in {FINE, FOUND} and not seen.is_void
        return answer if is_answer else None, seen

    def _of(self, kinds: Collection[str]) -> Callable[[RowKey, Row], bool]:
        return lambda key, _row: self._torn.kinds.get(key) in kinds

    def _or_unreadable(self, holds: Callable[[RowKey, Row], bool]) -> Callable[[RowKey, Row], bool]:
        """Return what counts rows that cannot be read as well: they are listed beside what is parked for the bus."""
        is_unreadable = self._of(UNREADABLE)
        return lambda key, row: holds(key, row) or is_unreadable(key, row)

    def _counts(
        self,
        command: str,
        what: str,
        said: int,
        seen: Meanwhile,
        holds: Callable[[RowKey, Row], bool],
        torn: Collection[str] | None = tuple(DEFECTIVE),
    ) -> None:
        """A number lies between what held all the time and what held at some time; rows that are torn may count."""
        least, most = len(seen.sure(holds)), len(seen.possible(holds))
        most += 0 if torn is None else len(seen.possible(self._of(torn)))
        if not least <= said <= most:
            self._wrong(command, f"{what}: {least} to {most}", said)

    def _is_paused_as_said(self, seen: Meanwhile, pause: Any) -> None:
        if (pause is None and all(seen.was_paused)) or (pause is not None and not any(seen.was_paused)):
            self._wrong("status", f"paused: {seen.was_paused}", pause)

    def _is_as_old(self, seen: Meanwhile, at_ms: int, said: float | None, in_force: frozenset[str]) -> None:
        """The oldest commit that is owed is no younger, as the table has it."""
        owed = _sound(lambda row: bool(in_force - delivered(row) - marks(row)))
        ages = [(at_ms - int(seen.states[key][0]["committedAt"]["N"])) / 1000 for key in seen.sure(owed)]  # type: ignore[index]
        if ages and (said is None or said < max(ages) - 0.001):
            self._wrong("status", f"the oldest that is owed is {max(ages)} s old", said)

    def _wrong(self, command: str, truth: str, said: object) -> None:
        self._ledger.broken(f"{command} says what is so", f"{truth}, and it says {said}")


def _any(_key: RowKey, _row: Row) -> bool:
    return True


def _sound(holds: Callable[[Row], bool]) -> Callable[[RowKey, Row], bool]:
    """Return what holds of a row that is not torn."""
    return lambda key, row: not str(key[0]).startswith(TORN) and holds(row)


def _older(until_ms: int, *, is_torn_old: bool) -> Callable[[RowKey, Row], bool]:
    """Return whether a row says that it was committed by then; one that is torn may count as old whatever it says."""

    def is_older(key: RowKey, row: Row) -> bool:
        text = row.get("committedAt", {}).get("N")
        return text is None or int(text) <= until_ms or (is_torn_old and str(key[0]).startswith(TORN))

    return is_older
