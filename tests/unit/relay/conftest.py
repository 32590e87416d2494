"""A relay's parts on the in-memory servers, without a daemon: tests hand pages in themselves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from eventstore import AggregateRef, EventStore, NewEvent, TableNames, tables
from eventstore.backoff import Backoff
from eventstore.outbox_row import OutboxRow
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.assembly import AssemblySettings, Relay
from relay.destinations.bus import Bus
from relay.destinations.bus_settings import BusSettings
from relay.destinations.index import Index
from relay.feed.change import of_row
from relay.page import Page, PageResult
from relay.pipeline import Pipeline, PipelineSettings
from relay.testing import InMemoryBroker, InMemoryIndex

QUEUE = "all"


@dataclass
class Bench:
    """Everything a page meets on its way.

    Attributes:
        client: For looking into the tables, and for breaking rows.
        store: Writes commits.
        broker: The bus.
        index: The index.
        pipeline: Takes pages.
        relay: The parts behind it.
        runtime: The real clock.
    """

    client: Any
    store: EventStore
    broker: InMemoryBroker
    index: InMemoryIndex
    pipeline: Pipeline
    relay: Relay
    runtime: SystemRuntime

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

    def process(self, rows: Sequence[OutboxRow], *, recheck: bool = False) -> PageResult:
        """Let the pipeline deal with a page."""
        return self.pipeline.process(Page("feed", rows, recheck), self.runtime.flag())

    def on_bus(self) -> list[tuple[str, int]]:
        """Return aggregate and number of every message, in the order in which the broker took them."""
        return [
            (str(message.headers["cloudEvents_subject"]), int(message.headers["cloudEvents_sequencenumber"]))
            for message in self.broker.messages(QUEUE)
        ]

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
    database = InMemoryDynamoDB()
    client = database.client()
    tables.init(client, TableNames(), runtime)
    broker, index = InMemoryBroker(runtime=runtime), InMemoryIndex(runtime)
    broker.queue(QUEUE)
    relay = Relay(
        client=client,
        streams=database.streams_client(),
        tables=TableNames(),
        bus=Bus(broker, runtime, BusSettings(last_call=0.0)),
        sides=(Index(index, runtime),),
        runtime=runtime,
        settings=AssemblySettings(
            pipeline=PipelineSettings(side_budget_seconds=5.0, retry=Backoff(base_seconds=0.01, cap_seconds=0.05)),
            bus_budget_seconds=1.0,
            side_budget_seconds=5.0,
        ),
    )
    for lane in relay.lanes:
        lane.start()
    yield Bench(client, EventStore.open(client), broker, index, relay.pipeline(), relay, runtime)
    for lane in relay.lanes:
        assert lane.stop(10.0)
        assert lane.part is not None
        assert lane.part.failure is None


@pytest.fixture
def log_events() -> Iterator[list[Any]]:
    """Collect what is logged."""
    with structlog.testing.capture_logs() as events:
        yield events
