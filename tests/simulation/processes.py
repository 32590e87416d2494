"""The processes of a simulation: workers of the relay, operators, and writers; each can crash and start again."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from eventstore import EventStore
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import EventStoreError, TableMissingError, TryLaterError
from relay.assembly import Relay
from relay.daemon import Daemon, PartDiedError
from relay.destination import Destination
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitBroker
from relay.destinations.bus.settings import BusSettings
from relay.destinations.file.file import FileDestination, FileSettings
from relay.destinations.file.line import LINE_START
from relay.destinations.file.local_file import LineFile
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from relay.leases.errors import FleetSettingsError
from relay.operating.replay import Replay, ReplayRequest
from tests.simulation.broker import SimulatedBroker
from tests.simulation.chance import Chance
from tests.simulation.disk import SimulatedDisk
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.index import SimulatedIndex
from tests.simulation.ledger import Ledger
from tests.simulation.operators import Operators
from tests.simulation.primitives import SimulatedFlag, SimulatedRuntime
from tests.simulation.rabbit import URL
from tests.simulation.scheduler import START_MS, Process, Scheduler, Task
from tests.simulation.settings import WorldSettings
from tests.simulation.writers import Writer

OPERATOR_REFUSALS_MAX = 3
LARGE_BYTES = 1 << 20
"""Larger than any message; the limit once an operator has raised it."""

LONG_PAUSES = (65.0, 130.0)
"""Longer than any lease, any time-out of the product, and than others remember a worker that is gone."""

BEGUN_IN_THE_STORM = frozenset({"pause", "slow", "applying", "index.slow", "no answer"})
"""Waits that only a storm begins; they may end in the calm."""


@dataclass(slots=True)
class Slot:
    """One worker that is wanted, whichever process it is at the moment.

    Attributes:
        task: Its main part; None before its first start.
        process: Its process, as above.
        stop: Raised when it is told to stop.
        back_at: When whoever supervises it starts it again; None until it is found to be gone.
        is_odd: It was started with a duration of leases that the others do not have.
        lacks_file: It was started without the file that the others deliver to.
        daemon: What runs in its process.
    """

    task: Task | None = None
    process: Process | None = None
    stop: SimulatedFlag | None = None
    back_at: float | None = None
    is_odd: bool = False
    lacks_file: bool = False
    daemon: Daemon | None = None

    @property
    def kind(self) -> tuple[bool, bool]:
        """Its settings, as far as they are to agree with those of others."""
        return self.is_odd, self.lacks_file

    def is_running(self) -> bool:
        """Tell whether it runs."""
        return self.task is not None and not self.task.is_done


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
        operators: Operators,
        disk: SimulatedDisk | None = None,
    ) -> None:
        self._seed = seed
        self._settings = settings
        self._scheduler = scheduler
        self._chance = chance
        self._ledger = ledger
        self._passage = passage
        self._broker = broker
        self._index = index
        self._operators = operators
        self._disk = disk
        self.callers: list[Task] = []
        self._draw = chance.stream("processes")
        self.on_opening: Callable[[], None] = lambda: None
        self._message_max_bytes = settings.message_max_bytes if settings.small.is_limit_known else LARGE_BYTES
        broker.message_max_bytes = settings.message_max_bytes
        ledger.weighed_max_bytes = self._message_max_bytes
        self._count = 0
        self.relays = [Slot() for _ in range(settings.workers)]
        self.operator: Task | None = None
        self.operator_stop: SimulatedFlag | None = None
        self.writers: dict[str, Task] = {}
        self.visitors: dict[str, Task] = {}

    def strike(self, _what: str) -> None:
        """Let a crash or a pause happen to whoever holds the baton; called at every step."""
        task = self._scheduler.current
        process = task.process
        kind = process.name.partition("-")[0]
        if task.waits_for == "pause" or kind == "world" or not self._chance.is_stormy:
            return
        if self._chance.strikes(f"crash.{kind}"):
            self.crash(process)
        elif self._chance.strikes("pause.part"):
            self._scheduler.wait("pause", None, self._chance.stream("pause seconds").choice((0.5, 5.0, 35.0)))
        elif self._chance.strikes("pause.process"):
            seconds = self._chance.stream("pause seconds").choice((1.0, 5.0, 15.0, 35.0))
            self._scheduler.suspend(process, seconds)
            self._scheduler.wait("pause", None, seconds)
        elif self._chance.strikes("pause.long"):
            seconds = self._chance.stream("pause.long seconds").choice(LONG_PAUSES)
            self._scheduler.suspend(process, seconds)
            self._scheduler.wait("pause", None, seconds)

    def crash(self, process: Process) -> None:
        """Let a process crash."""
        self._scheduler.crash(process)
        self._broker.bury(process)

    def crash_clients(self) -> None:
        """Let all writers, visitors and operators crash."""
        for task in (*self.writers.values(), *self.visitors.values(), *self.callers, self.operator):
            if task is not None and not task.is_done:
                self.crash(task.process)

    def now_ms(self) -> int:
        """Return DynamoDB's clock."""
        return START_MS + self._scheduler.now_us // 1000

    def look_after_relays(self) -> None:
        """Start workers that are gone, after a while."""
        now = self._scheduler.seconds
        for slot in self.relays:
            if slot.is_running():
                continue
            if slot.back_at is None:
                slot.back_at = now + self._draw.choice((0.0, 1.0, 10.0)) * self._chance.is_stormy
            elif slot.back_at <= now:
                slot.back_at = None
                self._start_relay(slot)

    def stop(self, slot: Slot) -> None:
        """Tell a worker to stop."""
        if slot.stop is not None:
            slot.stop.set_quietly()

    def _start_relay(self, slot: Slot) -> None:
        """Start a worker as a new process."""
        slot.is_odd = self._chance.strikes("weather.other_settings")
        slot.lacks_file = self._disk is not None and self._chance.strikes("weather.mixed_fleet")
        relay, runtime = self._make_relay("relay", is_odd=slot.is_odd, lacks_file=slot.lacks_file)
        stop = slot.stop = runtime.flag()
        slot.process = runtime.process
        daemon = slot.daemon = relay.daemon(stop)

        def body() -> None:
            try:
                daemon.run()
            except (TryLaterError, FleetSettingsError, TableMissingError):
                pass  # it could not join, or there are no tables; whoever supervises it starts it again
            except PartDiedError as error:
                if not isinstance(error.__cause__, FleetSettingsError):  # the fleet has changed its mind meanwhile
                    self._ledger.broken("no part of a relay dies", repr(error))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is no crash of ours
                self._ledger.broken("a relay does not fail", repr(error))
            self.crash(runtime.process)  # parts that were left behind end with their process

        slot.task = self._scheduler.spawn("main", runtime.process, body)

    def start_operator(self, verb: str, **how: Any) -> None:
        """Let an operator do something; see `Operators`."""
        runtime = self.runtime("operator")
        body: Callable[[], None] = getattr(self._operators, verb)(runtime, **how)
        self.operator = self._scheduler.spawn(verb, runtime.process, body)

    def is_operating(self) -> bool:
        """Tell whether an operator is at work."""
        return self.operator is not None and not self.operator.is_done

    def is_running(self) -> bool:
        """Tell whether a worker or an operator is at work."""
        return (
            self.is_operating()
            or any(not each.is_done for each in self.callers)
            or any(slot.is_running() for slot in self.relays)
        )

    def is_anybody_away(self) -> bool:
        """Tell whether a pause or a slow call that began in the storm goes on."""
        if any(task.waits_for in BEGUN_IN_THE_STORM for task in self._scheduler.tasks()):
            return True
        stopped = (slot.process.stopped_until_us for slot in self.relays if slot.process is not None)
        return any(until > self._scheduler.now_us for until in stopped)

    def heal(self) -> int:
        """Let both destinations take whatever they refused; return how large a message may be from now on."""
        self._index.takes_poison = True
        self._message_max_bytes = self._broker.message_max_bytes = LARGE_BYTES
        self._ledger.weighed_max_bytes = LARGE_BYTES
        return LARGE_BYTES

    def start_replay(self) -> None:
        """Let an operator run a replay."""
        relay, runtime = self._make_relay("operator")
        stop = self.operator_stop = runtime.flag()
        writer = relay.guarded_writer(relay.fleet_settings)

        def body() -> None:
            with suppress(EventStoreError):
                Replay(
                    reader=relay.outbox,
                    flow=relay.flow,
                    pumps=relay.pumps,
                    services=relay.scribes(lambda: writer.fault is None, writer),
                    runtime=runtime,
                    request=ReplayRequest(),
                    refusals_max=OPERATOR_REFUSALS_MAX,
                ).run(stop)

        self.operator = self._scheduler.spawn("main", runtime.process, body)

    def start_writer(self, writer: Writer) -> None:
        """Start a writer, or start it again, as a new process."""
        runtime = self.runtime("writer")
        self.writers[writer.name] = self._scheduler.spawn(
            writer.name, runtime.process, lambda: writer.work(lambda: self.open_store(runtime), runtime)
        )

    def start_visitor(self, name: str, work: Callable[[SimulatedRuntime], None]) -> None:
        """Start a visitor, or start it again, as a new process."""
        runtime = self.runtime("visitor")
        self.visitors[name] = self._scheduler.spawn(name, runtime.process, lambda: work(runtime))

    def open_store(self, runtime: SimulatedRuntime) -> EventStore:
        """Open the store in a process."""
        self.on_opening()
        options = self._settings.small.options(self._settings.embed_max_bytes)
        return EventStore.open(self._passage.database.client(), options=options, runtime=runtime)

    def runtime(self, kind: str) -> SimulatedRuntime:
        """Return the runtime of a new process; its name begins with its kind."""
        self._count += 1
        skew = self._chance.stream("skew").randint(-self._settings.skew_ms, self._settings.skew_ms)
        return SimulatedRuntime(self._scheduler, Process(f"{kind}-{self._count}"), self._seed, skew)

    def _make_relay(
        self, kind: str, *, is_odd: bool = False, lacks_file: bool = False
    ) -> tuple[Relay, SimulatedRuntime]:
        runtime = self.runtime(kind)
        return self.relay_of(runtime, is_odd=is_odd, lacks_file=lacks_file), runtime

    def relay_of(self, runtime: SimulatedRuntime, *, is_odd: bool = False, lacks_file: bool = False) -> Relay:
        """Return the parts of a relay in a process."""
        settings = self._settings
        assembly = settings.relay
        if is_odd:
            assembly = replace(assembly, lease_seconds=settings.other_lease_seconds)
        bus_settings = BusSettings(window=settings.window, message_max_bytes=self._message_max_bytes)
        index_settings = IndexSettings(
            batch_max_bytes=settings.small.batch_max_bytes,
            batch_max_events=settings.batch_max_events,
            bulk_timeout_seconds=5.0,
        )
        sides: list[Destination] = [Index(self._index, runtime, index_settings)]
        if self._disk is not None and not lacks_file:
            lines = LineFile(self._disk.file, runtime, LINE_START)
            sides.append(FileDestination(lines, FileSettings(batch_max_bytes=settings.file_batch_bytes)))
        return Relay(
            client=self._passage.database.client(),
            streams=self._passage.database.streams_client(),
            tables=TableNames(),
            bus=Bus(RabbitBroker(URL), runtime, bus_settings),
            sides=tuple(sides),
            runtime=runtime,
            settings=assembly,
        )
