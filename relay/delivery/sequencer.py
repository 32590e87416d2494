"""Puts a page in order: asks the outbox for what `relay.delivery.order` needs to know, until the plan is final."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from eventstore.rows.outbox import OutboxRow
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.order import Plan, make_plan
from relay.destination import BUS, CommitKey
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Absent, Answer, Present

CHAIN_MAX = 500
"""Earlier commits of one aggregate that are brought into one round."""

BROUGHT_MAX = 5_000
"""Earlier commits of all aggregates that are brought at a time; each aggregate gets its share, one at least."""

QUESTIONS_MAX = 1_000
"""Rounds of questions for one page; each brings at least one commit nearer to its aggregate's beginning."""


@dataclass(frozen=True, slots=True)
class Ordered:
    """A page in order.

    Attributes:
        plan: What may go to the bus.
        rows: The page's commits and the earlier ones that joined them, as they are now; settled ones are left out.
    """

    plan: Plan
    rows: dict[CommitKey, OutboxRow]


class Sequencer:
    """Orders pages by what the outbox says."""

    def __init__(self, reader: OutboxReader, memory: DeliveredMemory) -> None:
        self._reader = reader
        self._memory = memory

    def order(self, rows: Iterable[OutboxRow], *, recheck: bool) -> Ordered:
        """Return a final plan for a page.

        Args:
            rows: The page's commits.
            recheck: Ask for each row itself too, so that what was settled meanwhile is not sent again.

        Raises:
            TryLaterError: DynamoDB did not answer; the page is as it was.
        """
        known_rows = {row.key: row for row in rows}
        aggregate_ids = {row.aggregate_id for row in known_rows.values()}
        remembered = self._memory.recall(aggregate_ids)
        answers: dict[CommitKey, Answer] = self._reader.ask(known_rows) if recheck else {}
        truncated: set[str] = set()
        for _ in range(QUESTIONS_MAX):
            plan = make_plan(known_rows.values(), remembered, answers, truncated)
            if not plan.unasked:
                break
            fresh = self._reader.ask(plan.unasked)
            answers.update(fresh)
            owing = _owing(fresh, already_searched=truncated)
            on_bus = _highest(plan.on_bus, remembered)
            limit = max(1, min(CHAIN_MAX, BROUGHT_MAX // max(1, len(owing))))
            for aggregate_id, last in owing:
                earlier, more = self._reader.earlier(aggregate_id, on_bus.get(aggregate_id, 0), last, limit)
                for row in earlier:
                    known_rows.setdefault(row.key, row)
                if more:
                    truncated.add(aggregate_id)
        else:
            raise AssertionError("a page asked more questions than an aggregate can have commits in a round")
        for key, answer in answers.items():
            if isinstance(answer, Absent):
                known_rows.pop(key, None)
                self._memory.note(*key)
            elif isinstance(answer, Present):
                known_rows[key] = answer.row
        return Ordered(plan, known_rows)


def _highest(on_bus: Iterable[CommitKey], remembered: Mapping[str, int]) -> dict[str, int]:
    """Return per aggregate the highest number that the bus is known to have."""
    highest = dict(remembered)
    for aggregate_id, last in on_bus:
        highest[aggregate_id] = max(last, highest.get(aggregate_id, 0))
    return highest


def _owing(answers: dict[CommitKey, Answer], already_searched: set[str]) -> list[CommitKey]:
    """Return predecessors whose aggregates owe more than the page shows."""
    return [
        key
        for key, answer in answers.items()
        if isinstance(answer, Present)
        and BUS not in answer.row.delivered
        and answer.row.first > 1
        and key[0] not in already_searched
    ]
