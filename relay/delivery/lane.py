"""One destination, served by one part: pages hand over commits, and wait for the report for a bounded time."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from eventstore.backoff import Backoff
from eventstore.ports import Channel, Flag, Runtime
from relay import metrics
from relay.delivery.breaker import Breaker
from relay.destination import Chain, CommitKey, Confirmed, Destination, Report, Retry, Trouble, TroubleKind
from relay.lifecycle import Service
from relay.metrics import SILENT, Meter
from relay.permit import DeliveryDeadline, Permit
from relay.progress import Progress

IDLE_SECONDS = 0.5
INBOX_MAX = 4

TURN_MARGIN_SECONDS = 120.0
"""Seconds beyond its budget that a delivery may take to open a connection before the lane counts as hanging."""

_COOL_OFF = Backoff(base_seconds=1.0, cap_seconds=30.0)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A delivery that was handed to a lane.

    Attributes:
        keys: The commits in it.
        reply: Where the report arrives.
        withdrawn: Raised when nobody waits for the report any more; a delivery that has not begun is left out.
    """

    keys: tuple[CommitKey, ...]
    reply: Channel[Report]
    withdrawn: Flag


@dataclass(frozen=True, slots=True)
class _Job:
    chains: tuple[Chain, ...]
    permit: Permit | None
    ticket: Ticket


class Lane(Service):
    """Serves one destination. Told to stop, it ends the delivery in hand and releases the destination's connections.

    A destination that need not keep an order has a breaker: while it is open, deliveries are refused at once, so that
    an index that is down delays nobody. The bus has none: while it is down, pages wait, which is the backpressure.
    """

    def __init__(
        self,
        destination: Destination,
        runtime: Runtime,
        budget_seconds: float,
        meter: Meter = SILENT,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(runtime)
        self._destination = destination
        self._meter = meter
        self._progress = progress or Progress(runtime)
        self._budget_seconds = budget_seconds
        self._inbox: Channel[_Job] = runtime.channel(INBOX_MAX)
        self._breaker = None if destination.in_order else Breaker(_COOL_OFF)
        self._trouble: Trouble | None = None
        self._log = structlog.get_logger().bind(destination=destination.name)

    @property
    def name(self) -> str:
        """The destination's name."""
        return self._destination.name

    @property
    def trouble(self) -> Trouble | None:
        """What was wrong with the destination at the last delivery, if anything."""
        return self._trouble

    @property
    def budget_seconds(self) -> float:
        """Longest time one delivery takes."""
        return self._budget_seconds

    @property
    def has_breaker(self) -> bool:
        """Whether it is left alone for a while after trouble."""
        return self._breaker is not None

    @property
    def in_order(self) -> bool:
        """Whether the destination keeps each aggregate's order, so that pages wait for it."""
        return self._destination.in_order

    def is_breaker_open(self) -> bool:
        """Tell whether the breaker is open, so that handing anything over is pointless for now."""
        return self._breaker is not None and self._breaker.is_open(self._runtime.monotonic())

    def stop(self) -> None:
        """See `Service`."""
        super().stop()
        self._inbox.put(_Job((), None, self._ticket(())), 0)  # wakes it up

    def submit(self, chains: Sequence[Chain], permit: Permit, timeout_seconds: float) -> Ticket | None:
        """Hand commits over; None when the lane is still full of earlier ones after that time.

        The permit is looked at when the delivery begins, and while it goes on.
        """
        ticket = self._ticket(tuple(row.key for chain in chains for row in chain))
        job = _Job(tuple(chains), permit, ticket)
        return ticket if self._inbox.put(job, timeout_seconds) else None

    def _ticket(self, keys: tuple[CommitKey, ...]) -> Ticket:
        return Ticket(keys, self._runtime.channel(1), self._runtime.flag())

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {f"lane-{self.name}": self._serve}

    def _serve(self) -> None:
        try:
            while not self._stopping.is_set():
                self._progress.turned(f"lane-{self.name}", self._budget_seconds + TURN_MARGIN_SECONDS)
                self._turn()
        finally:
            self._progress.ended(f"lane-{self.name}")
            self._destination.close()

    def _turn(self) -> None:
        """Serve one job, or the connection; nothing of the job is kept while the next one is waited for."""
        job = self._inbox.get(IDLE_SECONDS)
        if job is None:
            self._destination.idle()
        elif job.chains and not job.ticket.withdrawn.is_set():
            report = self._deliver(job)
            self._measure(job, report)
            job.ticket.reply.put(report, 0)

    def _deliver(self, job: _Job) -> Report:
        if self.is_breaker_open():
            return Report({key: Retry("breaker_open") for key in job.ticket.keys}, self._trouble)
        deadline = DeliveryDeadline(self._runtime, self._budget_seconds, job.permit)
        if deadline.is_permit_expired():  # the lease went while the delivery waited for its turn
            return Report({key: Retry("permit_expired") for key in job.ticket.keys})
        report = self._destination.deliver(job.chains, deadline)
        assert set(report.outcomes) == set(job.ticket.keys), "a destination reports every commit it was given"
        self._note(report.trouble)
        return report

    def _measure(self, job: _Job, report: Report) -> None:
        now_ms = self._runtime.now_ms()
        counts: Counter[str] = Counter()
        for row in (row for chain in job.chains for row in chain):
            outcome = report.outcomes[row.key]
            counts[type(outcome).__name__.lower()] += 1
            if isinstance(outcome, Retry):
                self._meter.count(metrics.RETRIES, self.name, outcome.reason)
            elif isinstance(outcome, Confirmed):
                self._meter.observe(metrics.COMMIT_TO_CONFIRM, max(0, now_ms - row.committed_at_ms) / 1000, self.name)
        for outcome_name, count in counts.items():
            self._meter.count(metrics.DELIVERED, self.name, outcome_name, amount=count)

    def _note(self, trouble: Trouble | None) -> None:
        now = self._runtime.monotonic()
        if self._breaker is not None:
            self._breaker = self._breaker.failed(now) if trouble else self._breaker.succeeded()
        if trouble is not None and (self._trouble is None or trouble.kind is not self._trouble.kind):
            # A misconfigured destination does not heal: a person must act, which is what an error means.
            say = self._log.error if trouble.kind is TroubleKind.MISCONFIGURED else self._log.warning
            say("destination.troubled", kind=trouble.kind.value, reason=trouble.reason)
        if trouble is None and self._trouble is not None:
            self._log.info("destination.recovered", after=self._trouble.reason)
        self._trouble = trouble
