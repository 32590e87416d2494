"""A relay's parts on the in-memory servers, without a daemon: tests hand pages in themselves."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
import structlog

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.rows.outbox import OutboxRow
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.assembly import AssemblySettings, Relay
from relay.delivery.commit import NEVER
from relay.delivery.page import CommitPage
from relay.delivery.pumps.bus_pump import BusPumpSettings
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.settings import FlowSettings
from relay.delivery.source import FEED, Source
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.settings import BusSettings
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.index import Index
from relay.lifecycle import Service
from relay.outbox.row import of_row
from relay.permit import FlagPermit
from relay.sweep.sweep import WalkResult
from relay.testing import InMemoryBroker, InMemoryIndex
from tests.support.waiting import until

QUEUE = "all"

READS = ("TransactGetItems", "BatchGetItem", "Query", "Scan", "GetItem")
WRITES = ("BatchExecuteStatement", "UpdateItem", "PutItem", "DeleteItem", "TransactWriteItems")
CHARGED = frozenset({*READS, *WRITES})

Trap = Callable[[str, Mapping[str, Any], Callable[[], dict[str, Any]]], dict[str, Any]]
"""Operation, request, and what carries it out."""


class Way:
    """The way of every call to DynamoDB: it counts them, and a test may set a trap on it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any], dict[str, Any]]] = []
        self.trap: Trap | None = None
        self.counts_units = False
        self.remembers = True

    def carry(self, operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Carry a call out, or spring the trap."""
        if self.counts_units and operation in CHARGED:
            assert isinstance(request, dict), "the client's own copy"
            request["ReturnConsumedCapacity"] = "TOTAL"
        reply = effect() if self.trap is None else self.trap(operation, request, effect)
        if self.remembers:
            self.calls.append((operation, request, reply))
        return reply

    def units(self, *operations: str) -> float:
        """Return the capacity units that calls of these operations have used, once `counts_units` is set."""
        used = (reply["ConsumedCapacity"] for name, _, reply in self.calls if name in operations)
        lists = (each if isinstance(each, list) else [each] for each in used)
        return sum(table["CapacityUnits"] for tables in lists for table in tables)

    def count(self, operation: str) -> int:
        """Return how many calls of an operation have come through."""
        return sum(1 for name, _, _ in self.calls if name == operation)


@dataclass
class Bench:
    """Everything a page meets on its way.

    Attributes:
        database: Behind all clients; a test may split its shards.
        client: For looking into the tables, and for breaking rows.
        way: Of every call to DynamoDB.
        store: Writes commits.
        broker: The bus, behind our side of it, `bus`.
        index: The index.
        source: Hands pages in.
        relay: The parts behind it.
        runtime: The real clock.
        uncertain: Raised, the relays are not certain of the destinations in force.
        another_relay: Returns a relay that shares nothing with this one but the servers, its parts started or not.
    """

    database: InMemoryDynamoDB
    client: Any
    way: Way
    store: EventStore
    broker: InMemoryBroker
    bus: Bus
    index: InMemoryIndex
    source: Source
    relay: Relay
    runtime: SystemRuntime
    uncertain: threading.Event
    another_relay: Callable[..., Relay]

    def append(self, aggregate_id: str, *, count: int = 1, text: str = "") -> None:
        """Append a commit of that many events to an aggregate."""
        version = self.store.current_version(aggregate_id)
        events = [NewEvent("COUNTED", {"n": version + 1 + offset, "text": text}) for offset in range(count)]
        self.store.append(AggregateRef("ITEM", aggregate_id), events, expected_version=version)

    def outbox(self) -> list[OutboxRow]:
        """Return the rows of the outbox, by key."""
        items = self.client.scan(TableName="inventory_outbox")["Items"]
        rows = [of_row(item, "inventory_outbox") for item in items]
        assert all(isinstance(row, OutboxRow) for row in rows)
        return sorted(rows, key=lambda row: row.key)  # type: ignore[arg-type]

    def row(self, aggregate_id: str, last: int) -> OutboxRow:
        """Return one row of the outbox."""
        return next(row for row in self.outbox() if row.key == (aggregate_id, last))

    def process(self, rows: Sequence[OutboxRow], *, recheck: bool = False, seconds: float = 10.0) -> CommitPage:
        """Hand a page in and wait until nothing holds it, at most that long."""
        return self.wait_for(self.hand_in(rows, recheck=recheck), seconds)

    def hand_in(self, rows: Sequence[OutboxRow], *, recheck: bool = False, relay: Relay | None = None) -> CommitPage:
        """Hand a page in, to this relay or to another, as if it had just been read."""
        relay = relay or self.relay
        source = self.source if relay is self.relay else relay.flow.open_source(FEED, self.permit)
        page = CommitPage(FEED, self.runtime.monotonic())
        relay.flow.hand_in(source, page, rows, NEVER if recheck else self.runtime.monotonic())
        page.is_sealed = True
        return page

    def wait_for(self, page: CommitPage, seconds: float = 10.0) -> CommitPage:
        """Wait until nothing holds a page, at most that long."""
        is_over = threading.Event()
        page.ring = is_over.set
        if not page.is_over:
            is_over.wait(seconds)
        return page

    def rest(self, seconds: float = 10.0) -> None:
        """Wait until nothing is in hand and nothing waits to be written."""
        until(lambda: not any(self.relay.flow.counts().values()), "nothing is in hand", timeout_seconds=seconds)

    def sweep(self) -> WalkResult:
        """Walk over the outbox once, whatever the age of its rows, and let go of what is in hand."""
        sweep, permit = self.relay.sweep(), self.permit
        sweep.begin(permit)
        walk = sweep.walk(permit, age_seconds=0.0)
        sweep.end()
        return walk

    def forgive(self) -> None:
        """Let no side be left alone any longer for what it did."""
        for pump in self.relay.pumps:
            if isinstance(pump, SidePump):
                pump._breaker = pump._breaker.succeeded()
                self.relay.flow.open_side(pump.name)

    @property
    def permit(self) -> FlagPermit:
        """A permit that always holds."""
        return FlagPermit(self.runtime.flag())

    def on_bus(self) -> list[tuple[str, int]]:
        """Return aggregate and number of every message, in the order in which the broker took them."""
        return [
            (str(message.headers["cloudEvents_subject"]), int(message.headers["cloudEvents_sequencenumber"]))
            for message in self.broker.messages(QUEUE)
        ]

    def be_impatient(self) -> None:
        """Let commits wait no time for the index, which is late in all that follows."""
        flow = self.relay.flow
        flow._settings = replace(flow._settings, side_patience_seconds=0.0)

    def hold_index(self) -> threading.Event:
        """Let the index answer nothing until the returned event is set."""
        go_on, bulk = threading.Event(), self.index.bulk

        def held(body: bytes, timeout_seconds: float) -> Sequence[ItemVerdict]:
            assert go_on.wait(30), "the test never let the index go on"
            return bulk(body, timeout_seconds)

        self.index.bulk = held  # type: ignore[method-assign]
        return go_on

    def break_row(self, aggregate_id: str, last: int, **attributes: Any) -> None:
        """Overwrite attributes of an outbox row behind everybody's back; None removes one."""
        key = {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(last)}}
        item = dict(self.client.get_item(TableName="inventory_outbox", Key=key)["Item"])
        for name, value in attributes.items():
            if value is None:
                item.pop(name)
            else:
                item[name] = value
        self.client.put_item(TableName="inventory_outbox", Item=item)


@pytest.fixture
def bench() -> Iterator[Bench]:
    runtime = SystemRuntime()
    way = Way()
    database = InMemoryDynamoDB(passage=way)
    client = database.client()
    tables.init(client, TableNames(), runtime, protect=False)
    broker, index = InMemoryBroker(runtime=runtime), InMemoryIndex(runtime)
    broker.queue(QUEUE)
    relays: list[Relay] = []
    uncertain = threading.Event()

    def make_relay(bus: Bus) -> Relay:
        relay = Relay(
            client=client,
            streams=database.streams_client(),
            tables=TableNames(),
            bus=bus,
            sides=(Index(index, runtime),),
            runtime=runtime,
            settings=AssemblySettings(
                flow=FlowSettings(
                    side_patience_seconds=5.0,
                    question=Backoff(base_seconds=0.01, cap_seconds=0.05),
                    settle=Backoff(base_seconds=0.01, cap_seconds=0.05),
                    refused=Backoff(base_seconds=0.05, cap_seconds=0.2),
                ),
                bus=BusPumpSettings(budget_seconds=1.0, retry=Backoff(base_seconds=0.01, cap_seconds=0.05)),
                side_budget_seconds=5.0,
            ),
        )
        relays.append(relay)
        return relay

    services: list[Service] = []

    def start(relay: Relay) -> None:
        started = (*relay.pumps, *relay.scribes(lambda: not uncertain.is_set()))
        services.extend(started)
        for service in started:
            service.start()

    def start_relay(*, started: bool = True) -> Relay:
        relay = make_relay(Bus(broker, runtime, BusSettings()))
        if started:
            start(relay)
        return relay

    bus = Bus(broker, runtime, BusSettings())
    relay = make_relay(bus)
    start(relay)
    yield Bench(
        database,
        client,
        way,
        EventStore.open(client),
        broker,
        bus,
        index,
        relay.flow.open_source(FEED, FlagPermit(runtime.flag())),
        relay,
        runtime,
        uncertain,
        another_relay=start_relay,
    )
    for service in services:
        service.stop()
    for service in services:
        assert service.join(10.0)
        assert service.dead_part is None


@pytest.fixture
def log_events() -> Iterator[list[Any]]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as events:
        yield events
