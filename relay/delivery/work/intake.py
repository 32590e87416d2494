"""What sources do: they hand rows in, and let go of them."""

from collections.abc import Callable, Collection, Sequence

from eventstore.rows.outbox import OutboxRow
from relay import metrics
from relay.delivery.aggregate import Aggregate
from relay.delivery.commit import OwedCommit
from relay.delivery.page import CommitPage, Fate
from relay.delivery.source import SWEEP, Source
from relay.delivery.work.upkeep import Upkeep
from relay.destination import BUS, CommitKey
from relay.outbox.row import is_settled, lacking
from relay.permit import Permit

_JOINED_TOGETHER_MAX = 50


class Intake(Upkeep):
    """What sources do: they hand rows in, and let go of them."""

    def open_source(
        self,
        kind: str,
        permit: Permit,
        *,
        share: int | None = None,
        is_obsolete: Callable[[], bool] = lambda: False,
    ) -> Source:
        """Return a new source.

        Args:
            kind: `FEED`, `SWEEP` or `REPLAY`.
            permit: Under which its rows are sent.
            share: The most commits it may have in hand; all there is room for unless given.
            is_obsolete: Tells whether its rows are those of a table that is gone; they are passed over.
        """
        settings = self._settings
        fresh = settings.fresh_seconds if kind != SWEEP else settings.sweep_fresh_seconds
        ceiling = settings.commits_max if share is None else share
        return Source(kind, permit, fresh, floor=1, ceiling=ceiling, is_obsolete=is_obsolete)

    def has_room(self, source: Source) -> bool:
        """Tell whether a source may hand in another page."""
        settings = self._settings
        if source.commits < source.floor:
            return True
        return (
            source.commits < source.ceiling
            and self._commits < settings.commits_max
            and self._bytes < settings.bytes_max
        )

    def hand_in(
        self,
        source: Source,
        page: CommitPage,
        rows: Sequence[OutboxRow],
        seen_at: float,
        blocked: Collection[CommitKey] = (),
    ) -> None:
        """Take rows; each holds the page until it is dealt with as far as the page is concerned.

        Args:
            source: Who brings them.
            page: What they hold.
            rows: Commits in any order, repeats allowed.
            seen_at: When the outbox said this of them, by the monotonic clock; `NEVER` to ask for each before it goes.
            blocked: Those of them that stand behind a parked or an unreadable row: only sides get them.
        """
        self._meter.count(metrics.COMMITS_READ, source.kind, amount=len(rows))
        now = self._runtime.monotonic()
        for start in range(0, len(rows), _JOINED_TOGETHER_MAX):  # nobody waits for the lock for long
            with self._lock:
                if source.is_obsolete():
                    page.pass_over(Fate.VOID, len(rows) - start)
                    return
                for row in rows[start : start + _JOINED_TOGETHER_MAX]:
                    self._join(source, page, row, seen_at, now, is_blocked=row.key in blocked)

    def drain(self, source: Source) -> None:
        """Begin nothing more for a source: what only it claims and what was not begun is let go."""
        now = self._runtime.monotonic()
        with self._lock:
            source.is_draining = True
            for aggregate in list(source.aggregates.values()):
                if not any(not each.is_draining for each in aggregate.claims):
                    self._let_go(aggregate, lambda commit: not commit.is_begun, Fate.WITHDRAWN)
                    self._judge(aggregate, now)

    def withdraw(self, source: Source) -> None:
        """Let go of all that a source claims; what is unanswered, or must be written down, stays until it is."""
        now = self._runtime.monotonic()
        with self._lock:
            source.is_draining = source.is_gone = True
            for aggregate in list(source.aggregates.values()):
                self._disclaim(aggregate, source, Fate.WITHDRAWN)
                self._judge(aggregate, now)

    def in_hand(self, source: Source, limit: int) -> list[CommitKey]:
        """Return some of the commits that a source has in hand."""
        with self._lock:
            keys = [key for each in source.aggregates.values() for key in self._keys_of(each, source)]
        return keys[:limit]

    def begun(self, source: Source) -> frozenset[CommitKey]:
        """Return the commits that a source claims, and that the bus has in part and is about to get the rest of.

        Those that wait alone are left out: nobody knows when they go on.
        """
        with self._lock:
            return frozenset(
                commit.key
                for aggregate in source.aggregates.values()
                if not aggregate.is_alone
                for commit in aggregate.owing
                if commit.is_begun
            )

    def unfinished(self, source: Source, begun: Collection[CommitKey]) -> int:
        """Return how many of the commits that had been begun for a source the bus still lacks, or may lack."""
        with self._lock:
            return sum(commit.key in begun for aggregate in source.aggregates.values() for commit in aggregate.owing)

    def is_written_down(self) -> bool:
        """Tell whether nothing waits to be written about rows."""
        return self._unsettled == 0 and not self._marks

    def void(self) -> None:
        """Let go of everything, at once, and forget it: the tables are others than they were, and so is every row."""
        with self._lock:
            for aggregate in list(self._aggregates.values()):
                for commit in list(aggregate.commits.values()):
                    self._remove(aggregate, commit, Fate.VOID)
                aggregate.owed_up_to = 0
                self._discard(aggregate, remember=False)
            self._memory.forget_all()
            self._refusals.clear()
            self._alone.clear()
            self._progress.clear()
            self._settled.clear()

    def _join(
        self, source: Source, page: CommitPage, row: OutboxRow, seen_at: float, now: float, *, is_blocked: bool
    ) -> None:
        """Take one row from a source: a commit that is new, or one that is in hand already."""
        is_done = is_settled(row.delivered, self._names)
        if not is_done and not lacking(row, self._names):
            page.pass_over(Fate.PARKED)
            return
        aggregate = self._aggregates.get(row.aggregate_id) or self._open(row, now)
        if row.epoch > aggregate.epoch:  # its numbers may have been given out again
            aggregate.epoch, aggregate.reach, aggregate.reach_at = row.epoch, 0, now
        aggregate.claims[source] = max(row.last, aggregate.claims.get(source, 0))
        source.aggregates[aggregate.id] = aggregate
        commit = aggregate.commits.get(row.last)
        if aggregate.is_alone and aggregate.owing and row.last > aggregate.owing[0].last and BUS not in row.delivered:
            aggregate.owed_up_to = max(aggregate.owed_up_to, row.last)
            is_blocked = True
        if commit is not None and commit.is_blocked and not is_blocked and self._is_beyond(aggregate, row):
            aggregate.owed_up_to = max(aggregate.owed_up_to, row.last)
            page.pass_over(Fate.BEYOND)
            return
        if commit is not None:
            self._rejoin(aggregate, commit, row, seen_at, is_blocked=is_blocked)
        elif not is_blocked and self._is_beyond(aggregate, row):
            aggregate.owed_up_to = max(aggregate.owed_up_to, row.last)
            page.pass_over(Fate.BEYOND)
            self._judge(aggregate, now)
            return
        else:
            commit = self._add(aggregate, row, source, seen_at, source.fresh_seconds, is_blocked=is_blocked)
        self._wait_for(page, commit, aggregate)
        self._settle(commit, now)
        self._judge(aggregate, now)

    def _wait_for(self, page: CommitPage, commit: OwedCommit, aggregate: Aggregate) -> None:
        """Let a commit hold a page, unless nobody waits for it."""
        if aggregate.is_alone and BUS not in commit.delivered:
            page.pass_over(Fate.REFUSED)
        elif commit.is_late and BUS in commit.saved:
            page.pass_over(Fate.LATE)
        else:
            page.hold()
            commit.pages.append(page)

    def _keys_of(self, aggregate: Aggregate, source: Source) -> list[CommitKey]:
        up_to = aggregate.claims.get(source, 0)
        return [commit.key for commit in aggregate.commits.values() if commit.last <= up_to]
