"""The order of an aggregate: what may be done now for the lowest commit that the bus lacks. Pure.

The outbox decides, not the order of arrival. A commit may go when the one before it is durably on the bus: its row is
gone, or says so, or the bus has confirmed it to this process. What this process remembers of the bus may spare a
question about the commit before, and nothing else: a row that is there and owing at or below it refutes it.
"""

from collections.abc import Collection
from dataclasses import dataclass

from relay.delivery.commit import OwedCommit
from relay.destination import BUS, CommitKey
from relay.outbox.row import Absent, Answer, Unreadable


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing is to be done now."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Rows must be asked for first.

    Attributes:
        keys: Of the commit itself, and of the one before it, as far as each is in question.
    """

    keys: tuple[CommitKey, ...]


@dataclass(frozen=True, slots=True)
class Forget:
    """What was remembered is refuted: the row is there and owing, though it was said to be on the bus."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """Its events must be read first."""


@dataclass(frozen=True, slots=True)
class Send:
    """Its next event may go."""


@dataclass(frozen=True, slots=True)
class ParkIt:
    """It can never go, everything below it is on the bus, and both is known from the outbox: it is to be parked."""


@dataclass(frozen=True, slots=True)
class BlockedBy:
    """It waits for a person: it is parked, or what is right below it is parked or cannot be read.

    Attributes:
        by: Key of the row in the way.
    """

    by: CommitKey


Step = Rest | Ask | Forget | Fetch | Send | ParkIt | BlockedBy

REST, FORGET, FETCH, SEND, PARK_IT = Rest(), Forget(), Fetch(), Send(), ParkIt()


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an aggregate beside its commits.

    Attributes:
        reach: The bus has everything up to this number; 0 when nothing is known.
        reach_at: When that became known.
        in_the_way: Rows that are parked for the bus or cannot be read.
    """

    reach: int
    reach_at: float
    in_the_way: Collection[CommitKey]


def next_step(lowest: OwedCommit, known: Known, now: float) -> Step:
    """Return what to do for the lowest commit of an aggregate that the bus lacks.

    Args:
        lowest: The commit; nothing of it is under way.
        known: What is known beside it.
        now: By the monotonic clock.
    """
    row = lowest.row
    before = (row.aggregate_id, row.first - 1)
    if before in known.in_the_way:
        return BlockedBy(before)
    keys: list[CommitKey] = []
    is_refuting = row.first <= known.reach  # whole commits are on the bus, so none can owe a part of what is
    if _is_stale(lowest, now) or (is_refuting and lowest.seen_at <= known.reach_at):
        keys.append(row.key)
    elif is_refuting:
        return FORGET
    if BUS in row.parked:
        return Ask(tuple(keys)) if keys else BlockedBy(row.key)
    if row.first - 1 > known.reach:
        keys.append(before)
    if keys:
        return Ask(tuple(keys))
    if lowest.fault is not None or row.defect is not None:
        # Whether it is its turn is no matter for memory: a mark is for a person, and stays.
        return PARK_IT if lowest.vetted else Ask((row.key, before) if row.first > 1 else (row.key,))
    return SEND if row.events is not None else FETCH


def _is_stale(commit: OwedCommit, now: float) -> bool:
    """Tell whether somebody else may have settled it since it was seen; what is begun is ours to finish."""
    return commit.seen_at == float("-inf") or (commit.sent == 0 and now - commit.seen_at > commit.fresh_seconds)


def is_vetted(row_answer: Answer | None, before_answer: Answer | None, *, is_first: bool) -> bool:
    """Tell whether answers to both questions say that it is a commit's turn: it is there, nothing owes before it."""
    if row_answer is None or isinstance(row_answer, Absent | Unreadable):
        return False
    if is_first:
        return True
    if before_answer is None or isinstance(before_answer, Unreadable):
        return False
    return isinstance(before_answer, Absent) or BUS in before_answer.row.delivered
