"""What a worker says of itself, gathered from its parts."""

from collections.abc import Collection, Sequence

from relay.delivery.lane import Lane
from relay.feed.lag import FeedLag
from relay.feed.shard_consumer import ShardCarrier
from relay.leases.report import IN_FLIGHT_SHOWN_MAX, DestinationReport, ShardReport, SweepReport, WorkerReport


def report(
    carriers: Collection[ShardCarrier],
    lanes: Sequence[Lane],
    lag: FeedLag,
    sweep: SweepReport | None,
) -> WorkerReport:
    """Return the report of a worker, as it is now.

    Args:
        carriers: Of its shards.
        lanes: Of its destinations.
        lag: Of its readers.
        sweep: What its sweep found, when it sweeps.
    """
    behind = lag.by_shard()
    in_hand = [key for carrier in carriers for key in carrier.in_hand]
    return WorkerReport(
        shards=tuple(
            ShardReport(carrier.shard_id, round(behind.get(carrier.shard_id, 0.0), 1), len(carrier.in_hand))
            for carrier in sorted(carriers, key=lambda carrier: carrier.shard_id)
        ),
        destinations=tuple(_destination(lane) for lane in lanes),
        sweep=sweep,
        in_flight=tuple(in_hand[:IN_FLIGHT_SHOWN_MAX]),
    )


def _destination(lane: Lane) -> DestinationReport:
    trouble = lane.trouble
    if trouble is None:
        return DestinationReport(lane.name, "well")
    return DestinationReport(lane.name, "closed off" if lane.is_closed_off() else trouble.kind.value, trouble.reason)
