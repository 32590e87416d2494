"""Many independent appends, several at a time, in bounded memory: for imports."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
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


@dataclass(slots=True)
class _Job:
    """One append on its way.

    Attributes:
        index: Its place in the input.
        append: What was asked.
        traceparent: The caller's trace when it was read.
        outcome: What became of it.
        defect: What ended it unexpectedly.
        is_collected: Whether its worker has handed it back.
    """

    index: int
    append: Append
    traceparent: str | None
    outcome: AppendOutcome | None = None
    defect: BaseException | None = None
    is_collected: bool = False


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
    given: object = concurrency
    if isinstance(given, bool) or not isinstance(given, int) or not 1 <= given <= CONCURRENCY_MAX:
        raise InvalidInputError("concurrency", f"is {given!r}, not 1 to {CONCURRENCY_MAX}")
    return _Bulk(runtime, send, appends, concurrency, progress).outcomes()


class _Bulk:
    """One run; all its state belongs to the caller's thread, workers only see channels."""

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
        self._window = _Window(concurrency * WINDOW_PER_WORKER)
        self._todo: Channel[Any] = runtime.channel(
            self._window.size + concurrency
        )  # the jobs, and an end for each worker
        self._done: Channel[Any] = runtime.channel(self._window.size)
        self._stop: Flag = runtime.flag()

    def outcomes(self) -> Iterator[AppendOutcome]:
        """Yield the outcomes; the workers live as long as this."""
        workers = [
            self._runtime.spawn(f"append-{number}", lambda: _work(self._todo, self._done, self._stop, self._send))
            for number in range(self._concurrency)
        ]
        try:
            yield from self._conduct()
        finally:
            self._stop.set()
            for _ in workers:
                self._todo.put(_END, _POLL_SECONDS)
            for worker in workers:
                worker.join(_STOP_SECONDS)

    def _conduct(self) -> Iterator[AppendOutcome]:
        source = enumerate(self._appends)
        jobs, counted = self._window.jobs, BulkProgress()
        failure: Exception | None = None
        more = True
        while more or jobs:
            if more and len(jobs) < self._window.size:
                try:
                    self._take(*next(source))
                except StopIteration:
                    more = False
                except Exception as error:  # noqa: BLE001 - raised again when what was read before it is given back
                    failure, more = error, False
            is_full = len(jobs) >= self._window.size
            counted = self._collect(counted, wait=bool(jobs) and (is_full or not more))
            while jobs and jobs[0].is_collected:
                job = jobs.popleft()
                if job.defect is not None:
                    raise job.defect
                assert job.outcome is not None
                yield job.outcome
        if failure is not None:
            raise failure

    def _take(self, index: int, append: Append) -> None:
        job = _Job(index, append, current_traceparent())
        self._window.jobs.append(job)
        try:
            check_is_append(append, f"appends[{index}]")
        except InvalidInputError as error:
            job.outcome = AppendOutcome(index, append, None, error)
            self._done.put(job, _POLL_SECONDS)
            return
        line = self._window.lines.setdefault(_line_of(append), deque())
        line.append(job)
        if len(line) == 1:
            self._dispatch(job)

    def _dispatch(self, job: _Job) -> None:
        handed_over = self._todo.put(job, _POLL_SECONDS)
        assert handed_over, "the channel has room for the whole window"

    def _collect(self, counted: BulkProgress, *, wait: bool) -> BulkProgress:
        """Take what workers have finished, and send the next of each aggregate."""
        job = self._done.get(_POLL_SECONDS if wait else 0.0)
        while job is not None:
            job.is_collected = True
            if isinstance(job.append, Append):
                line = self._window.lines[_line_of(job.append)]
                line.popleft()
                if line:
                    self._dispatch(line[0])
                else:
                    del self._window.lines[_line_of(job.append)]
            if job.outcome is not None:
                counted = counted.after(job.outcome)
                if self._progress is not None:
                    self._progress(counted)
            job = self._done.get(0.0)
        return counted


def _line_of(append: Append) -> str:
    """Return what appends that must keep their order have in common; arguments that are not an aggregate fail later."""
    return str(getattr(append.aggregate, "id", ""))


def _work(todo: Channel[Any], done: Channel[Any], stop: Flag, send: Send) -> None:
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
        done.put(job, _POLL_SECONDS)
