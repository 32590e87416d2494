"""What a worker reports about itself, gathered from its parts."""

from collections.abc import Collection, Sequence

from relay.delivery.flow import Flow
from relay.delivery.pumps.pump import Pump
from relay.delivery.work.turns import HeldUp
from relay.feed.lag import FeedLag
from relay.feed.shard_consumer import ShardConsumer
from relay.feed.trouble import FeedState, FeedTrouble
from relay.leases.worker_report import (
    IN_FLIGHT_SHOWN_MAX,
    DestinationReport,
    FeedReport,
    HeldUpReport,
    ShardReport,
    SweepReport,
    WorkerReport,
)


def report(
    consumers: Collection[ShardConsumer],
    pumps: Sequence[Pump],
    flow: Flow,
    lag: FeedLag,
    sweep: SweepReport | None,
    now_ms: int,
    *,
    trouble: FeedTrouble | None = None,
    shards_waiting: int = 0,
    shards_max: int = 0,
) -> WorkerReport:
    """Return a worker's current report.

    Args:
        consumers: Of its shards.
        pumps: Of its destinations.
        flow: What it has in hand.
        lag: Of its readers.
        sweep: What its sweep found, when it sweeps.
        now_ms: Its clock.
        trouble: What is wrong with the feed.
        shards_waiting: Shards that nobody reads, for want of room.
        shards_max: Shards that it has room for.
    """
    behind = lag.by_shard()
    in_hand = [key for consumer in consumers for key in consumer.in_hand]
    return WorkerReport(
        shards=tuple(
            ShardReport(consumer.shard_id, round(behind.get(consumer.shard_id, 0.0), 1), len(consumer.in_hand))
            for consumer in sorted(consumers, key=lambda consumer: consumer.shard_id)
        ),
        destinations=tuple(_destination(pump) for pump in pumps),
        sweep=sweep,
        in_flight=tuple(in_hand[:IN_FLIGHT_SHOWN_MAX]),
        held_up=tuple(_held_up(each, now_ms) for each in flow.held_up()),
        held_up_count=sum(flow.count_held_up().values()),
        feed=_feed(trouble),
        shards_waiting=shards_waiting,
        shards_max=shards_max,
    )


def _feed(trouble: FeedTrouble | None) -> FeedReport:
    return FeedReport(FeedState.UP.value) if trouble is None else FeedReport(trouble.state.value, trouble.reason)


def _held_up(found: HeldUp, now_ms: int) -> HeldUpReport:
    aggregate_id, last = found.key
    return HeldUpReport(
        aggregate_id,
        last,
        found.reason,
        found.attempts,
        since_ms=now_ms - round(found.since_seconds * 1000),
        next_ms=now_ms + round(found.next_seconds * 1000) if found.next_seconds else 0,
    )


def _destination(pump: Pump) -> DestinationReport:
    trouble = pump.trouble
    if trouble is None:
        return DestinationReport(pump.name, "up", pump.warning or "")
    return DestinationReport(
        pump.name, "breaker_open" if pump.is_breaker_open() else trouble.kind.value, trouble.reason
    )
