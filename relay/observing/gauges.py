"""Gauges that are read from the relay's parts whenever metrics are collected."""

from collections.abc import Sequence

from eventstore.ports import Runtime
from relay import metrics
from relay.delivery.lane import Lane
from relay.feed.lag import FeedLag
from relay.feed.unread import RETENTION_SECONDS
from relay.leases.keeper import Keeper
from relay.metrics import Labels, Meter
from relay.sweep.sweeper import Sweeper


def watch_lanes(meter: Meter, lanes: Sequence[Lane]) -> None:
    """Let a meter read the destinations."""
    meter.watch(
        metrics.BREAKER_OPEN,
        lambda: {(lane.name,): float(lane.is_breaker_open()) for lane in lanes if lane.has_breaker},
    )
    meter.watch(metrics.DESTINATION_UP, lambda: {(lane.name,): float(lane.trouble is None) for lane in lanes})


def watch_feed(meter: Meter, lag: FeedLag) -> None:
    """Let a meter read how far each shard was read."""
    meter.watch(metrics.FEED_LAG, lambda: {(shard,): seconds for shard, seconds in lag.by_shard().items()})
    meter.watch(
        metrics.TRIM_HEADROOM,
        lambda: {(shard,): max(0.0, RETENTION_SECONDS - seconds) for shard, seconds in lag.by_shard().items()},
    )


def watch_leases(meter: Meter, keeper: Keeper) -> None:
    """Let a meter read the leases, and whether delivery is paused."""
    meter.watch(metrics.LEASES_HELD, lambda: {(): float(len(keeper.held()))})
    meter.watch(metrics.LEASES_TAKEN, lambda: {(): float(keeper.counts().taken)})
    meter.watch(metrics.LEASES_LOST, lambda: {(): float(keeper.counts().lost)})
    meter.watch(metrics.PAUSED, lambda: {(): float(keeper.is_paused())})


def watch_sweep(meter: Meter, sweeper: Sweeper, runtime: Runtime) -> None:
    """Let a meter read what the last complete walk saw; nothing while another worker sweeps."""

    def owed() -> dict[Labels, float]:
        seen = sweeper.seen
        return {} if seen is None else {(name,): float(count) for name, count in seen.survey.owed.items()}

    def parked() -> dict[Labels, float]:
        seen = sweeper.seen
        return {} if seen is None else {(name,): float(count) for name, count in seen.survey.parked.items()}

    def unreadable() -> dict[Labels, float]:
        seen = sweeper.seen
        return {} if seen is None else {(): float(seen.survey.unreadable)}

    def oldest() -> dict[Labels, float]:
        seen = sweeper.seen
        if seen is None:
            return {}
        at_ms = seen.survey.oldest_committed_at_ms
        return {(): 0.0 if at_ms is None else max(0.0, (runtime.now_ms() - at_ms) / 1000)}

    def age() -> dict[Labels, float]:
        seen = sweeper.seen
        return {} if seen is None else {(): runtime.monotonic() - seen.at}

    meter.watch(metrics.OUTBOX_OWED, owed)
    meter.watch(metrics.OUTBOX_PARKED, parked)
    meter.watch(metrics.OUTBOX_UNREADABLE, unreadable)
    meter.watch(metrics.OUTBOX_OLDEST, oldest)
    meter.watch(metrics.OUTBOX_WALK_AGE, age)
