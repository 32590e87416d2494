"""How much the flow holds, and how patient it is."""

from dataclasses import dataclass, field

from eventstore.backoff import Backoff
from relay import defaults


@dataclass(frozen=True, slots=True)
class FlowSettings:
    """Bounds of the flow, over all sources.

    Attributes:
        commits_max: Commits that sources have in it before they wait; a page that was read goes in as a whole.
        bytes_max: The same for the bytes of their events.
        aggregate_max: Commits of one aggregate that are kept, a quarter of all room at most; of those above only how
            far they go.
        brought_max: Earlier commits that are brought along at a time; one of each aggregate in any case.
        read_max_bytes: Events read by key that are held before no more are read; one commit in any case.
        alone_max: Aggregates that the bus refuses of which a commit is kept; others wait in the outbox, for the sweep.
        unsettled_max: Writes about rows that wait before nothing more is begun.
        side_max: Commits that only one side lacks and that wait for it here.
        side_patience_seconds: How long a commit that the bus has waits for a side before its row says so.
        fresh_seconds: How old the evidence of a row may be when its first event goes; older, it is asked for itself.
        sweep_fresh_seconds: The same for rows of a walk over the outbox, which others may deliver.
        overdue_seconds: How long a row holds its page while the bus is well.
        finish_seconds: How long a commit that was begun goes on when its permits are revoked.
        question: Pauses after questions without an answer.
        settle: Pauses after writes without an answer.
        refused: Pauses of an aggregate that the bus refuses, before each attempt.
    """

    commits_max: int = defaults.ROOM_COMMITS
    bytes_max: int = defaults.ROOM_MAX_BYTES
    aggregate_max: int = 100
    brought_max: int = 5_000
    read_max_bytes: int = defaults.READ_MAX_BYTES
    alone_max: int = 10_000
    unsettled_max: int = 500
    side_max: int = 1_000
    side_patience_seconds: float = defaults.SIDE_PATIENCE_SECONDS
    fresh_seconds: float = 30.0
    sweep_fresh_seconds: float = 2.0
    overdue_seconds: float = 30.0
    finish_seconds: float = 5.0
    question: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.1, cap_seconds=5.0))
    settle: Backoff = field(default_factory=lambda: Backoff(base_seconds=0.1, cap_seconds=5.0))
    refused: Backoff = field(default_factory=lambda: Backoff(base_seconds=1.0, cap_seconds=300.0))

    @property
    def kept_max(self) -> int:
        """Commits of one aggregate that are kept: one that is written to a lot must not take the room of all others."""
        return max(1, min(self.aggregate_max, self.commits_max // 4))
