"""Sends an import: several lines at a time, an aggregate's lines in their order, stopped without a loss."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from eventstore.append import bulk
from eventstore.append.bulk import AppendOutcome
from eventstore.cli.input.import_lines import FAULTS_SHOWN, Planned
from eventstore.cli.output.progress import Tell
from eventstore.errors import CorruptRowError, DecideAgainError, EventStoreError, InvalidInputError, TryLaterError
from eventstore.model import Append, AppendResult
from eventstore.ports import Flag
from eventstore.store import EventStore

REFUSED_MAX = 1_000
"""Refused lines after which an import stops: something is wrong with all of it."""


@dataclass(slots=True)
class ImportReport:
    """The outcome of the lines.

    Attributes:
        stored: Lines stored now.
        already_stored: Lines that were there already: stored by an earlier run, by another import of this name, or by
            whoever else has used their keys.
        already_at: Which ones, as ranges of line numbers; the first of them.
        events: Events of the lines stored now.
        refused: Lines that the store refused.
        faults: Why, the first of them; each names its line.
        held_back: Lines not sent since an earlier line of their aggregate was refused.
        next_line: The first line that is not decided; None when all are.
        reason: Why it stopped there.
    """

    stored: int = 0
    already_stored: int = 0
    already_at: list[tuple[int, int]] = field(default_factory=list)
    events: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    held_back: int = 0
    next_line: int | None = None
    reason: str = ""


class ImportRun:
    """One run over the lines of an input.

    Args:
        store: Where they are stored.
        stop: Ends the run after what is on its way.
        tell: Told how many lines are decided.
    """

    def __init__(self, store: EventStore, stop: Flag, tell: Tell) -> None:
        self._store = store
        self._stop = stop
        self._tell = tell
        self._refused_ids: set[str] = set()
        self._numbers: deque[int] = deque()
        self._read_to = self._before = 0
        self._held = TryLaterError("not sent, because a line before it was not stored")
        self._report = ImportReport()

    def run(self, lines: Iterator[Planned | InvalidInputError], concurrency: int) -> ImportReport:
        """Send lines and return what became of them.

        After a line that is refused no later one of its aggregate is sent, so that the order of its events stays that
        of the lines once it is fixed. Any other error stops the run.

        Raises:
            InvalidInputError: The concurrency cannot be.
        """
        report = self._report
        runtime = self._store.context.runtime
        for outcome in bulk.run(runtime, self._send, self._appends(lines), concurrency=concurrency, progress=None):
            number = self._numbers.popleft()
            self._take(number, outcome)
            self._before = number
            done = report.stored + report.already_stored + report.refused + report.held_back
            self._tell(done, f"{done:,} lines, {report.events:,} events stored")
        if report.next_line is not None and not report.reason:
            report.reason = "interrupted"
        return report

    def _appends(self, lines: Iterator[Planned | InvalidInputError]) -> Iterator[Append]:
        for line in lines:
            if isinstance(line, InvalidInputError):  # it was sound when all lines were checked
                self._leave_off(self._read_to + 1, f"the input has changed: {line}")
                return
            if self._stop.is_set():
                self._leave_off(line.number, "")
                return
            self._read_to = line.number
            self._numbers.append(line.number)
            yield line.append

    def _send(self, append: Append, _traceparent: str | None) -> AppendResult:
        """Store one line, in a thread of its own; lines of one aggregate come here one after the other."""
        if append.aggregate.id in self._refused_ids or self._stop.is_set():
            raise self._held
        try:
            return self._store.append(
                append.aggregate,
                append.events,
                expected_version=append.expected_version,
                idempotency_key=append.idempotency_key,
            )
        except (InvalidInputError, DecideAgainError, CorruptRowError):
            self._refused_ids.add(append.aggregate.id)
            raise
        except EventStoreError:
            self._stop.set()  # before the next line of this aggregate can be sent
            raise

    def _take(self, number: int, outcome: AppendOutcome) -> None:
        report, error = self._report, outcome.error
        if outcome.result is not None:
            if outcome.result.already_stored:
                report.already_stored += 1
                self._note_already(number)
                return
            report.stored += 1
            report.events += len(outcome.append.events)
        elif error is self._held:
            if outcome.append.aggregate.id in self._refused_ids:
                report.held_back += 1
            else:
                self._leave_off(number, "")
        elif isinstance(error, InvalidInputError | DecideAgainError | CorruptRowError):
            report.refused += 1
            if len(report.faults) < FAULTS_SHOWN:
                report.faults.append(f"line {number}: {error}")
            if report.refused == REFUSED_MAX:
                self._stop.set()
                report.reason = f"{REFUSED_MAX:,} lines were refused"
        else:
            self._leave_off(number, str(error))

    def _note_already(self, number: int) -> None:
        """Note a line that was there already; one right behind another makes the range longer."""
        ranges = self._report.already_at
        if ranges and ranges[-1][1] == self._before:
            ranges[-1] = (ranges[-1][0], number)
        elif len(ranges) < FAULTS_SHOWN:
            ranges.append((number, number))

    def _leave_off(self, number: int, reason: str) -> None:
        report = self._report
        report.next_line = number if report.next_line is None else min(report.next_line, number)
        report.reason = report.reason or reason
