"""A relay on the real servers, for the commands that deliver."""

from dataclasses import replace

from eventstore.backoff import Backoff
from eventstore.dynamodb import connection
from eventstore.ports import DynamoClient, Runtime
from relay.assembly import AssemblySettings, Relay
from relay.cli.destinations import Destinations, bus_nodes
from relay.cli.opened import Store
from relay.daemon import DaemonSettings
from relay.delivery.pumps.bus_pump import BusPumpSettings
from relay.delivery.settings import FlowSettings
from relay.destinations.index.index import Index
from relay.destinations.resource_names import Names
from relay.feed.discovery import DiscoverySettings
from relay.feed.pacing import Pacing
from relay.feed.shard_consumer import ShardConsumerSettings
from relay.metrics import SILENT, Meter
from relay.operating.index_memory import IndexMemoryTable
from relay.progress import Progress
from relay.settings import RelaySettings
from relay.sweep.sweep import SweepSettings

_ANSWER_MARGIN_SECONDS = 5.0
_ASKS_PER_LEASE = 10
_FLEET_ANSWER_MAX_SECONDS = 3.0


def build_relay(
    store: Store,
    destinations: Destinations,
    settings: RelaySettings,
    runtime: Runtime,
    *,
    by_hand: bool = False,
    meter: Meter = SILENT,
    progress: Progress | None = None,
) -> Relay:
    """Return a relay on the real servers.

    Args:
        store: The tables.
        destinations: Where it delivers.
        settings: The relay's settings.
        runtime: Clock, waiting and parts.
        by_hand: A person waits for the end: give up on a bus that keeps refusing, and wait for the index's answer.
        meter: Told what the parts do.
        progress: Told that their loops turn.
    """
    for side in destinations.sides:
        if isinstance(side, Index):
            alias = Names(settings.name_prefix).alias
            side.watch(IndexMemoryTable(store.client, store.tables, alias, runtime, Backoff(attempts_max=2)))
    return Relay(
        client=store.client,
        streams=store.streams,
        tables=store.tables,
        bus=destinations.bus,
        sides=destinations.sides,
        runtime=runtime,
        settings=assembly_settings(settings, by_hand=by_hand),
        fleet_client=fleet_client(store, settings),
        meter=meter,
        progress=progress,
    )


def fleet_client(store: Store, settings: RelaySettings) -> DynamoClient:
    """Return a client for the leases: a slow answer counts as lost while there is still time to ask again."""
    patience = min(settings.lease_seconds / _ASKS_PER_LEASE, _FLEET_ANSWER_MAX_SECONDS)
    return connection.connect(store.endpoint, connect_timeout_seconds=patience, read_timeout_seconds=patience)


def assembly_settings(settings: RelaySettings, *, by_hand: bool) -> AssemblySettings:
    """Return the settings of the relay's parts."""
    flow = FlowSettings(
        commits_max=settings.room_commits,
        bytes_max=settings.room_max_bytes,
        read_max_bytes=settings.read_max_bytes,
        side_patience_seconds=settings.index_patience_seconds,
    )
    if by_hand:
        flow = replace(flow, side_patience_seconds=settings.index_bulk_timeout_seconds + _ANSWER_MARGIN_SECONDS)
    return AssemblySettings(
        daemon=DaemonSettings(
            drain_seconds=settings.drain_seconds,
        ),
        discovery=DiscoverySettings(interval_seconds=settings.discovery_seconds),
        shard_consumer=ShardConsumerSettings(
            pacing=Pacing(max_seconds=settings.feed_poll_max_seconds),
            checkpoint_interval_seconds=settings.checkpoint_interval_seconds,
            recheck_lag_seconds=settings.sweep_min_age_seconds,
            cooldown_seconds=settings.discovery_seconds,
        ),
        flow=flow,
        sweep=SweepSettings(
            min_age_seconds=settings.sweep_min_age_seconds,
            interval_seconds=settings.sweep_interval_seconds,
        ),
        bus=BusPumpSettings(budget_seconds=settings.bus_budget_seconds),
        side_budget_seconds=settings.index_bulk_timeout_seconds,
        memory_aggregates_max=settings.memory_aggregates_max,
        shards_max=settings.shards_max,
        lease_seconds=settings.lease_seconds,
        name_prefix=settings.name_prefix,
        bus_nodes=bus_nodes(settings.rabbitmq_url),
        bus_moved_from=bus_nodes(settings.bus_moved_from) or frozenset(),
    )
