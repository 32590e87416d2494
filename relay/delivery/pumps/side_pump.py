"""Carries commits to one destination beside the bus, in batches; while its breaker is open, nothing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from eventstore.backoff import Backoff
from eventstore.ports import Runtime
from relay import metrics
from relay.delivery.commit import OwedCommit
from relay.delivery.flow import Flow
from relay.delivery.pumps.breaker import Breaker
from relay.delivery.pumps.pump import Pump
from relay.destination import Concerned, Confirmed, Destination, Park, Report, Retry, Trouble, TroubleKind
from relay.metrics import SILENT, Meter
from relay.permit import AnyOfEach, DeliveryDeadline, Permit, may_begin
from relay.progress import Progress

IDLE_SECONDS = 0.5
BATCH_COMMITS_MAX = 1_000

LOOK_SECONDS = 2.0
"""After trouble, a destination that has nothing to take is asked so often how it is."""

LOOK_SECONDS_MAX = 5.0
"""Longest such question."""

TURN_MARGIN_SECONDS = 120.0
"""Seconds beyond its budget that a delivery may take to open a connection before the part counts as hanging."""

_COOL_OFF = Backoff(base_seconds=1.0, cap_seconds=30.0)
FAILED = "failed"


class SidePump(Pump):
    """The part of one side.

    Args:
        destination: It, used by this part alone.
        flow: Where its commits wait.
        runtime: Clock and waiting.
        budget_seconds: Longest delivery.
        meter: Told what became of commits.
        progress: Told that the part turns.
    """

    def __init__(
        self,
        destination: Destination,
        flow: Flow,
        runtime: Runtime,
        budget_seconds: float,
        meter: Meter = SILENT,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(destination.name, runtime, meter, progress)
        self._destination = destination
        self._flow = flow
        self._budget_seconds = budget_seconds
        self._breaker = Breaker(_COOL_OFF)
        self._look_at = 0.0
        self._is_away = False
        flow.on_work(destination.name, self.ring)

    @property
    def in_order(self) -> bool:
        """Whether the destination keeps each aggregate's order: a side does not."""
        return False

    @property
    def has_breaker(self) -> bool:
        """Whether it is left alone for a while after trouble: a side is."""
        return True

    def is_breaker_open(self) -> bool:
        """Tell whether it is left alone for now."""
        return self._breaker.is_open(self._runtime.monotonic())

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {f"side-{self.name}": self._serve}

    def _serve(self) -> None:
        part = f"side-{self.name}"
        try:
            while not self._stopping.is_set():
                self._progress.turned(part, self._budget_seconds + TURN_MARGIN_SECONDS)
                self._turn()
        finally:
            self._progress.ended(part)
            self._flow.close_side(self.name)
            self._destination.close()

    def _turn(self) -> None:
        if self.is_breaker_open():
            self._look()
            self._bell.get(IDLE_SECONDS)
            return
        self._flow.open_side(self.name)
        taken = self._flow.take_for_side(self.name, BATCH_COMMITS_MAX)
        if not taken:
            self._look()
            self._look_after()
            self._bell.get(IDLE_SECONDS)
            return
        allowed = [(commit, permits) for commit, permits in taken if may_begin(permits)]
        commits = [commit for commit, _ in allowed]
        held = {commit for commit, _ in taken}.difference(commits)
        if not commits:
            self._flow.side_answered(self.name, unsent=held)
            return
        permit = AnyOfEach(list(dict.fromkeys(permits for _, permits in allowed)))
        self._answer(commits, self._deliver(commits, permit), held)
        if not self._breaker.failures:
            self._look_after()  # a side that is never idle has its concerns, too

    def _look_after(self) -> None:
        if isinstance(self._destination, Concerned):
            self._destination.idle()
        if not self._breaker.failures:
            self._note(self._concern)  # else what is known of the last delivery stays, until one is taken

    def _look(self) -> None:
        """After trouble, ask how the destination is: it may be long until somebody has something for it."""
        now = self._runtime.monotonic()
        if self._trouble is None or self._trouble == self._concern or now < self._look_at:
            return
        try:
            report = self._destination.look(min(self._budget_seconds, LOOK_SECONDS_MAX))
        except Exception as error:  # noqa: BLE001 - as in a delivery
            self._log.exception("destination.failed", kind=type(error).__name__)
            report = None
        self._look_at = self._runtime.monotonic() + LOOK_SECONDS
        if report is None:
            return
        if report.trouble is not None:
            self._is_away = True
            if report.trouble.kind is not self._trouble.kind:
                self._note(report.trouble)
        elif self._is_away or not self.is_breaker_open():
            # One that answers such questions all the time may be too slow for a delivery: its breaker stays open.
            self._breaker, self._is_away = self._breaker.succeeded(), False
            self._note(self._concern)

    def _deliver(self, commits: Sequence[OwedCommit], permit: Permit) -> Report:
        deadline = DeliveryDeadline(self._runtime, self._budget_seconds, permit)
        rows = [commit.row for commit in commits]
        try:
            with self._meter.timed(metrics.STAGE_SECONDS, self.name):
                report = self._destination.deliver(rows, deadline)
        except Exception as error:  # noqa: BLE001 - whatever a client does, it is this destination's outage
            self._log.exception("destination.failed", kind=type(error).__name__)
            reason = f"delivering failed unexpectedly: {error!r}; see destination.failed in the log"
            report = Report({row.key: Retry(FAILED) for row in rows}, Trouble(TroubleKind.OUTAGE, reason))
        assert set(report.outcomes) == {row.key for row in rows}, "a destination reports every commit it was given"
        return report

    def _answer(self, commits: Sequence[OwedCommit], report: Report, held: set[OwedCommit]) -> None:
        taken, parked, left = [], [], []
        for commit in commits:
            outcome = report.outcomes[commit.key]
            if isinstance(outcome, Confirmed):
                taken.append(commit)
            elif isinstance(outcome, Park):
                parked.append((commit, outcome))
            else:
                left.append(commit)
        self._measure(commits, report)
        now = self._runtime.monotonic()
        self._breaker = self._breaker.failed(now) if report.trouble else self._breaker.succeeded()
        self._note(report.trouble or self._concern)
        self._look_at, self._is_away = self._runtime.monotonic() + LOOK_SECONDS, False
        if report.trouble:
            self._flow.close_side(self.name)
        self._flow.side_answered(self.name, taken=taken, parked=parked, left=left, unsent=held)

    @property
    def _concern(self) -> Trouble | None:
        return self._destination.concern if isinstance(self._destination, Concerned) else None

    def _measure(self, commits: Sequence[OwedCommit], report: Report) -> None:
        now_ms = self._runtime.now_ms()
        counts: Counter[str] = Counter()
        for commit in commits:
            outcome = report.outcomes[commit.key]
            counts[type(outcome).__name__.lower()] += 1
            if isinstance(outcome, Retry):
                self._meter.count(metrics.RETRIES, self.name, outcome.reason)
            elif isinstance(outcome, Confirmed):
                delay = max(0, now_ms - commit.row.committed_at_ms) / 1000
                self._meter.observe(metrics.COMMIT_TO_CONFIRM, delay, self.name)
        for path, count in report.unpromoted.items():
            self._meter.count(metrics.NOT_PROMOTED, path, amount=count)
        for outcome_name, count in counts.items():
            self._meter.count(metrics.DELIVERED, self.name, outcome_name, amount=count)
