"""The path of every commit to its destinations: order, deliver, settle. Feed, sweep and replay share it."""

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import structlog

from eventstore.backoff import Backoff
from eventstore.ports import Runtime
from eventstore.rows.outbox import OutboxRow
from relay import defaults, metrics
from relay.delivery import rounds
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.events import EventReader, EventStock
from relay.delivery.lane import Lane, Ticket
from relay.delivery.page import CommitPage, PageResult
from relay.delivery.sequencer import Sequencer
from relay.delivery.settler import Settler
from relay.destination import BUS, Chain, CommitKey, Park, Report, Retry
from relay.metrics import SILENT, Meter
from relay.outbox.row import RowId, is_settled, lacking, row_id
from relay.permit import Permit

LATE_TICKETS_MAX = 8

READ_MAX_EVENTS = 2_000
"""Events, read by key, that a page holds at most. What is beyond goes in the next round."""

ROTATE_AFTER_ATTEMPTS = 6
"""How many times in a row the bus takes nothing of a page before others of its commits, for which there was no room,
get their turn."""

_LANE_MARGIN_SECONDS = 30.0
_LATE_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """How patient a page is.

    Attributes:
        side_patience_seconds: How long a page waits for a destination other than the bus once the bus has taken it.
        retry: Pauses between attempts at the bus.
        refusals_max: Give up a page after this many attempts in a row of which the bus took nothing; None, as in the
            daemon, goes on until the relay stops: an outage of the bus is backpressure.
        recheck_after_seconds: A page that is held up for so long asks again which of its commits are still owed: the
            sweep or another relay may have delivered them meanwhile.
        read_max_bytes: Events, read by key, that a page holds before it reads no more for now, as DynamoDB counts them.
    """

    side_patience_seconds: float = defaults.SIDE_PATIENCE_SECONDS
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.1, cap_seconds=5.0))
    refusals_max: int | None = None
    recheck_after_seconds: float = 30.0
    read_max_bytes: int = defaults.READ_MAX_BYTES


@dataclass(slots=True)
class _State:
    """A page while it is worked on: `rows` are those that are not dealt with.

    `saved` is what the outbox is known to say of who has a commit; `confirmed` counts what the bus took; `unparked`
    tells that something was to be parked after the permit had expired; `last` are aggregates whose turn comes after the
    others.
    """

    source: str
    rows: dict[CommitKey, OutboxRow]
    saved: dict[CommitKey, frozenset[str]]
    tried: dict[str, set[CommitKey]]
    permit: Permit
    stock: EventStock
    last: frozenset[str] = frozenset()
    confirmed: int = 0
    settled: int = 0
    late: int = 0
    parked: int = 0
    waiting: int = 0
    unparked: bool = False


@dataclass(frozen=True, slots=True)
class _Undone:
    """The part of a page that needs another round.

    `refused`: the bus did not take something, so pause first; `held_up` are the aggregates of which it did not;
    `no_room`: others might have gone if there had been room for their events.
    """

    refused: bool
    held_up: frozenset[str]
    no_room: bool


@dataclass(frozen=True, slots=True)
class _Late:
    """A delivery that a slow destination has not reported on; `recorded` is what the outbox says of its commits."""

    lane: Lane
    ticket: Ticket
    recorded: dict[RowId, frozenset[str]]
    permit: Permit


class Pipeline:
    """Carries pages to the destinations. One part uses one pipeline; the lanes behind it are shared."""

    def __init__(
        self,
        *,
        sequencer: Sequencer,
        events: EventReader,
        settler: Settler,
        bus: Lane,
        sides: Sequence[Lane],
        memory: DeliveredMemory,
        runtime: Runtime,
        settings: PipelineSettings,
        meter: Meter = SILENT,
    ) -> None:
        self._sequencer = sequencer
        self._events = events
        self._settler = settler
        self._bus = bus
        self._sides = tuple(sides)
        self._names = frozenset({bus.name, *(side.name for side in sides)})
        self._memory = memory
        self._runtime = runtime
        self._settings = settings
        self._meter = meter
        self._late: deque[_Late] = deque()
        self._log = structlog.get_logger()

    def process(self, page: CommitPage, permit: Permit) -> PageResult:
        """Deal with every commit of a page; while the bus refuses, try again until the permit is revoked.

        What was confirmed is settled in any case. A page that is given up because the permit was revoked is not dealt
        with, and nothing of it is parked any more: whoever has the permit next judges it again.

        Raises:
            TryLaterError: DynamoDB did not answer. What was confirmed may be unsettled; process the page again.
        """
        self._meter.count(metrics.COMMITS_READ, page.source, amount=len(page.rows))
        self._meter.move(metrics.PAGES_IN_FLIGHT, 1)
        result = "failed"
        try:
            done = self._process(page, permit)
            result = "dealt_with" if done.dealt_with else "given_up"
            return done
        finally:
            self._meter.move(metrics.PAGES_IN_FLIGHT, -1)
            self._meter.count(metrics.PAGES, page.source, result)

    def _process(self, page: CommitPage, permit: Permit) -> PageResult:
        self.collect_late()
        rows = {row.key: row for row in page.rows if lacking(row, self._names)}
        state = _State(
            page.source,
            rows,
            {key: row.delivered for key, row in rows.items()},
            {side.name: set() for side in self._sides},
            permit,
            EventStock(self._events, READ_MAX_EVENTS, self._settings.read_max_bytes),
        )
        done_before = len(
            self._settler.settle_complete(page.rows, may_delete=_is_certain(permit))
        )  # a mark without the deletion that follows it
        self._meter.count(metrics.SETTLED, page.source, amount=done_before)
        state.settled += done_before
        attempt, recheck, asked_at = 0, page.recheck, self._runtime.monotonic()
        dealt_with = True
        while state.rows:
            if permit.is_revoked():
                dealt_with = False
                break
            confirmed = state.confirmed
            undone = self._round(state, recheck=recheck)
            if undone is None:
                break
            attempt = attempt + 1 if undone.refused and state.confirmed == confirmed else 1
            if undone.no_room and attempt % ROTATE_AFTER_ATTEMPTS == 0:
                state.last = undone.held_up
                state.stock.keep(state.rows, ())
            if undone.refused and self._gives_up(attempt, permit):
                dealt_with = False
                break
            recheck = self._runtime.monotonic() - asked_at >= self._settings.recheck_after_seconds
            if recheck:
                asked_at = self._runtime.monotonic()
        self._forget(state, list(state.rows), frozenset())
        return PageResult(dealt_with and not state.unparked, state.settled, state.late, state.parked, state.waiting)

    def collect_late(self) -> int:
        """Settle what a slow destination has reported since it was last asked; return how many commits that settled."""
        settled = 0
        for _ in range(len(self._late)):
            late = self._late.popleft()
            report = late.ticket.reply.get(0)
            if report is None:
                self._late.append(late)
                continue
            verdicts = rounds.judge_side(late.lane.name, report)
            ids = {row.key: row for row in late.recorded}
            delivered = {ids[key]: names for key, names in verdicts.delivered.items()}
            newly = self._settler.mark(delivered, late.recorded, may_delete=_is_certain(late.permit))
            self._meter.count(metrics.SETTLED, "late", amount=newly)
            settled += newly
            for key, name, verdict in verdicts.parked:
                if not late.permit.is_revoked():  # asked for each: parking takes a while
                    self._settler.park(ids[key], name, verdict)
        return settled

    def finish_late(self, timeout_seconds: float) -> int:
        """Wait for what slow destinations still have to report, and settle it; return how many commits that settled.

        Raises:
            As `collect_late`.
        """
        deadline = self._runtime.monotonic() + timeout_seconds
        settled = self.collect_late()
        while self._late and self._runtime.monotonic() < deadline:
            self._runtime.sleep(_LATE_LOOK_SECONDS)
            settled += self.collect_late()
        return settled

    def _gives_up(self, attempt: int, permit: Permit) -> bool:
        """Tell whether to leave the bus alone for now; pause when not."""
        if self._settings.refusals_max is not None and attempt >= self._settings.refusals_max:
            return True
        return permit.wait(self._settings.retry.delay_seconds(attempt, self._runtime.uniform()))

    def _round(self, state: _State, *, recheck: bool) -> _Undone | None:
        """Send what may go now and settle it, then forget what is dealt with; None when nothing is left."""
        with self._meter.timed(metrics.STAGE_SECONDS, "order"):
            ordered = self._sequencer.order(state.rows.values(), recheck=recheck)
        for key, row in ordered.rows.items():
            if row is not state.rows.get(key):  # read just now, so that is what the outbox says
                state.saved[key] = row.delivered
        state.rows = {key: rounds.refresh(state.rows.get(key), row) for key, row in ordered.rows.items()}
        for key in ordered.plan.on_bus & state.rows.keys():  # confirmed before, its settling failed or is under way
            state.rows[key] = rounds.taken(state.rows[key], frozenset({BUS}))
        stock = state.stock
        share = rounds.take_share(ordered.plan, state.rows, self._side_work(state), stock.room_events, last=state.last)
        stock.fill(state.rows, share.in_turn)
        share = rounds.readable(share, state.rows)
        for name, keys in share.sides.items():
            state.tried[name].update(keys)
        work = rounds.dispatch(share, state.rows)
        with self._meter.timed(metrics.STAGE_SECONDS, "deliver"):
            self._deliver(state, work)
        self._park_defects(state, work)
        with self._meter.timed(metrics.STAGE_SECONDS, "settle"):
            self._settle(state)
        for_bus = {key for key, row in state.rows.items() if BUS in lacking(row, self._names)} - ordered.plan.waiting
        left = for_bus.union(*self._side_work(state).values())
        self._forget(state, [key for key in state.rows if key not in left], ordered.plan.waiting)
        if not left:
            return None
        planned = {row.key for chain in ordered.plan.chains.values() for row in chain}
        stock.keep(state.rows, share.for_bus)
        put_off = ordered.plan.deferred | (planned - share.for_bus)
        return _Undone(
            refused=not for_bus <= put_off,
            held_up=frozenset(aggregate_id for aggregate_id, _ in for_bus & share.for_bus),
            no_room=bool(for_bus & planned - share.for_bus),
        )

    def _side_work(self, state: _State) -> dict[str, list[CommitKey]]:
        """Return what other destinations lack, can be handed, and were not yet asked to take with this page."""
        return {
            side.name: []
            if side.is_breaker_open()
            else [
                key
                for key, row in state.rows.items()
                if side.name in lacking(row, self._names) and key not in state.tried[side.name]
            ]
            for side in self._sides
        }

    def _deliver(self, state: _State, work: rounds.Dispatch) -> None:
        """Hand the work to all destinations at once; wait for the bus, and for the others within their budget."""
        tickets = []
        for side in self._sides:
            commits = work.sides[side.name]
            ticket = side.submit([(row,) for row in commits], state.permit, timeout_seconds=0) if commits else None
            if ticket is not None:
                tickets.append((side, ticket))
        if work.bus:
            self._apply(state, rounds.judge_bus(work.bus, self._ask_bus(state, work.bus)))
        deadline = self._runtime.monotonic() + self._settings.side_patience_seconds
        for side, ticket in tickets:
            behind = any(late.lane is side for late in self._late)  # it has not even reported on an earlier page
            budget = 0.0 if behind else max(0.0, deadline - self._runtime.monotonic())
            report = ticket.reply.get(budget)
            if report is None:
                self._remember_late(side, ticket, work.sides[side.name], state.permit)
            else:
                self._apply(state, rounds.judge_side(side.name, report))

    def _ask_bus(self, state: _State, chains: Sequence[Chain]) -> Report:
        patience = self._bus.budget_seconds + _LANE_MARGIN_SECONDS
        self._log.debug("bus.publishing", source=state.source, commits=sum(len(chain) for chain in chains))
        ticket = self._bus.submit(chains, state.permit, timeout_seconds=patience)
        report = None if ticket is None else ticket.reply.get(patience)
        if report is None:
            # The lane serves other pages, or its destination broke its promise. Whatever was sent counts as unsent.
            if ticket is not None:
                ticket.withdrawn.set()
            report = Report({row.key: Retry("lane_busy") for chain in chains for row in chain})
            self._meter.count(metrics.RETRIES, self._bus.name, "lane_busy", amount=len(report.outcomes))
        refused = rounds.reasons(report.outcomes.values())
        self._log.debug("bus.confirmed", source=state.source, commits=len(report.outcomes) - sum(refused.values()))
        if refused:
            self._log.info("bus.refused", source=state.source, commits=sum(refused.values()), reasons=refused)
        return report

    def _apply(self, state: _State, verdicts: rounds.Verdicts) -> None:
        for key, names in verdicts.delivered.items():
            if BUS in names:
                self._memory.note(*key)
                state.confirmed += 1
            state.rows[key] = rounds.taken(state.rows[key], names)
        for key, name, verdict in verdicts.parked:
            self._park(state, key, name, verdict)

    def _park_defects(self, state: _State, work: rounds.Dispatch) -> None:
        for key, name in work.defects:
            reason = state.rows[key].defect
            assert reason is not None, "only commits with a defect are parked for one"
            self._park(state, key, name, Park(reason, rounds.DEFECT_CLASS))

    def _park(self, state: _State, key: CommitKey, name: str, verdict: Park) -> None:
        if state.permit.is_revoked():
            state.unparked = True
            return
        if self._settler.park(row_id(state.rows[key]), name, verdict):
            state.parked += 1
        state.rows[key] = rounds.parked(state.rows[key], name, verdict.reason)

    def _settle(self, state: _State) -> None:
        for row in self._settler.settle_complete(state.rows.values(), may_delete=_is_certain(state.permit)):
            del state.rows[row.key]
            state.settled += 1
            self._meter.count(metrics.SETTLED, state.source)

    def _forget(self, state: _State, keys: Sequence[CommitKey], waiting: Collection[CommitKey]) -> None:
        """Note what was confirmed of commits that stay owed, and forget them: a long page must not pile them up."""
        fresh = {row_id(state.rows[key]): state.rows[key].delivered - state.saved[key] for key in keys}
        noted = {row: names for row, names in fresh.items() if names}
        self._settler.mark(noted, may_delete=_is_certain(state.permit))
        for key in keys:
            row = state.rows.pop(key)
            delivered = row.delivered
            state.late += BUS in delivered and not is_settled(delivered, self._names)
            state.waiting += key in waiting and BUS not in delivered
            for late in self._late:
                if row_id(row) in late.recorded:
                    late.recorded[row_id(row)] = delivered

    def _remember_late(self, side: Lane, ticket: Ticket, rows: Sequence[OutboxRow], permit: Permit) -> None:
        if len(self._late) == LATE_TICKETS_MAX:
            self._late.popleft()  # its commits stay owed, and the sweep finds them
        self._late.append(_Late(side, ticket, dict.fromkeys(map(row_id, rows), frozenset()), permit))


def _is_certain(permit: Permit) -> bool:
    """Tell whether the lease is held for certain: then the destinations in force are those that this worker knows."""
    return permit.left_seconds() > 0.0
