"""What settlers do: they take what is to be written about rows, and say what became of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eventstore.rows.refused import RefusedMark
from relay import metrics
from relay.delivery import settling
from relay.delivery.commit import NEVER, OwedCommit
from relay.delivery.page import Fate
from relay.delivery.work.upkeep import SETTLED_TOGETHER_MAX, Upkeep
from relay.destination import BUS, Park
from relay.permit import Permit

_UNPARKED_SECONDS = 5.0
"""How long a commit rests whose row could not be marked, though it can never go."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is to be written about rows.

    Attributes:
        deletions: Commits that every destination has.
        notes: Commits, each with the destinations to note.
        marks: Commits to park, each with destination and reason.
        refused: Commits that the bus refuses, each with a mark of its pause; one attempt, since the next follows.
        wait_seconds: When there is nothing yet: how long until there may be.
    """

    deletions: Sequence[OwedCommit] = ()
    notes: Mapping[OwedCommit, frozenset[str]] = field(default_factory=dict)
    marks: Sequence[tuple[OwedCommit, str, Park]] = ()
    refused: Sequence[tuple[OwedCommit, RefusedMark]] = ()
    wait_seconds: float = 0.0

    def is_empty(self) -> bool:
        """Tell whether there is nothing to write."""
        return not (self.deletions or self.notes or self.marks or self.refused)


class Settlements(Upkeep):
    """What settlers do: they take what is to be written about rows, and say what became of it."""

    def settlement(self, *, may_delete: bool) -> Settlement:
        """Return what is to be written about rows, a request's worth; it counts as under way until it is reported.

        Args:
            may_delete: Whether this worker is certain of the destinations in force.
        """
        now = self._runtime.monotonic()
        with self._lock:
            self._look_for_late(now)
            mark = self._next_mark()
            if mark is not None:
                return mark
            deletions: list[OwedCommit] = []
            notes: dict[OwedCommit, frozenset[str]] = {}
            wait = 0.5 if not self._awaiting else max(0.0, next(iter(self._awaiting.values())) - now)
            while self._settling and len(deletions) < SETTLED_TOGETHER_MAX and len(notes) < SETTLED_TOGETHER_MAX:
                due_at, commit = self._settling[0]
                if due_at > now and len(self._settling) < SETTLED_TOGETHER_MAX:
                    wait = min(wait, due_at - now)
                    break
                self._settling.popleft()
                if commit.is_gone:
                    self._written()
                    continue
                commit.is_settling = False
                due = settling.due(commit, self._names, may_delete=may_delete)
                if due is settling.Due.DELETION:
                    commit.is_settling = True
                    deletions.append(commit)
                elif due is settling.Due.NOTE:
                    commit.is_settling = True
                    notes[commit] = commit.unsaved
                else:
                    self._written()
                    if due is settling.Due.LEAVE:
                        self._leave(commit, now)
            return Settlement(deletions, notes, wait_seconds=min(0.5, wait))

    def _next_mark(self) -> Settlement | None:
        while self._refused:
            commit, refused = self._refused.popleft()
            if not (commit.is_gone or commit.is_settling):
                return Settlement(refused=((commit, refused),))
        while self._marks:
            mark = self._marks.popleft()
            if not mark[0].is_gone:
                return Settlement(marks=(mark,))
        return None

    def deleted(self, commits: Iterable[OwedCommit]) -> None:
        """Note commits whose rows are gone."""
        now = self._runtime.monotonic()
        with self._lock:
            for commit in commits:
                self._written()
                if not commit.is_gone:
                    aggregate = self._aggregates[commit.row.aggregate_id]
                    source = commit.source or next(iter(aggregate.claims), None)
                    if source is not None:
                        source.settled += 1
                    kind = "late" if commit.is_late or source is None else source.kind
                    self._meter.count(metrics.SETTLED, kind)
                    self._remove(aggregate, commit, Fate.SETTLED)
                    self._judge(aggregate, now)

    def noted(self, notes: Mapping[OwedCommit, frozenset[str]]) -> None:
        """Note what rows say of who has their commits, after a note was written."""
        now = self._runtime.monotonic()
        with self._lock:
            for commit, names in notes.items():
                self._written()
                if not commit.is_gone:
                    commit.is_settling, commit.settle_failures = False, 0
                    commit.delivered |= names
                    commit.saved = names
                    if BUS in names:
                        self._release(commit, Fate.LATE)
                    self._settle(commit, now)

    def is_foreign(self, commits: Iterable[OwedCommit]) -> None:
        """Note commits whose rows were settled by others, or belong to other commits now."""
        now = self._runtime.monotonic()
        with self._lock:
            for commit in commits:
                self._written()
                if not commit.is_gone:
                    aggregate = self._aggregates[commit.row.aggregate_id]
                    self._remove(aggregate, commit, Fate.SETTLED)
                    aggregate.reach, aggregate.reach_at = 0, now  # the table may be another than the bus was told of
                    self._memory.forget(aggregate.id)
                    self._judge(aggregate, now)

    def unwritten(self, commits: Iterable[OwedCommit]) -> None:
        """Write again later: it was refused for now, or it is unknown whether it happened."""
        now, uniform = self._runtime.monotonic(), self._runtime.uniform()
        with self._lock:
            for commit in commits:
                commit.settle_failures += 1
                pause = self._settings.settle.delay_seconds(commit.settle_failures, uniform)
                self._later(now + pause, self._settling_again(commit))

    def marked(self, commit: OwedCommit, name: str, verdict: Park, delivered: frozenset[str] | None) -> None:
        """Note that a commit is parked.

        Args:
            commit: The commit.
            name: For which destination.
            verdict: Why.
            delivered: Who has it, as its row says by now; None when the row is gone, has it, or was parked already.
        """
        now = self._runtime.monotonic()
        with self._lock:
            commit.is_settling = False
            if commit.is_gone:
                return
            aggregate = self._aggregates[commit.row.aggregate_id]
            if delivered is not None:
                self._meter.count(metrics.PARKED, name)
                commit.row = replace(commit.row, parked={**commit.row.parked, name: verdict.reason})
                commit.seen_at = now  # an answer to a question from before the mark takes nothing away
                if not delivered <= commit.saved:
                    self._has(aggregate, commit, delivered, now)
            else:  # something is odd about the row: it is looked at again
                commit.seen_at = NEVER
                commit.fault, commit.vetted = None, False
                if name == BUS:  # what can never go is not waited for; otherwise the page waits for the bus alone
                    self._release(commit, Fate.WAITING)
            if delivered is None and name == BUS:
                self._delay(aggregate, now + _UNPARKED_SECONDS, now)
            if name == BUS and delivered is not None:
                self._release(commit, Fate.PARKED)
            elif name != BUS:
                self._sides[name].forget(commit)
            self._settle(commit, now)
            self._judge(aggregate, now)

    def unmarked(self, commit: OwedCommit, name: str, verdict: Park) -> None:
        """Park it later: DynamoDB did not answer, or nobody who claims it may park it for now."""
        now = self._runtime.monotonic()
        with self._lock:
            if commit.is_gone:
                return
            aggregate = self._aggregates[commit.row.aggregate_id]
            if aggregate.permits(commit.last):
                self._later(now + 0.5, lambda _: self._mark_again(commit, name, verdict))
                return
            commit.is_settling = False  # whoever claims it next parks it
            self._let_go(aggregate, lambda each: each is commit, Fate.WITHDRAWN)
            self._judge(aggregate, now)

    def permits_of(self, commit: OwedCommit) -> tuple[Permit, ...]:
        """Return the permits of those who claim a commit."""
        with self._lock:
            aggregate = self._aggregates.get(commit.row.aggregate_id)
            return () if aggregate is None or commit.is_gone else aggregate.permits(commit.last)

    def _look_for_late(self, now: float) -> None:
        while self._awaiting and next(iter(self._awaiting.values())) <= now:
            commit, _ = self._awaiting.popitem(last=False)
            if commit.sides:
                commit.is_late = True
                if BUS not in commit.unsaved:  # else its page waits until that is written down
                    self._release(commit, Fate.LATE if BUS in commit.saved else Fate.WAITING)
                self._settle(commit, now)
