"""One destination, served by one part: pages hand commits in, and wait for the report as long as they care to."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from eventstore.backoff import Backoff
from eventstore.ports import Channel, Flag, Part, Runtime
from relay.breaker import Breaker
from relay.destination import Chain, CommitKey, Destination, Report, Retry, Trouble, TroubleKind

IDLE_SECONDS = 0.5
INBOX_MAX = 4
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
    budget_seconds: float
    ticket: Ticket


class Lane:
    """Serves one destination.

    A destination that need not keep an order has a breaker: while it is open, deliveries are refused at once, so that
    an index that is down delays nobody. The bus has none: while it is down, pages wait, which is the backpressure.
    """

    def __init__(self, destination: Destination, runtime: Runtime, budget_seconds: float) -> None:
        self._destination = destination
        self._runtime = runtime
        self._budget_seconds = budget_seconds
        self._inbox: Channel[_Job] = runtime.channel(INBOX_MAX)
        self._stop = runtime.flag()
        self._breaker = None if destination.in_order else Breaker(_COOL_OFF)
        self._trouble: Trouble | None = None
        self._part: Part | None = None
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
    def part(self) -> Part | None:
        """The part that serves it, once started."""
        return self._part

    @property
    def budget_seconds(self) -> float:
        """Longest time one delivery takes."""
        return self._budget_seconds

    def is_closed_off(self) -> bool:
        """Tell whether the breaker is open, so that handing anything over is in vain for now."""
        return self._breaker is not None and self._breaker.is_open(self._runtime.monotonic())

    def start(self) -> None:
        """Start the part that serves the destination."""
        self._part = self._runtime.spawn(f"lane-{self.name}", self._serve)

    def stop(self, timeout_seconds: float) -> bool:
        """End the part and let go of the destination's connections; False when it did not end in time."""
        self._stop.set()
        self._inbox.put(_Job((), 0.0, self._ticket(())), 0)  # wakes it up
        return self._part is None or self._part.join(timeout_seconds)

    def submit(self, chains: Sequence[Chain], timeout_seconds: float) -> Ticket | None:
        """Hand commits over; None when the lane is still full of earlier ones after that time."""
        ticket = self._ticket(tuple(row.key for chain in chains for row in chain))
        job = _Job(tuple(chains), self._budget_seconds, ticket)
        return ticket if self._inbox.put(job, timeout_seconds) else None

    def _ticket(self, keys: tuple[CommitKey, ...]) -> Ticket:
        return Ticket(keys, self._runtime.channel(1), self._runtime.flag())

    def _serve(self) -> None:
        try:
            while not self._stop.is_set():
                job = self._inbox.get(IDLE_SECONDS)
                if job is None:
                    self._destination.idle()
                elif job.chains and not job.ticket.withdrawn.is_set():
                    job.ticket.reply.put(self._deliver(job), 0)
        finally:
            self._destination.close()

    def _deliver(self, job: _Job) -> Report:
        if self.is_closed_off():
            return Report({key: Retry("breaker open") for key in job.ticket.keys}, self._trouble)
        report = self._destination.deliver(job.chains, job.budget_seconds)
        assert set(report.outcomes) == set(job.ticket.keys), "a destination reports every commit it was given"
        self._note(report.trouble)
        return report

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
