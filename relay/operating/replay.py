"""Replay: deliver what the outbox still owes, by hand, through the delivery that the daemon uses."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eventstore.ports import Flag, Runtime
from eventstore.rows.outbox import OutboxRow
from relay import defaults
from relay.daemon import PartDiedError
from relay.delivery.commit import NEVER
from relay.delivery.flow import Flow
from relay.delivery.page import CommitPage
from relay.delivery.pumps.pump import Pump
from relay.delivery.source import REPLAY, Source
from relay.destination import BUS, CommitKey
from relay.lifecycle import Service
from relay.outbox.debt import Debt, Ledger, Meant
from relay.outbox.reader import OutboxReader
from relay.permit import FlagPermit

_STOP_SECONDS = 30.0
_DEAD_STOP_SECONDS = 1.0
_LOOK_SECONDS = 0.25
_WATCH_SECONDS = 0.1
_WALKS_WITHOUT_PROGRESS_MAX = 3

REFUSALS_MAX = 5
"""Attempts in a row of which the bus takes nothing, after which a replay gives up."""

_PAUSE_SECONDS = 0.5
_LATE_SECONDS = 5.0
_LATE_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What to replay, and how hard.

    Attributes:
        meant: Which rows. Earlier commits of their aggregates that the bus lacks go first, meant or not.
        commits_max: Deliver up to this many commits, then stop.
        commits_per_second: Deliver no more than this many per second, on average; None for as fast as it goes.
        page_max_rows: Rows in one page.
    """

    meant: Meant = field(default_factory=Meant)
    commits_max: int | None = None
    commits_per_second: float | None = None
    page_max_rows: int = defaults.OUTBOX_PAGE_ROWS


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """The progress of a replay.

    Attributes:
        seen: Rows that this walk has looked at.
        handed_over: Commits handed to destinations so far, repeats counted.
        settled: Commits whose rows went so far.
        seconds: Since it began.
    """

    seen: int = 0
    handed_over: int = 0
    settled: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """What a replay did.

    Attributes:
        handed_over: Commits handed to destinations, repeats counted.
        settled: Commits whose rows went.
        left: Rows meant that the last walk left in the outbox, whatever the reason they are left.
        parked: Of them, those that wait for a person.
        waiting: Of them, those that the bus cannot have because of one that is parked or unreadable.
        complete: That walk saw all of the outbox; False when it was ended early, so that more may be left.
        limit_reached: It ended because it had handed over as many commits as it was to.
        held: Why it ended, when something forbade it to go on, such as a pause.
        trouble: What ailed the destinations, by name.
    """

    handed_over: int
    settled: int
    left: int
    parked: int
    waiting: int
    complete: bool
    limit_reached: bool
    held: str | None
    trouble: Mapping[str, str]


@dataclass(slots=True)
class _Walk:
    meant: int = 0
    parked: int = 0
    waiting: int = 0
    settled_before: int = 0
    handed_over: int = 0
    refused: bool = False


Hold = Callable[[], str | None]
"""Says why nothing may be delivered now, or None; asked before each page."""


class Replay:
    """One replay; `run` returns when nothing more can be done, or when it is told to stop."""

    def __init__(
        self,
        *,
        reader: OutboxReader,
        flow: Flow,
        pumps: Sequence[Pump],
        services: Sequence[Service],
        runtime: Runtime,
        request: ReplayRequest,
        refusals_max: int = REFUSALS_MAX,
        hold: Hold = lambda: None,
        progress: Callable[[ReplayProgress], None] = lambda _: None,
    ) -> None:
        self._reader = reader
        self._flow = flow
        self._pumps = tuple(pumps)
        self._services = (*self._pumps, *services)
        self._refusals_max = refusals_max
        self._bell = runtime.channel(1)
        self._source: Source | None = None
        self._runtime = runtime
        self._request = request
        self._hold = hold
        self._tell = progress
        self._began_at = runtime.monotonic()
        self._handed_over = 0
        self._held: str | None = None
        self._outcome: ReplayResult | None = None

    def run(self, stop: Flag) -> ReplayResult:
        """Deliver until nothing that is meant is left, or walks bring nothing more.

        Raises:
            TryLaterError: DynamoDB did not answer. Replay again; what was delivered is settled.
            PartDiedError: A part ended by an unexpected error; what it was to deliver stays owed.
        """
        for service in self._services:
            service.start()
        patience = _STOP_SECONDS
        walker = self._runtime.spawn("replay", lambda: self._walk_until_done(stop))
        try:
            while not walker.join(_WATCH_SECONDS):
                self._watch()
            if walker.failure is not None:
                raise walker.failure
        except PartDiedError:
            patience = _DEAD_STOP_SECONDS  # what waits for the dead part would wait in vain
            stop.set()
            walker.join(patience)
            raise
        finally:
            for service in self._services:
                service.stop()
            for service in self._services:
                service.join(patience)
        assert self._outcome is not None, "a walk that did not fail has an outcome"
        return self._outcome

    def _watch(self) -> None:
        """Notice at once when a part has died, rather than wait for answers that do not come."""
        for service in self._services:
            part = service.dead_part
            if part is not None:
                raise PartDiedError(f"{part.name}: {part.failure!r}") from part.failure

    def _walk_until_done(self, stop: Flag) -> None:
        source = self._source = self._flow.open_source(REPLAY, FlagPermit(stop))
        try:
            walk, complete = self._walk_and_walk(source, stop)
            self._wait_for_writes()  # while what goes still counts as this source's
            self._outcome = self._result(walk, complete=complete)
        finally:
            self._flow.withdraw(source)
            self._wait_for_writes()

    def _walk_and_walk(self, source: Source, stop: Flag) -> tuple[_Walk, bool]:
        """Walk until one finds nothing to do, or nothing moves; return the last walk, and whether it saw all rows.

        What is left is what the last walk has found. It is not reckoned from what went: that may be an earlier commit
        which was not meant.
        """
        fruitless = 0
        while True:  # until nothing is left, or nothing moves
            walk = _Walk(settled_before=source.settled)
            complete = self._walk(source, walk, stop)
            settled = source.settled - walk.settled_before
            fruitless = 0 if settled else fruitless + 1
            stuck = walk.handed_over == 0 and not walk.refused and not self._closed_off()
            if walk.meant == 0 or stuck or fruitless == _WALKS_WITHOUT_PROGRESS_MAX:
                return walk, complete
            if not self._may_go_on(stop):
                if complete and walk.handed_over and self._is_limit_reached():
                    return self._look_again(source)
                return walk, complete and not settled
            if not settled:
                stop.wait(_PAUSE_SECONDS)

    def _look_again(self, source: Source) -> tuple[_Walk, bool]:
        """Walk once to see what is left, and deliver nothing."""
        walk, ledger = _Walk(settled_before=source.settled), Ledger([pump.name for pump in self._pumps])
        for rows in self._reader.walk(self._request.meant.aggregate_id, self._request.page_max_rows):
            now_ms = self._runtime.now_ms()
            for row in rows:
                debt = ledger.debt(row)
                if self._request.meant.includes(row, now_ms):
                    _count(walk, debt)
        return walk, True

    def _walk(self, source: Source, walk: _Walk, stop: Flag) -> bool:
        """Walk over the rows once; tell whether all of them were seen."""
        ledger = Ledger([pump.name for pump in self._pumps])
        seen = 0
        for rows in self._reader.walk(self._request.meant.aggregate_id, self._request.page_max_rows):
            if not self._may_go_on(stop):
                return False
            seen += len(rows)
            now_ms, closed_off = self._runtime.now_ms(), self._closed_off()
            work: list[OutboxRow] = []
            behind: set[CommitKey] = set()
            for row in rows:
                debt = ledger.debt(row)
                if not self._request.meant.includes(row, now_ms):
                    continue
                _count(walk, debt)
                if isinstance(row, OutboxRow) and debt.can_go(closed_off):
                    work.append(row)
                    if debt.behind is not None:
                        behind.add(row.key)
            for share in self._shares(work):
                if not self._may_go_on(stop) or not self._deliver(source, share, behind, walk, seen, stop):
                    return False
            self._say(seen)
        self._wait_for_late(source, stop)
        self._say(seen)
        return True

    def _wait_for_late(self, source: Source, stop: Flag) -> None:
        """Wait a while for what its pages no longer wait for."""
        deadline = self._runtime.monotonic() + _LATE_SECONDS
        while self._flow.in_hand(source, 1) and not self._is_given_up() and self._runtime.monotonic() < deadline:
            if stop.wait(_LATE_LOOK_SECONDS):
                break

    def _shares(self, work: Sequence[OutboxRow]) -> Iterator[list[OutboxRow]]:
        """Yield the work in shares that keep to the rate, and end with the limit."""
        rate = self._request.commits_per_second
        size = len(work) if rate is None else max(1, int(rate))
        start = 0
        while start < len(work):
            left = len(work) if self._request.commits_max is None else self._request.commits_max - self._handed_over
            end = start + min(size, left)
            yield list(work[start:end])
            start = end

    def _deliver(
        self,
        source: Source,
        share: list[OutboxRow],
        behind: Collection[CommitKey],
        walk: _Walk,
        seen: int,
        stop: Flag,
    ) -> bool:
        """Deliver some commits; False when the bus was given up on."""
        if not self._wait_for_room(source, stop):
            walk.refused = True
            return False
        self._handed_over += len(share)
        walk.handed_over += len(share)
        page = CommitPage(REPLAY, self._runtime.monotonic(), ring=lambda: self._bell.put(True, 0))
        self._flow.hand_in(source, page, share, NEVER, behind)
        page.is_sealed = True
        while not page.is_over and not stop.is_set() and not self._is_given_up():  # until the bus has it, or will not
            self._bell.get(_LOOK_SECONDS)
        self._say(seen)
        if not page.is_over:
            walk.refused = True
            return False
        if self._request.commits_per_second is not None:
            due = self._began_at + self._handed_over / self._request.commits_per_second
            stop.wait(max(0.0, due - self._runtime.monotonic()))
        return True

    def _wait_for_room(self, source: Source, stop: Flag) -> bool:
        """Wait until less is in hand than may be; False when the bus was given up on, or it takes too long.

        What the bus has stays in hand for a while, until slow destinations have it, too.
        """
        deadline = self._runtime.monotonic() + self._flow.settings.overdue_seconds
        while not self._flow.has_room(source):
            if stop.wait(_LATE_LOOK_SECONDS) or self._is_given_up() or self._runtime.monotonic() > deadline:
                return False
        return True

    def _may_go_on(self, stop: Flag) -> bool:
        if self._held is None:
            self._held = self._hold()
        return not stop.is_set() and self._held is None and not self._is_limit_reached()

    def _is_limit_reached(self) -> bool:
        return self._request.commits_max is not None and self._handed_over >= self._request.commits_max

    def _is_given_up(self) -> bool:
        """Tell whether the bus took nothing for too many attempts in a row."""
        return any(pump.in_order and pump.failures >= self._refusals_max for pump in self._pumps)

    def _wait_for_writes(self) -> None:
        """Let facts be written down before the parts stop that write."""
        deadline = self._runtime.monotonic() + _LATE_SECONDS
        while not self._flow.is_written_down() and self._runtime.monotonic() < deadline:
            self._runtime.sleep(_LATE_LOOK_SECONDS)

    def _closed_off(self) -> list[str]:
        return [pump.name for pump in self._pumps if pump.is_breaker_open()]

    def _say(self, seen: int) -> None:
        seconds = self._runtime.monotonic() - self._began_at
        self._tell(ReplayProgress(seen, self._handed_over, self._settled(), seconds))

    def _settled(self) -> int:
        return 0 if self._source is None else self._source.settled

    def _result(self, walk: _Walk, *, complete: bool) -> ReplayResult:
        settled = self._settled()
        return ReplayResult(
            handed_over=self._handed_over,
            settled=settled,
            left=walk.meant if complete else max(0, walk.meant - (settled - walk.settled_before)),
            parked=walk.parked,
            waiting=walk.waiting,
            complete=complete,
            limit_reached=self._is_limit_reached() and not complete,
            held=self._held,
            trouble={pump.name: pump.trouble.reason for pump in self._pumps if pump.trouble is not None},
        )


@dataclass(frozen=True, slots=True)
class ReplayPreview:
    """What a replay would find.

    Attributes:
        meant: Rows that are meant.
        handed_over: Of them, those that it would hand over, were all destinations well.
        lacking: Of those, by destination how many it lacks.
        aggregates: Aggregates they belong to.
        parked: Rows meant that wait for a person.
        waiting: Rows meant that the bus cannot have because of one that is parked or unreadable.
        oldest_committed_at_ms: When the oldest of those it would hand over was committed; None when there is none.
    """

    meant: int
    handed_over: int
    lacking: Mapping[str, int]
    aggregates: int
    parked: int
    waiting: int
    oldest_committed_at_ms: int | None


def preview(reader: OutboxReader, names: Sequence[str], request: ReplayRequest, runtime: Runtime) -> ReplayPreview:
    """Look what a replay would do, and do nothing.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    ledger, walk, lacking = Ledger(names), _Walk(), dict.fromkeys(sorted(names), 0)
    aggregates, last_aggregate, oldest = 0, None, None
    for rows in reader.walk(request.meant.aggregate_id, request.page_max_rows):
        now_ms = runtime.now_ms()
        for row in rows:
            debt = ledger.debt(row)
            if not request.meant.includes(row, now_ms):
                continue
            _count(walk, debt)
            if not (debt.is_readable and debt.can_go()) or walk.handed_over == request.commits_max:
                continue
            walk.handed_over += 1
            for name in debt.lacking - ({BUS} if debt.behind is not None else frozenset()):
                lacking[name] += 1
            if row.aggregate_id != last_aggregate:
                aggregates, last_aggregate = aggregates + 1, row.aggregate_id
            if debt.committed_at_ms is not None:
                oldest = debt.committed_at_ms if oldest is None else min(oldest, debt.committed_at_ms)
    return ReplayPreview(walk.meant, walk.handed_over, lacking, aggregates, walk.parked, walk.waiting, oldest)


def _count(walk: _Walk, debt: Debt) -> None:
    walk.meant += 1
    walk.parked += bool(debt.parked)
    walk.waiting += debt.behind is not None
