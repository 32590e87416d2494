"""Consumes one shard: one part reads a page ahead, another delivers the current page and moves the checkpoint.

It ends for one of four reasons, and each has one way out:

    FINISHED    closed and dealt with: its children's leases are made, then it is marked, which ends the lease
    UNREADABLE  checkpoint, the lease is released, and this worker leaves the shard alone for a while
    LEASE_LOST  nothing more is written; what was confirmed is settled, which is a fact
    DRAINED     told to stop, or another worker asks for the shard: page finished, checkpoint, the lease is released

While the lease is not certain (fenced: the heartbeat is late) the page in hand waits: nothing is published, parked
or checkpointed until the keeper has renewed it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from eventstore.backoff import Backoff
from eventstore.errors import EventStoreError
from eventstore.ports import Channel, Runtime
from relay import defaults, metrics
from relay.delivery.page import CommitPage, PageResult
from relay.delivery.pipeline import Pipeline
from relay.destination import CommitKey
from relay.feed.directory import FeedDirectory, Stream
from relay.feed.lag import FeedLag
from relay.feed.pacing import Pacing
from relay.feed.reader import PAGE_MAX_RECORDS, FeedPage, FeedUnavailableError, ShardLostError, ShardReader
from relay.leases.fleet import lease_key
from relay.leases.held import HeldLease
from relay.leases.keeper import Keeper
from relay.leases.position import Position
from relay.lifecycle import Service
from relay.metrics import SILENT, Meter
from relay.permit import NotedPermit
from relay.progress import PAGE_TURN_SECONDS, Progress

_HAND_OVER_SECONDS = 0.5


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
        late_wait_seconds: At its end, how long it waits for a slow destination's report on pages it has passed.
        retry: Pauses when DynamoDB does not answer.
        children: How often, and after which pauses, a shard that has ended asks for its children.
        cooldown_seconds: How long this worker leaves out a shard that it could not read.
    """

    pacing: Pacing = field(default_factory=Pacing)
    checkpoint_interval_seconds: float = defaults.CHECKPOINT_INTERVAL_SECONDS
    recheck_margin_seconds: float = 5.0
    recheck_lag_seconds: float = defaults.SWEEP_MIN_AGE_SECONDS
    late_wait_seconds: float = 5.0
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.2, cap_seconds=5.0))
    children: Backoff = field(default_factory=lambda: Backoff(attempts_max=5, base_seconds=0.25, cap_seconds=2.0))
    cooldown_seconds: float = defaults.DISCOVERY_SECONDS


class ShardConsumer(Service):
    """Reads, delivers and checkpoints one shard as long as its lease is held, until it ends or is told to stop.

    Then it finishes the page in hand, writes its checkpoint and releases the lease.
    """

    def __init__(
        self,
        held: HeldLease,
        shard_id: str,
        stream: Stream,
        *,
        reader: ShardReader,
        pipeline: Pipeline,
        directory: FeedDirectory,
        keeper: Keeper,
        lag: FeedLag,
        runtime: Runtime,
        settings: ShardConsumerSettings,
        on_end: Callable[[], None],
        meter: Meter = SILENT,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(runtime)
        self._held = held
        self._shard_id = shard_id
        self._stream = stream
        self._reader = reader
        self._pipeline = pipeline
        self._directory = directory
        self._keeper = keeper
        self._lag = lag
        self._settings = settings
        self._meter = meter
        self._progress = progress or Progress(runtime)
        self._permit = NotedPermit(held.permit(self._stopping, keeper), self._deliver_turned)
        self._on_end = on_end
        self._pages: Channel[FeedPage | ShardLostError] = runtime.channel(1)
        self._room: Channel[bool] = runtime.channel(1)  # permission to read one more page
        self._room.put(True, 0)
        self._state = ShardState.READING
        self._in_hand: tuple[CommitKey, ...] = ()
        self._started_at_ms = runtime.now_ms()
        self._dealt_with: Position | None = None
        self._saved: Position | None = None
        self._saved_at = runtime.monotonic()
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
        """The commits of the page that is delivered now."""
        return self._in_hand

    def is_ended(self) -> bool:
        """Tell whether it has ended, both parts of it."""
        return self._state is not ShardState.READING and not any(part.is_alive() for part in self._parts)

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {self._name("read"): self._read, self._name("deliver"): self._deliver}

    def _read(self) -> None:
        try:
            self._read_pages()
        finally:
            self._progress.ended(self._name("read"))
            if self._state is not ShardState.READING:  # it may have read on while the other part ended
                self._lag.forget(self._shard_id)

    def _read_pages(self) -> None:
        """Read pages and hand them over; at most one waits while another is delivered."""
        pause, failures, has_room = 0.0, 0, False
        while not self._is_over():
            self._progress.turned(self._name("read"), PAGE_TURN_SECONDS)
            has_room = has_room or self._room.get(_HAND_OVER_SECONDS) is not None
            if not has_room:
                continue
            try:
                with self._meter.timed(metrics.STAGE_SECONDS, "read"):
                    page = self._reader.next_page()
            except FeedUnavailableError as error:
                failures += 1
                self._log.warning("feed.read_failed", error=str(error), failures=failures)
                self._stopping.wait(self._settings.retry.delay_seconds(failures, self._runtime.uniform()))
                continue
            except ShardLostError as error:
                self._hand_over(error)
                return
            failures = 0
            self._meter.count(metrics.RECORDS_READ, amount=page.records)
            self._lag.note(self._shard_id, page.newest_at_ms, at_end=page.records == 0)
            if page.records or page.ended:
                if not self._hand_over(page):
                    return
                has_room = False
            if page.ended:
                return
            pause = self._settings.pacing.next_pause(pause, page.records, PAGE_MAX_RECORDS)
            if pause:
                self._stopping.wait(pause)

    def _hand_over(self, page: FeedPage | ShardLostError) -> bool:
        while not self._pages.put(page, _HAND_OVER_SECONDS):
            self._progress.turned(self._name("read"), PAGE_TURN_SECONDS)
            if self._is_over():
                return False
        return True

    def _name(self, of: str) -> str:
        """Return the name of one of its parts."""
        return f"{of}-{self._shard_id[-12:]}"

    def _deliver_turned(self) -> None:
        self._progress.turned(self._name("deliver"), PAGE_TURN_SECONDS)

    def _is_over(self) -> bool:
        return self._stopping.is_set() or self._held.is_over()

    def _deliver(self) -> None:
        try:
            self._state = self._release(self._deliver_pages())
        finally:
            self._lag.forget(self._shard_id)
            self._progress.ended(self._name("deliver"))
            self._stopping.set()  # whatever ended this part ends the reading as well
            self._on_end()

    def _release(self, state: ShardState) -> ShardState:
        """Release the lease; if that does not reach DynamoDB, it expires."""
        alone = self._settings.cooldown_seconds if state is ShardState.UNREADABLE else 0.0
        self._keeper.release(self._held, to=self._held.wanted_by, cooldown_seconds=alone)
        self._log.info("shard.stopped", reason=state.value, term=self._held.term)
        return state

    def _deliver_pages(self) -> ShardState:
        while not self._is_over():
            self._deliver_turned()
            if self._must_wait():
                self._settle_late()
                self._wait_a_while()
                continue
            page = self._pages.get(_HAND_OVER_SECONDS)
            if page is not None:
                self._room.put(True, 0)
            if page is None:
                self._when_idle()
            elif isinstance(page, ShardLostError):
                self._meter.count(metrics.SHARDS_LOST)
                self._log.warning("shard.lost", error=str(page))
                self._save(finished=False)
                return ShardState.UNREADABLE
            elif not self._deal_with(page):
                break
            elif page.ended:
                return self._finish()
        self._finish_late()
        if self._held.is_over():
            return ShardState.LEASE_LOST
        self._save(finished=False)
        return ShardState.DRAINED

    def _must_wait(self) -> bool:
        """Tell whether nothing may be delivered for now: an operator says so, or the lease is not certain."""
        return self._keeper.is_paused() or self._held.is_fenced()

    def _wait_a_while(self) -> None:
        """Wait for permission; what was read before it comes may have been settled by another worker meanwhile."""
        self._deliver_turned()
        self._stopping.wait(_HAND_OVER_SECONDS)
        self._started_at_ms = self._runtime.now_ms()

    def _deal_with(self, page: FeedPage) -> bool:
        """Deal with one page, again and again until it is done; False when it is not ours to finish any more."""
        for row in page.unreadable:
            self._log.error("row.unreadable", aggregate_id=row.aggregate_id, last=row.last, reason=row.reason)
        self._in_hand = tuple(row.key for row in page.rows)
        try:
            result = self._process(page)
        finally:
            self._in_hand = ()
        if result is None:
            return False
        self._dealt_with = page.position or self._dealt_with
        self._log_page(page, result)
        if self._runtime.monotonic() - self._saved_at >= self._settings.checkpoint_interval_seconds:
            self._save(finished=False)
        return True

    def _process(self, page: FeedPage) -> PageResult | None:
        """Hand a page to the pipeline until it is dealt with; None when the lease, or the relay, ends first."""
        recheck, attempt = self._needs_recheck(page), 0
        while True:  # ends with the page, the lease or the relay; every further turn waits
            attempt += 1
            try:
                result = self._pipeline.process(CommitPage("feed", page.rows, recheck), self._permit)
                if result.dealt_with:
                    return result
            except EventStoreError as error:  # an operator may set it right while we wait; other shards go on
                self._log.warning("page.retried", error=str(error), attempt=attempt)
            self._stopping.wait(self._settings.retry.delay_seconds(attempt, self._runtime.uniform()))
            while self._must_wait() and not self._is_over():
                self._wait_a_while()
            if self._is_over():
                return None
            recheck = True

    def _needs_recheck(self, page: FeedPage) -> bool:
        """Tell whether somebody else may have settled rows of this page."""
        if page.oldest_at_ms is None:
            return True
        margin_ms = self._settings.recheck_lag_seconds * 1000
        if self._runtime.now_ms() - page.oldest_at_ms > margin_ms:  # it was read long ago and waited for its turn
            return True
        before_us = page.oldest_at_ms < self._started_at_ms + self._settings.recheck_margin_seconds * 1000
        return before_us or self._lag.seconds() > self._settings.recheck_lag_seconds

    def _settle_late(self) -> None:
        try:
            self._pipeline.collect_late()
        except EventStoreError as error:
            self._log.warning("settle.postponed", error=str(error))  # the sweep finds what stays owed

    def _when_idle(self) -> None:
        self._settle_late()
        if self._runtime.monotonic() - self._saved_at >= self._settings.checkpoint_interval_seconds:
            self._save(finished=False)

    def _finish_late(self) -> None:
        """Settle what is about to be reported, so that it need not wait for the sweep."""
        try:
            self._pipeline.finish_late(self._settings.late_wait_seconds)
        except EventStoreError as error:
            self._log.warning("settle.postponed", error=str(error))

    def _finish(self) -> ShardState:
        """Make the children's leases, then mark the shard: nobody must find it finished and its children unknown."""
        self._finish_late()
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

    def _log_page(self, page: FeedPage, result: PageResult) -> None:
        if page.rows:
            self._log.info(
                "page.settled",
                source="feed",
                commits=len(page.rows),
                settled=result.settled,
                late=result.late,
                parked=result.parked,
                waiting=result.waiting,
            )
