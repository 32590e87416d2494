"""What the asker does: it takes what is in question, and brings what the outbox says."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from eventstore.rows.outbox import OutboxRow
from relay.delivery import order
from relay.delivery.aggregate import Aggregate
from relay.delivery.commit import OwedCommit
from relay.delivery.page import Fate
from relay.delivery.source import SWEEP
from relay.delivery.work.upkeep import Upkeep
from relay.destination import BUS, CommitKey
from relay.outbox.row import Absent, Answer, Unreadable

_ASKED_TOGETHER_MAX = 100

_FETCHED_TOGETHER_MAX = 25

_CONFLICT_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Questions:
    """What the flow wants to know of the outbox.

    Attributes:
        asks: Per aggregate the rows that are in question.
        brings: Aggregates of which earlier or further commits are wanted, with the bounds and how many.
        fetches: Commits whose events are wanted, within `bytes_max`.
        bytes_max: Room for them.
        in_hand: Those of the rows asked for whose commits are in hand; the others are those before them.
        whole: Those of them whose events are in hand as well.
    """

    asks: Sequence[tuple[Aggregate, tuple[CommitKey, ...]]]
    brings: Sequence["Bring"]
    fetches: Sequence[OwedCommit]
    bytes_max: int
    in_hand: frozenset[CommitKey] = frozenset()
    whole: frozenset[CommitKey] = frozenset()

    def is_empty(self) -> bool:
        """Tell whether nothing is in question."""
        return not (self.asks or self.brings or self.fetches)

    def asking(self) -> "Questions":
        """Return those about rows alone."""
        return replace(self, brings=(), fetches=())

    def bringing(self, bring: "Bring") -> "Questions":
        """Return one of those about a stretch alone."""
        return replace(self, asks=(), brings=(bring,), fetches=())

    def fetching(self) -> "Questions":
        """Return those about events alone."""
        return replace(self, asks=(), brings=())


@dataclass(frozen=True, slots=True)
class Bring:
    """A stretch of an aggregate of which the lowest commits owed to the bus are wanted.

    Attributes:
        aggregate: The aggregate.
        above: Commits that end at this number or lower are left out.
        below: Commits that end at this number or higher are left out.
        limit: Most commits.
    """

    aggregate: Aggregate
    above: int
    below: int
    limit: int


class Answers(Upkeep):
    """What the asker does: it takes what is in question, and brings what the outbox says."""

    def questions(self) -> Questions:
        """Return what is in question; it counts as asked until it is answered."""
        settings = self._settings
        with self._lock:
            asks: list[tuple[Aggregate, tuple[CommitKey, ...]]] = []
            in_hand: list[OwedCommit] = []
            asked = 0
            now = self._runtime.monotonic()
            while self._asking and asked < _ASKED_TOGETHER_MAX - 1:
                aggregate = self._asking.popleft()
                step = order.next_step(aggregate.owing[0], aggregate.known, now) if aggregate.owing else order.REST
                if isinstance(step, order.Ask) and aggregate.due_at <= now and aggregate.id not in self._turns:
                    asks.append((aggregate, step.keys))
                    in_hand.append(aggregate.owing[0])
                    asked += len(step.keys)
                else:
                    aggregate.is_asked = False
                    self._judge(aggregate, now)
            brings = []
            if self._bringing:
                aggregate = self._bringing.popleft()
                brings.append(self._bring(aggregate))
            fetches: list[OwedCommit] = []
            room = settings.read_max_bytes - self._read_bytes
            if self._fetching and room <= 0:
                self._reclaim()
                room = settings.read_max_bytes - self._read_bytes
            if self._fetching and (room > 0 or self._read_bytes == 0):
                fetches = list(self._fetching)[:_FETCHED_TOGETHER_MAX]
            return Questions(
                asks,
                brings,
                fetches,
                max(0, room),
                frozenset(each.key for each in in_hand),
                frozenset(each.key for each in in_hand if each.row.events is not None),
            )

    def answered(
        self,
        asks: Sequence[tuple[Aggregate, tuple[CommitKey, ...]]],
        answers: Mapping[CommitKey, Answer],
        asked_at: float,
    ) -> None:
        """Take what the outbox says of rows; keys without an answer, which are in conflict, are asked for again."""
        now = self._runtime.monotonic()
        with self._lock:
            for aggregate, keys in asks:
                is_answered = self._is_here(aggregate) and all(key in answers for key in keys)
                if is_answered:  # it counts as asked so long, that nobody discards it between two answers
                    aggregate.questions_failed = 0
                    self._take_answers(aggregate, {key: answers[key] for key in keys}, asked_at, now)
                aggregate.is_asked = False
                if is_answered:
                    self._judge(aggregate, now)
                elif self._is_here(aggregate):
                    self._delay(aggregate, now + _CONFLICT_SECONDS, now)

    def brought(self, bring: Bring, rows: Sequence[OutboxRow], asked_at: float, *, more: bool) -> None:
        """Take the lowest commits owed of a stretch; `more` when there are others above them."""
        now = self._runtime.monotonic()
        aggregate = bring.aggregate
        with self._lock:
            aggregate.is_bringing = False
            if self._aggregates.get(aggregate.id) is not aggregate:
                return
            aggregate.questions_failed = 0
            aggregate.bring_below = 0
            if more:
                aggregate.owed_up_to = max(aggregate.owed_up_to, bring.below - 1)
                self._keep_no_gap(aggregate, bring.below)
            elif bring.below > aggregate.owed_up_to:
                aggregate.owed_up_to = 0
            is_asked, aggregate.is_asked = aggregate.is_asked, True  # nobody discards it between two rows
            for row in rows:
                if BUS in row.parked and BUS not in row.delivered:
                    self._block(aggregate, row.key, now)
                    break
                self._bring_in(aggregate, row, asked_at, now)
            aggregate.is_asked = is_asked
            self._judge(aggregate, now)

    def fetched(self, rows: Iterable[tuple[OwedCommit, OutboxRow]]) -> None:
        """Take commits with their events, or with a defect; those that come as they are wait for room."""
        now = self._runtime.monotonic()
        with self._lock:
            for commit, row in rows:
                if commit.is_gone or (row.events is None and row.defect is None):
                    continue
                self._fetching.pop(commit, None)
                if commit.row.commit_id != row.commit_id:
                    continue
                commit.row = replace(commit.row, events=row.events, defect=row.defect)
                self._weigh(commit, was_read=True)
                aggregate = self._aggregates[row.aggregate_id]
                for side in self._sides.values():
                    self._offer(commit, side)
                self._settle(commit, now)
                if not commit.is_gone:
                    self._judge(aggregate, now)

    def unanswered(self, questions: Questions) -> None:
        """Ask again later: the outbox did not answer."""
        now, uniform = self._runtime.monotonic(), self._runtime.uniform()
        with self._lock:
            asked = {aggregate: None for aggregate, _ in questions.asks}
            brought = {bring.aggregate: None for bring in questions.brings}
            for aggregate in {
                **asked,
                **brought,
            }:  # each once, in their order: one question may wait while another fails
                if aggregate in asked:
                    aggregate.is_asked = False
                if aggregate in brought:
                    aggregate.is_bringing = False
                if self._aggregates.get(aggregate.id) is aggregate:
                    aggregate.questions_failed += 1
                    pause = self._settings.question.delay_seconds(aggregate.questions_failed, uniform)
                    self._delay(aggregate, now + pause, now)

    def _bring(self, aggregate: Aggregate) -> Bring:
        room = self._settings.brought_max - self._brought
        limit = max(1, min(self._settings.kept_max, room))
        if aggregate.bring_below:
            return Bring(aggregate, aggregate.reach, aggregate.bring_below, limit)
        highest = aggregate.owing[-1].last if aggregate.owing else 0
        return Bring(aggregate, max(aggregate.reach, highest), aggregate.owed_up_to + 1, limit)

    def _bring_in(self, aggregate: Aggregate, row: OutboxRow, asked_at: float, now: float) -> None:
        """Take an earlier or a further commit of an aggregate that nobody handed in, or keep how far they go."""
        commit = aggregate.commits.get(row.last)
        if commit is not None:
            self._rejoin(aggregate, commit, row, asked_at)
        elif BUS in row.delivered:
            self._reach(aggregate, row.last, asked_at)
            return
        elif not aggregate.is_claimed(row.last):
            return  # who wanted it has let go while the question was under way
        elif self._is_beyond_for_brought(aggregate, row):
            aggregate.owed_up_to = max(aggregate.owed_up_to, row.last)
            return
        else:
            commit = self._add(aggregate, row, None, asked_at, self._settings.fresh_seconds)
        self._settle(commit, now)

    def _keep_no_gap(self, aggregate: Aggregate, above: int) -> None:
        """Let go of commits above some that are owed and not in hand: what is in hand is always the lowest."""
        for commit in [each for each in aggregate.owing if each.last >= above]:
            if not commit.is_begun:
                aggregate.owed_up_to = max(aggregate.owed_up_to, commit.last)
                self._remove(aggregate, commit, Fate.BEYOND)

    def _is_beyond_for_brought(self, aggregate: Aggregate, row: OutboxRow) -> bool:
        kept = [commit for commit in aggregate.owing if not commit.is_begun]
        if len(kept) < self._settings.kept_max:
            return False
        return row.last > kept[-1].last or self._is_beyond(aggregate, row)

    def _take_answers(
        self, aggregate: Aggregate, answers: Mapping[CommitKey, Answer], asked_at: float, now: float
    ) -> None:
        """Take what the outbox said of the lowest commit and of the one before it."""
        lowest = aggregate.owing[0] if aggregate.owing else None
        for key, answer in answers.items():
            commit = aggregate.commits.get(key[1])
            if commit is not None:
                self._take_own_answer(aggregate, commit, answer, asked_at, now)
            else:
                self._take_answer_before(aggregate, key, answer, asked_at, now)
        if lowest is not None and not lowest.is_gone and (lowest.fault or lowest.row.defect):
            before = answers.get((aggregate.id, lowest.row.first - 1))
            lowest.vetted = order.is_vetted(answers.get(lowest.key), before, is_first=lowest.row.first == 1)

    def _take_own_answer(
        self, aggregate: Aggregate, commit: OwedCommit, answer: Answer, asked_at: float, now: float
    ) -> None:
        if isinstance(answer, Absent):
            self._reach(aggregate, commit.last, asked_at)
            if aggregate.refusal is not None and aggregate.refusal.last <= commit.last:
                aggregate.refusal = None  # somebody else had more luck
            source = commit.source
            self._remove(aggregate, commit, Fate.SETTLED)
            if source is not None and source.kind == SWEEP and len(aggregate.claims) == 1:
                self._disclaim(aggregate, source, Fate.OVERDUE)  # somebody else is at work on it
        elif isinstance(answer, Unreadable):
            self._block(aggregate, commit.key, now)
        elif asked_at < commit.seen_at:
            return  # something newer was heard of it
        elif answer.row.commit_id != commit.row.commit_id or answer.row.first != commit.row.first:
            self._replace(aggregate, commit, answer.row, asked_at)
        else:
            self._take_row(aggregate, commit, answer.row, asked_at, now)

    def _take_row(self, aggregate: Aggregate, commit: OwedCommit, row: OutboxRow, asked_at: float, now: float) -> None:
        """Take what the outbox says of a commit by now; events that were read before stay with it."""
        events = commit.row.events if row.events is None else row.events
        defect = commit.row.defect if row.events is None else row.defect
        commit.row = replace(row, events=events, defect=row.defect or defect)
        commit.seen_at = asked_at
        self._weigh(commit, was_read=commit.read_bytes > 0)
        if row.refused and aggregate.refusal is None:
            self._heed(aggregate, row)
        if not row.delivered <= commit.saved:
            self._has(aggregate, commit, row.delivered, asked_at)
        elif BUS in row.delivered:  # what was said of it before may have been too old to count
            self._reach(aggregate, commit.last, asked_at)
        if BUS not in commit.delivered and commit not in aggregate.owing:
            self._take_in_the_way(aggregate, commit)
        if commit.row.defect is not None and commit.row.events is None:
            for side in self._sides.values():
                self._offer(commit, side)
        self._settle(commit, now)

    def _take_in_the_way(self, aggregate: Aggregate, commit: OwedCommit) -> None:
        """Deal with one that is here for sides alone, and that the bus lacks before another."""
        if BUS in commit.row.parked:
            aggregate.in_the_way.add(commit.key)
        else:  # who claims the one above it claims it too
            commit.is_blocked = False
            aggregate.owe(commit)

    def _take_answer_before(
        self, aggregate: Aggregate, key: CommitKey, answer: Answer, asked_at: float, now: float
    ) -> None:
        if isinstance(answer, Absent):
            self._reach(aggregate, key[1], asked_at)
        elif isinstance(answer, Unreadable):
            aggregate.in_the_way.add(key)
        else:
            row = answer.row
            if BUS in row.delivered:
                self._reach(aggregate, row.last, asked_at)
                return
            if BUS in row.parked:
                aggregate.in_the_way.add(key)
                return
            if not aggregate.is_claimed(row.last):
                return  # who wanted it has let go while the question was under way
            commit = self._add(aggregate, row, None, asked_at, self._settings.fresh_seconds)
            if row.first - 1 > aggregate.reach:
                aggregate.bring_below = row.last
            self._settle(commit, now)

    def _replace(self, aggregate: Aggregate, commit: OwedCommit, row: OutboxRow, asked_at: float) -> None:
        """Another commit stands under the key: what was known of the one that was there is void."""
        self._log.warning("commit.replaced", aggregate_id=aggregate.id, last=row.last)
        aggregate.reach, aggregate.reach_at = 0, asked_at
        self._memory.forget(aggregate.id)
        pages, source = commit.pages, commit.source
        commit.pages = []
        self._remove(aggregate, commit, Fate.SETTLED)
        fresh = self._add(aggregate, row, source, asked_at, commit.fresh_seconds)
        fresh.pages = pages

    def _reclaim(self) -> None:
        """Let go of events that were read by key and that nobody takes now, so that others can be read."""
        for commit in list(self._read):
            aggregate = self._aggregates[commit.row.aggregate_id]
            is_silent = aggregate.turn is not None and aggregate.turn.is_silent
            is_next = aggregate.owing[:1] == [commit] and (aggregate.is_ready or commit.is_under_way) and not is_silent
            if not is_next:
                self._put_away(commit)
