"""A night at the desk: tables in memory, commands typed through click's runner, a relay that comes and goes."""

import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import pytest
import structlog
from click.testing import CliRunner, Result

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import connection, tables
from eventstore.ports import Part
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.assembly import AssemblySettings, Relay
from relay.cli import main, opened
from relay.cli.destinations import Destinations
from relay.delivery.pumps.bus_pump import BusPumpSettings
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.settings import BusSettings
from relay.destinations.index.index import Index
from relay.leases.fleet import FleetSettings, WorkerRecord
from relay.leases.worker_report import WorkerReport
from relay.sweep.sweep import SweepSettings
from relay.testing import InMemoryBroker, InMemoryIndex
from tests.unit.relay.conftest import Way

QUEUE = "all"
BACKOFF = Backoff(attempts_max=4, base_seconds=0.001, cap_seconds=0.002)
LEASE_SECONDS = 2.0
OLD_MS = 1_735_689_600_000


@dataclass
class Typed:
    """What a command printed and how it ended."""

    result: Result

    @property
    def code(self) -> int:
        assert "Traceback" not in self.result.output
        return self.result.exit_code

    @property
    def out(self) -> str:
        return self.result.stdout

    @property
    def err(self) -> str:
        return self.result.stderr

    @property
    def document(self) -> Any:
        (line,) = self.out.splitlines()
        return json.loads(line)

    @property
    def data(self) -> Any:
        return self.document["data"]

    @property
    def rows(self) -> list[list[str]]:
        """The cells of all tables."""
        return [[cell.strip() for cell in line.split("│")[1:-1]] for line in self.out.splitlines() if "│" in line]


@dataclass
class Night:
    """Everything an operator meets."""

    client: Any
    streams: Any
    way: Way
    store: EventStore
    broker: InMemoryBroker
    index: InMemoryIndex
    runtime: SystemRuntime
    database: InMemoryDynamoDB
    parts: list[tuple[Part, Any]] = field(default_factory=list)

    def type(self, *arguments: str, stdin: str | None = None) -> Typed:
        """Type a command of `relay`."""
        return Typed(CliRunner().invoke(main, list(arguments), input=stdin, prog_name="relay"))

    def append(self, aggregate_id: str, commits: int = 1, *, events: int = 1, text: str = "") -> None:
        """Append commits to an aggregate."""
        for _ in range(commits):
            version = self.store.current_version(aggregate_id)
            new = [NewEvent("COUNTED", {"n": version + 1 + offset, "text": text}) for offset in range(events)]
            self.store.append(AggregateRef("ITEM", aggregate_id), new, expected_version=version)

    def item(self, aggregate_id: str, last: int) -> dict[str, Any] | None:
        """Return a row of the outbox as it is stored."""
        key = {"aggregateId": {"S": aggregate_id}, "sequenceNumber": {"N": str(last)}}
        found = self.client.get_item(TableName="inventory_outbox", Key=key, ConsistentRead=True).get("Item")
        return None if found is None else dict(found)

    def items(self) -> list[dict[str, Any]]:
        """Return all rows of the outbox."""
        return list(self.client.scan(TableName="inventory_outbox", ConsistentRead=True)["Items"])

    def change(self, aggregate_id: str, last: int, **attributes: Any) -> None:
        """Overwrite attributes of a row of the outbox; None removes one."""
        item = self.item(aggregate_id, last)
        assert item is not None
        item.update(attributes)
        self.client.put_item(
            TableName="inventory_outbox", Item={name: value for name, value in item.items() if value is not None}
        )

    def park(
        self, aggregate_id: str, last: int, *destinations: str, error_class: str = "too_large", **others: Any
    ) -> None:
        """Mark a commit as parked."""
        marks = {name: mark(error_class, f"{name} cannot take it") for name in destinations}
        self.change(aggregate_id, last, parked={"M": marks}, **others)

    def make_old(self) -> None:
        """Let all that is owed be years old."""
        for item in self.items():
            self.change(item["aggregateId"]["S"], int(item["sequenceNumber"]["N"]), committedAt={"N": str(OLD_MS)})

    def audits(self) -> list[dict[str, Any]]:
        """Return the audit records, oldest first."""
        items = self.client.scan(TableName="inventory_relay", ConsistentRead=True)["Items"]
        found = [item for item in items if item["recordType"]["S"] == "audit"]
        return sorted(found, key=lambda item: item["recordKey"]["S"])

    def relay(self, *, message_max_bytes: int = 100_000) -> Relay:
        """Return a relay on the servers in memory."""
        return Relay(
            client=self.client,
            streams=self.streams,
            tables=TableNames(),
            bus=self.bus(message_max_bytes),
            sides=(Index(self.index, self.runtime),),
            runtime=self.runtime,
            settings=AssemblySettings(
                sweep=SweepSettings(min_age_seconds=0.2, interval_seconds=0.2),
                lease_seconds=LEASE_SECONDS,
                bus=BusPumpSettings(budget_seconds=1.0),
                side_budget_seconds=5.0,
            ),
        )

    def bus(self, message_max_bytes: int = 100_000) -> Bus:
        """Return our side of the bus."""
        return Bus(self.broker, self.runtime, BusSettings(message_max_bytes=message_max_bytes))

    def start_relay(self, *, message_max_bytes: int = 100_000) -> None:
        """Start a worker, which ends with the test."""
        stop = self.runtime.flag()
        relay = self.relay(message_max_bytes=message_max_bytes)
        self.parts.append((self.runtime.spawn("relay", relay.daemon(stop).run), stop))

    def stop_relays(self) -> None:
        """Stop all workers and wait for their ends."""
        for _, stop in self.parts:
            stop.set()
        for part, _ in self.parts:
            assert part.join(30.0)
            assert part.failure is None, repr(part.failure)
        self.parts.clear()

    def write_settings(self, *names: str, bus: frozenset[str] | None = None) -> None:
        """Bring settings into force, as a worker does when it starts."""
        settings = FleetSettings(frozenset(names), "inventory", round(LEASE_SECONDS * 1000), 1, bus)
        assert self.relay().fleet_table.put_settings(settings, None)

    def write_worker(self, name: str, *, silent_seconds: float = 0.0, report: WorkerReport | None = None) -> None:
        """Write a worker's record as if it had sent a heartbeat so long ago."""
        at_ms = self.runtime.now_ms() - round(silent_seconds * 1000)
        record = WorkerRecord(name, 7, "host-1", 4711, "1.0", OLD_MS, at_ms, report or WorkerReport())
        self.relay().fleet_table.write_worker(record)

    def on_bus(self) -> list[tuple[str, int]]:
        """Return aggregate and number of every message, in the order in which the broker took them."""
        return [
            (str(message.headers["cloudEvents_subject"]), int(message.headers["cloudEvents_sequencenumber"]))
            for message in self.broker.messages(QUEUE)
        ]


def mark(error_class: str, reason: str) -> dict[str, Any]:
    """Return a mark as the relay writes it."""
    return {
        "M": {
            "reason": {"S": reason},
            "errorClass": {"S": error_class},
            "attempts": {"N": "1"},
            "firstFailedAt": {"N": "1735689600000"},
            "lastFailedAt": {"N": "1735689600000"},
        }
    }


def marks_of(item: Mapping[str, Any] | None) -> list[str]:
    """Return the destinations a row is parked for."""
    assert item is not None
    return sorted(item.get("parked", {}).get("M", {}))


@pytest.fixture
def night(monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    runtime = SystemRuntime()
    way = Way()
    database = InMemoryDynamoDB(passage=way)
    client, streams = database.client(), database.streams_client()
    tables.init(client, TableNames(), runtime, protect=False)
    broker, index = InMemoryBroker(runtime=runtime), InMemoryIndex(runtime)
    broker.queue(QUEUE)
    made = Night(client, streams, way, EventStore.open(client), broker, index, runtime, database)

    def destinations(*_: Any) -> Destinations:
        return Destinations(made.bus(), (Index(index, runtime),))

    monkeypatch.setattr(connection, "connect", lambda *_, **__: client)
    monkeypatch.setattr(connection, "connect_with_streams", lambda *_, **__: (client, streams))
    monkeypatch.setattr(import_module("relay.cli.replay"), "open_destinations", destinations)
    monkeypatch.setattr(opened, "BACKOFF", BACKOFF)
    for name, value in (
        ("EVENTSTORE_AWS_REGION", "eu-central-1"),
        ("RELAY_RABBITMQ_URL", "amqp://nowhere"),
        ("RELAY_ELASTICSEARCH_URL", "http://nowhere"),
    ):
        monkeypatch.setenv(name, value)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())  # else a worker's log is taken for a command's
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield made
    for number, handler in handlers.items():
        signal.signal(number, handler)
    structlog.reset_defaults()
    made.stop_relays()
