"""Those who append: with a number, to new aggregates, with ANY and EXISTS, to several at once, in bulk, with keys.

A writer that crashes is started again as another process. What it had begun under a key it repeats; what it had begun
without one may be stored or not, and it lets that be.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eventstore import ANY, EXISTS, NO_EVENTS, AggregateRef, Append, AppendResult, EventStore, NewEvent
from eventstore.errors import DecideAgainError, EventStoreError, OutcomeUnknownError, TryLaterError
from eventstore.expectation import Expectation
from tests.simulation.attempts import Attempts
from tests.simulation.chance import Chance
from tests.simulation.content import meant
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedRuntime

AGGREGATE_TYPE = "ITEM"
KINDS = ("number", "number", "new", "any", "any", "exists", "many", "bulk")
_LARGE = 2500
_LOOKS = 0.3
"""Chance that a writer reads what it has just stored."""

_CONSISTENT = 0.7
"""Chance that such a read asks for the newest events too."""


@dataclass(slots=True)
class Job:
    """One call of a writer.

    Attributes:
        kind: One of `KINDS`.
        name: Names its requests.
        aggregates: Ids of those it appends to.
        sizes: Events for each of them.
        has_key: Whether it has idempotency keys.
        padding: Bytes that each event is larger.
        large_at: Which of its events alone is too large for some brokers; None when none is.
        is_poison: The index can never take it.
        begun: How often it was begun.
        repeats: How often it is to be done again once it is done.
    """

    kind: str
    name: str
    aggregates: list[str]
    sizes: list[int]
    has_key: bool
    padding: int
    is_poison: bool
    large_at: int | None = None
    begun: int = 0
    repeats: int = 0

    def requests(self) -> list[str]:
        """Return the names of its requests, one per aggregate."""
        return [f"{self.name}.{place}" for place in range(len(self.aggregates))]


class Writer:
    """A line of jobs that outlives the processes which do them."""

    def __init__(
        self,
        name: str,
        jobs: int,
        aggregates: int,
        chance: Chance,
        ledger: Ledger,
        pauses: Sequence[float],
        attempts: Attempts,
    ) -> None:
        self.name = name
        self._pauses = pauses
        self._chance = chance
        self._ledger = ledger
        self._attempts = attempts
        self._draw = chance.stream(name)
        self._jobs_each, self._aggregates, self._generation = jobs, aggregates, 1
        self._jobs = deque(self._new_job(f"{name}-{number}", aggregates) for number in range(jobs))

    @property
    def is_done(self) -> bool:
        """Tell whether nothing is left to do."""
        return not self._jobs

    def begin_anew(self) -> None:
        """Have more to do, for another generation of the tables."""
        self._generation += 1
        names = (f"{self.name}-{self._generation}-{number}" for number in range(self._jobs_each))
        self._jobs.extend(self._new_job(name, self._aggregates) for name in names)

    def work(self, open_store: Callable[[], EventStore], runtime: SimulatedRuntime) -> None:
        """Do what is left, as one process."""
        try:
            store = open_store()
        except TryLaterError:
            return
        while self._jobs:
            job = self._jobs[0]
            if not job.begun or job.has_key:
                if not job.begun:
                    job.is_poison = self._chance.strikes("event.poison")
                    if self._chance.strikes("event.too_large"):
                        job.large_at = self._chance.stream("large at").randrange(4)
                job.begun += 1
                self._do(job, store)
            if job.repeats and job.has_key:
                job.repeats -= 1
                self._jobs.rotate(-1)
            else:
                self._jobs.popleft()
            runtime.sleep(self._draw.choice(self._pauses))

    def _new_job(self, name: str, aggregates: int) -> Job:
        draw = self._draw
        kind = draw.choice(KINDS)
        count = draw.randint(2, 3) if kind in {"many", "bulk"} else 1
        ids = [f"item-{number}" for number in draw.sample(range(aggregates), min(count, aggregates))]
        if kind == "bulk":
            ids = [draw.choice(ids) for _ in range(3)]
        if kind == "new":
            ids = [f"{ids[0]}-{draw.randint(0, 3)}"]
        sizes = [draw.choice((1, 1, 2, 4)) for _ in ids]
        has_key = draw.random() < 0.5
        return Job(
            kind,
            name,
            ids,
            sizes,
            has_key,
            draw.choice((0, 0, 300)),
            is_poison=False,
            repeats=draw.choice((0, 1, 1, 2)),
        )

    def _do(self, job: Job, store: EventStore) -> None:
        requests = job.requests()
        before = self._attempts.reached()
        try:
            for request, result in zip(requests, self._send(job, store), strict=True):
                if isinstance(result, EventStoreError):
                    self._attempts.refused(result, before)
                    self._refused(job, [request], result)
                else:
                    self._ledger.acknowledge(request, result)
                    self._attempts.answered(request, result, has_key=job.has_key)
                    self._look_again(result, store)
        except EventStoreError as error:
            self._attempts.refused(error, before)
            self._refused(job, requests, error)

    def _look_again(self, result: AppendResult, store: EventStore) -> None:
        """Read what was just stored, as a service does, through all that goes wrong."""
        if self._draw.random() >= _LOOKS:
            return
        consistent = self._draw.random() < _CONSISTENT
        try:
            numbers = [event.sequence_number for event in store.read(result.aggregate, consistent=consistent)]
        except TryLaterError:
            return
        if numbers != list(range(1, len(numbers) + 1)):
            self._ledger.broken("a read has no holes", f"{result.aggregate} reads {numbers}")
        if consistent and len(numbers) < result.version:
            self._ledger.broken("what is acknowledged is read at once", f"{result.aggregate} reads {numbers}")

    def _send(self, job: Job, store: EventStore) -> list[AppendResult | EventStoreError]:
        appends = [self._append(job, place, store) for place in range(len(job.aggregates))]
        if job.kind == "many":
            return list(store.append_many(appends))
        if job.kind == "bulk":
            outcomes = store.append_all(appends, concurrency=2)
            return [outcome.result or outcome.error or EventStoreError("neither") for outcome in outcomes]
        one = appends[0]
        return [
            store.append(
                one.aggregate, one.events, expected_version=one.expected_version, idempotency_key=one.idempotency_key
            )
        ]

    def _append(self, job: Job, place: int, store: EventStore) -> Append:
        request, size = job.requests()[place], job.sizes[place]
        aggregate = AggregateRef(AGGREGATE_TYPE, job.aggregates[place])
        extra = {"poison": True} if job.is_poison else {}
        group = len(job.aggregates) if job.kind == "many" else 1
        events = [
            NewEvent(
                data={
                    "request": request,
                    "place": number,
                    "of": size,
                    "group": group,
                    "pad": "x" * (job.padding if job.large_at is None or number != job.large_at % size else _LARGE),
                    **extra,
                },
                **meant(request, number),
            )
            for number in range(size)
        ]
        expected: int | Expectation = ANY
        if job.kind in {"number", "many"}:
            expected = store.current_version(aggregate)
        elif job.kind == "new":
            expected = NO_EVENTS
        elif job.kind == "exists":
            expected = EXISTS
        self._attempts.expect(request, expected)
        return Append(aggregate, events, expected, f"key-{request}" if job.has_key else None)

    def _refused(self, job: Job, requests: list[str], error: EventStoreError) -> None:
        if isinstance(error, OutcomeUnknownError):
            return
        if not isinstance(error, DecideAgainError | TryLaterError):
            self._ledger.broken("a writer is told what it can act upon", f"{requests}: {error!r}")
        if job.begun == 1:  # an earlier try may have been stored before its process crashed, or its reply was lost
            for request in requests:
                self._ledger.refuse(request) if not job.has_key else None
