"""A third destination beside bus and index: what a commit owes, and to whom."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from relay.assembly import AssemblySettings, Relay
from relay.delivery.page import CommitPage, PageResult
from relay.delivery.pipeline import PipelineSettings
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.settings import BusSettings
from relay.destinations.file.file import FileDestination
from relay.destinations.file.line import LINE_START
from relay.destinations.file.local_file import LineFile
from relay.destinations.index.index import Index
from relay.permit import FlagPermit
from tests.support.waiting import until

from .conftest import Bench


@dataclass
class Trio:
    """A relay to bus, index and file; `folder` is where the file is."""

    bench: Bench
    folder: Path
    relay: Relay
    process: Callable[[], PageResult]

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
        bus=Bus(bench.broker, bench.runtime, BusSettings(last_call=0.0)),
        sides=(
            Index(bench.index, bench.runtime),
            FileDestination(LineFile(folder / "events.jsonl", bench.runtime, LINE_START)),
        ),
        runtime=bench.runtime,
        settings=AssemblySettings(
            pipeline=PipelineSettings(side_patience_seconds=5.0, retry=Backoff(base_seconds=0.01, cap_seconds=0.05)),
        ),
    )
    for lane in relay.lanes:
        lane.start()
    pipeline = relay.pipeline()
    permit = FlagPermit(bench.runtime.flag())
    yield Trio(bench, folder, relay, lambda: pipeline.process(CommitPage("feed", bench.outbox(), recheck=True), permit))
    for lane in relay.lanes:
        lane.stop()
        assert lane.join(10.0)
        assert lane.dead_part is None


def test_all_three_have_it_before_its_row_goes(trio: Trio) -> None:
    """
    The set of destinations is that of the lanes; every event is a line, in order.
    """
    trio.bench.append("a", count=2)
    trio.bench.append("b")
    trio.bench.append("a")

    result = trio.process()

    assert [lane.name for lane in trio.relay.lanes] == ["bus", "index", "file"]
    assert result.settled == 3
    assert trio.bench.outbox() == []
    assert trio.lines() == [("a", 1), ("a", 2), ("a", 3), ("b", 1)]
    assert trio.bench.index.count() == 4


def test_a_file_that_cannot_be_written_holds_nothing_up(trio: Trio) -> None:
    """
    Bus and index have the commit, the row says so and is owed to the file alone; when the folder is back it is settled.
    """
    trio.folder.rename(trio.folder.with_suffix(".away"))
    trio.bench.append("a")

    result = trio.process()

    assert (result.dealt_with, result.settled, result.late) == (True, 0, 1)
    assert trio.bench.row("a", 1).delivered == {"bus", "index"}
    assert trio.bench.on_bus() == [("a", 1)]

    trio.folder.with_suffix(".away").rename(trio.folder)
    until(lambda: not trio.relay.lanes[2].is_breaker_open(), "the breaker's pause is over")
    assert trio.process().settled == 1
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

    (parked,) = trio.bench.outbox()
    assert set(parked.parked) == {"bus", "index", "file"}
    assert "timestamp -1" in parked.parked["file"]
    assert trio.lines() == [("b", 1)]
