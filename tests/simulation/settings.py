"""What differs from seed to seed: sizes, budgets, intervals, and how much is written."""

from dataclasses import dataclass, field
from random import Random

from eventstore.backoff import Backoff
from relay.assembly import AssemblySettings
from relay.daemon import DaemonSettings
from relay.delivery.pumps.bus_pump import BusPumpSettings
from relay.delivery.settings import FlowSettings
from relay.feed.discovery import DiscoverySettings
from relay.feed.shard_consumer import ShardConsumerSettings
from relay.sweep.sweep import SweepSettings
from tests.simulation import small
from tests.simulation.small import Small

STANDING_FAULTS = ("a queue refuses", "a queue is silent", "the index is down", "one is parked", "one is hot")
"""Which one is left on for good; see `standing`."""

STANDING_SECONDS = 120.0
"""And for how long; time enough for the pauses of a refused event to be seen growing."""


_HAS_FILE = 0.25
"""Share of the worlds in which a file is one of the destinations."""


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """One world.

    Attributes:
        writers: Processes that append at the same time.
        appends: Of each of them.
        pauses: Of a writer between two appends, in seconds, one of them.
        workers: Processes that relay.
        aggregates: Aggregates they share.
        shards: Of the feed at its beginning.
        stickiness: Chance that a part keeps the baton.
        embed_max_bytes: An outbox row up to this size carries its events.
        window: Unconfirmed messages at once.
        message_max_bytes: A commit with a larger event is parked for the bus.
        batch_max_events: Events in one bulk request.
        skew_ms: How far each process's clock may be off.
        hide_ms: How long a transaction whose reply got lost may be invisible.
        trim_ms: Records of the feed that are older may be gone; a day is as good as a moment.
        storm_seconds: The longest time that faults go on.
        other_lease_seconds: How long leases last for a worker that was started with other settings.
        trial: What happens to a worker in the calm: it crashes, is stopped, or nothing; see `trials`.
        repair: What an operator does with what is parked in the end: `release` or `drop`; see `trials`.
        standing: The fault that is left on for good in the calm; see `standing`.
        standing_seconds: For how long it stands, at least.
        relay: Of the relay.
        has_file: Whether a file is one of the destinations.
        file_batch_bytes: What is appended to it at once.
        small: What else is small, and how small; see `small`.
    """

    writers: int
    appends: int
    pauses: tuple[float, ...]
    workers: int
    aggregates: int
    shards: int
    stickiness: float
    embed_max_bytes: int
    window: int
    message_max_bytes: int
    batch_max_events: int
    skew_ms: int
    hide_ms: int
    trim_ms: int
    storm_seconds: float
    other_lease_seconds: float
    trial: str | None
    repair: str
    standing: str
    standing_seconds: float
    relay: AssemblySettings
    has_file: bool
    file_batch_bytes: int
    small: Small = field(default_factory=Small)


def draw(seed: str) -> WorldSettings:
    """Return the settings of a seed."""
    chance = Random(f"settings {seed}")
    pick = chance.choice
    writers, appends = pick((1, 2, 3, 4)), pick((5, 8, 12))
    relay = AssemblySettings(
        daemon=DaemonSettings(drain_seconds=20.0),
        discovery=DiscoverySettings(interval_seconds=pick((1.0, 3.0, 10.0))),
        shards_max=pick((1, 2, 16)),
        lease_seconds=(lease_seconds := pick((3.0, 10.0, 10.0))),
        shard_consumer=ShardConsumerSettings(
            checkpoint_interval_seconds=pick((0.0, 0.5, 2.0)),
            recheck_margin_seconds=pick((0.0, 2.0, 5.0)),
            recheck_lag_seconds=pick((2.0, 60.0)),
            retry=Backoff(base_seconds=0.2, cap_seconds=2.0),
        ),
        flow=FlowSettings(
            commits_max=pick((8, 20, 5_000)),
            aggregate_max=pick((1, 2, 100)),
            brought_max=pick((1, 5, 5_000)),
            read_max_bytes=pick((1, 2_000, 1 << 24)),
            alone_max=pick((1, 2, 10_000)),
            unsettled_max=pick((1, 5, 500)),
            side_max=pick((1, 3, 1_000)),
            side_patience_seconds=pick((0.0, 0.2, 1.0)),
            fresh_seconds=pick((1.0, 30.0)),
            overdue_seconds=pick((2.0, 30.0)),
        ),
        sweep=SweepSettings(
            min_age_seconds=pick((1.0, 5.0, 20.0)),
            age_max_seconds=pick((20.0, 60.0)),
            interval_seconds=pick((1.0, 5.0)),
            page_pause_seconds=0.2,
            page_max_rows=pick((2, 5, 500)),
            retry=Backoff(base_seconds=0.5, cap_seconds=3.0),
        ),
        bus=BusPumpSettings(budget_seconds=pick((0.5, 2.0, 10.0)), retry=Backoff(base_seconds=0.1, cap_seconds=2.0)),
        side_budget_seconds=pick((0.5, 2.0, 10.0)),
        memory_aggregates_max=pick((1, 3, 1000)),
        dynamodb=Backoff(attempts_max=pick((2, 6)), base_seconds=0.05, cap_seconds=1.0),
        fleet=Backoff(attempts_max=pick((1, 3)), base_seconds=0.05, cap_seconds=0.5),
    )
    return WorldSettings(
        writers=writers,
        appends=appends,
        pauses=pick(((0.0, 0.05, 0.5, 3.0), (0.0, 0.0, 0.05))),
        workers=pick((1, 2, 2, 3, 4)),
        aggregates=pick((1, 2, 3, 6)),
        shards=pick((1, 1, 2, 3)),
        stickiness=pick((0.0, 0.3, 0.7)),
        embed_max_bytes=pick((0, 700, 1024, 4096)),
        window=pick((1, 3, 500)),
        message_max_bytes=pick((2000, 1 << 20)),
        batch_max_events=pick((1, 3, 1000)),
        skew_ms=pick((0, 500, 5000)),
        hide_ms=pick((500, 2000, 2000)),
        trim_ms=pick((1, 2000, 20_000)),
        storm_seconds=pick((20.0, 40.0, 80.0)),
        other_lease_seconds=10.0 if lease_seconds < 10 else 3.0,
        trial=pick((None, "crash", "stop")),
        repair=pick(("release", "drop")),
        standing=pick(STANDING_FAULTS),
        standing_seconds=STANDING_SECONDS,
        relay=small.narrowed(seed, relay),
        small=small.draw(seed),
        has_file=(of_file := Random(f"file {seed}")).random() < _HAS_FILE,
        file_batch_bytes=of_file.choice((1, 2_000, 1 << 20)),
    )
