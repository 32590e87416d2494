"""A page: commits that are looked at together, wherever they come from."""

from collections.abc import Sequence
from dataclasses import dataclass

from eventstore.rows.outbox import OutboxRow


@dataclass(frozen=True, slots=True)
class CommitPage:
    """Some commits, from the feed, a sweep or a replay.

    Attributes:
        source: Where they come from, for logs: `feed`, `sweep` or `replay`.
        rows: The commits, in any order.
        recheck: Whether the rows may be out of date, so that each must be asked for itself.
    """

    source: str
    rows: Sequence[OutboxRow]
    recheck: bool


@dataclass(frozen=True, slots=True)
class PageResult:
    """What became of a page.

    Attributes:
        dealt_with: Every commit is settled, or nothing about it is work now, or it lacks only a destination that is
            late. False when the page was given up because the permit to deliver was revoked; whoever has it next reads
            it again.
        settled: Commits whose rows went.
        late: Commits that the bus has and another destination lacks.
        parked: Commits that were parked.
        waiting: Commits that wait behind a parked one.
    """

    dealt_with: bool
    settled: int = 0
    late: int = 0
    parked: int = 0
    waiting: int = 0
