"""Puts the parts of a relay together: the same for `relay run`, `relay replay` and the embedded demo."""

from collections.abc import Callable
from dataclasses import dataclass, field

from eventstore.backoff import Backoff
from eventstore.ports import DynamoClient, Flag, Runtime, StreamsClient
from eventstore.table_names import TableNames
from relay.checkpoints import Checkpoint, Checkpoints
from relay.daemon import Daemon, DaemonSettings
from relay.destination import Destination
from relay.event_reader import EventReader
from relay.feed.directory import FeedDirectory, Stream
from relay.feed.lag import FeedLag
from relay.feed.reader import ShardReader
from relay.feed.worker import ShardWorker, WorkerSettings
from relay.lane import Lane
from relay.memory import DeliveredMemory
from relay.outbox_reader import OutboxReader
from relay.outbox_writer import OutboxWriter
from relay.pipeline import Pipeline, PipelineSettings
from relay.sequencer import Sequencer
from relay.settler import Settler
from relay.sweep import Sweep, SweepSettings


@dataclass(frozen=True, slots=True)
class AssemblySettings:
    """The settings of all parts.

    Attributes:
        daemon: Of the daemon.
        worker: Of each shard's worker.
        pipeline: Of each page's way.
        sweep: Of the sweep.
        bus_budget_seconds: Longest delivery to the bus.
        side_budget_seconds: Longest delivery to another destination.
        memory_aggregates_max: Aggregates of which is remembered what the bus has.
        dynamodb: Attempts of one call to DynamoDB.
    """

    daemon: DaemonSettings = field(default_factory=DaemonSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    pipeline: PipelineSettings = field(default_factory=PipelineSettings)
    sweep: SweepSettings = field(default_factory=SweepSettings)
    bus_budget_seconds: float = 10.0
    side_budget_seconds: float = 10.0
    memory_aggregates_max: int = 100_000
    dynamodb: Backoff = field(default_factory=lambda: Backoff(attempts_max=6))


class Relay:
    """The parts of one relay process, made once, started by `daemon().run()` or used by a replay."""

    def __init__(
        self,
        *,
        client: DynamoClient,
        streams: StreamsClient,
        tables: TableNames,
        bus: Destination,
        sides: tuple[Destination, ...],
        runtime: Runtime,
        settings: AssemblySettings,
    ) -> None:
        self._client = client
        self._streams = streams
        self._tables = tables
        self._runtime = runtime
        self._settings = settings
        self._bus = Lane(bus, runtime, settings.bus_budget_seconds)
        self._sides = tuple(Lane(side, runtime, settings.side_budget_seconds) for side in sides)
        self._memory = DeliveredMemory(runtime, settings.memory_aggregates_max)
        self._lag = FeedLag(runtime)
        self._reader = OutboxReader(client, tables, runtime, settings.dynamodb)
        self._checkpoints = Checkpoints(client, tables, runtime, settings.dynamodb)
        self.directory = FeedDirectory(client, streams, tables, runtime, settings.dynamodb)

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """One lane per destination, the bus first."""
        return (self._bus, *self._sides)

    def daemon(self, stop: Flag) -> Daemon:
        """Return the daemon; it runs until `stop` is raised."""
        return Daemon(
            directory=self.directory,
            checkpoints=self._checkpoints,
            open_shard=self._open_shard,
            lanes=self.lanes,
            sweep=self.sweep(),
            runtime=self._runtime,
            settings=self._settings.daemon,
            stop=stop,
        )

    def sweep(self, source: str = "sweep") -> Sweep:
        """Return a sweep with a pipeline of its own; `source` names it in logs."""
        return Sweep(
            reader=self._reader,
            pipeline=self.pipeline(),
            lanes=self.lanes,
            lag=self._lag,
            runtime=self._runtime,
            settings=self._settings.sweep,
            source=source,
        )

    def pipeline(self) -> Pipeline:
        """Return a pipeline; each part needs one of its own."""
        names = [lane.name for lane in self.lanes]
        return Pipeline(
            sequencer=Sequencer(self._reader, self._memory),
            events=EventReader(self._client, self._tables, self._runtime, self._settings.dynamodb),
            settler=Settler(OutboxWriter(self._client, self._tables, self._runtime, self._settings.dynamodb), names),
            bus=self._bus,
            sides=self._sides,
            memory=self._memory,
            runtime=self._runtime,
            settings=self._settings.pipeline,
        )

    def _open_shard(
        self,
        shard_id: str,
        stream: Stream,
        checkpoint: Checkpoint | None,
        stop: Flag,
        on_end: Callable[[], None],
    ) -> ShardWorker:
        after = checkpoint.position if checkpoint else None
        return ShardWorker(
            shard_id,
            stream,
            reader=ShardReader(self._streams, stream.arn, shard_id, after, self._tables.outbox),
            pipeline=self.pipeline(),
            checkpoints=self._checkpoints,
            lag=self._lag,
            runtime=self._runtime,
            settings=self._settings.worker,
            stop=stop,
            on_end=on_end,
        )
