"""The processes of a simulation: the relay, an operator's replay, and writers; each can crash and start again."""

from contextlib import suppress
from dataclasses import replace

from eventstore import EventStore
from eventstore.context import StoreOptions
from eventstore.errors import EventStoreError
from eventstore.table_names import TableNames
from relay.assembly import Relay
from relay.daemon import PartDiedError
from relay.destinations.bus import Bus
from relay.destinations.bus_settings import BusSettings
from relay.destinations.index import Index
from relay.destinations.index_settings import IndexSettings
from relay.replay import replay
from tests.simulation.broker import SimulatedBroker
from tests.simulation.chance import Chance
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.index import SimulatedIndex
from tests.simulation.ledger import Ledger
from tests.simulation.primitives import SimulatedFlag, SimulatedRuntime
from tests.simulation.scheduler import START_MS, Process, Scheduler, Task
from tests.simulation.settings import WorldSettings
from tests.simulation.writers import Writer

OPERATOR_REFUSALS_MAX = 3


class Processes:
    """Starts processes, and lets them crash."""

    def __init__(
        self,
        seed: str,
        settings: WorldSettings,
        *,
        scheduler: Scheduler,
        chance: Chance,
        ledger: Ledger,
        passage: SimulatedPassage,
        broker: SimulatedBroker,
        index: SimulatedIndex,
    ) -> None:
        self._seed = seed
        self._settings = settings
        self._scheduler = scheduler
        self._chance = chance
        self._ledger = ledger
        self._passage = passage
        self._broker = broker
        self._index = index
        self._count = 0
        self._is_pausing = False
        self.relay: Task | None = None
        self.relay_stop: SimulatedFlag | None = None
        self.operator: Task | None = None
        self.operator_stop: SimulatedFlag | None = None
        self.writers: dict[str, Task] = {}

    def strike(self, _what: str) -> None:
        """Let a crash or a pause happen to whoever holds the baton; called at every step."""
        process = self._scheduler.current.process
        kind = process.name.partition("-")[0]
        if self._is_pausing or kind == "world" or not self._chance.is_stormy:
            return
        if self._chance.strikes(f"crash.{kind}"):
            self._scheduler.crash(process)
            self._broker.bury(process)
        elif self._chance.strikes("pause"):
            self._is_pausing = True
            seconds = self._chance.stream("pause seconds").choice((0.5, 5.0, 35.0))
            try:
                self._scheduler.wait("pause", None, seconds)
            finally:
                self._is_pausing = False

    def now_ms(self) -> int:
        """Return DynamoDB's clock."""
        return START_MS + self._scheduler.now_us // 1000

    def start_relay(self) -> None:
        """Start the relay as a new process."""
        relay, runtime = self._make_relay("relay")
        stop = self.relay_stop = runtime.flag()

        def body() -> None:
            try:
                relay.daemon(stop).run()
            except PartDiedError as error:
                self._ledger.broken("no part of a relay dies", repr(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no crash of ours
                self._ledger.broken("a relay does not fail", repr(error))

        self.relay = self._scheduler.spawn("main", runtime.process, body)

    def start_replay(self) -> None:
        """Let an operator run a replay."""
        relay, runtime = self._make_relay("operator")
        stop = self.operator_stop = runtime.flag()

        def body() -> None:
            with suppress(EventStoreError):
                replay(relay.sweep(source="replay"), relay.lanes, stop)

        self.operator = self._scheduler.spawn("main", runtime.process, body)

    def start_writer(self, writer: Writer) -> None:
        """Start a writer, or start it again, as a new process."""
        runtime = self.runtime("writer")
        self.writers[writer.name] = self._scheduler.spawn(
            writer.name, runtime.process, lambda: writer.work(lambda: self.open_store(runtime), runtime)
        )

    def open_store(self, runtime: SimulatedRuntime) -> EventStore:
        """Open the store in a process."""
        options = StoreOptions(embed_max_bytes=self._settings.embed_max_bytes)
        return EventStore.open(self._passage.database.client(), options=options, runtime=runtime)

    def runtime(self, kind: str) -> SimulatedRuntime:
        """Return the runtime of a new process; its name begins with its kind."""
        self._count += 1
        skew = self._chance.stream("skew").randint(-self._settings.skew_ms, self._settings.skew_ms)
        return SimulatedRuntime(self._scheduler, Process(f"{kind}-{self._count}"), self._seed, skew)

    def _make_relay(self, kind: str) -> tuple[Relay, SimulatedRuntime]:
        runtime, settings = self.runtime(kind), self._settings
        assembly = settings.relay
        if kind == "operator":
            assembly = replace(assembly, pipeline=replace(assembly.pipeline, refusals_max=OPERATOR_REFUSALS_MAX))
        bus_settings = BusSettings(
            window=settings.window, message_max_bytes=settings.message_max_bytes, last_call=settings.last_call
        )
        index_settings = IndexSettings(batch_max_events=settings.batch_max_events, bulk_timeout_seconds=5.0)
        relay = Relay(
            client=self._passage.database.client(),
            streams=self._passage.database.streams_client(),
            tables=TableNames(),
            bus=Bus(self._broker, runtime, bus_settings),
            sides=(Index(self._index, runtime, index_settings),),
            runtime=runtime,
            settings=assembly,
        )
        return relay, runtime
