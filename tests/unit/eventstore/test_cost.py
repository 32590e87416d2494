"""The cost page: every figure in its tables is measured again and compared."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from eventstore import (
    ANY,
    Backoff,
    CachePolicy,
    RecordedEvent,
    Repository,
    RowCheck,
    RowPut,
    SnapshotPolicy,
    StoreOptions,
    TableNames,
)
from eventstore.rows import outbox as outbox_row
from eventstore.rows.item import item_size, row_key
from eventstore.system import SystemRuntime
from relay.assembly import AssemblySettings, Relay
from relay.delivery.commit import NEVER
from relay.delivery.page import CommitPage
from relay.delivery.settings import FlowSettings
from relay.delivery.source import FEED
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.settings import BusSettings
from relay.destinations.index.index import Index
from relay.leases.fleet import lease_key
from relay.leases.fleet_table import FleetTable
from relay.leases.position import Position
from relay.outbox.row import RowId
from relay.outbox.writer import OutboxWriter
from relay.permit import FlagPermit
from relay.settings import RelaySettings
from relay.testing import InMemoryBroker, InMemoryIndex
from tests.tidy.pages import DOCS, rows
from tests.unit.eventstore.costs import (
    AGGREGATE,
    ANOTHER,
    INDEXES,
    NEW_YEAR_2025_MS,
    PAYLOAD_BYTES,
    Metered,
    events,
    open_metered,
)

PAGE = DOCS / "reference" / "cost.md"
COUNTS = (1, 10, 50)
COMMITS = [(count, payload) for payload in PAYLOAD_BYTES for count in COUNTS]
DAY_MS = 86_400_000
EMBED_ALL_BYTES = 262_144

Figures = dict[str, list[str]]
"""By a row's first cell the others."""


def shown(column: str) -> Figures:
    """Return the table of the page that has this column."""
    found = {}
    for row in rows(PAGE, column):
        label, *cells = row.values()
        found[label] = cells
    return found


def said(number: float) -> str:
    """Return a number as the page writes it."""
    return f"{number:,.1f}" if number % 1 else f"{number:,.0f}"


def name(count: int, payload: str) -> str:
    """Return a commit's name on the page."""
    return f"{count:,} x {payload}"


def append_cost(metered: Metered, count: int, payload: str, **further: Any) -> dict[str, float]:
    """Return what a commit behind a first event of the same size costs; a first commit with `expected_version=0`."""
    version = further.pop("expected_version", 1)
    if version != 0:
        metered.store.append(AGGREGATE, events(1, payload), expected_version=0)
    appended = events(count, payload)
    return metered.meter.cost_of(lambda: metered.store.append(AGGREGATE, appended, expected_version=version, **further))


def total(cost: Mapping[str, float]) -> float:
    return sum(cost.values())


@contextmanager
def relay_of(metered: Metered) -> Iterator[Relay]:
    """Give a relay on destinations in memory, whose calls to DynamoDB are metered."""
    runtime = SystemRuntime()
    broker = InMemoryBroker(runtime=runtime)
    broker.queue("all")
    relay = Relay(
        client=metered.client,
        streams=metered.database.streams_client(),
        tables=TableNames(),
        bus=Bus(broker, runtime, BusSettings()),
        sides=(Index(InMemoryIndex(runtime), runtime),),
        runtime=runtime,
        settings=AssemblySettings(flow=FlowSettings(side_patience_seconds=10.0)),
    )
    services = (*relay.pumps, *relay.scribes(lambda: True))
    for service in services:
        service.start()
    try:
        yield relay
    finally:
        for service in services:
            service.stop()
        stopped = [service.join(10.0) for service in services]
    assert all(stopped)


def deliver(metered: Metered, relay: Relay, *, recheck: bool = False) -> dict[str, float]:
    """Return what it costs to deliver all that is owed, handed over as the feed does."""
    owed = [outbox_row.decode(item, "inventory_outbox") for item in metered.items("outbox")]
    runtime = SystemRuntime()
    source = relay.flow.open_source(FEED, FlagPermit(runtime.flag()))
    is_over = threading.Event()

    def hand_in() -> None:
        page = CommitPage(FEED, runtime.monotonic(), ring=is_over.set)
        relay.flow.hand_in(source, page, owed, NEVER if recheck else runtime.monotonic())
        page.is_sealed = True
        assert page.is_over or is_over.wait(10.0)

    cost = metered.meter.cost_of(hand_in)
    relay.flow.withdraw(source)
    assert metered.items("outbox") == []
    return cost


def test_sample_has_the_sizes_on_the_page() -> None:
    """Rows and index entries of the sample are as large as the page says."""
    sizes: Figures = {}
    for payload in PAYLOAD_BYTES:
        metered = open_metered()
        append_cost(metered, 1, payload, expected_version=0, idempotency_key="order-7")
        for table in ("events", "outbox", "idempotency"):
            (item,) = metered.items(table)
            sizes.setdefault(f"`{table}`", []).append(said(item_size(item)))
        for index in INDEXES:
            (item,) = metered.items("events", IndexName=index)
            sizes.setdefault(f"`{index}`", []).append(said(item_size(item)))
    assert shown("bytes of the row, 300 B") == sizes


def test_append_by_part() -> None:
    """What each part of an append costs, and all of it."""
    measured = {}
    for count, payload in COMMITS:
        new = append_cost(open_metered(), count, payload, expected_version=0)
        cost = append_cost(open_metered(), count, payload)
        check = cost["events"] - new["events"]
        parts = [check, new["events"], *(cost[index] for index in INDEXES), cost["outbox"]]
        assert sum(parts) == total(cost)
        measured[name(count, payload)] = [said(each) for each in (*parts, total(cost))]
    assert shown("check") == measured


SETTINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "as above": ({}, {}),
    "`expected_version=0`": ({}, {"expected_version": 0}),
    "an `idempotency_key`": ({}, {"idempotency_key": "order-7"}),
    "`index_shards` 64": ({"index_shards": 64}, {}),
    "`embed_max_bytes` 262,144": ({"options": StoreOptions(embed_max_bytes=EMBED_ALL_BYTES)}, {}),
    "one index dropped": ({"without": INDEXES[:1]}, {}),
    "two dropped": ({"without": INDEXES[:2]}, {}),
    "all three dropped": ({"without": INDEXES}, {}),
}
"""Label on the page → how the store is set up, and how the append is called."""


def test_rows_beside_an_append() -> None:
    """A caller's row costs 2 units per started KiB, a check as much as a write, an aggregate that is only read 2."""
    text = " ".join(PAGE.read_text("utf-8").split())
    metered = open_metered()
    key = {"AttributeName": "id", "AttributeType": "S"}
    metered.client.create_table(
        TableName="labels",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[key],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    put = append_cost(metered, 1, "300 B", also=[RowPut("labels", {"id": "a", "text": "x" * 1500})])
    check = RowCheck("labels", {"id": "a"}, "attribute_exists(id)")
    checked = metered.cost_of(
        lambda store: store.append(AGGREGATE, events(1, "300 B"), expected_version=2, also=[check])
    )
    assert (put["labels"], checked["labels"]) == (4, 4)
    assert "costs 2 units per started KiB of it, as any write of a transaction" in text

    def decide(states: Mapping[str, int], *_: Any) -> Any:
        return {AGGREGATE.id: events(1, "300 B")}

    items: Repository[int] = Repository(metered.store, aggregate_type=AGGREGATE.type, initial=0, evolve=lambda n, _: n)
    for other in (ANOTHER.id, "new"):
        alone = metered.cost_of(lambda _: items.transact_many([AGGREGATE.id], decide, None))
        read = metered.cost_of(lambda _: items.load(other))  # noqa: B023 - called at once
        both = metered.cost_of(lambda _: items.transact_many([AGGREGATE.id, other], decide, None))  # noqa: B023
        assert total(both) - total(alone) - total(read) == 2
    assert "only reads costs 2." in text


def test_append_by_setting() -> None:
    """What an append costs with each setting of which one might think that it matters."""
    measured = {
        label: [said(total(append_cost(open_metered(**setup), *commit, **call))) for commit in COMMITS]
        for label, (setup, call) in SETTINGS.items()
    }
    assert shown(name(1, "300 B")) == measured


@pytest.mark.parametrize("index", INDEXES)
@pytest.mark.parametrize("index_shards", [1, 4, 64])
def test_every_index_costs_alike(index: str, index_shards: int) -> None:
    """Whichever index is dropped, and however many write shards there are: 10 events cost 20 units less."""
    assert total(append_cost(open_metered(without=[index], index_shards=index_shards), 10, "300 B")) == 64


def test_a_version_left_to_the_store_costs_a_read() -> None:
    """`ANY` costs one consistent read of the last event more."""
    by_number = append_cost(open_metered(), 1, "300 B")
    left_to_us = append_cost(open_metered(), 1, "300 B", expected_version=ANY)
    assert total(left_to_us) - total(by_number) == 1


def test_outbox_by_embedding() -> None:
    """What a commit's outbox row costs from write to delete, and what the relay reads, by what the row carries."""
    measured = {}
    for commit in COMMITS:
        cells = []
        for options in (StoreOptions(), StoreOptions(embed_max_bytes=EMBED_ALL_BYTES)):
            metered = open_metered(options=options)
            written = append_cost(metered, *commit, expected_version=0)
            (row,) = metered.items("outbox")
            with relay_of(metered) as relay:
                delivered = deliver(metered, relay)
            units = written["outbox"] + delivered["outbox"]
            cells += [said(each) for each in (item_size(row), units, delivered.get("events", 0))]
        measured[name(*commit)] = cells
    assert shown("bytes by default") == measured


def test_reads_of_an_aggregate() -> None:
    """What it costs to read a whole aggregate."""
    measured = {}
    for count, payload in [(count, payload) for payload in PAYLOAD_BYTES for count in (*COUNTS, 1000)]:
        metered = open_metered()
        for start in range(0, count, 50):
            metered.store.append(AGGREGATE, events(min(50, count), payload), expected_version=start)
        measured[name(count, payload)] = [
            said(metered.total_of(lambda store: list(store.read(AGGREGATE, consistent=True)))),
            said(metered.total_of(lambda store: list(store.read(AGGREGATE, consistent=False)))),
        ]
    assert shown("consistent") == measured


def with_hundred_events(payload: str, index_shards: int = 4) -> Metered:
    """Return a store with an aggregate of 100 events of one type, all of one day."""
    metered = open_metered(index_shards=index_shards)
    for start in (0, 50):
        metered.store.append(AGGREGATE, events(50, payload), expected_version=start)
    return metered


def count_up(count: int, _: RecordedEvent) -> int:
    return count + 1


def other_reads(payload: str) -> dict[str, float]:
    """Return what reads of a store with 100 events cost."""
    metered = with_hundred_events(payload)
    day_after = NEW_YEAR_2025_MS + DAY_MS
    fold: dict[str, Any] = {"aggregate_type": AGGREGATE.type, "initial": 0, "evolve": count_up}

    def cold(every: int) -> Repository[int]:
        return Repository(metered.store, snapshots=SnapshotPolicy.every(every), cache=CachePolicy(size=0), **fold)

    remembering: Repository[int] = Repository(metered.store, **fold)
    remembering.load(AGGREGATE.id)
    cost = metered.total_of
    found = {
        "`current_version`": cost(lambda store: store.current_version(AGGREGATE)),
        "`read_type` of 100 events": cost(lambda store: list(store.read_type("STOCK_RECEIVED"))),
        "`read_type` of 1 event of 100": cost(lambda store: list(store.read_type("STOCK_RECEIVED", limit=1))),
        "`read_type` without events": cost(lambda store: list(store.read_type("UNKNOWN"))),
        "`read_aggregate_type` of 100 events": cost(lambda store: list(store.read_aggregate_type(AGGREGATE.type))),
        "`read_between`, a day with 100 events": cost(
            lambda store: list(store.read_between(NEW_YEAR_2025_MS, day_after))
        ),
        "`read_between`, a day without": cost(lambda store: list(store.read_between(day_after, day_after + DAY_MS))),
        "`read_all` of 100 events": cost(lambda store: list(store.read_all())),
        "`read_all` of 100 events, `consistent=False`": cost(lambda store: list(store.read_all(consistent=False))),
        "`aggregates` of a type, 1 with 100 events": cost(lambda store: list(store.aggregates(AGGREGATE.type))),
        "`aggregates` of all types, 1 with 100 events": cost(lambda store: list(store.aggregates())),
        "`load` of 100 events, no snapshot found": cost(lambda _: cold(101).load(AGGREGATE.id)),
        "the same, and a snapshot written": cost(lambda _: cold(100).load(AGGREGATE.id)),
        "`load` from a snapshot": cost(lambda _: cold(100).load(AGGREGATE.id)),
        "`load` from memory": cost(lambda _: remembering.load(AGGREGATE.id)),
    }
    with_key = cost(lambda _: remembering.transact(AGGREGATE.id, lambda *_: [], None, idempotency_key="order-7"))
    found["the key of a `transact`"] = with_key - found["`load` from memory"]
    result = metered.store.append(ANOTHER, events(1, payload), expected_version=0)
    metered.database.client().delete_item(TableName="inventory_outbox", Key=row_key(ANOTHER.id, 1))
    found["a look of `wait_settled`"] = cost(lambda store: store.wait_settled(result, 5.0, "bus"))
    return found


def test_other_reads() -> None:
    """What the other reads cost."""
    small, large = (other_reads(payload) for payload in PAYLOAD_BYTES)
    assert shown("units, 300 B") == {label: [said(small[label]), said(large[label])] for label in small}


def test_reads_by_type_and_write_shards() -> None:
    """Write shards make the index dearer to read, and the events not."""
    measured = {}
    for index_shards in (1, 4, 16):
        metered = with_hundred_events("300 B", index_shards)
        some = metered.cost_of(lambda store: list(store.read_type("STOCK_RECEIVED")))
        none = metered.cost_of(lambda store: list(store.read_type("UNKNOWN")))
        measured[said(index_shards)] = [said(some["EventTypeIndex"]), said(some["events"]), said(total(none))]
    assert shown("no events") == measured


def test_relay() -> None:
    """What the relay's single steps cost."""
    metered = open_metered()
    append_cost(metered, 1, "300 B")
    with relay_of(metered) as relay:
        deliver(metered, relay)
        metered.store.append(AGGREGATE, events(1, "300 B"), expected_version=2)
        settled = total(deliver(metered, relay))
        sweep, permit = relay.sweep(), FlagPermit(SystemRuntime().flag())
        sweep.begin(permit)
        swept = metered.cost_of(lambda _: sweep.walk(permit))
        sweep.end()
    with relay_of(metered) as relay:  # it remembers nothing of the aggregate
        metered.store.append(AGGREGATE, events(1, "300 B"), expected_version=3)
        asked = total(deliver(metered, relay)) - settled
        metered.store.append(AGGREGATE, events(1, "300 B"), expected_version=4)
        rechecked = total(deliver(metered, relay, recheck=True)) - settled
    result = metered.store.append(AGGREGATE, events(1, "300 B"), expected_version=5)
    parts: Any = (metered.client, TableNames(), SystemRuntime(), Backoff())
    row = RowId(AGGREGATE.id, 6, result.commit_id)
    noted = metered.cost_of(lambda _: OutboxWriter(*parts).note({row: ["bus"]}))
    fleet, key = FleetTable(*parts), lease_key("2025-01-01T00:00:00.000", "shard-1")
    fleet.create_lease(key)
    lease = fleet.take(fleet.look().leases[key], "worker-1")
    assert lease is not None
    saved = metered.cost_of(lambda _: fleet.save(key, "worker-1", lease.term, Position(7), finished=False))
    assert {label: cells[:2] for label, cells in shown("units written").items()} == {
        "the row deleted": [said(settled), "0"],
        "the event before asked for": ["0", said(asked)],
        "the row asked for": ["0", said(rechecked)],
        "`delivered` noted": [said(total(noted)), "0"],
        "a checkpoint": [said(total(saved)), "0"],
        "a walk of the sweep over an empty outbox": ["0", said(total(swept))],
    }


def test_relay_at_rest() -> None:
    """How often an idle relay asks, by the defaults of its settings."""
    settings = {
        "walks of the sweep": "sweep_interval_seconds",
        "GetRecords of a quiet shard": "feed_poll_max_seconds",
    }
    measured = {}
    for label, setting in settings.items():
        seconds = RelaySettings.model_fields[setting].default
        measured[label] = [f"`RELAY_{setting.upper()}`", f"{seconds:g} s", said(DAY_MS / 1000 / seconds)]
    assert shown("a day") == measured


def test_figures_in_sentences() -> None:
    """What sentences of the page say follows from what was measured."""
    text = " ".join(PAGE.read_text("utf-8").split())
    small, large = append_cost(open_metered(), 1, "300 B"), append_cost(open_metered(), 50, "300 B")
    indexes = sum(small[index] for index in INDEXES), sum(large[index] for index in INDEXES)
    assert indexes[0] / total(small) == 0.5
    assert "Three of them are half of what a single small event costs" in text
    assert round(indexes[1] / total(large), 2) == 0.74
    assert "and three quarters of a large commit of small events" in text
    rate = [said(100 * each) for each in (total(small), small["events"], small[INDEXES[0]], small["outbox"])]
    assert (
        "need {} write units a second, of which the table `events` takes {}, each index {} and the outbox {}".format(
            *rate
        )
        in text
    )
    assert RelaySettings.model_fields["checkpoint_interval_seconds"].default == 1
    assert "at most once a second" in text
    assert StoreOptions().embed_max_bytes == 1024
    assert "within `embed_max_bytes`, 1,024 by default" in text
