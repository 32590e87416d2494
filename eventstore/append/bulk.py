"""Many independent appends, several at a time, in bounded memory: for imports."""

import contextlib
import contextvars
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from eventstore.errors import EventStoreError, InvalidInputError
from eventstore.event_metadata import current_traceparent
from eventstore.model import Append, AppendResult
from eventstore.ports import Channel, Flag, Runtime
from eventstore.validation import check_is_append

CONCURRENCY_MAX = 64
WINDOW_PER_WORKER = 4
"""Appends read ahead for each worker: enough that a slow one does not idle the others, few enough to stay small."""

_POLL_SECONDS = 0.5
_STOP_SECONDS = 120.0
"""Longer than an append may take by default; the requests on their way are waited for."""

_END = object()

Send = Callable[[Append, str | None], AppendResult]
"""Carries one append out, in the trace that is given."""


@dataclass(frozen=True, slots=True)
class AppendOutcome:
    """The outcome of one of many appends.

    Attributes:
        index: Its place in the input, from 0.
        append: What was asked.
        result: What was stored; None when it was refused.
        error: Why it was refused; None when it is stored.
    """

    index: int
    append: Append
    result: AppendResult | None
    error: EventStoreError | None


@dataclass(frozen=True, slots=True)
class BulkProgress:
    """The progress of many appends.

    Attributes:
        done: Appends that are decided.
        stored: Those that are stored, repeats included.
        failed: Those that were refused.
        events: Events of those that are stored.
    """

    done: int = 0
    stored: int = 0
    failed: int = 0
    events: int = 0

    def after(self, outcome: AppendOutcome) -> "BulkProgress":
        """Return the progress with one more outcome."""
        result = outcome.result
        events = 0 if result is None else result.version - result.first_sequence + 1
        return BulkProgress(
            self.done + 1,
            self.stored + (result is not None),
            self.failed + (result is None),
            self.events + events,
        )


OnBulkProgress = Callable[[BulkProgress], None]
"""Told after each outcome how far `append_all` has come."""


@dataclass(slots=True)
class _Job:
    """One append on its way.

    Attributes:
        index: Its place in the input.
        append: What was asked.
        traceparent: The trace in which it was read.
        outcome: What became of it.
        defect: What ended it unexpectedly.
        is_decided: Whether that was collected: until then its worker may still be at it.
    """

    index: int
    append: Append
    traceparent: str | None
    outcome: AppendOutcome | None = None
    defect: BaseException | None = None
    is_decided: bool = False


@dataclass(frozen=True, slots=True)
class _InputEnd:
    """The input is used up, or has failed."""

    failure: BaseException | None


@dataclass(slots=True)
class _Window:
    """What was read and not yet returned.

    Attributes:
        size: Jobs it may hold.
        jobs: In input order.
        lines: Jobs by aggregate, the first of each under way: so appends of one aggregate keep their order.
    """

    size: int
    jobs: deque[_Job] = field(default_factory=deque)
    lines: dict[str, deque[_Job]] = field(default_factory=dict)


def run(
    runtime: Runtime,
    send: Send,
    appends: Iterable[Append],
    *,
    concurrency: int,
    progress: OnBulkProgress | None,
) -> Iterator[AppendOutcome]:
    """Return the outcomes of appends in input order; see `EventStore.append_all`.

    Raises:
        InvalidInputError: At once, for a concurrency that cannot be.
    """
    bulk = _Bulk(runtime, send, appends, _checked(concurrency), progress)
    return _without_pauses(bulk.outcomes())


def run_with_pauses(
    runtime: Runtime,
    send: Send,
    appends: Iterable[Append],
    *,
    concurrency: int,
    progress: OnBulkProgress | None,
) -> Iterator[AppendOutcome | None]:
    """Return the same, with None wherever the next outcome has to be waited for, at least twice a second.

    Raises:
        InvalidInputError: At once, for a concurrency that cannot be.
    """
    return _Bulk(runtime, send, appends, _checked(concurrency), progress).outcomes()


def _without_pauses(outcomes: Generator[AppendOutcome | None, None, None]) -> Iterator[AppendOutcome]:
    with contextlib.closing(outcomes):
        for outcome in outcomes:
            if outcome is not None:
                yield outcome


def _checked(concurrency: object) -> int:
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or not 1 <= concurrency <= CONCURRENCY_MAX:
        raise InvalidInputError("concurrency", f"is {concurrency!r}, not 1 to {CONCURRENCY_MAX}")
    return concurrency


class _Bulk:
    """One run; all its state belongs to the caller's thread, reader and workers only see channels."""

    def __init__(
        self,
        runtime: Runtime,
        send: Send,
        appends: Iterable[Append],
        concurrency: int,
        progress: OnBulkProgress | None,
    ) -> None:
        self._runtime = runtime
        self._send = send
        self._appends = appends
        self._concurrency = concurrency
        self._progress = progress
        self._counted = BulkProgress()
        self._end: _InputEnd | None = None
        self._defect: BaseException | None = None
        self._window = _Window(concurrency * WINDOW_PER_WORKER)
        size = self._window.size
        self._room: Channel[Any] = runtime.channel(size)  # a permit for each append that may be read
        self._todo: Channel[Any] = runtime.channel(size + concurrency)  # the jobs, and an end for each worker
        self._news: Channel[Any] = runtime.channel(
            2 * size + 1
        )  # each job twice: read and decided; and the input's end
        self._stop: Flag = runtime.flag()

    def outcomes(self) -> Generator[AppendOutcome | None, None, None]:
        """Yield the outcomes, and None before each wait; the threads live as long as this."""
        context, traceparent = contextvars.copy_context(), current_traceparent()
        reader = self._runtime.spawn("append-input", lambda: context.run(self._read, traceparent))
        workers = [
            self._runtime.spawn(f"append-{number}", lambda: _work(self._todo, self._news, self._stop, self._send))
            for number in range(self._concurrency)
        ]
        for _ in range(self._window.size):
            self._room.put(True, _POLL_SECONDS)
        try:
            yield from self._conduct()
        finally:
            self._stop.set()
            self._room.put(True, 0.0)
            for _ in workers:
                self._todo.put(_END, _POLL_SECONDS)
            for worker in workers:
                worker.join(_STOP_SECONDS)
            reader.join(_POLL_SECONDS)  # an input that gives nothing is not waited for: what it gives is not sent

    def _read(self, traceparent: str | None) -> None:
        """Read the input in a thread of its own: it may wait for its next append while outcomes are given back.

        Each append is of the span in which the input gave it; by default that is the caller's.
        """
        end = _InputEnd(None)
        try:
            source = enumerate(self._appends)
            while not self._stop.is_set():
                if self._room.get(_POLL_SECONDS) is None:
                    continue
                following = next(source, None)
                if following is None or self._stop.is_set():
                    break
                self._news.put(_Job(*following, current_traceparent() or traceparent), _POLL_SECONDS)
        except BaseException as failure:  # noqa: BLE001 - raised in the caller's thread, behind what was read before it
            end = _InputEnd(failure)
        self._news.put(end, _POLL_SECONDS)

    def _conduct(self) -> Iterator[AppendOutcome | None]:
        jobs = self._window.jobs
        while self._end is None or jobs:
            self._collect(0.0)
            while jobs and jobs[0].is_decided:
                job = jobs.popleft()
                self._room.put(True, 0.0)
                if job.outcome is not None:
                    yield job.outcome
                self._collect(0.0)
            if self._defect is not None and not self._window.lines:
                break  # what was on its way has ended, and nothing more is sent
            if self._end is None or jobs:
                yield None
                self._collect(_POLL_SECONDS)
        yield from (job.outcome for job in jobs if job.outcome is not None)
        failure = self._defect or (None if self._end is None else self._end.failure)
        if failure is not None:
            raise failure

    def _collect(self, timeout_seconds: float) -> None:
        """Take what the reader has read and workers have finished."""
        news = self._news.get(timeout_seconds)
        while news is not None:
            if isinstance(news, _InputEnd):
                self._end = news
            elif news.outcome is not None or news.defect is not None:
                self._finish(news)
            elif self._defect is None:
                self._begin(news)
            news = self._news.get(0.0)

    def _begin(self, job: _Job) -> None:
        """Send what was read, or have it wait for the one before it."""
        self._window.jobs.append(job)
        try:
            check_is_append(job.append, f"appends[{job.index}]")
        except InvalidInputError as error:
            job.outcome, job.is_decided = AppendOutcome(job.index, job.append, None, error), True
            self._count(job.outcome)
            return
        line = self._window.lines.setdefault(_line_of(job), deque())
        line.append(job)
        if len(line) == 1:
            self._dispatch(job)

    def _finish(self, job: _Job) -> None:
        """Take what a worker has done, and send the next of its aggregate, unless a defect ends the run."""
        job.is_decided = True
        name = _line_of(job)
        line = self._window.lines[name]
        line.popleft()
        self._defect = self._defect or job.defect
        if line and self._defect is None:
            self._dispatch(line[0])
        else:
            del self._window.lines[name]
        if job.outcome is not None:
            self._count(job.outcome)

    def _dispatch(self, job: _Job) -> None:
        handed_over = self._todo.put(job, _POLL_SECONDS)
        assert handed_over, "the channel has room for the whole window"

    def _count(self, outcome: AppendOutcome) -> None:
        self._counted = self._counted.after(outcome)
        if self._progress is not None:
            self._progress(self._counted)


def _line_of(job: _Job) -> str:
    """Return what appends that must keep their order have in common; what names no aggregate is refused, alone."""
    aggregate_id = getattr(job.append.aggregate, "id", None)
    return f"id {aggregate_id}" if isinstance(aggregate_id, str) else f"index {job.index}"


def _work(todo: Channel[Any], news: Channel[Any], stop: Flag, send: Send) -> None:
    while True:  # until the end is put, or the flag is raised
        job = todo.get(_POLL_SECONDS)
        if stop.is_set() or job is _END:
            return
        if job is None:
            continue
        try:
            result = send(job.append, job.traceparent)
            job.outcome = AppendOutcome(job.index, job.append, result, None)
        except EventStoreError as error:
            job.outcome = AppendOutcome(job.index, job.append, None, error)
        except BaseException as defect:  # noqa: BLE001 - raised in the caller's thread
            job.defect = defect
        news.put(job, _POLL_SECONDS)
