"""The sweep: a slow, permanent walk over the outbox that finds whatever the feed did not say.

First start, trimmed or replaced streams, a restore, an index that was down, a tail left behind a parked commit: all are
rows that are work and older than they should be.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from eventstore.backoff import Backoff
from eventstore.ports import Flag, Runtime
from eventstore.rows.outbox import OutboxRow
from relay import defaults, metrics
from relay.delivery.flow import Flow
from relay.delivery.page import CommitPage, Fate
from relay.delivery.pumps.pump import Pump
from relay.delivery.source import SWEEP, Source
from relay.destination import BUS, CommitKey
from relay.metrics import SILENT, Meter
from relay.outbox.debt import Census, Survey
from relay.outbox.reader import OutboxReader
from relay.outbox.row import UnreadableRow, is_settled, lacking, pause_seconds
from relay.outbox.table import OutboxTable
from relay.permit import Permit

_REPORTED_MAX = 10_000
_LOOK_SECONDS = 0.25
_DRAIN_LOOK_SECONDS = 0.02

PATIENCE_SECONDS = 5.0
"""How long a page is waited for while the bus is in trouble, and sides that are slow: the walk goes on, and counts."""

SHARE = 4
"""A walk has at most this part of the flow's room in hand."""

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
class KeptFromBus:
    """What a stretch of a scan says of commits that the bus cannot have now.

    Attributes:
        keys: Commits above one that is parked for the bus or unreadable; one that the bus refused and that is not due,
            and those above it.
        blocked: The last commit above which they stand; hand it to the next stretch.
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


def kept_from_bus(rows: Iterable[OutboxRow | UnreadableRow], blocked: CommitKey | None, now_ms: int) -> KeptFromBus:
    """Find the commits that the bus cannot have now, since they wait for a person or for the end of a pause.

    Args:
        rows: A stretch of a scan, which brings an aggregate's rows together, in order.
        blocked: What the stretch before it ended with.
        now_ms: This worker's clock.
    """
    keys: set[CommitKey] = set()
    for row in rows:
        if blocked is not None and row.aggregate_id == blocked[0] and row.key > blocked:
            keys.add(row.key)
        elif isinstance(row, UnreadableRow) or (BUS in row.parked and BUS not in row.delivered):
            blocked = row.key
        elif pause_seconds(row, BUS, now_ms) > 0.0:
            keys.add(row.key)
            blocked = row.key
    return KeptFromBus(frozenset(keys), blocked)


class Sweep:
    """Walks over the outbox, page by page, and hands what is work to the flow.

    It remembers nothing from one walk to the next but which unreadable rows it has named in the log: a commit that was
    released goes with the next walk, and so does what waits behind it.
    """

    def __init__(
        self,
        *,
        reader: OutboxReader,
        table: OutboxTable,
        flow: Flow,
        pumps: Sequence[Pump],
        feed_lag_seconds: Callable[[], float],
        runtime: Runtime,
        settings: SweepSettings,
        meter: Meter = SILENT,
        hasten: Flag | None = None,
    ) -> None:
        self._reader = reader
        self._table = table
        self._flow = flow
        self._pumps = tuple(pumps)
        self._feed_lag_seconds = feed_lag_seconds
        self._runtime = runtime
        self._settings = settings
        self._meter = meter
        self._hasten = hasten
        self._reported: set[CommitKey] = set()
        self._source: Source | None = None
        self._bell = runtime.channel(1)
        self._log = structlog.get_logger().bind(source=SWEEP)

    def begin(self, permit: Permit) -> None:
        """Begin to sweep under a permit; what is handed in stays claimed under it, from walk to walk, until `end`."""
        assert self._source is None, "end what was begun first"
        self._source = self._flow.open_source(SWEEP, permit, share=self._flow.settings.commits_max // SHARE)

    def end(self) -> int:
        """Let go of what is in hand; what was begun is finished first, while the bus is well.

        Returns:
            How many commits it had begun and could not finish: their events are sent again.
        """
        source, self._source = self._source, None
        if source is None:
            return 0
        self._flow.drain(source)
        begun = self._flow.begun(source)
        deadline = self._runtime.monotonic() + self._flow.settings.finish_seconds
        while (
            self._flow.begun(source)
            and not self._is_bus_troubled()
            and not (self._hasten is not None and self._hasten.is_set())
            and self._runtime.monotonic() < deadline
        ):
            self._runtime.sleep(_DRAIN_LOOK_SECONDS)
        cut_off = self._flow.unfinished(source, begun)
        if cut_off:
            self._log.warning("sweep.cut_off", commits=cut_off)
        self._flow.withdraw(source)
        return cut_off

    def walk(
        self, permit: Permit, *, age_seconds: float | None = None, turned: Callable[[], None] = lambda: None
    ) -> WalkResult:
        """Walk over the outbox once.

        Args:
            permit: That of `begin`; when it is revoked, the walk ends early.
            age_seconds: Take rows of this age or more; None for the sweep's own threshold.
            turned: Called now and then, since a walk takes a while.

        Raises:
            TryLaterError: DynamoDB did not answer; walk again.
        """
        taken = settled = 0
        lacked: Counter[str] = Counter()
        census = Census([pump.name for pump in self._pumps])
        start, blocked = None, None
        while not permit.is_revoked():
            turned()
            seen_at, mark = self._runtime.monotonic(), self._table.mark()
            page = self._reader.scan(start, self._settings.page_max_rows)
            self._report_unreadable(page.rows)
            for row in page.rows:
                census.add(row)
            now_ms = self._runtime.now_ms()
            kept = kept_from_bus(page.rows, blocked, now_ms)
            blocked = kept.blocked
            readable = [row for row in page.rows if isinstance(row, OutboxRow)]
            rows = self._choose(readable, kept.keys, now_ms, age_seconds) if self._has_room() else []
            if rows and not self._table.is_still(mark):
                break  # of which table they were nobody can say
            progress = 0
            for some in self._portions(rows):
                self._wait_for_sides(len(some), permit)
                if permit.is_revoked() or not self._has_room():
                    break
                taken += len(some)
                lacked.update(name for row in some for name in self._lacking(row))
                progress += self._deal_with(some, seen_at, kept.keys, permit, turned)
            settled += progress
            start = page.next_start
            if start is None:
                return _result(census, taken, settled, lacked, complete=True)
            if not progress:
                permit.wait(self._settings.page_pause_seconds)
        return _result(census, taken, settled, lacked, complete=False)

    def void(self) -> None:
        """Let go of everything that this worker has in hand: the outbox is gone."""
        self._flow.void()

    def _portions(self, rows: Sequence[OutboxRow]) -> Iterator[Sequence[OutboxRow]]:
        """Yield rows, no more at a time than a side lets wait: the next ones would drive out those before."""
        most = self._flow.settings.side_max
        return (rows[start : start + most] for start in range(0, len(rows), most))

    def _wait_for_sides(self, commits: int, permit: Permit) -> None:
        """Wait until sides have room for some commits, but not for ever: the walk goes on, and they come again."""
        deadline = self._runtime.monotonic() + PATIENCE_SECONDS
        while not self._flow.sides_have_room(commits) and self._runtime.monotonic() < deadline:
            if permit.wait(_DRAIN_LOOK_SECONDS):
                return

    def _has_room(self) -> bool:
        return self._source is not None and self._flow.has_room(self._source)

    def _deal_with(
        self,
        rows: Sequence[OutboxRow],
        seen_at: float,
        kept: Collection[CommitKey],
        permit: Permit,
        turned: Callable[[], None],
    ) -> int:
        """Hand rows in, and wait until they are dealt with, or for long enough; return how many were settled."""
        assert self._source is not None, "begin before a walk"
        began_at = self._runtime.monotonic()
        page = CommitPage(SWEEP, began_at, ring=lambda: self._bell.put(True, 0))
        self._flow.hand_in(self._source, page, rows, seen_at, kept)
        page.is_sealed = True
        while not page.is_over and not permit.is_revoked():
            turned()
            waited = self._runtime.monotonic() - began_at
            if waited > self._flow.settings.overdue_seconds or (waited > PATIENCE_SECONDS and self._is_bus_troubled()):
                break  # it stays in hand, and the walk goes on
            self._bell.get(_LOOK_SECONDS)
        self._meter.count(metrics.PAGES, SWEEP, "dealt_with" if page.is_dealt_with else "overdue")
        fates = {fate.value: count for fate, count in page.fates.items() if count}
        self._log.info("page.settled", commits=page.commits, **fates)
        return page.fates[Fate.SETTLED]

    def _is_bus_troubled(self) -> bool:
        return any(pump.in_order and pump.trouble is not None for pump in self._pumps)

    def _lacking(self, row: OutboxRow) -> Collection[str]:
        return lacking(row, [pump.name for pump in self._pumps]) or ("none",)

    def _choose(
        self, rows: list[OutboxRow], kept: Collection[CommitKey], now_ms: int, age_seconds: float | None
    ) -> list[OutboxRow]:
        age = threshold_seconds(self._settings, self._feed_lag_seconds()) if age_seconds is None else age_seconds
        names = [pump.name for pump in self._pumps]
        closed_off = [pump.name for pump in self._pumps if pump.is_breaker_open()]
        return [
            row
            for row in rows
            if worth_taking(row, names, [*closed_off, BUS] if row.key in kept else closed_off, now_ms, age)
        ]

    def _report_unreadable(self, rows: Collection[OutboxRow | UnreadableRow]) -> None:
        """Say of each unreadable row once that a person must look; it stays owed until then."""
        for row in rows:
            if isinstance(row, UnreadableRow) and row.key not in self._reported and len(self._reported) < _REPORTED_MAX:
                self._reported.add(row.key)
                self._log.error("row.unreadable", aggregate_id=row.aggregate_id, last=row.last, reason=row.reason)


def _result(census: Census, taken: int, settled: int, lacked: Mapping[str, int], *, complete: bool) -> WalkResult:
    survey = census.survey(complete=complete)
    return WalkResult(survey.rows, taken, settled, complete=complete, lacked=dict(lacked), survey=survey)
