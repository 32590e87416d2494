"""Writes down what destinations have taken: complete rows are deleted, others are noted, in batches."""

from collections.abc import Callable, Mapping, Sequence

import structlog

from eventstore.backoff import Backoff
from eventstore.errors import EventStoreError, TableMissingError, TryLaterError
from eventstore.ports import Runtime
from eventstore.rows.refused import RefusedMark
from relay import metrics
from relay.delivery.commit import OwedCommit
from relay.delivery.flow import Flow
from relay.delivery.work.settlements import Settlement
from relay.destination import BUS, Park
from relay.lifecycle import Service
from relay.metrics import SILENT, Meter
from relay.outbox.row import RowId, row_id
from relay.outbox.writer import OutboxWriter
from relay.outbox.written import Done, Foreign, Later, Written
from relay.permit import may_begin
from relay.progress import PAGE_TURN_SECONDS, Progress

SETTLERS = 2

_PAUSE = Backoff(base_seconds=0.1, cap_seconds=2.0)


class Settler(Service):
    """The parts `settle-1` and `settle-2`. Facts are written down whoever has the lease; a deletion needs one.

    Args:
        flow: What was taken.
        writer: Of the outbox; of one attempt.
        may_delete: Tells whether this worker is certain of the destinations in force: it holds a lease. Asked before
            each attempt; without it the fact is noted, and the sweep deletes the row if it is complete.
        runtime: Clock and waiting.
        meter: Told how long it takes.
        progress: Told that the parts turn.
    """

    def __init__(
        self,
        *,
        flow: Flow,
        writer: OutboxWriter,
        may_delete: Callable[[], bool],
        runtime: Runtime,
        meter: Meter = SILENT,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(runtime)
        self._flow = flow
        self._writer = writer
        self._may_delete = may_delete
        self._meter = meter
        self._progress = progress or Progress(runtime)
        self._bell = runtime.channel(SETTLERS)
        self._log = structlog.get_logger()
        flow.on_work("settler", self._ring)

    def stop(self) -> None:
        """See `Service`."""
        super().stop()
        for _ in range(SETTLERS):
            self._ring()

    def _ring(self) -> None:
        self._bell.put(True, 0)

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {name: self._runner(name) for name in (f"settle-{number + 1}" for number in range(SETTLERS))}

    def _runner(self, name: str) -> Callable[[], None]:
        def run() -> None:
            failures = 0
            while not self._stopping.is_set():
                self._progress.turned(name, PAGE_TURN_SECONDS)
                work = self._flow.settlement(may_delete=self._may_delete())
                if work.is_empty():
                    self._bell.get(max(0.001, work.wait_seconds))
                    continue
                with self._meter.timed(metrics.STAGE_SECONDS, "settle"):
                    failures = 0 if self._settle(work) else failures + 1
                if failures:
                    self._stopping.wait(_PAUSE.delay_seconds(failures, self._runtime.uniform()))
            self._progress.ended(name)

        return run

    def _settle(self, work: Settlement) -> bool:
        """Write; False when DynamoDB did not answer."""
        if work.marks:
            results = [self._park(commit, name, verdict) for commit, name, verdict in work.marks]
            return all(results)
        for commit, mark in work.refused:
            return self._mark_refused(commit, mark)
        is_deleted = self._write(work.deletions, self._writer.delete, self._deleted)
        notes = {row_id(commit.row): names for commit, names in work.notes.items()}
        is_noted = self._write(list(work.notes), lambda _: self._writer.note(notes), self._noted)
        return is_deleted and is_noted

    def _write(
        self,
        commits: Sequence[OwedCommit],
        write: Callable[[Sequence[RowId]], Mapping[RowId, Written]],
        done: Callable[[Mapping[OwedCommit, Done]], None],
    ) -> bool:
        if not commits:
            return True
        by_row = {row_id(commit.row): commit for commit in commits}
        try:
            answers = write(list(by_row))
        except EventStoreError as error:
            say = self._log.warning if isinstance(error, TryLaterError) else self._log.error
            say("settle.postponed", error=str(error))
            self._flow.unwritten(commits)
            if isinstance(error, TableMissingError):
                self._flow.void()
            return False
        done({by_row[row]: answer for row, answer in answers.items() if isinstance(answer, Done)})
        self._flow.is_foreign([by_row[row] for row, answer in answers.items() if isinstance(answer, Foreign)])
        later = {by_row[row]: answer for row, answer in answers.items() if isinstance(answer, Later)}
        if later:
            self._log.warning("settle.postponed", error=next(iter(later.values())).reason, commits=len(later))
            self._flow.unwritten(later)
        return len(later) < len(commits)

    def _deleted(self, answers: Mapping[OwedCommit, Done]) -> None:
        self._flow.deleted(answers)

    def _noted(self, answers: Mapping[OwedCommit, Done]) -> None:
        self._flow.noted({commit: answer.delivered or frozenset() for commit, answer in answers.items()})

    def _mark_refused(self, commit: OwedCommit, mark: RefusedMark) -> bool:
        """Let the row of a refused commit say so; if it is not written now, the next refusal says it."""
        try:
            answer = self._writer.mark_refused(row_id(commit.row), BUS, mark)
        except EventStoreError as error:
            self._log.warning("settle.postponed", error=str(error))
            return False
        return not isinstance(answer, Later)

    def _park(self, commit: OwedCommit, name: str, verdict: Park) -> bool:
        """Park a commit while somebody who claims it may do so; a person must look."""
        if not may_begin(self._flow.permits_of(commit)):
            self._flow.unmarked(commit, name, verdict)
            return True
        try:
            done = self._writer.park(row_id(commit.row), name, verdict)
        except EventStoreError as error:
            self._log.warning("settle.postponed", error=str(error))
            self._flow.unmarked(commit, name, verdict)
            return False
        if done is not None:
            self._log.error(
                "commit.parked",
                aggregate_id=commit.row.aggregate_id,
                last=commit.last,
                destination=name,
                reason=verdict.reason,
                error_class=verdict.error_class,
            )
        self._flow.marked(commit, name, verdict, None if done is None else done.delivered or frozenset())
        return True
