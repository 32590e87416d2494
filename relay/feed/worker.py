"""Carries one shard: one part reads a page ahead, another delivers the page in hand and moves the checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from eventstore.backoff import Backoff
from eventstore.errors import EventStoreError, SetUpError, TryLaterError
from eventstore.ports import Channel, Flag, Part, Runtime
from relay.checkpoints import Checkpoints
from relay.feed.directory import Stream
from relay.feed.lag import FeedLag
from relay.feed.pacing import Pacing
from relay.feed.position import Position
from relay.feed.reader import PAGE_MAX_RECORDS, FeedPage, FeedUnreadyError, ShardLostError, ShardReader
from relay.page import Page, PageResult
from relay.pipeline import Pipeline

_HAND_OVER_SECONDS = 0.5


class ShardState(StrEnum):
    """What has become of a shard in this process."""

    READING = "reading"
    FINISHED = "finished"
    """Closed, and all of it dealt with."""
    LOST = "lost"
    """It could not be read; the daemon looks at the feed anew."""
    STOPPED = "stopped"
    """The relay stops."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """How a shard is carried.

    Attributes:
        pacing: How soon to ask for the next page.
        checkpoint_interval_seconds: A checkpoint is written at most so often; a crash re-reads that much.
        recheck_margin_seconds: Records older than the start of this reader plus this margin may have been settled by
            a former one, so each row is asked for.
        recheck_lag_seconds: While the feed lags by more, the sweep may be ahead, so each row is asked for.
        late_wait_seconds: At its end, how long it waits for a slow destination's report on pages it has passed.
        retry: Pauses when DynamoDB does not answer.
    """

    pacing: Pacing = field(default_factory=Pacing)
    checkpoint_interval_seconds: float = 1.0
    recheck_margin_seconds: float = 5.0
    recheck_lag_seconds: float = 60.0
    late_wait_seconds: float = 5.0
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.2, cap_seconds=5.0))


class ShardWorker:
    """Reads, delivers and checkpoints one shard until it ends, is lost, or the relay stops."""

    def __init__(
        self,
        shard_id: str,
        stream: Stream,
        *,
        reader: ShardReader,
        pipeline: Pipeline,
        checkpoints: Checkpoints,
        lag: FeedLag,
        runtime: Runtime,
        settings: WorkerSettings,
        stop: Flag,
        on_end: Callable[[], None],
    ) -> None:
        self._shard_id = shard_id
        self._stream = stream
        self._reader = reader
        self._pipeline = pipeline
        self._checkpoints = checkpoints
        self._lag = lag
        self._runtime = runtime
        self._settings = settings
        self._stop = stop
        self._on_end = on_end
        self._pages: Channel[FeedPage | ShardLostError] = runtime.channel(1)
        self._state = ShardState.READING
        self._parts: tuple[Part, ...] = ()
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
    def parts(self) -> tuple[Part, ...]:
        """The two parts that carry it."""
        return self._parts

    def start(self) -> None:
        """Start both parts."""
        name = self._shard_id[-12:]
        self._parts = (
            self._runtime.spawn(f"read-{name}", self._read),
            self._runtime.spawn(f"deliver-{name}", self._deliver),
        )

    def _read(self) -> None:
        """Read pages and hand them over; at most one waits while another is delivered."""
        pause, failures = 0.0, 0
        while not self._stop.is_set():
            try:
                page = self._reader.next_page()
            except FeedUnreadyError as error:
                failures += 1
                self._log.warning("feed.unready", error=str(error), failures=failures)
                self._stop.wait(self._settings.retry.delay_seconds(failures, self._runtime.uniform()))
                continue
            except ShardLostError as error:
                self._hand_over(error)
                return
            failures = 0
            self._lag.note(self._shard_id, page.newest_at_ms, at_end=page.records == 0)
            if (page.records or page.ended) and not self._hand_over(page):
                return
            if page.ended:
                return
            pause = self._settings.pacing.next_pause(pause, page.records, PAGE_MAX_RECORDS)
            if pause:
                self._stop.wait(pause)

    def _hand_over(self, page: FeedPage | ShardLostError) -> bool:
        while not self._pages.put(page, _HAND_OVER_SECONDS):
            if self._stop.is_set():
                return False
        return True

    def _deliver(self) -> None:
        try:
            self._state = self._deliver_pages()
        finally:
            self._lag.forget(self._shard_id)
            self._on_end()

    def _deliver_pages(self) -> ShardState:
        while not self._stop.is_set():
            page = self._pages.get(_HAND_OVER_SECONDS)
            if page is None:
                self._when_idle()
            elif isinstance(page, ShardLostError):
                self._log.warning("shard.lost", error=str(page))
                self._save(finished=False)
                return ShardState.LOST
            elif not self._deal_with(page):
                break
            elif page.ended:
                self._finish_late()
                if not self._save(finished=True):
                    return ShardState.LOST  # nobody would know that it is finished
                self._log.info("shard.finished")
                return ShardState.FINISHED
        self._finish_late()
        self._save(finished=False)
        return ShardState.STOPPED

    def _deal_with(self, page: FeedPage) -> bool:
        """Deal with one page, again and again while DynamoDB does not answer; False when the relay stops first."""
        for row in page.unreadable:
            self._log.error("row.unreadable", aggregate_id=row.aggregate_id, last=row.last, reason=row.reason)
        recheck, attempt = self._needs_recheck(page), 0
        while True:  # ends with the page or with the relay; every turn waits
            try:
                result = self._pipeline.process(Page("feed", page.rows, recheck), self._stop)
                break
            except (TryLaterError, SetUpError) as error:  # an operator may set it right while we wait
                attempt += 1
                recheck = True
                self._log.warning("page.retried", error=str(error), attempt=attempt)
            if self._stop.wait(self._settings.retry.delay_seconds(attempt, self._runtime.uniform())):
                return False
        if result.dealt_with:
            self._dealt_with = page.position or self._dealt_with
            self._log_page(page, result)
            if self._runtime.monotonic() - self._saved_at >= self._settings.checkpoint_interval_seconds:
                self._save(finished=False)
        return result.dealt_with

    def _needs_recheck(self, page: FeedPage) -> bool:
        """Tell whether somebody else may have settled rows of this page."""
        if page.oldest_at_ms is None:
            return True
        margin_ms = self._settings.recheck_lag_seconds * 1000
        if self._runtime.now_ms() - page.oldest_at_ms > margin_ms:  # it was read long ago and waited for its turn
            return True
        before_us = page.oldest_at_ms < self._started_at_ms + self._settings.recheck_margin_seconds * 1000
        return before_us or self._lag.seconds() > self._settings.recheck_lag_seconds

    def _when_idle(self) -> None:
        try:
            self._pipeline.collect_late()
        except EventStoreError as error:
            self._log.warning("settle.postponed", error=str(error))  # the sweep finds what stays owed
        if self._runtime.monotonic() - self._saved_at >= self._settings.checkpoint_interval_seconds:
            self._save(finished=False)

    def _finish_late(self) -> None:
        """Settle what is about to be reported, so that it need not wait for the sweep."""
        try:
            self._pipeline.finish_late(self._settings.late_wait_seconds)
        except EventStoreError as error:
            self._log.warning("settle.postponed", error=str(error))

    def _save(self, *, finished: bool) -> bool:
        """Write the checkpoint when it moved; an unwritten one (False) is read from again, which does no harm."""
        self._saved_at = self._runtime.monotonic()
        if not finished and (self._dealt_with is None or self._dealt_with == self._saved):
            return True
        try:
            self._checkpoints.save(self._stream, self._shard_id, self._dealt_with, finished=finished)
        except EventStoreError as error:
            self._log.warning("checkpoint.unwritten", error=str(error))
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
