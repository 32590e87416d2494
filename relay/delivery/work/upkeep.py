"""What must be done for an aggregate or a commit after anything about it has changed."""

from collections.abc import Callable
from dataclasses import replace

from eventstore.rows.outbox import OutboxRow
from relay.delivery import order, settling
from relay.delivery.aggregate import Aggregate, Refusal
from relay.delivery.commit import NEVER, OwedCommit
from relay.delivery.page import Fate
from relay.delivery.sides import SideQueue
from relay.delivery.source import Source
from relay.delivery.work.state import InHand
from relay.destination import BUS, CommitKey, Park
from relay.outbox.row import pause_seconds, row_id

DEFECT_CLASS = "unreadable"

SETTLED_TOGETHER_MAX = 25

_LINGER_SECONDS = 0.02
"""How long a write waits for others to go with it, so that a request settles many rows."""

_REFUSALS_MAX = 10_000
"""Aggregates that left while the bus refused them, of which is remembered how long they still wait."""

_SETTLED_MAX = 10_000
"""Commits that left settled, or late for a side: a row of one that comes again is asked for itself."""

_PROGRESS_MAX = 1_000
"""Commits that left in their middle of which is remembered how many events the bus has confirmed."""


class Upkeep(InHand):
    """What must be done for an aggregate or a commit after anything about it has changed."""

    def _judge(self, aggregate: Aggregate, now: float) -> None:
        """Do what is to be done now for an aggregate's order."""
        if len(aggregate.owing) > self._settings.kept_max + 1:  # what stands before the lowest came along
            self._keep_lowest(aggregate)
        if not aggregate.owing:
            self._unready(aggregate)
        if aggregate.id in self._turns or aggregate.is_ready or aggregate.is_asked:
            return
        if not aggregate.owing and not aggregate.owed_up_to:
            if not aggregate.commits:
                self._discard(aggregate)
            return
        if aggregate.due_at > now and aggregate.owing:
            return
        if aggregate.bring_below or aggregate.is_running_out(self._settings.kept_max):
            self._want_more(aggregate)
        if aggregate.owing and not aggregate.bring_below:
            self._go_on(aggregate, now)

    def _go_on(self, aggregate: Aggregate, now: float) -> None:
        """Take the next step for the lowest commit of an aggregate that the bus lacks."""
        step = order.next_step(aggregate.owing[0], aggregate.known, now)
        if step == order.FORGET:
            self._log.warning("memory.refuted", aggregate_id=aggregate.id, reach=aggregate.reach)
            aggregate.reach, aggregate.reach_at = 0, now
            self._memory.forget(aggregate.id)
            step = order.next_step(aggregate.owing[0], aggregate.known, now)
        match step:
            case order.Ask():
                aggregate.is_asked = True
                self._asking.append(aggregate)
                self._lock.ring("asker")
            case order.Fetch():
                self._fetch(aggregate.owing[0])
            case order.Send():
                self._make_ready(aggregate)
            case order.ParkIt():
                self._park(aggregate.owing[0])
            case order.BlockedBy(by):
                self._block(aggregate, by, now)
            case _:
                raise AssertionError(f"no step: {step}")

    def _judge_if_here(self, aggregate: Aggregate, now: float) -> None:
        if self._is_here(aggregate):
            self._judge(aggregate, now)

    def _make_ready(self, aggregate: Aggregate) -> None:
        aggregate.is_ready = True
        self._ready[aggregate] = None
        if len(self._ready) == 1:
            self._lock.ring("bus")

    def _unready(self, aggregate: Aggregate) -> None:
        """Let an aggregate wait for no turn; while the bus is down nobody takes one."""
        if aggregate.is_ready:
            aggregate.is_ready = False
            self._ready.pop(aggregate, None)

    def _want_more(self, aggregate: Aggregate) -> None:
        if not aggregate.is_bringing:
            aggregate.is_bringing = True
            self._bringing.append(aggregate)
            self._lock.ring("asker")

    def _fetch(self, commit: OwedCommit) -> None:
        if commit not in self._fetching:
            self._fetching[commit] = None
            self._lock.ring("asker")

    def _delay(self, aggregate: Aggregate, until: float, now: float) -> None:
        if aggregate.refusal is not None:
            until = max(until, aggregate.refusal.until)  # nothing else shortens its pause
        aggregate.due_at = until
        self._later(until, lambda at: self._judge_if_here(aggregate, at))
        if until <= now:
            self._judge(aggregate, now)

    def _block(self, aggregate: Aggregate, by: CommitKey, now: float) -> None:
        """Let everything from a commit on wait for a person, outside of the flow but for what sides still take."""
        owing = [commit for commit in aggregate.owing if commit.last >= by[1]]
        aggregate.owing = [commit for commit in aggregate.owing if commit.last < by[1]]
        aggregate.owed_up_to = aggregate.bring_below = 0
        aggregate.in_the_way.clear()
        for commit in owing:
            commit.is_blocked = True
            self._release(commit, Fate.PARKED if commit.key == by else Fate.WAITING)
            self._settle(commit, now)
        if not aggregate.commits:
            self._judge(aggregate, now)

    def _park(self, commit: OwedCommit) -> None:
        assert commit.fault or commit.row.defect, "only what can never go is parked"
        self._mark(commit, BUS, commit.fault or Park(commit.row.defect or "", DEFECT_CLASS))

    def _mark(self, commit: OwedCommit, name: str, verdict: Park) -> None:
        if commit.is_gone:
            return
        if not commit.is_settling:
            commit.is_settling = True
            self._marks.append((commit, name, verdict))
            self._lock.ring("settler")
        else:  # one write about a row at a time
            self._later(self._runtime.monotonic() + _LINGER_SECONDS, lambda _: self._mark(commit, name, verdict))

    def _mark_again(self, commit: OwedCommit, name: str, verdict: Park) -> None:
        commit.is_settling = False
        self._mark(commit, name, verdict)

    def _offer(self, commit: OwedCommit, side: SideQueue) -> None:
        """Hand a commit to a side if it lacks it; one with a defect is parked for it."""
        if side.name in commit.delivered or side.name in commit.row.parked or commit.is_gone:
            return
        if commit.row.defect is not None:
            if commit in side.waiting or side.name not in commit.sides:
                side.waiting.pop(commit, None)  # it waited for its events, which will never come
                commit.sides.add(side.name)
                self._mark(commit, side.name, Park(commit.row.defect, DEFECT_CLASS))
            return
        if not side.offer(commit):
            return
        if commit.row.events is None:
            if not commit.is_for_bus:
                self._fetch(commit)
        elif len(side.waiting) == 1:
            self._lock.ring(side.name)

    def _has(self, aggregate: Aggregate, commit: OwedCommit, names: frozenset[str], at: float) -> None:
        """Take it from its row that destinations have a commit."""
        commit.delivered |= names
        commit.saved |= names
        if BUS in names:
            aggregate.owe_no_more(commit)
            self._reach(aggregate, commit.last, at)

    def _open(self, row: OutboxRow, now: float) -> Aggregate:
        """Begin with an aggregate, with what is remembered of it."""
        reach = self._memory.recall(row.aggregate_id, row.epoch)
        aggregate = self._aggregates[row.aggregate_id] = Aggregate(row.aggregate_id, row.epoch, reach, now)
        refusal = self._refusals.pop(row.aggregate_id, None)
        if refusal is not None:  # its pause goes on, whoever hands it in
            self._keep_to(aggregate, refusal)
        return aggregate

    def _heed(self, aggregate: Aggregate, row: OutboxRow) -> None:
        """Keep to the pause that a row asks for: this worker or another was refused."""
        left = pause_seconds(row, BUS, self._runtime.now_ms())
        if left > 0.0:
            now = self._runtime.monotonic()
            self._keep_to(aggregate, self._refusal_of(row, now + left, now))

    def _keep_to(self, aggregate: Aggregate, refusal: Refusal) -> None:
        """Let an aggregate wait alone until a refusal's pause is over."""
        aggregate.refusal, aggregate.due_at = refusal, refusal.until
        self._later(refusal.until, lambda at: self._judge_if_here(aggregate, at))

    def _refusal_of(self, row: OutboxRow, until: float, now: float) -> Refusal:
        """Return what a row's mark says of refusals, by this worker or another."""
        mark = row.refused[BUS]
        since = now - max(0.0, (self._runtime.now_ms() - mark.since_ms) / 1000)
        return Refusal(row.last, mark.reason, max(1, mark.attempts), since, until)

    def _add(
        self,
        aggregate: Aggregate,
        row: OutboxRow,
        source: Source | None,
        seen_at: float,
        fresh_seconds: float,
        *,
        is_blocked: bool = False,
    ) -> OwedCommit:
        commit = OwedCommit(row, source, seen_at, fresh_seconds, row.delivered, row.delivered, is_blocked=is_blocked)
        if row.refused and aggregate.refusal is None:
            self._heed(aggregate, row)
        identity = row_id(row)
        commit.sent = self._progress.pop(identity, 0)
        if identity in self._settled:  # a look that took its time: it is asked whether the row is there at all
            commit.doubt(self._runtime.monotonic())
        aggregate.commits[row.last] = commit
        if source is None:
            self._brought += 1
        else:
            self._commits += 1
            source.commits += 1
        self._weigh(commit, was_read=False)
        if BUS in row.delivered:
            if seen_at != NEVER:
                self._reach(aggregate, row.last, self._runtime.monotonic())
        elif not is_blocked:
            aggregate.owe(commit)
        for side in self._sides.values():
            self._offer(commit, side)
        return commit

    def _rejoin(
        self, aggregate: Aggregate, commit: OwedCommit, row: OutboxRow, seen_at: float, *, is_blocked: bool = False
    ) -> None:
        """Take what another look at a row says; what it contradicts is asked for."""
        same = commit.row.commit_id == row.commit_id and commit.row.first == row.first
        if row.refused and aggregate.refusal is None and not commit.is_begun:
            self._heed(aggregate, row)
        if not same or set(commit.row.parked) != set(row.parked):
            commit.seen_at = NEVER
        elif seen_at > commit.seen_at and seen_at >= commit.doubted_at:
            commit.seen_at = seen_at
        if same and not row.delivered <= commit.delivered:
            self._has(aggregate, commit, row.delivered, max(seen_at, 0.0))
        if commit.is_blocked:
            if is_blocked:
                return
            commit.is_blocked = False
            commit.seen_at = NEVER
        if BUS not in commit.delivered and commit not in aggregate.owing:
            aggregate.owe(commit)

    def _is_beyond(self, aggregate: Aggregate, row: OutboxRow) -> bool:
        """Tell whether an aggregate has too many commits for another; make room for one that is lower than others."""
        most = self._settings.kept_max
        if BUS in row.delivered:
            return False
        if len(aggregate.owing) < most:  # there is room, but not above others that are not kept
            return aggregate.owed_up_to > 0 and (not aggregate.owing or row.last > aggregate.owing[-1].last)
        if row.last > aggregate.owing[-1].last:
            return True
        above = [commit for commit in aggregate.owing if commit.last > row.last and not commit.is_begun]
        if above:  # a side that has it already is offered it again: that does no harm
            aggregate.owed_up_to = max(aggregate.owed_up_to, above[-1].last)
            self._remove(aggregate, above[-1], Fate.BEYOND)
            return False
        self._ask_below_what_is_begun(aggregate)
        return True

    def _keep_lowest(self, aggregate: Aggregate) -> None:
        """Let go of the highest of an aggregate's commits when there are too many; what is begun stays."""
        kept = [commit for commit in aggregate.owing if not commit.is_begun]
        for commit in kept[self._settings.kept_max + 1 :]:
            aggregate.owed_up_to = max(aggregate.owed_up_to, commit.last)
            self._remove(aggregate, commit, Fate.BEYOND)

    def _ask_below_what_is_begun(self, aggregate: Aggregate) -> None:
        """Let the outbox say which commits below one that was begun are owed: none should be, many were handed in."""
        begun = [commit for commit in aggregate.owing if commit.is_begun]
        for commit in [commit for commit in aggregate.owing if not commit.is_begun]:
            self._remove(aggregate, commit, Fate.BEYOND)
        aggregate.bring_below = begun[0].last

    def _settle(self, commit: OwedCommit, now: float) -> None:
        """See to what its row needs."""
        if commit.is_gone:
            return
        if commit.sides and commit.row.events is None and commit.row.defect is None and not commit.is_for_bus:
            self._fetch(commit)  # no turn at the bus brings its events
        if commit.sides and not commit.is_for_bus and not commit.is_late and commit not in self._awaiting:
            self._await_sides(commit, now)
        due = settling.due(commit, self._names)
        if due is settling.Due.LEAVE:
            self._leave(commit, now)
        elif due is not settling.Due.NOTHING:
            commit.is_settling = True
            self._unsettled += 1
            self._settling.append((now + _LINGER_SECONDS, commit))
            if len(self._settling) in {1, SETTLED_TOGETHER_MAX}:
                self._lock.ring("settler")

    def _written(self) -> None:
        """Count a write less that waits; what waited for that may go."""
        self._unsettled -= 1
        if self._unsettled == self._settings.unsettled_max - 1 and self._ready:
            self._lock.ring("bus")

    def _settling_again(self, commit: OwedCommit) -> Callable[[float], None]:
        """Return what puts a commit back among those whose rows something is to be written about."""

        def settle(now: float) -> None:
            self._settling.append((now, commit))
            self._lock.ring("settler")

        return settle

    def _await_sides(self, commit: OwedCommit, now: float) -> None:
        """Let a commit that is nothing for the bus wait for its sides, within the room that there is for such."""
        self._awaiting[commit] = now + self._settings.side_patience_seconds
        for name in sorted(commit.sides):
            side = self._sides[name]
            side.alone[commit] = None
            if len(side.alone) > self._settings.side_max:
                oldest = next(iter(side.alone))
                side.forget(oldest)
                oldest.is_late = True
                self._settle(oldest, now)
        if len(self._awaiting) == 1:
            self._lock.ring("settler")

    def _leave(self, commit: OwedCommit, now: float) -> None:
        """Let a commit go for which nothing can be done here now."""
        aggregate = self._aggregates[commit.row.aggregate_id]
        self._remove(aggregate, commit, Fate.LATE if BUS in commit.delivered else Fate.WAITING)
        if not aggregate.commits:
            self._judge(aggregate, now)

    def _let_go(self, aggregate: Aggregate, is_meant: Callable[[OwedCommit], bool], fate: Fate) -> None:
        """Remove commits that are meant, but those that are unanswered or about which something must be written."""
        for commit in list(aggregate.commits.values()):
            if is_meant(commit) and not commit.is_under_way and not commit.is_settling:
                if BUS in commit.delivered or commit.unsaved:
                    commit.is_late = commit.is_blocked = True
                    if BUS not in commit.delivered:
                        aggregate.owe_no_more(commit)
                        self._release(commit, fate)
                    for side in self._sides.values():
                        if commit not in side.under_way:
                            side.forget(commit)
                    self._settle(commit, self._runtime.monotonic())
                if not commit.is_gone and not commit.is_settling:
                    self._remove(aggregate, commit, fate)

    def _disclaim(self, aggregate: Aggregate, source: Source, fate: Fate) -> None:
        """Take a source's claim away, and with it what nobody else claims."""
        aggregate.claims.pop(source, None)
        source.aggregates.pop(aggregate.id, None)
        covered = max(aggregate.claims.values(), default=0)
        aggregate.owed_up_to = min(aggregate.owed_up_to, covered)
        self._let_go(aggregate, lambda commit: commit.last > covered, fate)

    def _remove(self, aggregate: Aggregate, commit: OwedCommit, fate: Fate) -> None:
        commit.is_gone = True
        if BUS in commit.delivered:
            # What was read of it before now does not refute that the bus has it.
            aggregate.reach_at = self._runtime.monotonic()
            self._settled[row_id(commit.row)] = None
            if len(self._settled) > _SETTLED_MAX:
                self._settled.popitem(last=False)
        elif commit.sent:
            self._progress[row_id(commit.row)] = commit.sent
            if len(self._progress) > _PROGRESS_MAX:
                self._progress.popitem(last=False)
        del aggregate.commits[commit.last]
        aggregate.owe_no_more(commit)
        self._fetching.pop(commit, None)
        self._awaiting.pop(commit, None)
        for side in self._sides.values():
            side.forget(commit)
        self._release(commit, fate)
        self._bytes -= commit.body_bytes
        self._read_bytes -= commit.read_bytes
        self._read.pop(commit, None)
        if commit.read_bytes and self._fetching:
            self._lock.ring("asker")
        if commit.source is None:
            self._brought -= 1
        else:
            self._commits -= 1
            commit.source.commits -= 1

    def _discard(self, aggregate: Aggregate, *, remember: bool = True) -> None:
        """Forget an aggregate of which nothing is in hand."""
        remember = remember and self._is_here(aggregate)  # it may have gone before, with its tables
        if remember and aggregate.reach:
            self._memory.note(aggregate.id, aggregate.epoch, aggregate.reach)
        if remember and aggregate.refusal is not None:
            self._refusals[aggregate.id] = aggregate.refusal
            if len(self._refusals) > _REFUSALS_MAX:
                self._refusals.popitem(last=False)
        for source in aggregate.claims:
            source.aggregates.pop(aggregate.id, None)
        self._unready(aggregate)
        if self._is_here(aggregate):
            del self._aggregates[aggregate.id]

    def _put_away(self, commit: OwedCommit) -> None:
        """Let go of events that were read by key and cannot go now."""
        if commit.read_bytes and not commit.sides and not commit.is_gone:
            commit.row = replace(commit.row, events=None)
            self._weigh(commit, was_read=False)

    def _stand_alone(self, aggregate: Aggregate, now: float) -> None:
        """Let nobody wait for an aggregate: its lowest commit stays, outside of the room that sources have.

        Those above wait in the outbox, and here only as long as sides take them.
        """
        if not aggregate.owing:
            return  # its row says that the bus has it: somebody else had more luck
        lowest, *above = aggregate.owing
        self._release(lowest, Fate.REFUSED)
        if lowest.source is not None:
            self._commits -= 1
            self._brought += 1
            lowest.source.commits -= 1
            lowest.source = None
        del aggregate.owing[1:]
        for commit in above:
            aggregate.owed_up_to = max(aggregate.owed_up_to, commit.last)
            commit.is_blocked = True
            self._release(commit, Fate.REFUSED)
            self._settle(commit, now)
