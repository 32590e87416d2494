"""The sweep: a slow, permanent walk over the outbox that finds whatever the feed did not say.

First start, trimmed or replaced streams, a restore, an index that was down, a tail left behind a parked commit: all are
rows that are work and older than they should be.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from eventstore.backoff import Backoff
from eventstore.ports import Runtime
from eventstore.rows.outbox import OutboxRow
from relay import defaults
from relay.delivery.lane import Lane
from relay.delivery.page import CommitPage, PageResult
from relay.delivery.pipeline import Pipeline
from relay.destination import BUS, CommitKey
from relay.outbox.debt import Census, Survey
from relay.outbox.reader import OutboxReader
from relay.outbox.row import UnreadableRow, is_settled, lacking
from relay.permit import Permit

_REPORTED_MAX = 10_000

CLOCK_ERROR_MAX_SECONDS = 600.0
"""A row whose time is further ahead is taken by the sweep all the same."""


@dataclass(frozen=True, slots=True)
class SweepSettings:
    """How gently the outbox is walked over.

    Attributes:
        min_age_seconds: A row younger than this is the feed's business.
        age_max_seconds: Whatever the feed's lag, an older row is taken.
        interval_seconds: Pause between walks that settle nothing.
        page_pause_seconds: Pause after a page of which nothing was settled.
        page_max_rows: Rows in one page.
        retry: Pauses when DynamoDB does not answer.
    """

    min_age_seconds: float = defaults.SWEEP_MIN_AGE_SECONDS
    age_max_seconds: float = 600.0
    interval_seconds: float = defaults.SWEEP_INTERVAL_SECONDS
    page_pause_seconds: float = 0.2
    page_max_rows: int = defaults.OUTBOX_PAGE_ROWS
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.5, cap_seconds=10.0))


@dataclass(frozen=True, slots=True)
class WalkResult:
    """What one walk over the outbox did.

    Attributes:
        seen: Rows in the outbox.
        taken: Rows that were work, or done, and old enough.
        settled: Rows that went.
        complete: The walk came to the table's end; False when it was stopped or the bus refused for too long.
        lacked: Of the rows taken, how many lacked which destination; `none` counts those that were done.
        survey: What was seen, taken or not.
    """

    seen: int
    taken: int
    settled: int
    complete: bool
    lacked: Mapping[str, int] = field(default_factory=dict)
    survey: Survey = field(default_factory=Survey)


@dataclass(frozen=True, slots=True)
class Behind:
    """What a stretch of a scan says of commits that the bus cannot have now.

    Attributes:
        keys: Commits above one that is parked for the bus.
        blocked: The last commit below which they stand; hand it to the next stretch.
    """

    keys: frozenset[CommitKey]
    blocked: CommitKey | None


def threshold_seconds(settings: SweepSettings, feed_lag_seconds: float) -> float:
    """Return how old a row must be before the sweep takes it: the feed gets its chance first, also when it lags."""
    return min(settings.min_age_seconds + 2 * feed_lag_seconds, max(settings.age_max_seconds, settings.min_age_seconds))


def worth_taking(
    row: OutboxRow,
    names: Collection[str],
    closed_off: Collection[str],
    now_ms: int,
    age_seconds: float,
) -> bool:
    """Tell whether a row is work for a destination that can be reached, or done, and older than the threshold.

    Done is a row that every destination has: whoever noted the last of them died before the row was deleted.
    A time that lies far ahead says that the writer's clock is wrong, not that the row is young.
    """
    age_ms = now_ms - row.committed_at_ms
    old = age_ms >= age_seconds * 1000 or age_ms < -CLOCK_ERROR_MAX_SECONDS * 1000
    return old and (bool(lacking(row, names) - set(closed_off)) or is_settled(row.delivered, names))


def behind_parked(rows: Iterable[OutboxRow | UnreadableRow], blocked: CommitKey | None) -> Behind:
    """Find the commits that stand above one which is parked for the bus, or which nobody can read.

    Args:
        rows: A stretch of a scan, which brings an aggregate's rows together, in order.
        blocked: What the stretch before it ended with.
    """
    keys: set[CommitKey] = set()
    for row in rows:
        if blocked is not None and row.aggregate_id == blocked[0] and row.key > blocked:
            keys.add(row.key)
        elif isinstance(row, UnreadableRow) or (BUS in row.parked and BUS not in row.delivered):
            blocked = row.key
    return Behind(frozenset(keys), blocked)


class Sweep:
    """Walks over the outbox, page by page, and hands what is work to a pipeline.

    It remembers nothing from one walk to the next but which unreadable rows it has named in the log: a commit that was
    released goes with the next walk, and so does what waits behind it.
    """

    def __init__(
        self,
        *,
        reader: OutboxReader,
        pipeline: Pipeline,
        lanes: Collection[Lane],
        feed_lag_seconds: Callable[[], float],
        runtime: Runtime,
        settings: SweepSettings,
        source: str = "sweep",
    ) -> None:
        self._reader = reader
        self._pipeline = pipeline
        self._lanes = tuple(lanes)
        self._feed_lag_seconds = feed_lag_seconds
        self._runtime = runtime
        self._settings = settings
        self._reported: set[CommitKey] = set()
        self._log = structlog.get_logger().bind(source=source)
        self._source = source

    def walk(self, permit: Permit, *, age_seconds: float | None, limit: int | None = None) -> WalkResult:
        """Walk over the outbox once.

        Args:
            permit: When it is revoked, the walk ends early.
            age_seconds: Take rows of this age or more; None for the sweep's own threshold.
            limit: Stop after this many rows were taken.

        Raises:
            TryLaterError: DynamoDB did not answer; walk again.
        """
        taken = settled = 0
        lacked: Counter[str] = Counter()
        census = Census([lane.name for lane in self._lanes])
        start, blocked = None, None
        while not permit.is_revoked():
            page = self._reader.scan(start, self._settings.page_max_rows)
            self._report_unreadable(page.rows)
            for row in page.rows:
                census.add(row)
            behind = behind_parked(page.rows, blocked)
            blocked = behind.blocked
            rows = self._choose([row for row in page.rows if isinstance(row, OutboxRow)], behind.keys, age_seconds)
            if limit is not None:
                rows = rows[: limit - taken]
            taken += len(rows)
            lacked.update(name for row in rows for name in self._lacking(row))
            progress = 0
            if rows:
                result = self._pipeline.process(CommitPage(self._source, rows, recheck=True), permit)
                progress = result.settled + self._pipeline.collect_late()
                settled += progress
                self._log_page(rows, result)
                if not result.dealt_with:
                    break
            start = page.next_start
            if start is None or (limit is not None and taken >= limit):
                return _result(census, taken, settled, lacked, complete=start is None)
            if not progress:
                permit.wait(self._settings.page_pause_seconds)
        return _result(census, taken, settled, lacked, complete=False)

    def collect_late(self) -> int:
        """Settle what a slow destination has reported since; return how many commits that settled.

        Raises:
            EventStoreError: DynamoDB did not take it; the next walk finds what stays owed.
        """
        return self._pipeline.collect_late()

    def _lacking(self, row: OutboxRow) -> Collection[str]:
        return lacking(row, [lane.name for lane in self._lanes]) or ("none",)

    def _choose(
        self,
        rows: list[OutboxRow],
        behind: Collection[CommitKey],
        age_seconds: float | None,
    ) -> list[OutboxRow]:
        age = threshold_seconds(self._settings, self._feed_lag_seconds()) if age_seconds is None else age_seconds
        names = [lane.name for lane in self._lanes]
        closed_off = [lane.name for lane in self._lanes if lane.is_breaker_open()]
        now_ms = self._runtime.now_ms()
        return [
            row
            for row in rows
            if worth_taking(row, names, [*closed_off, BUS] if row.key in behind else closed_off, now_ms, age)
        ]

    def _report_unreadable(self, rows: Collection[OutboxRow | UnreadableRow]) -> None:
        """Say of each unreadable row once that a person must look; it stays owed until then."""
        for row in rows:
            if isinstance(row, UnreadableRow) and row.key not in self._reported and len(self._reported) < _REPORTED_MAX:
                self._reported.add(row.key)
                self._log.error("row.unreadable", aggregate_id=row.aggregate_id, last=row.last, reason=row.reason)

    def _log_page(self, rows: list[OutboxRow], result: PageResult) -> None:
        self._log.info(
            "page.settled",
            commits=len(rows),
            settled=result.settled,
            late=result.late,
            parked=result.parked,
            waiting=result.waiting,
        )


def _result(census: Census, taken: int, settled: int, lacked: Mapping[str, int], *, complete: bool) -> WalkResult:
    survey = census.survey(complete=complete)
    return WalkResult(survey.rows, taken, settled, complete=complete, lacked=dict(lacked), survey=survey)
