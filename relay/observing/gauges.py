"""Gauges that are read from the relay's parts whenever metrics are collected."""

from collections.abc import Sequence

from eventstore.ports import Runtime
from relay import metrics
from relay.delivery.flow import Flow
from relay.delivery.pumps.pump import Pump
from relay.feed.health import FeedHealth
from relay.feed.lag import FeedLag
from relay.feed.unread import RETENTION_SECONDS
from relay.leases.keeper import Keeper
from relay.metrics import Labels, Meter
from relay.observing import remedies
from relay.sweep.sweeper import Sweeper


def watch_pumps(meter: Meter, pumps: Sequence[Pump]) -> None:
    """Let a meter read the destinations."""
    meter.watch(
        metrics.BREAKER_OPEN,
        lambda: {(pump.name,): float(pump.is_breaker_open()) for pump in pumps if pump.has_breaker},
    )
    meter.watch(metrics.DESTINATION_UP, lambda: {(pump.name,): float(pump.trouble is None) for pump in pumps})


def watch_flow(meter: Meter, flow: Flow) -> None:
    """Let a meter read how much is in hand, and how many aggregates wait alone."""

    def commits() -> dict[Labels, float]:
        counts = flow.counts()
        return {("claimed",): float(counts["commits"]), ("brought",): float(counts["brought"])}

    def held_up() -> dict[Labels, float]:
        counts = {**dict.fromkeys(remedies.REASONS, 0), **flow.count_held_up()}
        return {(reason,): float(count) for reason, count in counts.items()}

    meter.watch(metrics.FLOW_COMMITS, commits)
    meter.watch(metrics.FLOW_BYTES, lambda: {(): float(flow.counts()["bytes"])})
    meter.watch(metrics.HELD_UP, held_up)


def watch_feed(meter: Meter, lag: FeedLag, health: FeedHealth) -> None:
    """Let a meter read whether the feed can be read, and how far each shard was."""
    meter.watch(metrics.FEED_UP, lambda: {(): float(health.trouble is None)})
    meter.watch(metrics.FEED_LAG, lambda: {(shard,): seconds for shard, seconds in lag.by_shard().items()})
    meter.watch(
        metrics.TRIM_HEADROOM,
        lambda: {(shard,): max(0.0, RETENTION_SECONDS - seconds) for shard, seconds in lag.by_shard().items()},
    )


def watch_leases(meter: Meter, keeper: Keeper) -> None:
    """Let a meter read the leases, and whether delivery is paused."""
    meter.watch(metrics.SHARDS_WAITING, lambda: {(): float(keeper.waiting_shards())})
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

    def refused() -> dict[Labels, float]:
        seen = sweeper.seen
        return {} if seen is None else {(name,): float(count) for name, count in seen.survey.refused.items()}

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
    meter.watch(metrics.OUTBOX_REFUSED, refused)
    meter.watch(metrics.OUTBOX_UNREADABLE, unreadable)
    meter.watch(metrics.OUTBOX_OLDEST, oldest)
    meter.watch(metrics.OUTBOX_WALK_AGE, age)
