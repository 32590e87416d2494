"""Those who import: the same lines, stopped, crashed and resumed, until each of them is stored, once."""

import io
import json
from typing import Any

from eventstore import EventStore
from eventstore.cli.import_run import ImportReport, ImportRun
from eventstore.cli.input import import_lines
from eventstore.errors import InvalidInputError
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.requests import new_events
from tests.simulation.visitors import Surroundings, Visitor
from tests.simulation.writers import AGGREGATE_TYPE

LINES = (6, 12, 20)


class Importer(Visitor):
    """Imports one input, in as many runs as it takes."""

    writes = True

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        draw = self._draw
        self._lines = [self._line(number) for number in range(1, draw.choice(LINES) + 1)]
        self._from_line = 1

    def begin_anew(self) -> None:
        """Import the same lines into other tables; those that a restore has brought back are there already."""
        super().begin_anew()
        self._from_line = 1

    def _line(self, number: int) -> dict[str, Any]:
        """Return a line; some aggregates are its import's own, so that it can say what it expects."""
        draw = self._draw
        own = draw.random() < 0.5
        most = self._around.settings.aggregates
        aggregate_id = f"{self.name}-{draw.randint(0, 1)}" if own else f"item-{draw.randrange(most)}"
        events = new_events(f"{self.name}.{number}", draw.choice((1, 1, 2, 3)))
        line: dict[str, Any] = {
            "aggregate_type": AGGREGATE_TYPE,
            "aggregate_id": aggregate_id,
            "events": [
                {
                    "type": event.type,
                    "data": dict(event.data),
                    "metadata": dict(event.metadata),
                    "schema_version": event.schema_version,
                    **({} if event.timestamp_ms is None else {"timestamp_ms": event.timestamp_ms}),
                }
                for event in events
            ],
        }
        return line

    def _visit(self, store: EventStore, runtime: SimulatedRuntime) -> None:
        self._left += 1  # it ends with its last line
        source = io.BytesIO("".join(f"{json.dumps(line)}\n" for line in self._lines).encode())
        checked = import_lines.check(source, self.name, lambda *_: None)
        if checked.bad or checked.lines != len(self._lines):
            self._ledger.broken("sound lines are fine", f"{checked}")
        source.seek(0)
        stop = runtime.flag()
        most = self._draw.choice((1, 3, 1_000, 1_000))

        def tell(done: int, _words: str) -> None:
            if done >= most:  # the operator has lost patience
                stop.set_quietly()

        before = {request for request in self._requests() if request in self._ledger.stored}
        planned = import_lines.plan(source, self.name)
        wanted = (line for line in planned if isinstance(line, InvalidInputError) or line.number >= self._from_line)
        report = ImportRun(store, stop, tell).run(wanted, self._draw.choice((1, 2)))
        self._check(report, before)
        if report.next_line is None:
            self._left = 0
        elif self._draw.random() < 0.5:
            self._from_line = report.next_line

    def _requests(self) -> list[str]:
        return [f"{self.name}.{number}" for number in range(1, len(self._lines) + 1)]

    def _check(self, report: ImportReport, before: set[str]) -> None:
        """Check that all below the line where it stopped are stored, in order, and that its counts are true."""
        decided = len(self._lines) if report.next_line is None else report.next_line - 1
        missing = [request for request in self._requests()[:decided] if request not in self._ledger.stored]
        if missing:
            self._ledger.broken("an import leaves out no line", f"{missing} before line {report.next_line}")
        if report.refused or report.held_back:
            self._ledger.broken("sound lines are stored", f"{report}")
        stored = {request for request in self._requests() if request in self._ledger.stored}
        if report.stored > len(stored - before):
            self._ledger.broken("an import counts what it has stored", f"{report}, stored: {len(stored - before)}")
        if report.next_line is None and report.stored + report.already_stored != len(self._lines) - self._from_line + 1:
            self._ledger.broken("an import counts what it has stored", f"{report} of {len(self._lines)}")

    def check(self) -> None:
        """Look whether the lines of one aggregate were stored in their order."""
        last: dict[str, int] = {}
        for request in self._requests():
            if request not in self._ledger.stored:
                self._ledger.broken("an import leaves out no line", request)
            aggregate_id, number = self._ledger.stored[request]
            if number <= last.get(aggregate_id, 0):
                self._ledger.broken("an import keeps the order of its lines", f"{request} as {aggregate_id} {number}")
            last[aggregate_id] = number
