"""The order of a page: which commits may go to the bus now, and what must be asked to know it. Pure.

The outbox decides, not the order of arrival. A commit that starts a run (its predecessor is not in the page right
before it) may go when its predecessor has been delivered to the bus: the predecessor's row is gone, or says so. A
predecessor that still owes joins the page, goes first, and its own predecessor is asked about in turn.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS, CommitKey
from relay.outbox.row import Absent, Answer, Present, Unreadable


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a page's commits for the bus.

    Attributes:
        chains: Per aggregate the commits that may go now, oldest first, without a gap between them.
        waiting: Commits that stand at or above one that is parked or unreadable; they stay owed.
        deferred: Commits above a chain that is too long for one round; they are judged again after it.
        unasked: Rows whose fate must be known before the rest can be judged; empty when the plan is final.
        on_bus: Commits that the bus is known to have, whatever their rows say.
    """

    chains: Mapping[str, tuple[OutboxRow, ...]]
    waiting: frozenset[CommitKey]
    deferred: frozenset[CommitKey]
    unasked: frozenset[CommitKey]
    on_bus: frozenset[CommitKey]


@dataclass(slots=True)
class _Draft:
    chains: dict[str, tuple[OutboxRow, ...]] = field(default_factory=dict)
    waiting: set[CommitKey] = field(default_factory=set)
    deferred: set[CommitKey] = field(default_factory=set)
    unasked: set[CommitKey] = field(default_factory=set)
    on_bus: set[CommitKey] = field(default_factory=set)


def make_plan(
    rows: Iterable[OutboxRow],
    delivered_up_to: Mapping[str, int],
    answers: Mapping[CommitKey, Answer],
    truncated: Collection[str] = (),
) -> Plan:
    """Judge the commits of a page.

    Args:
        rows: Commits, in any order, repeats allowed.
        delivered_up_to: Per aggregate a sequence number that the bus is known to have, from memory.
        answers: What a transactional read said of rows, by key. It outranks what `rows` say of the same commit.
        truncated: Aggregates whose owed commits were too many to be brought all at once; the lowest were brought.

    Returns:
        A plan. While `unasked` is not empty, ask for those keys and plan again; a row that is found present joins.
    """
    by_aggregate: dict[str, dict[int, OutboxRow]] = {}
    for row in rows:
        by_aggregate.setdefault(row.aggregate_id, {})[row.last] = row
    for answer in answers.values():
        if isinstance(answer, Present) and answer.row.aggregate_id in by_aggregate:
            by_aggregate[answer.row.aggregate_id][answer.row.last] = answer.row
    draft = _Draft()
    for aggregate_id, commits in by_aggregate.items():
        ascending = sorted(commits.values(), key=lambda row: row.last)
        reach = _delivered(ascending, delivered_up_to.get(aggregate_id, 0), answers)
        draft.on_bus.update(row.key for row in ascending if row.last <= reach)
        _judge([row for row in ascending if row.last > reach], reach, answers, draft, defer=aggregate_id in truncated)
    return Plan(
        chains=draft.chains,
        waiting=frozenset(draft.waiting),
        deferred=frozenset(draft.deferred),
        unasked=frozenset(draft.unasked),
        on_bus=frozenset(draft.on_bus),
    )


def _delivered(commits: Iterable[OutboxRow], known: int, answers: Mapping[CommitKey, Answer]) -> int:
    """Return the highest number the bus is known to have. It has everything below too: it takes commits in order."""
    highest = known
    for row in commits:
        own, before = answers.get(row.key), answers.get((row.aggregate_id, row.first - 1))
        if BUS in row.delivered or isinstance(own, Absent):
            highest = max(highest, row.last)
        elif isinstance(before, Absent):
            highest = max(highest, row.first - 1)
    return highest


def _judge(
    commits: Sequence[OutboxRow],
    reach: int,
    answers: Mapping[CommitKey, Answer],
    draft: _Draft,
    *,
    defer: bool,
) -> None:
    """Walk one aggregate's undelivered commits upwards; `reach` is what is delivered or goes before."""
    chain: list[OutboxRow] = []
    undecided = False
    for index, row in enumerate(commits):
        if row.first > reach + 1:  # it starts a run: what stands right below it decides
            before = (row.aggregate_id, row.first - 1)
            if isinstance(answers.get(before), Unreadable):
                draft.waiting.update(later.key for later in commits[index:])
                break
            if defer and chain:
                draft.deferred.update(later.key for later in commits[index:])
                break
            assert not isinstance(answers.get(before), Absent), "an absent predecessor is within reach"
            draft.unasked.add(before)  # when it is present it has joined the walk, and its own start is asked about
            undecided = True
        reach = row.last
        if undecided:
            continue
        if BUS in row.parked:
            draft.waiting.update(later.key for later in commits[index:])
            break
        chain.append(row)
    if chain:
        draft.chains[chain[0].aggregate_id] = tuple(chain)
