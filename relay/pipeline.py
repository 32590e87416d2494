"""The way of every commit to its destinations: order, deliver, settle. Feed, sweep and replay share it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from eventstore.backoff import Backoff
from eventstore.outbox_row import OutboxRow
from eventstore.ports import Flag, Runtime
from relay import round as rounds
from relay.destination import BUS, Chain, CommitKey, Park, Report, Retry
from relay.event_reader import EventReader
from relay.lane import Lane, Ticket
from relay.memory import DeliveredMemory
from relay.page import Page, PageResult
from relay.sequencer import Sequencer
from relay.settler import Settler
from relay.work import is_settled, lacking

LATE_TICKETS_MAX = 8
_LANE_MARGIN_SECONDS = 30.0
_LATE_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """How patient a page is.

    Attributes:
        side_budget_seconds: How long a page waits for a destination other than the bus once the bus has taken it.
        retry: Pauses between attempts at the bus.
        refusals_max: Give a page up after so many attempts in a row that the bus refused; None, as in the daemon, goes
            on until the relay stops: an outage of the bus is backpressure.
    """

    side_budget_seconds: float = 1.0
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.1, cap_seconds=5.0))
    refusals_max: int | None = None


@dataclass(slots=True)
class _State:
    """A page while it is worked on. `saved` is what the outbox is known to say of who has a commit."""

    source: str
    rows: dict[CommitKey, OutboxRow]
    saved: dict[CommitKey, frozenset[str]]
    tried: dict[str, set[CommitKey]]
    settled: int = 0
    parked: int = 0
    waiting: set[CommitKey] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Undone:
    """Why a page needs another round. `refused`: the bus did not take something, so pause first."""

    refused: bool


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
        self._late: deque[tuple[Lane, Ticket]] = deque()
        self._log = structlog.get_logger()

    def process(self, page: Page, stop: Flag) -> PageResult:
        """Deal with every commit of a page; while the bus refuses, try again until `stop` is raised.

        Raises:
            TryLaterError: DynamoDB did not answer. What was confirmed may be unsettled; process the page again.
        """
        self.collect_late()
        rows = {row.key: row for row in page.rows if lacking(row, self._names)}
        state = _State(
            page.source,
            rows,
            {key: row.delivered for key, row in rows.items()},
            {side.name: set() for side in self._sides},
        )
        attempt = 0
        recheck = page.recheck
        dealt_with = True
        while state.rows and (undone := self._round(state, recheck=recheck)) is not None:
            recheck = False
            attempt = attempt + 1 if undone.refused else 0
            if undone.refused and self._gives_up(attempt, stop):
                dealt_with = False
                break
        late = self._mark_rest(state)
        return PageResult(dealt_with, state.settled, late, state.parked, len(state.waiting))

    def collect_late(self) -> int:
        """Settle what a slow destination has reported since it was last asked; return how many commits that settled."""
        settled = 0
        for _ in range(len(self._late)):
            lane, ticket = self._late.popleft()
            report = ticket.reply.get(0)
            if report is None:
                self._late.append((lane, ticket))
                continue
            verdicts = rounds.judge_side(lane.name, report)
            settled += self._settler.mark(verdicts.delivered)
            for key, name, verdict in verdicts.parked:
                self._settler.park(key, name, verdict)
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

    def _gives_up(self, attempt: int, stop: Flag) -> bool:
        """Tell whether to leave the bus alone for now; pause when not."""
        if self._settings.refusals_max is not None and attempt >= self._settings.refusals_max:
            return True
        return stop.wait(self._settings.retry.delay_seconds(attempt, self._runtime.uniform()))

    def _round(self, state: _State, *, recheck: bool) -> _Undone | None:
        """Send what may go now and settle it; None when nothing is left for the bus to do."""
        ordered = self._sequencer.order(state.rows.values(), recheck=recheck)
        for key, row in ordered.rows.items():
            if row is not state.rows.get(key):  # read just now, so that is what the outbox says
                state.saved[key] = row.delivered
        state.rows = {key: rounds.refresh(state.rows.get(key), row) for key, row in ordered.rows.items()}
        for key in ordered.plan.on_bus & state.rows.keys():  # confirmed before, its settling failed or is under way
            state.rows[key] = rounds.taken(state.rows[key], frozenset({BUS}))
        side_work = self._side_work(state)
        wanted = {row.key for chain in ordered.plan.chains.values() for row in chain}.union(*side_work.values())
        for row in self._events.complete([state.rows[key] for key in wanted]):
            state.rows[row.key] = row
        work = rounds.dispatch(ordered.plan, state.rows, side_work)
        self._deliver(state, work)
        self._park_defects(state, work)
        state.waiting = set(ordered.plan.waiting)
        self._settle(state)
        left = {key for key, row in state.rows.items() if BUS in lacking(row, self._names)} - state.waiting
        return _Undone(refused=not left <= ordered.plan.deferred) if left else None

    def _side_work(self, state: _State) -> dict[str, list[CommitKey]]:
        """Return what the other destinations lack and were not yet asked to take with this page."""
        work: dict[str, list[CommitKey]] = {}
        for side in self._sides:
            keys = [
                key
                for key, row in state.rows.items()
                if side.name in lacking(row, self._names) and key not in state.tried[side.name]
            ]
            state.tried[side.name].update(keys)
            work[side.name] = [] if side.is_closed_off() else keys
        return work

    def _deliver(self, state: _State, work: rounds.Dispatch) -> None:
        """Hand the work to all destinations at once; wait for the bus, and for the others within their budget."""
        tickets = []
        for side in self._sides:
            commits = work.sides[side.name]
            ticket = side.submit([(row,) for row in commits], timeout_seconds=0) if commits else None
            if ticket is not None:
                tickets.append((side, ticket))
        if work.bus:
            self._apply(state, rounds.judge_bus(work.bus, self._ask_bus(state, work.bus)))
        deadline = self._runtime.monotonic() + self._settings.side_budget_seconds
        for side, ticket in tickets:
            behind = any(lane is side for lane, _ in self._late)  # it has not even reported on an earlier page
            budget = 0.0 if behind else max(0.0, deadline - self._runtime.monotonic())
            report = ticket.reply.get(budget)
            if report is None:
                self._remember_late(side, ticket)
            else:
                self._apply(state, rounds.judge_side(side.name, report))

    def _ask_bus(self, state: _State, chains: Sequence[Chain]) -> Report:
        patience = self._bus.budget_seconds + _LANE_MARGIN_SECONDS
        ticket = self._bus.submit(chains, timeout_seconds=patience)
        self._log.debug("bus.publishing", source=state.source, commits=sum(len(chain) for chain in chains))
        report = None if ticket is None else ticket.reply.get(patience)
        if report is None:
            # The lane serves other pages, or its destination broke its promise. Whatever was sent counts as unsent.
            report = Report({row.key: Retry("lane busy") for chain in chains for row in chain})
        refused = rounds.reasons(report.outcomes.values())
        self._log.debug("bus.confirmed", source=state.source, commits=len(report.outcomes) - sum(refused.values()))
        if refused:
            self._log.info("bus.refused", source=state.source, commits=sum(refused.values()), reasons=refused)
        return report

    def _apply(self, state: _State, verdicts: rounds.Verdicts) -> None:
        for key, names in verdicts.delivered.items():
            if BUS in names:
                self._memory.note(*key)
            state.rows[key] = rounds.taken(state.rows[key], names)
        for key, name, verdict in verdicts.parked:
            self._park(state, key, name, verdict)

    def _park_defects(self, state: _State, work: rounds.Dispatch) -> None:
        for key, name in work.defects:
            reason = state.rows[key].defect
            assert reason is not None, "only commits with a defect are parked for one"
            self._park(state, key, name, Park(reason, rounds.DEFECT_CLASS))

    def _park(self, state: _State, key: CommitKey, name: str, verdict: Park) -> None:
        if self._settler.park(key, name, verdict):
            state.parked += 1
        state.rows[key] = rounds.parked(state.rows[key], name, verdict.reason)

    def _settle(self, state: _State) -> None:
        for key in self._settler.settle_complete(state.rows.values()):
            del state.rows[key]
            state.settled += 1

    def _mark_rest(self, state: _State) -> int:
        """Note what was confirmed of commits that stay owed; return how many the bus has and another one lacks."""
        fresh = {key: row.delivered - state.saved[key] for key, row in state.rows.items()}
        self._settler.mark({key: names for key, names in fresh.items() if names})
        on_bus = (row.delivered for row in state.rows.values() if BUS in row.delivered)
        return sum(1 for delivered in on_bus if not is_settled(delivered, self._names))

    def _remember_late(self, side: Lane, ticket: Ticket) -> None:
        if len(self._late) == LATE_TICKETS_MAX:
            self._late.popleft()  # its commits stay owed, and the sweep finds them
        self._late.append((side, ticket))
