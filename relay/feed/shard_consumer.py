"""Consumes one shard: reads its pages, hands them to the flow, and moves the checkpoint behind what is dealt with.

It ends for one of four reasons, and each has one way out:

    FINISHED    closed and dealt with: its children's leases are made, then it is marked, which ends the lease
    UNREADABLE  checkpoint, the lease is released, and this worker leaves the shard alone for a while
    LEASE_LOST  nothing more is written; what was confirmed is settled, which is a fact
    DRAINED     told to stop, or another worker asks for the shard: what was begun is finished, checkpoint, the lease
                is released

While the lease is not certain (fenced: the heartbeat is late) nothing is read; what is in hand waits: nothing is
published, parked or checkpointed until the keeper has renewed it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from eventstore.backoff import Backoff
from eventstore.errors import AccessDeniedError, EventStoreError
from eventstore.ports import Flag, Runtime
from relay import defaults, metrics
from relay.delivery.commit import NEVER
from relay.delivery.flow import Flow
from relay.delivery.page import CommitPage, Fate, PageTracker
from relay.delivery.source import FEED
from relay.destination import CommitKey
from relay.feed.directory import FeedDirectory, Stream
from relay.feed.health import FeedHealth
from relay.feed.lag import FeedLag
from relay.feed.pacing import Pacing
from relay.feed.reader import (
    PAGE_MAX_RECORDS,
    FeedDeniedError,
    FeedPage,
    FeedUnavailableError,
    ShardLostError,
    ShardReader,
)
from relay.leases.fleet import lease_key
from relay.leases.held import HeldLease
from relay.leases.keeper import Keeper
from relay.leases.position import Position
from relay.leases.worker_report import IN_FLIGHT_SHOWN_MAX
from relay.lifecycle import Service
from relay.metrics import SILENT, Meter
from relay.progress import PAGE_TURN_SECONDS, Progress

_WAIT_SECONDS = 0.5
_LOOK_SECONDS = 0.05
_FINISH_LOOK_SECONDS = 0.02
_SETTLE_SECONDS = 1.0
"""How long a consumer that ends waits for writes about rows that it had confirmed: its successor then reads less."""


class ShardState(StrEnum):
    """What has become of a shard in this process."""

    READING = "reading"
    FINISHED = "finished"
    """Closed, and all of it dealt with."""
    UNREADABLE = "unreadable"
    """It could not be read, or its end could not be noted."""
    LEASE_LOST = "lease_lost"
    """Another worker has it."""
    DRAINED = "drained"
    """The relay stops, or another worker has asked for it."""


@dataclass(frozen=True, slots=True)
class ShardConsumerSettings:
    """How a shard is consumed.

    Attributes:
        pacing: How soon to ask for the next page.
        checkpoint_interval_seconds: A checkpoint is written at most this often; a crash re-reads that much.
        recheck_margin_seconds: Records older than the start of this reader plus this margin may have been settled by
            a former one, so each row is asked for.
        recheck_lag_seconds: While the feed lags by more, the sweep may be ahead, so each row is asked for.
        retry: Pauses when DynamoDB does not answer.
        children: How often, and after which pauses, a shard that has ended asks for its children.
        cooldown_seconds: How long this worker leaves out a shard that it could not read.
    """

    pacing: Pacing = field(default_factory=Pacing)
    checkpoint_interval_seconds: float = defaults.CHECKPOINT_INTERVAL_SECONDS
    recheck_margin_seconds: float = 5.0
    recheck_lag_seconds: float = defaults.SWEEP_MIN_AGE_SECONDS
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.2, cap_seconds=5.0))
    children: Backoff = field(default_factory=lambda: Backoff(attempts_max=5, base_seconds=0.25, cap_seconds=2.0))
    cooldown_seconds: float = defaults.DISCOVERY_SECONDS


class ShardConsumer(Service):
    """Reads and checkpoints one shard as long as its lease is held, until it ends or is told to stop.

    Then it finishes what was begun, writes its checkpoint and releases the lease.
    """

    def __init__(
        self,
        held: HeldLease,
        shard_id: str,
        stream: Stream,
        *,
        reader: ShardReader,
        flow: Flow,
        bus_well_since: Callable[[], float | None],
        is_former: Callable[[], bool],
        directory: FeedDirectory,
        keeper: Keeper,
        lag: FeedLag,
        runtime: Runtime,
        settings: ShardConsumerSettings,
        on_end: Callable[[], None],
        meter: Meter = SILENT,
        progress: Progress | None = None,
        health: FeedHealth | None = None,
        hasten: Flag | None = None,
    ) -> None:
        super().__init__(runtime)
        self._held = held
        self._shard_id = shard_id
        self._stream = stream
        self._reader = reader
        self._flow = flow
        self._bus_well_since = bus_well_since
        self._is_former = is_former
        self._directory = directory
        self._keeper = keeper
        self._lag = lag
        self._settings = settings
        self._meter = meter
        self._progress = progress or Progress(runtime)
        self._health = health or FeedHealth(runtime)
        self._hasten = hasten or runtime.flag()
        self._source = flow.open_source(
            FEED, held.permit(self._stopping, keeper), is_obsolete=lambda: directory.table.is_obsolete(stream.label)
        )
        self._tracker: PageTracker[Position] = PageTracker()
        self._on_end = on_end
        self._state = ShardState.READING
        self._started_at_ms = runtime.now_ms()
        self._dealt_with: Position | None = None
        self._saved: Position | None = None
        self._saved_at = runtime.monotonic()
        self._cut_off = 0
        self._log = structlog.get_logger().bind(shard=shard_id)

    @property
    def shard_id(self) -> str:
        """The shard."""
        return self._shard_id

    @property
    def state(self) -> ShardState:
        """What has become of the shard."""
        return self._state

    @property
    def in_hand(self) -> tuple[CommitKey, ...]:
        """Commits of the shard that are in hand, some of them when they are many."""
        return tuple(self._flow.in_hand(self._source, IN_FLIGHT_SHOWN_MAX))

    @property
    def cut_off(self) -> int:
        """How many commits it had begun and could not finish when it ended: their events are sent again."""
        return self._cut_off

    def is_ended(self) -> bool:
        """Tell whether it has ended."""
        return self._state is not ShardState.READING and not any(part.is_alive() for part in self._parts)

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {self._name: self._run}

    @property
    def _name(self) -> str:
        return f"read-{self._shard_id[-12:]}"

    def _run(self) -> None:
        try:
            self._state = self._release(self._consume())
        finally:
            self._flow.withdraw(self._source)
            self._lag.forget(self._shard_id)
            self._health.forget(self._shard_id)
            self._progress.ended(self._name)
            self._stopping.set()
            self._on_end()

    def _release(self, state: ShardState) -> ShardState:
        """Release the lease; if that does not reach DynamoDB, it expires."""
        alone = self._settings.cooldown_seconds if state is ShardState.UNREADABLE else 0.0
        self._keeper.release(self._held, to=self._held.wanted_by, cooldown_seconds=alone)
        self._log.info("shard.stopped", reason=state.value, term=self._held.term)
        return state

    def _is_over(self) -> bool:
        return self._stopping.is_set() or self._held.is_over()

    def _consume(self) -> ShardState:
        """Read pages and pass those that are dealt with, until the shard, its lease or this part ends."""
        pause, failures, is_read_out = 0.0, 0, False
        while not self._is_over():
            self._progress.turned(self._name, PAGE_TURN_SECONDS)
            self._advance()
            if self._keeper.is_paused() or self._held.is_fenced():
                self._stopping.wait(_WAIT_SECONDS)
                self._started_at_ms = self._runtime.now_ms()  # others may have settled meanwhile what is read next
                continue
            if is_read_out and self._tracker.front is None:
                return self._finish()
            if is_read_out or not self._flow.has_room(self._source):
                self._stopping.wait(_LOOK_SECONDS)
                continue
            try:
                with self._meter.timed(metrics.STAGE_SECONDS, "read"):
                    page = self._reader.next_page()
            except FeedUnavailableError as error:
                failures += 1
                self._health.failed(self._shard_id, str(error))
                self._log.warning("feed.read_failed", error=str(error), failures=failures)
                self._stopping.wait(self._settings.retry.delay_seconds(failures, self._runtime.uniform()))
                continue
            except ShardLostError as error:
                if isinstance(error, FeedDeniedError):
                    self._health.denied(self._stream.label, AccessDeniedError(str(error)))
                self._meter.count(metrics.SHARDS_LOST)
                self._log.warning("shard.lost", error=str(error))
                self._drain()
                return ShardState.UNREADABLE
            failures, is_read_out = 0, page.ended
            self._health.read(self._stream.label, self._shard_id)
            self._take(page)
            pause = self._settings.pacing.next_pause(pause, page.records, PAGE_MAX_RECORDS)
            if pause and not is_read_out:
                self._stopping.wait(pause)
        self._drain()
        return ShardState.LEASE_LOST if self._held.is_over() else ShardState.DRAINED

    def _take(self, page: FeedPage) -> None:
        """Hand a page to the flow."""
        self._meter.count(metrics.RECORDS_READ, amount=page.records)
        self._lag.note(self._shard_id, page.newest_at_ms, at_end=page.records == 0)
        if not page.records:
            return
        for row in page.unreadable:
            self._log.error("row.unreadable", aggregate_id=row.aggregate_id, last=row.last, reason=row.reason)
        tracked = self._tracker.page(FEED, self._runtime.monotonic())
        self._flow.hand_in(self._source, tracked, page.rows, self._seen_at(page))
        self._tracker.seal(page.position)

    def _seen_at(self, page: FeedPage) -> float:
        """Return when the outbox said what the page says; `NEVER` when others may have settled rows of it since."""
        if page.oldest_at_ms is None or self._is_former():
            return NEVER
        age = max(0.0, (self._runtime.now_ms() - page.oldest_at_ms) / 1000)
        before_us = page.oldest_at_ms < self._started_at_ms + self._settings.recheck_margin_seconds * 1000
        lag = self._settings.recheck_lag_seconds
        if before_us or age > lag or self._lag.seconds() > lag:
            return NEVER
        return self._runtime.monotonic() - age

    def _advance(self) -> None:
        """Pass the pages that are dealt with, and write the checkpoint when it is time to."""
        now = self._runtime.monotonic()
        overdue = self._flow.settings.overdue_seconds
        well_since = self._bus_well_since()
        is_well = well_since is not None and now - well_since > overdue
        position, passed = self._tracker.advance(now - overdue if is_well else None)
        self._dealt_with = position or self._dealt_with
        for page in passed:
            self._log_page(page)
        if now - self._saved_at >= self._settings.checkpoint_interval_seconds:
            self._save(finished=False)

    def _drain(self) -> None:
        """Begin nothing more; finish what was begun while the bus is well, and write the checkpoint."""
        self._flow.drain(self._source)
        begun = self._flow.begun(self._source)
        deadline = self._runtime.monotonic() + self._flow.settings.finish_seconds
        while (
            self._flow.begun(self._source)
            and self._bus_well_since() is not None
            and not self._held.is_fenced()
            and not self._hasten.is_set()
            and self._runtime.monotonic() < deadline
        ):
            self._runtime.sleep(_FINISH_LOOK_SECONDS)
        self._cut_off = self._flow.unfinished(self._source, begun)
        if self._cut_off:
            self._log.warning("shard.cut_off", commits=self._cut_off)
        self._flow.withdraw(self._source)
        deadline = self._runtime.monotonic() + _SETTLE_SECONDS
        while not self._flow.is_written_down() and self._runtime.monotonic() < deadline:
            self._runtime.sleep(_FINISH_LOOK_SECONDS)
        position, passed = self._tracker.advance()
        self._dealt_with = position or self._dealt_with
        for page in passed:
            self._log_page(page)
        if not self._held.is_over():
            self._save(finished=False)

    def _finish(self) -> ShardState:
        """Make the children's leases, then mark the shard: nobody must find it finished and its children unknown."""
        try:
            if not self._offer_children():
                self._save(finished=False)
                return ShardState.DRAINED  # the next consumer reaches its end at once, and asks again
        except EventStoreError as error:
            self._log.warning("shard.finish_failed", error=str(error))
            self._save(finished=False)
            return ShardState.UNREADABLE
        if not self._save(finished=True):  # nobody would know that it is finished
            return ShardState.LEASE_LOST if self._held.is_over() else ShardState.UNREADABLE
        self._log.info("shard.finished")
        return ShardState.FINISHED

    def _offer_children(self) -> bool:
        """Make leases for the children; False when the relay stops before the feed has shown any.

        A listing may be some seconds late. What it does not show in time the next discovery finds.
        """
        for attempt in range(1, self._settings.children.attempts_max + 1):
            children = self._directory.children(self._stream, self._shard_id)
            self._keeper.offer([lease_key(self._stream.label, shard.id) for shard in children.shards])
            if children.shards or children.are_all:
                return True
            delay = self._settings.children.delay_seconds(attempt, self._runtime.uniform())
            if self._held.is_over() or self._stopping.wait(delay):
                return False
        return True

    def _save(self, *, finished: bool) -> bool:
        """Write the checkpoint when it moved; an unwritten one (False) is read from again, which does no harm."""
        self._saved_at = self._runtime.monotonic()
        if not finished and (self._dealt_with is None or self._dealt_with == self._saved):
            return True
        try:
            with self._meter.timed(metrics.STAGE_SECONDS, "checkpoint"):
                self._held.save(self._dealt_with or self._held.position, finished=finished)
        except EventStoreError as error:
            self._log.warning("checkpoint.write_failed", error=str(error))
            return False
        self._saved = self._dealt_with
        self._log.debug("checkpoint.advanced", position=str(self._dealt_with), finished=finished)
        return True

    def _log_page(self, page: CommitPage) -> None:
        result = "dealt_with" if page.is_dealt_with else "overdue"
        self._meter.count(metrics.PAGES, FEED, result)
        if page.commits:
            fates = {fate.value: count for fate, count in page.fates.items() if count}
            overdue = {Fate.OVERDUE.value: page.held} if page.held else {}
            self._log.info("page.settled", source=FEED, commits=page.commits, **fates, **overdue)
