"""A third destination beside bus and index: what a commit owes, and to whom."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from relay.assembly import AssemblySettings, Relay
from relay.delivery.commit import NEVER
from relay.delivery.page import CommitPage, Fate
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.settings import FlowSettings
from relay.delivery.source import FEED
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.settings import BusSettings
from relay.destinations.file.file import FileDestination
from relay.destinations.file.line import LINE_START
from relay.destinations.file.local_file import LineFile
from relay.destinations.index.index import Index
from tests.support.waiting import until

from .conftest import Bench


@dataclass
class Trio:
    """A relay to bus, index and file; `folder` is where the file is."""

    bench: Bench
    folder: Path
    relay: Relay
    process: Callable[[], CommitPage]

    def lines(self) -> list[tuple[str, int]]:
        """Return aggregate and number of every line."""
        found = [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]
        return [(event["aggregateid"], event["sequencenumber"]) for event in found]


@pytest.fixture
def trio(bench: Bench, tmp_path: Path) -> Iterator[Trio]:
    folder = tmp_path / "events"
    folder.mkdir()
    relay = Relay(
        client=bench.client,
        streams=bench.database.streams_client(),
        tables=TableNames(),
        bus=Bus(bench.broker, bench.runtime, BusSettings()),
        sides=(
            Index(bench.index, bench.runtime),
            FileDestination(LineFile(folder / "events.jsonl", bench.runtime, LINE_START)),
        ),
        runtime=bench.runtime,
        settings=AssemblySettings(
            flow=FlowSettings(side_patience_seconds=5.0, question=Backoff(base_seconds=0.01, cap_seconds=0.05)),
        ),
    )
    services = (*relay.pumps, *relay.scribes(lambda: True))
    for service in services:
        service.start()
    source = relay.flow.open_source(FEED, bench.permit)

    def process() -> CommitPage:
        page = CommitPage(FEED, bench.runtime.monotonic())
        relay.flow.hand_in(source, page, bench.outbox(), NEVER)
        page.is_sealed = True
        return bench.wait_for(page)

    yield Trio(bench, folder, relay, process)
    for service in services:
        service.stop()
    for service in services:
        assert service.join(10.0)
        assert service.dead_part is None


def test_all_three_have_it_before_its_row_goes(trio: Trio) -> None:
    """
    The set of destinations is that of the pumps; every event is a line, in order.
    """
    trio.bench.append("a", count=2)
    trio.bench.append("b")
    trio.bench.append("a")

    page = trio.process()

    assert [pump.name for pump in trio.relay.pumps] == ["bus", "index", "file"]
    assert page.fates == {Fate.SETTLED: 3}
    assert trio.bench.outbox() == []
    assert trio.lines() == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]
    assert trio.bench.index.count() == 4


def test_a_file_that_cannot_be_written_holds_nothing_up(trio: Trio) -> None:
    """
    Bus and index have the commit, the row says so and is owed to the file alone; when the folder is back it is settled.
    """
    trio.folder.rename(trio.folder.with_suffix(".away"))
    trio.bench.append("a")

    page = trio.process()

    assert page.fates == {Fate.LATE: 1}
    assert trio.bench.row("a", 1).delivered == {"bus", "index"}
    assert trio.bench.on_bus() == [("a", 1)]

    trio.folder.with_suffix(".away").rename(trio.folder)
    pump = trio.relay.pumps[2]
    assert isinstance(pump, SidePump)
    pump._breaker = pump._breaker.succeeded()
    trio.relay.flow.open_side(pump.name)
    assert trio.process().fates == {Fate.SETTLED: 1}
    assert trio.lines() == [("a", 1)]
    assert trio.bench.on_bus() == [("a", 1)], "nothing went to the bus again"
    assert trio.bench.outbox() == []


def test_what_nobody_can_take_is_parked_for_each(trio: Trio) -> None:
    """
    The row names all three; another aggregate goes everywhere.
    """
    trio.bench.append("a")
    (row,) = trio.bench.outbox()
    assert row.events is not None
    item = trio.bench.client.scan(TableName="inventory_outbox")["Items"][0]
    events = json.loads(item["events"]["S"])
    events[0]["timestamp"] = -1
    trio.bench.break_row("a", 1, events={"S": json.dumps(events)})
    trio.bench.append("b")

    trio.process()
    until(lambda: not any(trio.relay.flow.counts().values()), "nothing is in hand")

    (parked,) = trio.bench.outbox()
    assert set(parked.parked) == {"bus", "index", "file"}
    assert "timestamp -1" in parked.parked["file"]
    assert trio.lines() == [("b", 1)]
