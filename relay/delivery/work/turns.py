"""What the bus pump does: it takes events that may go, and says what became of them."""

import heapq
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from eventstore.rows.refused import RefusedMark
from relay import metrics
from relay.delivery import order
from relay.delivery.aggregate import Aggregate, Refusal, Turn
from relay.delivery.commit import OwedCommit
from relay.delivery.page import Fate
from relay.delivery.work.upkeep import Upkeep
from relay.destination import BUS, CommitKey, Park

HELD_UP_SHOWN_MAX = 20

DEFECTS_IN_A_ROW_MAX = 5

_PERMIT_LOOK_SECONDS = 0.1

_OTHERS_TRY_SECONDS = 60.0
"""So often at most a success lets all others try that were refused: there may be several queues that refuse."""

_HASTENED_MAX = 3
"""So often at most in a row for one aggregate: a queue that takes one event now and then would get copies for ever."""

_REFUSALS_NOTED_FROM = 3
"""From so many refusals in a row on, a commit's row says how long it waits."""


@dataclass(frozen=True, slots=True)
class HeldUp:
    """An aggregate that waits alone.

    Attributes:
        key: Of the commit that is not taken.
        reason: `nack` or `silent`.
        attempts: So far.
        since_seconds: How long ago the first was.
        next_seconds: Until the next.
    """

    key: CommitKey
    reason: str
    attempts: int
    since_seconds: float
    next_seconds: float


class Turns(Upkeep):
    """What the bus pump does: it takes events that may go, and says what became of them."""

    def take(self, turns_max: int) -> list[Turn]:
        """Return events that may go to the bus now, in fair turns over the aggregates. The permits are to be asked."""
        now = self._runtime.monotonic()
        turns: list[Turn] = []
        full: list[Aggregate] = []
        with self._lock:
            for _ in range(len(self._ready)):
                if len(turns) >= turns_max:
                    break
                aggregate, _ = self._ready.popitem(last=False)
                aggregate.is_ready = False
                lowest = aggregate.owing[0] if aggregate.owing else None
                if lowest is None or order.next_step(lowest, aggregate.known, now) != order.SEND:
                    self._judge(aggregate, now)
                    continue
                if not lowest.is_begun and self._unsettled >= self._settings.unsettled_max:
                    full.append(aggregate)
                    continue
                turn = Turn(
                    aggregate,
                    lowest,
                    lowest.next_event(),
                    aggregate.permits(lowest.last),
                    aggregate.beginners(lowest.last),
                )
                lowest.is_under_way = True
                aggregate.turn = turn
                self._turns[aggregate.id] = turn
                turns.append(turn)
            for aggregate in full:  # until something was written down
                aggregate.is_ready = True
                self._ready[aggregate] = None
        return turns

    def put_back(self, turn: Turn, seconds: float = _PERMIT_LOOK_SECONDS) -> None:
        """Take an event back that was not sent; it gets another turn after that time."""
        now = self._runtime.monotonic()
        with self._lock:
            self._end_turn(turn)
            if turn.commit.is_gone:
                self._judge_if_here(turn.aggregate, now)
            elif seconds:
                self._delay(turn.aggregate, now + seconds, now)
            else:
                self._after_turn(turn, now)

    def confirmed(self, turns: Collection[Turn]) -> None:
        """Note events that the bus has durably taken."""
        now = self._runtime.monotonic()
        with self._lock:
            for turn in turns:
                self._confirm(turn, now)
            self._defects_in_a_row = 0

    def refused(self, turn: Turn, reason: str) -> None:
        """Note an event that the bus did not take: its aggregate waits alone, longer each time."""
        now = self._runtime.monotonic()
        uniform = self._runtime.uniform()
        with self._lock:
            self._end_turn(turn)
            if turn.commit.is_gone or BUS in turn.commit.delivered:
                self._judge_if_here(turn.aggregate, now)
            else:
                self._refuse(turn, reason, now, uniform)

    def silent(self, turn: Turn) -> None:
        """Note that an event stays unanswered while others are answered: nobody waits for its aggregate."""
        with self._lock:
            if not turn.is_silent and not turn.commit.is_gone:
                turn.is_silent = True
                self._stand_alone(turn.aggregate, self._runtime.monotonic())

    def unsent(self, turns: Collection[Turn]) -> None:
        """Note events whose answers will never come: the connection is gone, and they count as unsent."""
        now = self._runtime.monotonic()
        uniform = self._runtime.uniform()
        with self._lock:
            for turn in turns:
                self._end_turn(turn)
                if turn.commit.is_gone or BUS in turn.commit.delivered:
                    self._judge_if_here(turn.aggregate, now)
                elif turn.is_silent:
                    self._refuse(turn, "silent", now, uniform)
                else:
                    self._after_turn(turn, now)

    def unsendable(self, turn: Turn, fault: Park) -> None:
        """Note that a commit can never be sent as it is; it is parked when it is known to be its turn."""
        now = self._runtime.monotonic()
        with self._lock:
            self._end_turn(turn)
            turn.commit.fault = fault
            if not turn.commit.is_gone:
                self._judge(turn.aggregate, now)

    def hold_back(self, turn: Turn) -> bool:
        """Set a commit aside that this program fails on, which is its own fault; False when that goes on and on."""
        now = self._runtime.monotonic()
        with self._lock:
            self._end_turn(turn)
            self._defects_in_a_row += 1
            if not turn.commit.is_gone:
                self._refuse(turn, "defect", now, 0.0)
            return self._defects_in_a_row < DEFECTS_IN_A_ROW_MAX

    def wake_due(self) -> float | None:
        """Look after what is due by now; return how many seconds until something else is, None when nothing will be."""
        now = self._runtime.monotonic()
        with self._lock:
            while self._due and self._due[0][0] <= now:
                heapq.heappop(self._due)[2](now)
            return max(0.0, self._due[0][0] - now) if self._due else None

    def has_work_for_bus(self) -> bool:
        """Tell whether events may go to the bus."""
        return bool(self._ready)

    def held_up(self) -> list[HeldUp]:
        """Return aggregates that wait alone, those that wait longest first, at most `HELD_UP_SHOWN_MAX`."""
        now = self._runtime.monotonic()
        with self._lock:
            found = [_held_up(each, now) for each in self._aggregates.values() if each.owing and each.is_alone]
        return sorted(found, key=lambda each: -each.since_seconds)[:HELD_UP_SHOWN_MAX]

    def count_held_up(self) -> dict[str, int]:
        """Return how many aggregates wait alone, by reason."""
        now = self._runtime.monotonic()
        with self._lock:
            return Counter(
                _held_up(each, now).reason for each in self._aggregates.values() if each.owing and each.is_alone
            )

    def _confirm(self, turn: Turn, now: float) -> None:
        aggregate, commit = turn.aggregate, turn.commit
        self._end_turn(turn)
        commit.sent += 1
        if commit.is_gone:
            self._judge_if_here(aggregate, now)
            return
        if aggregate.refusal is not None:
            self._log.info("bus.taken_after_refusals", aggregate_id=aggregate.id, last=commit.last)
            aggregate.refusal = None
            aggregate.due_at = 0.0
            self._let_others_try(now)
        if commit.sent <= commit.row.last - commit.row.first:
            self._after_turn(turn, now)
            return
        commit.delivered |= {BUS}
        delay = max(0, self._runtime.now_ms() - commit.row.committed_at_ms) / 1000
        self._meter.observe(metrics.COMMIT_TO_CONFIRM, delay, BUS)
        self._meter.count(metrics.DELIVERED, BUS, "confirmed")
        aggregate.owe_no_more(commit)
        self._reach(aggregate, commit.last, now)
        self._settle(commit, now)
        self._judge(aggregate, now)

    def _let_others_try(self, now: float) -> None:
        """What was refused is taken: others that wait for the same reason try soon, though not again and again."""
        if now - self._others_tried_at < _OTHERS_TRY_SECONDS:
            return
        self._others_tried_at = now
        for aggregate in list(self._aggregates.values()):
            refusal = aggregate.refusal
            if refusal is not None and refusal.until > now and refusal.hastened < _HASTENED_MAX:
                aggregate.refusal = replace(refusal, until=now, hastened=refusal.hastened + 1)
                self._delay(aggregate, now, now)

    def _after_turn(self, turn: Turn, now: float) -> None:
        """Go on with a commit whose event has come back, if anybody still claims it."""
        aggregate, commit = turn.aggregate, turn.commit
        if not aggregate.permits(commit.last):
            self._let_go(aggregate, lambda each: each is commit, Fate.WITHDRAWN)
        self._judge(aggregate, now)

    def _refuse(self, turn: Turn, reason: str, now: float, uniform: float) -> None:
        aggregate = turn.aggregate
        before = aggregate.refusal
        if before is None and BUS in turn.commit.row.refused:  # its pause is over
            before = self._refusal_of(turn.commit.row, now, now)
        attempts = 1 if before is None else before.attempts + 1
        pause = self._settings.refused.ceiling_seconds(attempts) * (1.0 + 0.2 * uniform)
        since, hastened = (now, 0) if before is None else (before.since, before.hastened)
        aggregate.refusal = Refusal(turn.commit.last, reason, attempts, since, now + pause, hastened)
        turn.commit.doubt(now)  # whoever else delivers it may have had more luck
        self._meter.count(metrics.RETRIES, BUS, reason)
        self._log.warning(
            "bus.refused",
            aggregate_id=aggregate.id,
            last=turn.commit.last,
            reason=reason,
            attempts=attempts,
            next_seconds=round(pause, 1),
        )
        self._stand_alone(aggregate, now)
        self._put_away(turn.commit)
        if attempts >= _REFUSALS_NOTED_FROM:
            self._note_refusal(turn.commit, aggregate.refusal, now)
        self._delay(aggregate, now + pause, now)
        self._bound_alone(aggregate)

    def _bound_alone(self, aggregate: Aggregate) -> None:
        """Let the outbox keep what was refused longest ago, when many aggregates are; its pause is remembered."""
        self._alone[aggregate] = None
        self._alone.move_to_end(aggregate)
        if len(self._alone) > self._settings.alone_max:
            oldest, _ = self._alone.popitem(last=False)
            if self._is_here(oldest) and oldest.refusal is not None:
                self._let_go(oldest, lambda _: True, Fate.REFUSED)
                if not oldest.commits:
                    self._discard(oldest)

    def _note_refusal(self, commit: OwedCommit, refusal: Refusal, now: float) -> None:
        """Let the row say for how long the bus is left alone with it, so that whoever else has it knows."""
        now_ms = self._runtime.now_ms()
        since_ms, until_ms = (round(now_ms + 1000 * (at - now)) for at in (refusal.since, refusal.until))
        self._refused.append((commit, RefusedMark(refusal.attempts, since_ms, until_ms, refusal.reason)))
        self._lock.ring("settler")

    def _end_turn(self, turn: Turn) -> None:
        turn.commit.is_under_way = False
        if turn.aggregate.turn is turn:
            turn.aggregate.turn = None
        if self._turns.get(turn.aggregate.id) is turn:
            del self._turns[turn.aggregate.id]
            successor = self._aggregates.get(turn.aggregate.id)
            if successor is not None and successor is not turn.aggregate:  # the tables are others since
                self._judge(successor, self._runtime.monotonic())


def _held_up(aggregate: Aggregate, now: float) -> HeldUp:
    refusal, turn = aggregate.refusal, aggregate.turn
    key = aggregate.owing[0].key
    if refusal is None:
        assert turn is not None, "it waits alone for one of two reasons"
        return HeldUp(key, "silent", 1, now - turn.sent_at, 0.0)
    return HeldUp(key, refusal.reason, refusal.attempts, now - refusal.since, max(0.0, refusal.until - now))
