"""What a worker reports about itself, gathered from its parts."""

from collections.abc import Collection, Sequence

from relay.delivery.lane import Lane
from relay.feed.lag import FeedLag
from relay.feed.shard_consumer import ShardConsumer
from relay.leases.worker_report import IN_FLIGHT_SHOWN_MAX, DestinationReport, ShardReport, SweepReport, WorkerReport


def report(
    consumers: Collection[ShardConsumer],
    lanes: Sequence[Lane],
    lag: FeedLag,
    sweep: SweepReport | None,
) -> WorkerReport:
    """Return a worker's current report.

    Args:
        consumers: Of its shards.
        lanes: Of its destinations.
        lag: Of its readers.
        sweep: What its sweep found, when it sweeps.
    """
    behind = lag.by_shard()
    in_hand = [key for consumer in consumers for key in consumer.in_hand]
    return WorkerReport(
        shards=tuple(
            ShardReport(consumer.shard_id, round(behind.get(consumer.shard_id, 0.0), 1), len(consumer.in_hand))
            for consumer in sorted(consumers, key=lambda consumer: consumer.shard_id)
        ),
        destinations=tuple(_destination(lane) for lane in lanes),
        sweep=sweep,
        in_flight=tuple(in_hand[:IN_FLIGHT_SHOWN_MAX]),
    )


def _destination(lane: Lane) -> DestinationReport:
    trouble = lane.trouble
    if trouble is None:
        return DestinationReport(lane.name, "up")
    return DestinationReport(
        lane.name, "breaker_open" if lane.is_breaker_open() else trouble.kind.value, trouble.reason
    )
