"""What a worker reports about itself in its record, so that `relay status` needs no access to the process."""

import msgspec

from eventstore import jsontext

IN_FLIGHT_SHOWN_MAX = 100
"""Commits in flight that a report names, the oldest first; a record stays small."""


class ShardReport(msgspec.Struct, frozen=True):
    """One shard that the worker consumes.

    Attributes:
        shard: Its id.
        lag_seconds: Now minus the time of the last record read; 0 when it is read to its end.
        in_flight: Commits of its page in hand.
    """

    shard: str
    lag_seconds: float
    in_flight: int


class SweepReport(msgspec.Struct, frozen=True):
    """What the last walk of the sweep found; only the worker that holds its lease has one.

    Attributes:
        walked_at_ms: When it ended.
        seen: Rows in the outbox.
        taken: Rows it took, by reason: `bus`, `index` … which destination they lacked.
        settled: Rows that went.
    """

    walked_at_ms: int
    seen: int
    taken: dict[str, int]
    settled: int


class DestinationReport(msgspec.Struct, frozen=True):
    """How the worker sees a destination.

    Attributes:
        name: Its name.
        state: `up`, `outage`, `lost`, `misconfigured`, or `breaker_open` while its breaker is open.
        reason: What is wrong; what is amiss though it is up; empty when it is well.
    """

    name: str
    state: str
    reason: str = ""


class FeedReport(msgspec.Struct, frozen=True):
    """How the worker sees the feed.

    Attributes:
        state: `up`, `absent`, `denied` or `outage`.
        reason: What is wrong, and what to do; empty when it is well.
    """

    state: str
    reason: str = ""


class HeldUpReport(msgspec.Struct, frozen=True):
    """An aggregate that waits alone, since the bus does not take its next event though it takes others'.

    Attributes:
        aggregate_id: The aggregate.
        last: Last number of the commit that is not taken.
        reason: `nack`, `silent` or `defect`.
        attempts: How often it was tried in a row.
        since_ms: When the first of them was, by the worker's clock.
        next_ms: When the next is due; 0 when it is under way.
    """

    aggregate_id: str
    last: int
    reason: str
    attempts: int
    since_ms: int
    next_ms: int = 0


class WorkerReport(msgspec.Struct, frozen=True):
    """What a worker reports about itself.

    Attributes:
        shards: Those it consumes.
        destinations: All of them.
        sweep: Of its last walk, when it holds the sweep's lease.
        in_flight: Commits in hand, `[aggregate id, last number]`, at most `IN_FLIGHT_SHOWN_MAX`.
        held_up: Aggregates that wait alone, those that wait longest first; some of them when they are many.
        held_up_count: How many they are.
        feed: How it sees the feed; None from a worker that does not say it.
        shards_waiting: Shards that nobody reads, since it has no room and no other has taken them.
        shards_max: Shards that it has room for; 0 from a worker that does not say it.
    """

    shards: tuple[ShardReport, ...] = ()
    destinations: tuple[DestinationReport, ...] = ()
    sweep: SweepReport | None = None
    in_flight: tuple[tuple[str, int], ...] = ()
    held_up: tuple[HeldUpReport, ...] = ()
    held_up_count: int = 0
    feed: FeedReport | None = None
    shards_waiting: int = 0
    shards_max: int = 0


def encode(report: WorkerReport) -> str:
    """Return the report as JSON text."""
    return msgspec.json.encode(report).decode()


def decode(text: str) -> WorkerReport | None:
    """Return the report of a record; None when it cannot be read: a newer worker may report other things."""
    try:
        return msgspec.json.decode(text, type=WorkerReport)
    except jsontext.FAULTS:
        return None
