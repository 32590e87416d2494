"""The main job: append, carry, consume, search; then have the outcome checked from outside."""

from collections.abc import Sequence
from dataclasses import dataclass

from eventstore.ports import Part, Runtime
from eventstore.store import EventStore
from relay.demo import truth
from relay.demo.delays import Delays
from relay.demo.planned import PlannedCommit
from relay.demo.world import World
from relay.testing.checker import Acknowledged, CheckVerdict, DeliveryChecker, Promise, WrittenCommit
from relay.testing.received import FoundEvent

STALL_SECONDS = 90.0
"""Seconds without progress until the demo stops waiting and reports what is missing. Above the sweep's first age."""

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 1.0
_ABORT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The outcome of a demo, counted by the consumer and by reading the index and the tables.

    Attributes:
        verdict: What a checker says of everything that was written, stored, sent and indexed, its content included.
        stack: `embedded` or `real`.
        input: Where the commits came from.
        commits: Distinct commits in the history.
        events: Events in the history.
        published: Messages the consumer received, repeats included.
        distinct_published: Events the consumer received.
        indexed: Events in the index.
        duplicates: Messages that the consumer had received before.
        missing: Events of the history that the consumer did not receive, plus those that are not in the index.
        order_breaks: First deliveries below a number of the same aggregate that had come before.
        outbox_left: Rows in the outbox at the end.
        seconds: From the first append until everything had arrived.
        delay_p50_ms: Median time from append to consumer.
        delay_p99_ms: 99th percentile of it.
    """

    verdict: CheckVerdict
    stack: str
    input: str
    commits: int
    events: int
    published: int
    distinct_published: int
    indexed: int
    duplicates: int
    missing: int
    order_breaks: int
    outbox_left: int
    seconds: float
    delay_p50_ms: int | None
    delay_p99_ms: int | None

    @property
    def is_clean(self) -> bool:
        """Nothing is missing, out of order, owed, made up, or other than it was written."""
        return self.verdict.is_clean


@dataclass(slots=True)
class DemoProgress:
    """How far a running demo is; written by the demo, read by the display.

    Attributes:
        planned: Commits to append.
        appended: Commits appended so far.
        events: Events in them.
        received: Distinct events the consumer received so far.
        indexed: Events in the index so far.
    """

    planned: int
    appended: int = 0
    events: int = 0
    received: int = 0
    indexed: int = 0


class MainJob:
    """One run of the main job."""

    def __init__(self, world: World, planned: Sequence[PlannedCommit], source: str, runtime: Runtime) -> None:
        self._world = world
        self._planned = planned
        self._source = source
        self._runtime = runtime
        self._checker = DeliveryChecker(prefix=world.prefix)
        self._delays = Delays()
        self._done = runtime.flag()
        self._parts: tuple[Part, ...] = ()
        self.progress = DemoProgress(len(planned))

    def run(self) -> tuple[Figures, list[FoundEvent]]:
        """Run it and return its figures, and the answer to a search.

        Raises:
            RelayFailedError: The relay ended before its time.
            EventStoreError: A server is out of reach, or refused.
        """
        self._world.start_relay()
        started = self._runtime.monotonic()
        consumer = self._runtime.spawn("consumer", self._consume)
        writer = self._runtime.spawn("writer", self._write)
        self._parts = (writer, consumer)
        while not writer.join(_POLL_SECONDS):
            self._world.check_relay()
        if writer.failure is not None:
            raise writer.failure
        self._wait_until_arrived()
        seconds = self._runtime.monotonic() - started
        self._world.stop_relay()
        self._done.set()
        consumer.join(STALL_SECONDS)
        if consumer.failure is not None:
            raise consumer.failure
        return self._count(seconds)

    def abort(self) -> None:
        """End early: nothing uses the world any more when this returns, unless a server does not answer."""
        self._done.set()
        for part in self._parts:
            part.join(_ABORT_SECONDS)

    def _write(self) -> None:
        """Append everything; a version is known from the append before it, so nothing is read."""
        store = EventStore.open(self._world.client, self._world.tables, runtime=self._runtime)
        versions: dict[str, int] = {}
        for commit in self._planned:
            if self._done.is_set():
                return
            aggregate = commit.aggregate
            expected = versions.get(aggregate.id, 0)
            done = store.append(aggregate, commit.events, expected_version=expected)
            versions[aggregate.id] = done.version
            told = Acknowledged(done.commit_id, done.first_sequence, done.version)
            self._checker.written(WrittenCommit(aggregate.id, aggregate.type, commit.events, told))
            self.progress.appended += 1
            self.progress.events += len(commit.events)

    def _consume(self) -> None:
        """Take messages until the relay has stopped and nothing more comes."""
        while True:  # ends with the queue's end after the relay's
            done = self._done.is_set()
            messages = self._world.consumer.receive(_LOOK_SECONDS)
            for message in messages:
                if not self._checker.has_come(message.message_id):
                    self._delays.take(message)
                self._checker.came(message)
            self.progress.received = self._checker.distinct
            if done and not messages:
                return

    def _wait_until_arrived(self) -> None:
        """Wait until consumer, index and outbox agree, or until nothing moves any more."""
        before: tuple[int, int, int] | None = None
        moved_at = self._runtime.monotonic()
        while self._runtime.monotonic() - moved_at < STALL_SECONDS and not self._done.is_set():
            self._world.check_relay()
            self._world.index.refresh()
            self.progress.indexed = self._world.index.count()
            left = sum(1 for _ in truth.owed(self._world.client, self._world.tables, self._runtime))
            now = (self.progress.received, self.progress.indexed, left)
            if now == (self.progress.events, self.progress.events, 0):
                return
            if now != before:
                before, moved_at = now, self._runtime.monotonic()
            self._runtime.sleep(_POLL_SECONDS)

    def _count(self, seconds: float) -> tuple[Figures, list[FoundEvent]]:
        world = self._world
        world.index.refresh()
        for document in world.index.documents():
            self._checker.indexed(document)
        for aggregate_id, last in truth.owed(world.client, world.tables, self._runtime):
            self._checker.owed(aggregate_id, last)
        verdict = self._checker.verdict(truth.event_rows(world.client, world.tables, self._runtime))
        figures = Figures(
            verdict=verdict,
            stack=world.name,
            input=self._source,
            commits=verdict.commits,
            events=verdict.events,
            published=verdict.messages,
            distinct_published=verdict.distinct,
            indexed=verdict.documents,
            duplicates=verdict.repeats,
            missing=verdict.count(Promise.SENT, Promise.INDEXED),
            order_breaks=verdict.count(Promise.IN_ORDER),
            outbox_left=verdict.owed,
            seconds=round(seconds, 3),
            delay_p50_ms=self._delays.quantile_ms(0.5),
            delay_p99_ms=self._delays.quantile_ms(0.99),
        )
        return figures, world.index.find_by_type("STOCK_REMOVED", 3)
