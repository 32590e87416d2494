"""Puts the parts of a relay together: the same for `relay run`, `relay replay` and the embedded demo."""

from collections.abc import Callable
from dataclasses import dataclass, field

from eventstore.backoff import Backoff
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Flag, Runtime, StreamsClient
from relay import defaults
from relay.daemon import Daemon, DaemonSettings
from relay.delivery.asker import Asker
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.events import EventReader
from relay.delivery.flow import Flow
from relay.delivery.pumps.bus_pump import BusPump, BusPumpSettings
from relay.delivery.pumps.pump import Pump
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.settings import FlowSettings
from relay.delivery.settler import Settler
from relay.destination import Destination, EventBus
from relay.feed.directory import FeedDirectory, Stream
from relay.feed.discovery import Discovery, DiscoverySettings
from relay.feed.health import FeedHealth
from relay.feed.lag import FeedLag
from relay.feed.reader import ShardReader
from relay.feed.shard_consumer import ShardConsumer, ShardConsumerSettings
from relay.feed.shard_consumers import ShardConsumers
from relay.leases import identity
from relay.leases.fleet import PROTOCOL, FleetSettings
from relay.leases.fleet_table import FleetTable
from relay.leases.held import HeldLease
from relay.leases.keeper import Keeper, KeeperSettings
from relay.leases.worker_report import WorkerReport
from relay.lifecycle import Service
from relay.metrics import SILENT, Meter
from relay.observing import gauges
from relay.observing.reporting import report
from relay.outbox.guarded import GuardedWriter
from relay.outbox.reader import OutboxReader
from relay.outbox.writer import OutboxWriter
from relay.progress import PAGE_TURN_SECONDS, Progress
from relay.sweep.sweep import Sweep, SweepSettings
from relay.sweep.sweeper import Sweeper


@dataclass(frozen=True, slots=True)
class AssemblySettings:
    """The settings of all parts.

    Attributes:
        daemon: Of the daemon.
        discovery: Of the look at the feed.
        shard_consumer: Of each shard's consumer.
        flow: Of what is in hand.
        sweep: Of the sweep.
        bus: Of the part that carries events to the bus.
        side_budget_seconds: Longest delivery to another destination.
        memory_aggregates_max: Aggregates of which is remembered what the bus has.
        shards_max: Shards consumed at the same time, a part each.
        lease_seconds: How long a lease lasts without a heartbeat; the same for all workers of a store.
        name_prefix: First part of the names at the destinations; the same for all workers of a store.
        bus_nodes: The bus, as in `FleetSettings.bus`; None for one that has no place.
        bus_moved_from: A bus that this worker may replace although others work with it.
        dynamodb: Attempts of one call to DynamoDB.
        fleet: Attempts of one call about leases, which must not take long.
    """

    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    discovery: DiscoverySettings = field(default_factory=DiscoverySettings)
    shard_consumer: ShardConsumerSettings = field(default_factory=ShardConsumerSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    bus: BusPumpSettings = field(default_factory=BusPumpSettings)
    side_budget_seconds: float = defaults.SIDE_BUDGET_SECONDS
    memory_aggregates_max: int = defaults.MEMORY_AGGREGATES_MAX
    shards_max: int = defaults.SHARDS_MAX
    lease_seconds: float = defaults.LEASE_SECONDS
    name_prefix: str = defaults.NAME_PREFIX
    bus_nodes: frozenset[str] | None = None
    bus_moved_from: frozenset[str] = frozenset()
    dynamodb: Backoff = field(default_factory=lambda: Backoff(attempts_max=6))
    fleet: Backoff = field(default_factory=lambda: Backoff(attempts_max=3))


class Relay:
    """The parts of one relay process, made once, started by `daemon().run()` or used by a replay."""

    def __init__(
        self,
        *,
        client: DynamoClient,
        streams: StreamsClient,
        tables: TableNames,
        bus: EventBus,
        sides: tuple[Destination, ...],
        runtime: Runtime,
        settings: AssemblySettings,
        fleet_client: DynamoClient | None = None,
        meter: Meter = SILENT,
        progress: Progress | None = None,
    ) -> None:
        """Put the parts together.

        Args:
            client: For the tables.
            streams: For the feed.
            tables: Their names.
            bus: The destination that keeps order.
            sides: All others.
            runtime: Clock, waiting and parts.
            settings: Of all parts.
            fleet_client: For the leases, with time-outs well below their duration; `client` unless given.
            meter: Told what the parts do; nobody unless given.
            progress: Told that their loops turn.
        """
        self._meter = meter
        self._progress = progress or Progress(runtime)
        self._client = client
        self._streams = streams
        self._tables = tables
        self._runtime = runtime
        self._settings = settings
        self._memory = DeliveredMemory(runtime, settings.memory_aggregates_max)
        self.flow = Flow(
            sides=[side.name for side in sides],
            memory=self._memory,
            runtime=runtime,
            settings=settings.flow,
            meter=meter,
        )
        self._bus = BusPump(bus, self.flow, runtime, settings.bus, meter, self._progress)
        self._sides = tuple(
            SidePump(side, self.flow, runtime, settings.side_budget_seconds, meter, self._progress) for side in sides
        )
        self._lag = FeedLag(runtime)
        self._health = FeedHealth(runtime)
        self._reader = OutboxReader(client, tables, runtime, settings.dynamodb)
        self.directory = FeedDirectory(client, streams, tables, runtime, settings.dynamodb)
        self.directory.table.on_other(self.flow.void)
        self.fleet_table = FleetTable(fleet_client or client, tables, runtime, settings.fleet)

    @property
    def outbox(self) -> OutboxReader:
        """Reads the outbox."""
        return self._reader

    @property
    def pumps(self) -> tuple[Pump, ...]:
        """One per destination, the bus first."""
        return (self._bus, *self._sides)

    def guarded_writer(self, seen: FleetSettings | None) -> GuardedWriter:
        """Return a writer of the outbox for who holds no lease: it deletes while what was seen is in force."""
        check = self.fleet_table.settings_check(seen)
        return GuardedWriter(self._client, self._tables, self._runtime, self._settings.dynamodb, check)

    def scribes(self, may_delete: Callable[[], bool], writer: OutboxWriter | None = None) -> tuple[Service, ...]:
        """Return the parts that ask the tables, and write to them, for the flow.

        Args:
            may_delete: Tells whether this process is certain of the destinations in force.
            writer: Of the outbox, when it is not the usual one.
        """
        once = Backoff(attempts_max=1)
        client, tables, runtime = self._client, self._tables, self._runtime
        asker = Asker(
            flow=self.flow,
            reader=OutboxReader(client, tables, runtime, once),
            events=EventReader(client, tables, runtime, once),
            table=self.directory.table,
            runtime=runtime,
            meter=self._meter,
            progress=self._progress,
        )
        settler = Settler(
            flow=self.flow,
            writer=writer or OutboxWriter(client, tables, runtime, self._settings.dynamodb),
            may_delete=may_delete,
            runtime=runtime,
            meter=self._meter,
            progress=self._progress,
        )
        return asker, settler

    @property
    def fleet_settings(self) -> FleetSettings:
        """What all workers of the store must agree on, as this process has it."""
        names = frozenset(pump.name for pump in self.pumps)
        settings = self._settings
        lease_ms = round(settings.lease_seconds * 1000)
        return FleetSettings(names, settings.name_prefix, lease_ms, PROTOCOL, settings.bus_nodes)

    def daemon(self, stop: Flag, hasten: Flag | None = None) -> Daemon:
        """Return the daemon; it runs until `stop` is raised, and lets go of what was begun once `hasten` is."""
        settings = self._settings
        hasten = hasten or self._runtime.flag()

        def report_now() -> WorkerReport:
            self._progress.turned("leases", settings.lease_seconds + PAGE_TURN_SECONDS)  # the keeper asks, in its loop
            return report(
                consumers.reading,
                self.pumps,
                self.flow,
                self._lag,
                sweeper.report,
                self._runtime.now_ms(),
                trouble=self._health.trouble,
                shards_waiting=keeper.waiting_shards(),
                shards_max=keeper.shards_max,
            )

        keeper = Keeper(
            self.fleet_table,
            identity.identify(self._runtime),
            KeeperSettings(self.fleet_settings, leases_max=settings.shards_max, moved_from=settings.bus_moved_from),
            self._runtime,
            report_now,
        )
        discovery = Discovery(
            directory=self.directory,
            keeper=keeper,
            table=self.fleet_table,
            runtime=self._runtime,
            settings=settings.discovery,
            health=self._health,
        )

        def open_shard(held: HeldLease, stream: Stream, on_end: Callable[[], None]) -> ShardConsumer:
            def is_former() -> bool:
                return discovery.stream is not None and discovery.stream.label != stream.label

            return self._open_shard(held, stream, keeper, on_end, is_former, hasten)

        consumers = ShardConsumers(
            keeper=keeper, discovery=discovery, open_shard=open_shard, shards_max=settings.shards_max
        )
        sweep = self.sweep(feed_lag_seconds=keeper.feed_lag_seconds, hasten=hasten)
        sweeper = Sweeper(
            sweep=sweep, keeper=keeper, runtime=self._runtime, settings=settings.sweep, progress=self._progress
        )
        gauges.watch_pumps(self._meter, self.pumps)
        gauges.watch_flow(self._meter, self.flow)
        gauges.watch_feed(self._meter, self._lag, self._health)
        gauges.watch_leases(self._meter, keeper)
        gauges.watch_sweep(self._meter, sweeper, self._runtime)
        return Daemon(
            keeper=keeper,
            discovery=discovery,
            consumers=consumers,
            sweeper=sweeper,
            flow=self.flow,
            pumps=self.pumps,
            delivery=self.scribes(lambda: any(not held.is_fenced() for held in keeper.held().values())),
            runtime=self._runtime,
            settings=settings.daemon,
            stop=stop,
            hasten=hasten,
            progress=self._progress,
        )

    def sweep(self, feed_lag_seconds: Callable[[], float] | None = None, hasten: Flag | None = None) -> Sweep:
        """Return a sweep.

        Args:
            feed_lag_seconds: The worst feed lag that is known of; that of this process unless given.
            hasten: Raised, its end does not wait for what was begun.
        """

        def worst() -> float:
            return max(self._lag.seconds(), 0.0 if feed_lag_seconds is None else feed_lag_seconds())

        return Sweep(
            reader=self._reader,
            table=self.directory.table,
            flow=self.flow,
            pumps=self.pumps,
            feed_lag_seconds=worst,
            runtime=self._runtime,
            settings=self._settings.sweep,
            meter=self._meter,
            hasten=hasten,
        )

    def _open_shard(
        self,
        held: HeldLease,
        stream: Stream,
        keeper: Keeper,
        on_end: Callable[[], None],
        is_former: Callable[[], bool],
        hasten: Flag | None = None,
    ) -> ShardConsumer:
        shard_id = held.shard_id
        assert shard_id is not None, "the sweep's lease has no shard"
        return ShardConsumer(
            held,
            shard_id,
            stream,
            reader=ShardReader(self._streams, stream.arn, shard_id, held.position, self._tables.outbox, self._meter),
            flow=self.flow,
            bus_well_since=lambda: self._bus.well_since,
            is_former=is_former,
            directory=self.directory,
            keeper=keeper,
            lag=self._lag,
            runtime=self._runtime,
            settings=self._settings.shard_consumer,
            on_end=on_end,
            meter=self._meter,
            progress=self._progress,
            health=self._health,
            hasten=hasten,
        )
