"""Metrics that the relay's parts record while they work, and their catalogue."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

LABEL_SETS_MAX = 500
"""Series of one metric; what is beyond is counted under `other`, so that no server's wording can fill the memory."""

OTHER = "other"

STAGE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
DELAY_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)


class Kind(StrEnum):
    """How a metric behaves."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: As Prometheus shows it: a counter ends in `_total`, a time in `_seconds`.
        kind: How it behaves.
        labels: What it is told apart by.
        means: A sentence for who looks at it.
        buckets: Upper ends, of a histogram only.
    """

    name: str
    kind: Kind
    labels: tuple[str, ...]
    means: str
    buckets: tuple[float, ...] = ()


RECORDS_READ = Metric("relay_records_read_total", Kind.COUNTER, (), "change records read from the feed, of any kind")
COMMITS_READ = Metric(
    "relay_commits_read_total", Kind.COUNTER, ("source",), "commits handed in, repeats counted, by source"
)
DELIVERED = Metric(
    "relay_commits_delivered_total",
    Kind.COUNTER,
    ("destination", "outcome"),
    "outcomes of commits at a destination: confirmed, retry or park; of the bus confirmed alone",
)
RETRIES = Metric(
    "relay_retries_total",
    Kind.COUNTER,
    ("destination", "reason"),
    "commits that a destination did not take, by reason; of the bus events that it refused or left unanswered",
)
NOT_PROMOTED = Metric(
    "relay_index_not_promoted_total",
    Kind.COUNTER,
    ("field",),
    "events that the index took without a typed copy of a promoted field, since a value does not fit its type",
)
SETTLED = Metric("relay_commits_settled_total", Kind.COUNTER, ("source",), "commits whose outbox rows were deleted")
PARKED = Metric("relay_commits_parked_total", Kind.COUNTER, ("destination",), "commits parked; each needs a person")
PAGES = Metric(
    "relay_pages_total",
    Kind.COUNTER,
    ("source", "result"),
    "pages that hold no position any more: dealt with, or overdue with rows that are left to the sweep",
)
FEED_TRIMMED = Metric(
    "relay_feed_trimmed_total",
    Kind.COUNTER,
    (),
    "times the feed no longer had the records after a checkpoint; the sweep delivers what was missed",
)
SHARDS_LOST = Metric("relay_shards_lost_total", Kind.COUNTER, (), "times a shard could not be read and was released")
LEASES_TAKEN = Metric("relay_leases_taken_total", Kind.COUNTER, (), "leases this worker took")
LEASES_LOST = Metric(
    "relay_leases_lost_total", Kind.COUNTER, (), "leases this worker lost while it held them; each may repeat messages"
)
LEASES_HELD = Metric("relay_leases_held", Kind.GAUGE, (), "leases this worker holds now")
SHARDS_WAITING = Metric(
    "relay_shards_waiting",
    Kind.GAUGE,
    (),
    "shards that nobody reads, since this worker has no room and no other has taken them; 0 from a worker with room",
)
FEED_LAG = Metric(
    "relay_feed_lag_seconds",
    Kind.GAUGE,
    ("shard",),
    "now minus the time of the last record read; 0 when the shard has been read to its end",
)
FEED_UP = Metric(
    "relay_feed_up",
    Kind.GAUGE,
    (),
    "1 when this worker can read the feed; 0 while there is no stream, its role may not read it, or it does not answer",
)
TRIM_HEADROOM = Metric(
    "relay_feed_trim_headroom_seconds",
    Kind.GAUGE,
    ("shard",),
    "time left until the feed trims what is unread; at 0 the sweep has to deliver it",
)
OUTBOX_OWED = Metric(
    "relay_outbox_owed_commits",
    Kind.GAUGE,
    ("destination",),
    "rows that a destination lacks, as the last complete walk of the sweep saw them; parked and unreadable excluded",
)
OUTBOX_PARKED = Metric(
    "relay_outbox_parked_commits",
    Kind.GAUGE,
    ("destination",),
    "rows parked for a destination, in force or not, as the last complete walk of the sweep saw them",
)
OUTBOX_REFUSED = Metric(
    "relay_outbox_refused_commits",
    Kind.GAUGE,
    ("destination",),
    "of the rows that a destination lacks, those it refused three times in a row or more though it took others, as the"
    " last complete walk of the sweep saw them",
)
OUTBOX_UNREADABLE = Metric(
    "relay_outbox_unreadable_commits",
    Kind.GAUGE,
    (),
    "rows that do not say where their commit begins, or that a later release wrote, as the last complete walk of the"
    " sweep saw them",
)
OUTBOX_OLDEST = Metric(
    "relay_outbox_oldest_owed_seconds",
    Kind.GAUGE,
    (),
    "age of the oldest commit that the last complete walk of the sweep saw owed and not parked; 0 when none was",
)
OUTBOX_WALK_AGE = Metric(
    "relay_outbox_walk_age_seconds",
    Kind.GAUGE,
    (),
    "time since the sweep last walked over all of the outbox; only the worker with the sweep's lease has it",
)
BREAKER_OPEN = Metric(
    "relay_breaker_open",
    Kind.GAUGE,
    ("destination",),
    "1 while the breaker of a destination is open after trouble; absent for a destination without a breaker",
)
DESTINATION_UP = Metric(
    "relay_destination_up",
    Kind.GAUGE,
    ("destination",),
    "1 when the last delivery met no trouble with the destination as a whole, else 0",
)
BUS_QUEUE_MESSAGES = Metric(
    "relay_bus_queue_messages",
    Kind.GAUGE,
    ("queue",),
    "messages in the relay's own queues on the bus: unrouted, and rejected by consumers; checked every 30 s",
)
FLOW_COMMITS = Metric(
    "relay_flow_commits",
    Kind.GAUGE,
    ("pool",),
    "commits in hand: claimed by shards and the sweep, or brought along since they come before one that is",
)
FLOW_BYTES = Metric("relay_flow_bytes", Kind.GAUGE, (), "bytes of the events in hand")
HELD_UP = Metric(
    "relay_aggregates_held_up",
    Kind.GAUGE,
    ("reason",),
    "aggregates that wait alone since the bus does not take their next event: nack, silent or defect",
)
PAUSED = Metric("relay_paused", Kind.GAUGE, (), "1 while an operator's pause stops delivery")
STAGE_SECONDS = Metric(
    "relay_stage_seconds",
    Kind.HISTOGRAM,
    ("stage",),
    "how long calls of a stage take: read, ask, settle, checkpoint, and a delivery to a side, by its name",
    STAGE_BUCKETS,
)
COMMIT_TO_CONFIRM = Metric(
    "relay_commit_to_confirm_seconds",
    Kind.HISTOGRAM,
    ("destination",),
    "from a commit's time, by its writer's clock, to the destination's confirmation",
    DELAY_BUCKETS,
)

CATALOGUE: tuple[Metric, ...] = (
    RECORDS_READ,
    COMMITS_READ,
    DELIVERED,
    RETRIES,
    NOT_PROMOTED,
    SETTLED,
    PARKED,
    PAGES,
    FEED_TRIMMED,
    SHARDS_LOST,
    LEASES_TAKEN,
    LEASES_LOST,
    LEASES_HELD,
    SHARDS_WAITING,
    FEED_UP,
    FEED_LAG,
    TRIM_HEADROOM,
    OUTBOX_OWED,
    OUTBOX_PARKED,
    OUTBOX_REFUSED,
    OUTBOX_UNREADABLE,
    OUTBOX_OLDEST,
    OUTBOX_WALK_AGE,
    BREAKER_OPEN,
    DESTINATION_UP,
    BUS_QUEUE_MESSAGES,
    FLOW_COMMITS,
    FLOW_BYTES,
    HELD_UP,
    PAUSED,
    STAGE_SECONDS,
    COMMIT_TO_CONFIRM,
)

Labels = tuple[str, ...]
"""Values of a metric's labels, in their order."""

Look = Callable[[], Mapping[Labels, float]]
"""Tells what a gauge or a counter shows now, by label values."""


class Meter(Protocol):
    """What parts report their numbers to. Label values are given in the order of the metric's labels."""

    def count(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        """Add to a counter."""
        ...

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """Add an observation to a histogram."""
        ...

    def timed(self, metric: Metric, *labels: str) -> AbstractContextManager[None]:
        """Observe how long the block takes, also when it ends by an error."""
        ...

    def watch(self, metric: Metric, look: Look) -> None:
        """Read a gauge, or a counter kept elsewhere, whenever it is collected; replaces the earlier source."""
        ...


class SilentMeter:
    """A meter that records nothing."""

    def count(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        """See `Meter`."""

    def observe(self, metric: Metric, seconds: float, *labels: str) -> None:
        """See `Meter`."""

    def timed(self, metric: Metric, *labels: str) -> AbstractContextManager[None]:  # noqa: ARG002 - nothing is kept
        """See `Meter`."""
        return nullcontext()

    def watch(self, metric: Metric, look: Look) -> None:
        """See `Meter`."""


SILENT = SilentMeter()
"""Holds nothing, so everybody may share it."""
