"""Who hands rows in, under which permit: a shard, the sweep, a replay."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relay.permit import Permit

if TYPE_CHECKING:
    from relay.delivery.aggregate import Aggregate

FEED = "feed"
SWEEP = "sweep"
REPLAY = "replay"


@dataclass(slots=True, eq=False)
class Source:
    """One that hands rows in. What it claims may be sent while its permit holds.

    Attributes:
        kind: `FEED`, `SWEEP` or `REPLAY`; for logs and metrics.
        permit: Looked at right before each message.
        fresh_seconds: How old the evidence of its rows may be when they are begun.
        floor: So many of its commits find room though the flow is full.
        ceiling: It has no more in the flow at a time.
        commits: Commits in the flow that it brought first.
        settled: Commits that it claimed and whose rows went.
        aggregates: Those it has a claim on, by id.
        is_draining: It begins nothing any more.
        is_gone: It has let go of everything.
        is_obsolete: Tells whether its rows are those of a table that is gone; they are passed over.
    """

    kind: str
    permit: Permit
    fresh_seconds: float
    floor: int
    ceiling: int
    commits: int = 0
    settled: int = 0
    aggregates: "dict[str, Aggregate]" = field(default_factory=dict)
    is_draining: bool = False
    is_gone: bool = False
    is_obsolete: Callable[[], bool] = lambda: False
