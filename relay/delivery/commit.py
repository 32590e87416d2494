"""A commit in the flow: what is known of it, and what is being done about it."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eventstore.model import RecordedEvent
from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS, CommitKey, Park

if TYPE_CHECKING:
    from relay.delivery.page import CommitPage
    from relay.delivery.source import Source

NEVER = float("-inf")
"""A time of seeing a row that is always too long ago: the row is asked for before anything is sent."""


@dataclass(slots=True, eq=False)
class OwedCommit:
    """A commit that is owed, as far as this worker knows.

    Attributes:
        row: What the outbox said of it when it was last seen; its events come and go.
        source: Who brought it first; the room it takes is counted there.
        seen_at: When the outbox said so, by the monotonic clock.
        fresh_seconds: For how long that is good enough to send its first event.
        delivered: Destinations that have it: the row says so, or they confirmed it to this process.
        saved: Those that the row is known to name.
        sent: Events that the bus has confirmed to this process; they are not sent again.
        fault: Why the bus can never take it, once that is found.
        vetted: The row and the one before it were asked for since the fault was found, so that it may be parked.
        pages: Pages that wait for it.
        is_under_way: One of its events is unanswered.
        is_blocked: It waits behind a parked or an unreadable one, and not in the flow.
        is_late: It was given up waiting for a side, so that no page waits for it.
        is_settling: A write about its row is under way or due.
        settle_failures: Such writes in a row without an answer.
        sides: Other destinations that are about to take it here.
        body_bytes: Room that its events take.
        read_bytes: The part of it that was read by key.
        is_gone: It has left the flow.
        doubted_at: When its row came into question; what was seen of it before says nothing any more.
    """

    row: OutboxRow
    source: "Source | None"
    seen_at: float
    fresh_seconds: float
    delivered: frozenset[str]
    saved: frozenset[str]
    sent: int = 0
    fault: Park | None = None
    vetted: bool = False
    pages: "list[CommitPage]" = field(default_factory=list)
    is_under_way: bool = False
    is_blocked: bool = False
    is_late: bool = False
    is_settling: bool = False
    settle_failures: int = 0
    sides: set[str] = field(default_factory=set)
    body_bytes: int = 0
    read_bytes: int = 0
    is_gone: bool = False
    doubted_at: float = NEVER

    @property
    def key(self) -> CommitKey:
        """Key of its row."""
        return self.row.key

    @property
    def last(self) -> int:
        """Number of its last event."""
        return self.row.last

    def doubt(self, now: float) -> None:
        """Let its row be in question until somebody looks at it again, from now on."""
        self.seen_at, self.doubted_at = NEVER, now

    @property
    def is_begun(self) -> bool:
        """Whether the bus may have some of its events from this process, and lacks others."""
        return self.is_under_way or (self.sent > 0 and BUS not in self.delivered)

    @property
    def unsaved(self) -> frozenset[str]:
        """Destinations that have it and that the row is not known to name."""
        return self.delivered - self.saved

    @property
    def is_for_bus(self) -> bool:
        """Whether the bus lacks it and may get it here: it is not parked, and waits behind nothing that is."""
        return BUS not in self.delivered and BUS not in self.row.parked and not self.is_blocked

    def next_event(self) -> RecordedEvent:
        """Return the event that the bus gets next."""
        assert self.row.events is not None, f"commit {self.key} has not its events"
        return self.row.events[self.sent]


def body_size(row: OutboxRow) -> int:
    """Return the bytes of a row's events; 0 when they are not there."""
    return sum(len(event.data_json) + len(event.metadata_json) for event in row.events or ())
