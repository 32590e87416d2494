"""A flow without any part around it: a test takes turns, answers questions and writes rows down itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eventstore.rows.outbox import OutboxRow
from eventstore.testing import ManualRuntime
from relay.delivery.aggregate import Turn
from relay.delivery.commit import OwedCommit
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.flow import Flow
from relay.delivery.page import CommitPage
from relay.delivery.settings import FlowSettings
from relay.delivery.source import FEED, Source
from relay.delivery.work.questions import Bring
from relay.destination import BUS, INDEX, CommitKey
from relay.outbox.row import Absent, Answer, Present
from relay.permit import Permit
from relay.testing.commits import chain
from tests.support.delivering import TestedPermit

STEPS_MAX = 10_000


class FlowWorld:
    """A flow, the outbox that it is about, and what the bus has taken, in its order.

    Attributes:
        outbox: Its rows.
        on_bus: Aggregate and number of what was confirmed.
        rung: Who was told of work, in order; a test clears it.
    """

    def __init__(self, *, sides: Sequence[str] = (), remembers: int = 1_000, **settings: Any) -> None:
        self.runtime = ManualRuntime()
        self.memory = DeliveredMemory(self.runtime, remembers)
        self.flow = Flow(sides=sides, memory=self.memory, runtime=self.runtime, settings=FlowSettings(**settings))
        self.outbox: dict[CommitKey, OutboxRow] = {}
        self.on_bus: list[tuple[str, int]] = []
        self.rung: list[str] = []
        for part in ("bus", "asker", "settler", *sides):
            self.flow.on_work(part, lambda part=part: self.rung.append(part))  # type: ignore[misc]
        self.runtime.advance(1_000.0)

    @property
    def now(self) -> float:
        """The monotonic clock."""
        return self.runtime.monotonic()

    def append(self, aggregate_id: str, *sizes: int) -> list[OutboxRow]:
        """Let the outbox hold commits of an aggregate, from number 1 on; return their rows."""
        rows = chain(aggregate_id, *sizes)
        self.outbox.update({row.key: row for row in rows})
        return rows

    def source(self, permit: Permit | None = None, kind: str = FEED, **options: Any) -> Source:
        """Return a new source."""
        return self.flow.open_source(kind, permit or TestedPermit(), **options)

    def hand_in(self, source: Source, rows: Sequence[OutboxRow], seen_at: float | None = None) -> CommitPage:
        """Hand rows in, seen just now unless it is said."""
        page = CommitPage(source.kind, self.now)
        self.flow.hand_in(source, page, rows, self.now if seen_at is None else seen_at)
        page.is_sealed = True
        return page

    def take(self, turns_max: int = 1_000) -> list[Turn]:
        """Return events that may go now."""
        self.flow.wake_due()
        return self.flow.take(turns_max)

    def take_one(self) -> Turn:
        """Return the only event that may go now."""
        (turn,) = self.take()
        return turn

    def confirm(self, *turns: Turn) -> None:
        """Let the bus take events."""
        self.on_bus += [(turn.aggregate.id, turn.event.sequence_number) for turn in turns]
        self.flow.confirmed(turns)

    def send(self, turns_max: int = 1_000) -> list[tuple[str, int]]:
        """Let the bus take what may go now; return it."""
        turns = self.take(turns_max)
        self.confirm(*turns)
        return [(turn.aggregate.id, turn.event.sequence_number) for turn in turns]

    def answer(self, asked_at: float | None = None) -> list[CommitKey]:
        """Answer what is in question, as the outbox is now; return the rows that were asked for."""
        self.runtime.advance(0.001)  # a question is asked after what is known
        at = self.now if asked_at is None else asked_at
        questions = self.flow.questions()
        keys = [key for _, keys in questions.asks for key in keys]
        self.flow.answered(questions.asks, {key: self.say(key) for key in keys}, at)
        for bring in questions.brings:
            self.bring(bring)
        self.flow.fetched([(commit, self._whole(commit)) for commit in questions.fetches])
        return keys

    def say(self, key: CommitKey) -> Answer:
        """Return what the outbox says of a row now."""
        row = self.outbox.get(key)
        return Absent() if row is None else Present(row)

    def bring(self, bring: Bring) -> None:
        """Bring the lowest commits owed to the bus of a stretch."""
        rows = sorted(
            (
                row
                for row in self.outbox.values()
                if row.aggregate_id == bring.aggregate.id
                and bring.above < row.last < bring.below
                and BUS not in row.delivered
            ),
            key=lambda row: row.last,
        )
        self.flow.brought(bring, rows[: bring.limit], self.now, more=len(rows) > bring.limit)

    def serve(self, side: str = INDEX) -> list[CommitKey]:
        """Let a side take what it may take now; return it."""
        taken = [commit for commit, _ in self.flow.take_for_side(side, 1_000)]
        self.flow.side_answered(side, taken=taken)
        return [commit.key for commit in taken]

    def settle(self, *, may_delete: bool = True) -> int:
        """Write down what is to be written; return how many rows were."""
        self.runtime.advance(0.02)  # for which a write waits for others
        work = self.flow.settlement(may_delete=may_delete)
        for commit in work.deletions:
            self.outbox.pop(commit.key, None)
        self.flow.deleted(work.deletions)
        for commit, names in work.notes.items():
            row = self.outbox[commit.key]
            self.outbox[commit.key] = replace(row, delivered=row.delivered | names)
        self.flow.noted({commit: self.outbox[commit.key].delivered for commit in work.notes})
        for commit, name, verdict in work.marks:
            row = self.outbox[commit.key]
            self.outbox[commit.key] = replace(row, parked={**row.parked, name: verdict.reason})
            self.flow.marked(commit, name, verdict, self.outbox[commit.key].delivered)
        return len(work.deletions) + len(work.notes) + len(work.marks)

    def run(self) -> None:
        """Let every part do what there is to do now, until there is nothing."""
        for _ in range(STEPS_MAX):
            sent = self.send()
            asked = self.ask()
            served = [self.serve(name) for name in sorted(self.flow.names - {BUS})]
            if not (sent or asked or any(served) or self.settle()):
                return
        raise AssertionError("it never comes to rest")

    @property
    def counts(self) -> dict[str, int]:
        """What is in hand, without what is 0."""
        return {name: count for name, count in self.flow.counts().items() if count}

    def ask(self) -> bool:
        """Answer what is in question, if anything is; tell whether it was."""
        is_asking = self.counts.get("questions", 0) > 0
        if is_asking:
            self.answer()
        return is_asking

    def _whole(self, commit: OwedCommit) -> OutboxRow:
        first, size = commit.row.first, commit.row.last - commit.row.first + 1
        (row,) = [each for each in chain(commit.row.aggregate_id, *_before(first), size) if each.key == commit.key]
        return replace(commit.row, events=row.events)


def _before(first: int) -> tuple[int, ...]:
    return (first - 1,) if first > 1 else ()
