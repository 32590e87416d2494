"""Keeps the sweep going while this worker holds its lease: one worker of the fleet sweeps at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from eventstore.errors import EventStoreError, TableMissingError, TryLaterError
from eventstore.ports import Runtime
from relay.leases.fleet import SWEEP_KEY
from relay.leases.held import HeldLease
from relay.leases.keeper import Keeper
from relay.leases.worker_report import SweepReport
from relay.lifecycle import Service
from relay.outbox.debt import Survey
from relay.permit import Permit
from relay.progress import PAGE_TURN_SECONDS, Progress
from relay.sweep.sweep import Sweep, SweepSettings, WalkResult

_TICK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LastWalk:
    """What a complete walk saw.

    Attributes:
        survey: Of all rows.
        at: When the walk ended, by the monotonic clock.
    """

    survey: Survey
    at: float


class Sweeper(Service):
    """The part `sweep`. Told to stop, it finishes the page in hand and releases its lease."""

    def __init__(
        self,
        *,
        sweep: Sweep,
        keeper: Keeper,
        runtime: Runtime,
        settings: SweepSettings,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(runtime)
        self._sweep = sweep
        self._keeper = keeper
        self._settings = settings
        self._progress = progress or Progress(runtime)
        self._report: SweepReport | None = None
        self._seen: LastWalk | None = None
        self._cut_off = 0
        self._log = structlog.get_logger().bind(source="sweep")

    @property
    def report(self) -> SweepReport | None:
        """What the last walk found, while this worker holds the lease."""
        return self._report

    @property
    def seen(self) -> LastWalk | None:
        """What the last complete walk saw, while this worker holds the lease."""
        return self._seen

    @property
    def cut_off(self) -> int:
        """How many commits it had begun and could not finish when it was told to stop: their events are sent again."""
        return self._cut_off

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {"sweep": self._run}

    def _run(self) -> None:
        """Sweep whenever this worker holds the lease, until told to stop; then release it."""
        while not self._stopping.is_set():
            self._turned()
            held = self._keeper.held().get(SWEEP_KEY)
            if held is None or held.is_fenced():
                self._stopping.wait(_TICK_SECONDS)
                continue
            self._log.info("sweep.started", term=held.term)
            permit = held.permit(self._stopping, self._keeper)
            self._sweep.begin(permit)
            try:
                self._carry(held, permit)
            finally:
                cut_off = self._sweep.end()
                self._cut_off = cut_off if self._stopping.is_set() else 0
                self._report = None
                self._seen = None
            self._log.info("sweep.ended", term=held.term)
            self._keeper.release(held, to=held.wanted_by)

    def _carry(self, held: HeldLease, permit: Permit) -> None:
        """Walk until the lease ends, another worker asks for it, or the relay stops."""
        failures = 0
        while not (self._stopping.is_set() or held.is_fenced() or held.is_wanted()):
            if self._keeper.is_paused():
                self._turned()
                self._stopping.wait(_TICK_SECONDS)
                continue
            try:
                result = self._sweep.walk(permit, turned=self._turned)
            except TryLaterError as error:
                failures += 1
                self._log.warning("sweep.retried", error=str(error), failures=failures)
                permit.wait(self._settings.retry.delay_seconds(failures, self._runtime.uniform()))
                continue
            except EventStoreError as error:
                self._log.error("sweep.failed", error=str(error))
                if isinstance(error, TableMissingError):
                    self._sweep.void()
                permit.wait(self._settings.retry.cap_seconds)
                continue
            failures = 0
            self._note(result)
            if not result.settled:
                self._rest(permit)

    def _note(self, result: WalkResult) -> None:
        if result.taken:
            self._log.info("sweep.walked", seen=result.seen, taken=result.taken, settled=result.settled)
        if result.complete:
            self._seen = LastWalk(result.survey, self._runtime.monotonic())
            self._report = SweepReport(self._runtime.now_ms(), result.seen, dict(result.lacked), result.settled)

    def _rest(self, permit: Permit) -> None:
        """Wait for the next walk."""
        deadline = self._runtime.monotonic() + self._settings.interval_seconds
        while not permit.wait(min(1.0, self._settings.interval_seconds)):
            self._turned()
            if self._runtime.monotonic() >= deadline:
                return

    def _turned(self) -> None:
        self._progress.turned("sweep", PAGE_TURN_SECONDS)
