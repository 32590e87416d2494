"""One run: a world of a seed, in which writers write, the relay relays and everything goes wrong, and then calms."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from eventstore import EventStore
from eventstore.dynamodb import tables
from eventstore.dynamodb.table_names import TableNames
from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.faults.weather import Weather as AwsWeather
from tests.simulation import reads_at_rest
from tests.simulation.attempts import Attempts
from tests.simulation.bounds import Bounds
from tests.simulation.broker import SimulatedBroker
from tests.simulation.by_hand import ByHand
from tests.simulation.certainty import Certainty
from tests.simulation.chance import ALL_FAULTS, Chance
from tests.simulation.checkers import DESTINATIONS, Checkers
from tests.simulation.consumers import SimulatedQueue
from tests.simulation.coverage import Coverage
from tests.simulation.disk import SimulatedDisk
from tests.simulation.dynamo import SimulatedPassage, watch
from tests.simulation.epochs import Epochs
from tests.simulation.fleet import FleetWatch
from tests.simulation.generations import Generations
from tests.simulation.guests import draw_visitors
from tests.simulation.health import Health
from tests.simulation.index import SimulatedIndex
from tests.simulation.ledger import Ledger
from tests.simulation.operators import Operators
from tests.simulation.outages import Outages
from tests.simulation.paths import Paths
from tests.simulation.patience import Patience
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.processes import Processes
from tests.simulation.rabbit import connected
from tests.simulation.reservers import Reservations, create_table
from tests.simulation.scheduler import Process, Scheduler
from tests.simulation.settings import WorldSettings, draw
from tests.simulation.sight import Sight
from tests.simulation.standing import Standing
from tests.simulation.trials import Trials
from tests.simulation.visitors import Surroundings, Visitors
from tests.simulation.visits import Visits
from tests.simulation.weather import Weather
from tests.simulation.writers import Writer

STEPS_MAX = 600_000
STEPS_A_SECOND = 300
"""And so many more for each second that a fault stands, per worker."""

STEPS_MIN = 500
"""The storm of a quick seed goes on until so much was done."""

STORM_SECONDS_MAX = 600.0
"""And that takes no longer than so much simulated time."""

DRAIN_SECONDS = 300.0
"""When faults have stopped, everything that can go is gone after so much simulated time."""

STOP_SECONDS = 120.0
_LOOK_SECONDS = 1.0
_LOOKS_PER_CHECK = 10


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate; with all but the seed left out, the seed decides.

    Attributes:
        seed: The seed.
        writers: How many, when not the seed's number.
        appends: Of each writer, when not the seed's number.
        workers: Of the relay, when not the seed's number.
        aggregates: That they share, when not the seed's number.
        storm_seconds: How long faults go on, when not the seed's time.
        without: Kinds of faults to leave out.
        is_calm: Leave all of them out.
        standing: The fault that is left on for good in the calm, when not the seed's.
        standing_seconds: For how long it stands, when not for the usual time.
        keep_log: Whether to keep a line per step.
    """

    seed: int
    writers: int | None = None
    appends: int | None = None
    workers: int | None = None
    aggregates: int | None = None
    storm_seconds: float | None = None
    without: frozenset[str] = frozenset()
    is_calm: bool = False
    standing: str | None = None
    standing_seconds: float | None = None
    keep_log: bool = False


@dataclass(slots=True)
class Run:
    """What a run came to.

    Attributes:
        failure: What was broken; None when all was well.
        steps: Calls of ports.
        trace: A digest of every step.
        seconds: Simulated time.
        coverage: What was met.
        log: A line per step, when asked for.
    """

    failure: BaseException | None
    steps: int
    trace: str
    seconds: float
    coverage: Coverage = field(default_factory=Coverage)
    log: list[str] | None = None


def simulate(plan: Plan) -> Run:
    """Run one world to its end, and return what it came to."""
    world = World(plan)
    failure: BaseException | None = None
    watchers = (
        world.fleet, world.bounds, world.generations, world.patience, world.paths, world.certainty, *world.visited
    )  # fmt: skip
    with _marking(world.coverage), ExitStack() as stack:
        stack.enter_context(settings_of(plan).small.applied())
        stack.enter_context(connected(world.broker))
        for watcher in watchers:
            stack.enter_context(watcher.watching())
        try:
            world.scheduler.run(world.live)
        except Exception as error:  # noqa: BLE001 - it is what the caller wants to hear of
            failure = error
    scheduler = world.scheduler
    world.count_aws_faults()
    return Run(failure, scheduler.steps, scheduler.trace_hash(), scheduler.seconds, world.coverage, scheduler.log)


def settings_of(plan: Plan) -> WorldSettings:
    """Return the seed's settings, with what the plan says instead."""
    given = {
        "writers": plan.writers,
        "appends": plan.appends,
        "workers": plan.workers,
        "aggregates": plan.aggregates,
        "storm_seconds": plan.storm_seconds,
        "standing": plan.standing,
        "standing_seconds": plan.standing_seconds,
    }
    known: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return replace(draw(str(plan.seed)), **known)


class World:
    """All of it put together."""

    def __init__(self, plan: Plan) -> None:  # noqa: PLR0915 - putting everything together is all it does
        seed = str(plan.seed)
        self._settings = settings_of(plan)
        self.coverage = Coverage()
        steps_max = STEPS_MAX + int(STEPS_A_SECOND * self._settings.standing_seconds * self._settings.workers)
        self.scheduler = Scheduler(seed, stickiness=self._settings.stickiness, steps_max=steps_max)
        self.scheduler.log = [] if plan.keep_log else None
        self._chance = Chance(seed, self.coverage, ALL_FAULTS if plan.is_calm else plan.without)
        self._runtime = SimulatedRuntime(self.scheduler, Process("world"), seed)
        self._ledger = Ledger(self.scheduler)
        self._passage = SimulatedPassage(self.scheduler, self._chance)
        self.paths = Paths(self.coverage)
        self._attempts = Attempts(self._ledger)
        self._passage.on_request = self._requested
        self._passage.on_reply = self.paths.replied
        self.fleet = FleetWatch(self._ledger, self.scheduler)
        self.certainty = Certainty(self._ledger, self.scheduler, self.fleet)
        self._broker = self.broker = SimulatedBroker(
            self.scheduler,
            self._chance,
            self._ledger,
            self._settings.window,
            self._settings.relay.bus.budget_seconds / 2,
        )
        self._broker.repeats.is_calm = not self._chance.rates
        self._checkers = Checkers(
            self._ledger, self._passage, self.fleet, self._broker, self.scheduler, self._settings.relay.flow
        )
        self._checkers.message_max_bytes = self._settings.message_max_bytes
        self._passage.database = InMemoryDynamoDB(
            clock=self._runtime,
            lock=nullcontext(),
            shard_count=self._settings.shards,
            passage=self._passage,
            random=self._chance.stream("aws"),
        )
        watch(self._passage.database, self._checkers.watch)
        self._epochs = Epochs(self._chance, self._ledger, self.scheduler, self._passage)
        watch(self._passage.database, self._epochs.watch)
        self.bounds = Bounds(
            self._ledger,
            self.scheduler,
            memory_max=self._settings.relay.memory_aggregates_max,
            shards_max=self._settings.relay.shards_max,
        )

        self.patience = Patience(self._ledger, self.scheduler, self._settings.relay.bus.budget_seconds)
        self._index = SimulatedIndex(self.scheduler, self._chance, self._ledger)
        self._disk = SimulatedDisk(self.scheduler, self._chance, self._ledger) if self._settings.has_file else None
        if self._disk is not None:
            self._disk.is_calm = not self._chance.rates
            self._checkers.all_destinations = (*DESTINATIONS, "file")
        operators = Operators(
            self._ledger, self._checkers, self._passage.database.client, self._chance.stream("operators")
        )
        self._processes = Processes(
            seed,
            self._settings,
            scheduler=self.scheduler,
            chance=self._chance,
            ledger=self._ledger,
            passage=self._passage,
            broker=self._broker,
            index=self._index,
            operators=operators,
            disk=self._disk,
        )
        self._processes.on_opening = self._epochs.opens
        if self._disk is not None:
            self._disk.crash = self._processes.crash
        self._visits = Visits(
            self.scheduler,
            self._chance,
            ledger=self._ledger,
            checkers=self._checkers,
            passage=self._passage,
            processes=self._processes,
            index=self._index,
        )
        watch(self._passage.database, self._visits.rows.watch)
        self.visited = [self._visits, *([self._disk] if self._disk is not None else [])]
        self._weather = Weather(
            self.scheduler,
            self._chance,
            passage=self._passage,
            broker=self._broker,
            index=self._index,
            processes=self._processes,
            checkers=self._checkers,
        )
        self._outages = Outages(
            self.scheduler,
            self._chance,
            passage=self._passage,
            broker=self._broker,
            index=self._index,
            processes=self._processes,
        )
        self._trials = Trials(
            self._settings,
            self._runtime,
            ledger=self._ledger,
            checkers=self._checkers,
            fleet=self.fleet,
            passage=self._passage,
            processes=self._processes,
            settle=self._calm,
        )
        self._standing = Standing(
            self._trials,
            self._settings.standing,
            is_asked_for=plan.standing is not None,
            broker=self._broker,
            index=self._index,
            store=lambda: self._store,
            look=self._look,
        )
        health = Health(self._trials, self._visits, self._ledger, self._chance.stream("health"))
        self._standing.on_standing = lambda kind: health.is_red_for(kind, self._look)
        self._by_hand = ByHand(
            self._chance.stream("by hand"),
            self._trials,
            self._standing,
            self._visits,
            health,
            ledger=self._ledger,
            checkers=self._checkers,
            processes=self._processes,
            look=self._look,
        )
        self._writers = [
            Writer(
                f"writer{number}",
                self._settings.appends,
                self._settings.aggregates,
                self._chance,
                self._ledger,
                self._settings.pauses,
                self._attempts,
            )
            for number in range(self._settings.writers)
        ]
        around = Surroundings(
            self._ledger,
            Sight(self._ledger, self.scheduler, self._settings.hide_ms / 1000),
            self._chance,
            self.scheduler,
            self._settings,
            self._checkers,
            self._passage.database,
            lambda: self._epochs.in_force,
        )
        watch(self._passage.database, Reservations(around).watch)
        self._visitors = Visitors(draw_visitors(seed, around), around, self._processes)

        self.generations = Generations(
            self.scheduler,
            self._chance,
            ledger=self._ledger,
            checkers=self._checkers,
            fleet=self.fleet,
            passage=self._passage,
            broker=self._broker,
            processes=self._processes,
            writers=[*self._writers, self._visitors],
            opened=self._forget_store,
        )
        self._weather.are_tables_there = lambda: self.generations.are_there
        self._opened: EventStore | None = None

    @property
    def _store(self) -> EventStore:
        """The store as the world itself sees it."""
        if self._opened is None:
            self._opened = EventStore.open(self._passage.database.observer(), runtime=self._runtime)
        return self._opened

    def _forget_store(self) -> None:
        self._opened = None
        self._attempts.begin_anew()

    def _requested(self, operation: str, request: Mapping[str, Any]) -> None:
        self.paths.asked(operation, request)
        self._attempts.sending(operation, request)

    def live(self) -> None:
        """Live through a storm and the calm after it."""
        with self._passage.direct():
            tables.init(self._passage.database.client(), TableNames(), self._runtime, protect=False)
            create_table(self._passage.database)
        self._join("everything", None)
        self._join("one type", "MOVED")
        self.scheduler.on_step = self._processes.strike
        self._chance.is_stormy = True
        self._passage.database.weather = AwsWeather(
            **self._chance.rates_of("aws"),
            hide_ms_max=self._settings.hide_ms,
            trim_after_ms=self._settings.trim_ms,
            page_items_max=self._settings.small.page_items,
            # While a transaction is applied its token is known, on AWS too.
            token_valid_ms=max(self._settings.small.token_valid_ms, self._settings.hide_ms + 1),
        )
        self._storm()
        self._passage.database.weather = AwsWeather(page_items_max=self._settings.small.page_items)
        self._weather.clear_up()
        self._outages.clear_up()
        self._visitors.clear_up()
        self.generations.clear_up()
        self._visits.clear_up()
        self._calm()
        self._broker.repeats.is_calm &= self._settings.trial != "crash"
        if self._disk is not None:
            self._disk.is_calm = self._broker.repeats.is_calm
        self._trials.lose_a_worker()
        self._calm()
        self._standing.attempt()
        self._by_hand.attempt()
        self._trials.repair()
        self._end()

    def count_aws_faults(self) -> None:
        """Add what the in-memory DynamoDB did by itself."""
        for name, count in self._passage.database.met.items():
            if count:
                self.coverage.faults[f"aws.{name}"] += count

    def _storm(self) -> None:
        looks = 0
        while self.scheduler.seconds < self._settings.storm_seconds or self.scheduler.steps < STEPS_MIN:
            if self.scheduler.seconds >= STORM_SECONDS_MAX:
                self._ledger.broken("a run does something", f"{self.scheduler.steps} steps in {STORM_SECONDS_MAX} s")
            self._look_after_writers()
            self._weather.look()
            self._outages.look()
            self.generations.look()
            if self.generations.are_there:
                self._epochs.look()
                self._visits.look()
            self._consume()
            looks += 1
            if looks == _LOOKS_PER_CHECK:
                self._join("late", None)
            if looks % _LOOKS_PER_CHECK == 0 and self.generations.are_there:
                self._checkers.look_at_all(self._store)
            is_over = self._is_written() and self._checkers.is_drained() and self.generations.are_there
            if is_over and self.scheduler.steps >= STEPS_MIN:
                break
            self._runtime.sleep(_LOOK_SECONDS)

    def _calm(self) -> None:
        """Everything drains within a bounded time once nothing goes wrong any more."""
        deadline = self.scheduler.seconds + DRAIN_SECONDS
        while not (
            self._is_quiet()
            and not self._visits.are_there
            and self._checkers.is_drained()
            and not self._trials.unread()
        ):
            if self.scheduler.seconds >= deadline:
                if not self._is_quiet():
                    self._ledger.broken("everybody comes to an end", f"{self._visitors.left()}")
                if self._checkers.is_drained():
                    self._ledger.broken("every shard is read to its end", f"{self._trials.unread()[:5]}")
                self._ledger.broken("everything drains when faults stop", f"left: {self._checkers.left()[:5]}")
            self._look_after_writers()
            if self._is_written():
                self._visitors.wind_up()
            self._weather.look()
            self._visits.look()
            self._consume()
            self._runtime.sleep(_LOOK_SECONDS)

    def _end(self) -> None:
        processes = self._processes
        for slot in processes.relays:
            processes.stop(slot)
        if processes.operator_stop is not None:
            processes.operator_stop.set_quietly()
        deadline = self.scheduler.seconds + STOP_SECONDS
        while processes.is_running():
            if self.scheduler.seconds >= deadline:
                self._ledger.broken("a relay that is told to stop stops", f"not within {STOP_SECONDS} s")
            self._runtime.sleep(_LOOK_SECONDS)
        self._consume()
        self._checkers.look_at_all(self._store)
        reads_at_rest.check(self._ledger, self._passage, self._runtime)
        for queue in self._broker.queues:
            queue.check()
        self._visitors.check()

    def _look(self) -> None:
        """Let supervisors and consumers do their part in the calm."""
        self._weather.look()
        self._consume()

    def _is_written(self) -> bool:
        return all(writer.is_done for writer in self._writers) and self._visitors.is_written()

    def _is_quiet(self) -> bool:
        return self._is_written() and self._visitors.is_done()

    def _look_after_writers(self) -> None:
        if not self.generations.are_there:
            return
        for writer in self._writers:
            task = self._processes.writers.get(writer.name)
            if not writer.is_done and (task is None or task.is_done):
                if task is not None and task.failure is not None and isinstance(task.failure, Exception):
                    self._ledger.broken("a writer does not fail", repr(task.failure))
                self._processes.start_writer(writer)
        self._visitors.look_after()

    def _join(self, name: str, event_type: str | None) -> None:
        self._broker.queues.append(SimulatedQueue(name, event_type, self._chance, self._ledger))

    def _consume(self) -> None:
        for queue in self._broker.queues:
            queue.consume()


@contextmanager
def _marking(coverage: Coverage) -> Iterator[None]:
    """Count what the product logs as marks, and print nothing."""

    def mark(_logger: Any, _method: str, event: Any) -> str:
        coverage.marks[str(event.get("event"))] += 1
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[mark])
    try:
        yield
    finally:
        structlog.configure(**before)
