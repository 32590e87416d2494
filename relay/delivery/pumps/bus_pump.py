"""Carries events to the bus: many aggregates at once, one unanswered event of each, in fair turns."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eventstore.backoff import Backoff
from eventstore.ports import Runtime
from eventstore.rows.outbox import OutboxRow
from relay import defaults
from relay.delivery.aggregate import Turn
from relay.delivery.flow import Flow
from relay.delivery.pumps.pump import Pump
from relay.destination import BusLostError, BusNews, EventBus, Trouble, TroubleKind
from relay.metrics import SILENT, Meter
from relay.permit import may_begin
from relay.progress import Progress

NACK = "nack"

BUDGET_MAX_SECONDS = 300.0
"""However often no answer came, one is not waited for longer before the connection is thrown away."""

LISTEN_MAX_SECONDS = 1.0
"""Longest single wait for news; each also keeps the heartbeat going."""

_BUSY_SECONDS = 0.05
_TURN_SECONDS = 120.0
_RECENT = 20
_REFUSERS_MIN = 5

_SILENCE_BUDGETS = 6
"""After so many budgets a silent message is given up with its connection: an answer that was lost never comes."""


@dataclass(frozen=True, slots=True)
class BusPumpSettings:
    """How patient the pump is.

    Attributes:
        budget_seconds: Without any answer for so long, the connection is thrown away, and what was unanswered counts as
            unsent. After a connection that brought none at all it doubles, to 300 s: a budget that is shorter than a
            confirm takes must not send copies for ever.
        retry: Pauses between attempts to use a bus that is in trouble.
    """

    budget_seconds: float = defaults.BUS_BUDGET_SECONDS
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.1, cap_seconds=5.0))


class BusPump(Pump):
    """The part `bus`. It owns the connection, and keeps time for the flow."""

    def __init__(
        self,
        bus: EventBus,
        flow: Flow,
        runtime: Runtime,
        settings: BusPumpSettings,
        meter: Meter = SILENT,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(bus.name, runtime, meter, progress)
        self._bus = bus
        self._flow = flow
        self._settings = settings
        self._under_way: dict[Turn, None] = {}
        self._budget = settings.budget_seconds
        self._heard_at = 0.0
        self._taken_at = 0.0
        self._brought = 0
        self._retry_at = 0.0
        self._failures = 0
        self._closing: Trouble | None = None
        self._is_clearing = False
        self._blocked: Trouble | None = None
        self._is_shut = False  # the trouble is that it cannot be opened
        self._recent: deque[tuple[str, bool]] = deque(maxlen=_RECENT)
        self._is_refusing = False
        flow.on_work("bus", self.ring)

    @property
    def in_order(self) -> bool:
        """Whether the destination keeps each aggregate's order: the bus does."""
        return True

    @property
    def well_since(self) -> float | None:
        """Since when the bus is well, by the monotonic clock; None while it is in trouble."""
        return self._well_since if self._trouble is None else None

    @property
    def warning(self) -> str | None:
        """See `EventBus.warning`."""
        return self._bus.warning

    @property
    def failures(self) -> int:
        """How many attempts in a row the bus took nothing."""
        return self._failures

    def ring(self) -> None:
        """Look for work now."""
        super().ring()
        self._bus.wake()

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {"bus": self._serve}

    def _serve(self) -> None:
        self._budget = self._settings.budget_seconds
        try:
            while not self._stopping.is_set():
                self._progress.turned("bus", _TURN_SECONDS)
                self._turn()
        finally:
            self._progress.ended("bus")
            self._give_up()

    def _turn(self) -> None:
        """Send what may go, and hear what became of it."""
        due = self._flow.wake_due()
        if self._trouble is None:
            self._tell_recovery()
        if not self._bus.is_open and not self._open(due):
            return
        try:
            is_busy = self._fill()
            listened_at = self._runtime.monotonic()
            self._hear(self._bus.listen(self._patience(due, is_busy=is_busy)))
        except BusLostError as error:
            self._lose(error.trouble)
            return
        self._look(listened_at)

    def _open(self, due: float | None) -> bool:
        """Connect when it is time to; wait a while when it is not."""
        wait = self._retry_at - self._runtime.monotonic()
        if wait > 0:
            self._bell.get(min(wait, LISTEN_MAX_SECONDS if due is None else max(due, 0.001)))
            return False
        try:
            self._bus.open()
        except BusLostError as error:
            self._lose(error.trouble)
            self._is_shut = True
            return False
        self._brought = 0
        self._heard_at = self._runtime.monotonic()
        is_outage = self._trouble is None or self._trouble.kind is TroubleKind.OUTAGE
        if not self._is_refusing and (is_outage or self._is_shut):
            self._note(None)
        self._is_shut = False
        return True

    def _fill(self) -> bool:
        """Send what may go, within the window; tell whether there may be more of it right away."""
        if self._closing is not None or self._is_clearing or self._blocked is not None:
            return False
        turns = deque(self._flow.take(self._bus.window - len(self._under_way)))
        is_busy = bool(turns)
        try:
            while turns:
                turn = turns.popleft()
                self._send(turn)
        except BusLostError:
            for left in (turn, *turns):
                if left not in self._under_way:
                    self._flow.put_back(left, 0.0)
            raise
        return is_busy and self._flow.has_work_for_bus() and len(self._under_way) < self._bus.window

    def _send(self, turn: Turn) -> None:
        now = self._runtime.monotonic()
        if not self._may_send(turn, now):
            self._flow.put_back(turn)
            return
        try:
            fault = self._bus.unsendable(_left_of(turn))
            if fault is not None:
                self._flow.unsendable(turn, fault)
                return
            is_sent = self._bus.send(turn.event, turn)
        except BusLostError:
            raise
        except Exception:
            # A defect of this program that only this commit shows must not stop all others.
            self._log.exception("commit.held_back", aggregate_id=turn.aggregate.id, last=turn.commit.last)
            if not self._flow.hold_back(turn):
                raise
            return
        if not is_sent:
            self._flow.put_back(turn, _BUSY_SECONDS)
            return
        turn.sent_at = now = self._runtime.monotonic()  # sending may have taken long, and that is no silence
        if all(turn.is_silent for turn in self._under_way):
            self._heard_at = now  # nothing was owed an answer: the silence before is not this one's
        self._under_way[turn] = None

    def _may_send(self, turn: Turn, now: float) -> bool:
        """Tell whether somebody who claims an event holds a permit for it. Asked right before it is sent."""
        aggregate = turn.aggregate
        if not any(permit.left_seconds() > 0 for permit in turn.permits):
            return False
        if may_begin(turn.beginners):
            aggregate.revoked_at = None
            return True
        if turn.commit.sent == 0:
            return False
        aggregate.revoked_at = now if aggregate.revoked_at is None else aggregate.revoked_at
        return now - aggregate.revoked_at <= self._flow.settings.finish_seconds

    def _patience(self, due: float | None, *, is_busy: bool) -> float:
        """Return how long to listen: until something is due, or it is time to look after what is unanswered."""
        if is_busy:
            return 0.0
        wait = LISTEN_MAX_SECONDS if due is None else min(LISTEN_MAX_SECONDS, due)
        if any(not turn.is_silent for turn in self._under_way):
            wait = min(wait, max(0.01, self._heard_at + self._budget - self._runtime.monotonic()))
        return wait

    def _hear(self, news: BusNews[Turn]) -> None:
        now = self._runtime.monotonic()
        for turn in (*news.taken, *news.refused, *news.returned):
            self._under_way.pop(turn, None)
        if news.taken or news.refused or news.returned:
            self._heard_at = now
        if news.taken:
            self._taken_at = now
            self._brought += len(news.taken)
            self._budget = self._settings.budget_seconds
            self._failures = 0
            self._recent.extend((turn.aggregate.id, True) for turn in news.taken)
            self._flow.confirmed(news.taken)
        for turn in news.refused:
            self._recent.append((turn.aggregate.id, False))
            self._flow.refused(turn, NACK)
        for turn in news.returned:
            self._flow.put_back(turn)
        was_blocked, self._blocked = self._blocked is not None, None
        if was_blocked and news.trouble is None and not self._is_refusing:
            self._note(None)  # it says so itself: nobody needs to send anything to find out
        if news.trouble is not None:
            if news.trouble.kind is TroubleKind.MISCONFIGURED:
                self._closing = news.trouble
            else:
                self._blocked = news.trouble
        if news.taken or news.refused or news.trouble is not None or self._is_refusing:
            self._judge_health(news)

    def _judge_health(self, news: BusNews[Turn]) -> None:
        """Say how the bus is: queues that refuse are not its trouble while it takes anything at all."""
        refusers = {aggregate_id for aggregate_id, is_taken in self._recent if not is_taken}
        is_full = len(self._recent) == _RECENT
        self._is_refusing = is_full and len(refusers) >= _REFUSERS_MIN and not any(taken for _, taken in self._recent)
        trouble = news.trouble
        if trouble is None and self._is_refusing:
            trouble = Trouble(
                TroubleKind.OUTAGE,
                f"the broker refuses whatever it is sent (nack): the last {_RECENT}, of {len(refusers)} aggregates;"
                " look for queues that are full and reject, or that have no majority",
            )
        if trouble is not None or news.taken:
            self._note(trouble)

    def _look(self, now: float) -> None:
        """Look after what is unanswered for too long.

        Args:
            now: When the last listen began. What came before has been heard; what came since may not have been, when
                this process stood still.
        """
        waiting = [turn for turn in self._under_way if not turn.is_silent]
        if self._closing is not None and (not waiting or now - self._heard_at > self._budget):
            self._lose(self._closing)
            return
        if self._blocked is not None:
            self._heard_at = now  # it says that it answers nobody
            return
        silent = [turn for turn in self._under_way if turn.is_silent]
        if waiting and now - self._heard_at > self._budget:
            if self._brought:  # it does answer, but not for these: they wait alone
                self._call_silent([turn for turn in waiting if now - turn.sent_at > self._budget])
            reason = f"{len(self._under_way)} messages stayed unconfirmed, and nothing was heard for"
            hint = "is the broker slow, or a queue without a majority?"
            self._lose(Trouble(TroubleKind.OUTAGE, f"{reason} {now - self._heard_at:.1f} s; {hint}"))
            return
        if silent and 2 * len(silent) >= self._bus.window:
            self._lose(None)  # they take the room of others: without a connection they wait alone
            return
        # They are tried again on another connection, once the others are answered; unless they are answered first.
        patience = _SILENCE_BUDGETS * self._settings.budget_seconds
        self._is_clearing = bool(silent) and now - silent[0].sent_at > patience
        if self._is_clearing and not waiting:
            self._lose(None)
            return
        for turn in waiting:
            if now - turn.sent_at <= self._settings.budget_seconds or self._taken_at <= turn.sent_at:
                break  # those after it were sent later
            self._call_silent([turn])

    def _call_silent(self, turns: Sequence[Turn]) -> None:
        """Say of messages that they are not answered while others are."""
        for turn in turns:
            self._log.warning("bus.silent", aggregate_id=turn.aggregate.id, last=turn.commit.last)
            self._flow.silent(turn)

    def _lose(self, trouble: Trouble | None) -> None:
        """Throw the connection away, and leave the bus alone for a while if it is in trouble."""
        was_open = self._bus.is_open
        if was_open and self._under_way and not self._brought:
            self._budget = min(BUDGET_MAX_SECONDS, 2 * self._budget)
        self._give_up()
        if trouble is None:
            return
        self._failures += 1
        self._is_shut = False
        self._note(trouble)
        pause = self._settings.retry.delay_seconds(self._failures, self._runtime.uniform())
        self._retry_at = self._runtime.monotonic() + pause
        self._log.info("bus.lost", failures=self._failures, next_seconds=round(pause, 1))

    def _give_up(self) -> None:
        unanswered: Sequence[Turn] = self._bus.drop()
        self._under_way.clear()
        self._closing = self._blocked = None
        self._is_clearing = False
        self._flow.unsent(unanswered)


def _left_of(turn: Turn) -> OutboxRow:
    """Return what is to be looked at before an event goes: its whole commit, or of one that is begun the event alone.

    The broker may have told of a smaller limit since the commit was begun.
    """
    row = turn.commit.row
    return row if turn.commit.sent == 0 else replace(row, events=(turn.event,))
