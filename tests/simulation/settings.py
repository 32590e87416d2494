"""What differs from seed to seed: sizes, budgets, intervals, and how much is written."""

from dataclasses import dataclass
from random import Random

from eventstore.backoff import Backoff
from relay.assembly import AssemblySettings
from relay.daemon import DaemonSettings
from relay.feed.worker import WorkerSettings
from relay.pipeline import PipelineSettings
from relay.sweep import SweepSettings


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """One world.

    Attributes:
        writers: Processes that append at the same time.
        appends: Of each of them.
        aggregates: Aggregates they share.
        shards: Of the feed at its beginning.
        stickiness: Chance that a part keeps the baton.
        embed_max_bytes: An outbox row up to this size carries its events.
        window: Unconfirmed messages at once.
        message_max_bytes: A commit with a larger event is parked for the bus.
        batch_max_events: Events in one bulk request.
        last_call: See `BusSettings`.
        skew_ms: How far each process's clock may be off.
        storm_seconds: The longest time that faults go on.
        relay: Of the relay.
    """

    writers: int
    appends: int
    aggregates: int
    shards: int
    stickiness: float
    embed_max_bytes: int
    window: int
    message_max_bytes: int
    batch_max_events: int
    last_call: float
    skew_ms: int
    storm_seconds: float
    relay: AssemblySettings


def draw(seed: str, *, writers: int | None = None, appends: int | None = None) -> WorldSettings:
    """Return the settings of a seed; a number that is given outranks the seed."""
    chance = Random(f"settings {seed}")
    pick = chance.choice
    drawn_writers, drawn_appends = pick((1, 2, 3, 4)), pick((5, 8, 12))
    relay = AssemblySettings(
        daemon=DaemonSettings(
            discovery_seconds=pick((1.0, 3.0, 10.0)), shards_max=pick((1, 2, 16)), drain_seconds=20.0
        ),
        worker=WorkerSettings(
            checkpoint_interval_seconds=pick((0.0, 0.5, 2.0)),
            recheck_margin_seconds=pick((0.0, 2.0, 5.0)),
            recheck_lag_seconds=pick((2.0, 60.0)),
            late_wait_seconds=pick((0.0, 2.0)),
            retry=Backoff(base_seconds=0.2, cap_seconds=2.0),
        ),
        pipeline=PipelineSettings(
            side_budget_seconds=pick((0.0, 0.2, 1.0)),
            retry=Backoff(base_seconds=0.1, cap_seconds=2.0),
            recheck_after_seconds=pick((1.0, 30.0)),
        ),
        sweep=SweepSettings(
            min_age_seconds=pick((1.0, 5.0, 20.0)),
            age_max_seconds=pick((20.0, 60.0)),
            interval_seconds=pick((1.0, 5.0)),
            page_pause_seconds=0.2,
            page_max_rows=pick((2, 5, 500)),
            retry=Backoff(base_seconds=0.5, cap_seconds=3.0),
        ),
        bus_budget_seconds=pick((0.5, 2.0, 10.0)),
        side_budget_seconds=pick((0.5, 2.0, 10.0)),
        memory_aggregates_max=pick((1, 3, 1000)),
        dynamodb=Backoff(attempts_max=pick((2, 6)), base_seconds=0.05, cap_seconds=1.0),
    )
    return WorldSettings(
        writers=drawn_writers if writers is None else writers,
        appends=drawn_appends if appends is None else appends,
        aggregates=pick((2, 3, 6)),
        shards=pick((1, 1, 2, 3)),
        stickiness=pick((0.0, 0.3, 0.7)),
        embed_max_bytes=pick((0, 700, 1024, 4096)),
        window=pick((1, 3, 500)),
        message_max_bytes=pick((2000, 1 << 20)),
        batch_max_events=pick((1, 3, 1000)),
        last_call=pick((0.0, 0.1)),
        skew_ms=pick((0, 500, 5000)),
        storm_seconds=pick((20.0, 40.0, 80.0)),
        relay=relay,
    )
