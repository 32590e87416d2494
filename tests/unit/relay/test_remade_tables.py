"""Tables are remade or restored under their names while a relay lives: its work is by commit, not by key."""

from collections.abc import Callable, Mapping
from typing import Any

from eventstore import EventStore, TableNames
from eventstore.dynamodb import tables
from relay.delivery.page import Fate

from .conftest import QUEUE, Bench

AGGREGATES, COMMITS = 20, 3
EVENTS = [(f"item-{number}", last) for number in range(AGGREGATES) for last in range(1, COMMITS + 1)]


def append_all(bench: Bench) -> None:
    for aggregate_id, _ in EVENTS:
        bench.append(aggregate_id)


def remake(bench: Bench) -> None:
    """Drop all tables and make them again, empty, as a restore under the same names does."""
    for name in bench.client.list_tables()["TableNames"]:
        bench.client.delete_table(TableName=name)
    tables.init(bench.client, TableNames(), bench.runtime, protect=False)
    bench.store = EventStore.open(bench.client)


def arrived_again(bench: Bench) -> bool:
    """Tell whether bus and index have got every event of both stores, each once, in order."""
    by_aggregate: dict[str, list[int]] = {}
    for aggregate_id, number in bench.on_bus():
        by_aggregate.setdefault(aggregate_id, []).append(number)
    twice = [*range(1, COMMITS + 1)] * 2
    return bench.index.count() == 2 * len(EVENTS) and all(
        by_aggregate[f"item-{number}"] == twice for number in range(AGGREGATES)
    )


def test_what_the_feed_brings_of_the_new_store_arrives(bench: Bench) -> None:
    """
    The relay remembers every aggregate of the old store up to the very numbers that the new one has: 60 of 60 arrive.
    """
    append_all(bench)
    bench.process(bench.outbox())
    bench.rest()
    remake(bench)
    append_all(bench)

    page = bench.process(bench.outbox())
    bench.rest()

    assert page.is_dealt_with
    assert page.fates[Fate.SETTLED] == len(EVENTS)
    assert arrived_again(bench)
    assert bench.outbox() == []


def test_what_the_feed_brings_commit_by_commit_arrives(bench: Bench) -> None:
    """
    Pages of one commit each: none of them shows what stands below.
    """
    append_all(bench)
    bench.process(bench.outbox())
    bench.rest()
    remake(bench)
    append_all(bench)

    for row in bench.outbox():
        assert bench.process([row]).fates[Fate.SETTLED] == 1
    bench.rest()
    assert arrived_again(bench)
    assert bench.outbox() == []


def test_what_the_sweep_finds_of_the_new_store_arrives(bench: Bench) -> None:
    """
    The sweep asks for each row itself, and believes it rather than the memory.
    """
    append_all(bench)
    bench.process(bench.outbox())
    bench.rest()
    remake(bench)
    append_all(bench)

    bench.sweep()
    bench.rest()

    assert arrived_again(bench)
    assert bench.outbox() == []


def test_a_deletion_that_was_queued_leaves_the_new_row(bench: Bench) -> None:
    """
    The tables are remade between the confirm and the deletion; the new commit stays owed, and goes with its own page.
    """
    bench.append("a")
    rows = bench.outbox()

    def remake_first(
        operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if operation == "BatchExecuteStatement":
            bench.way.trap = None
            remake(bench)
            bench.append("a")
        return effect()

    bench.way.trap = remake_first
    bench.process(rows)
    bench.rest()

    (row,) = bench.outbox()
    assert row.commit_id != rows[0].commit_id
    assert row.delivered == frozenset()
    bench.process([row])
    bench.rest()
    assert bench.on_bus() == [("a", 1), ("a", 1)]
    assert bench.outbox() == []


def test_a_late_report_leaves_the_new_row(bench: Bench) -> None:
    """
    The index has the old store's commit, and says so when another commit stands under its key.
    """
    bench.append("a")
    bench.be_impatient()
    go_on = bench.hold_index()
    assert bench.process(bench.outbox()).fates[Fate.LATE] == 1
    remake(bench)
    bench.append("a")
    go_on.set()

    bench.rest()

    (row,) = bench.outbox()
    assert row.delivered == frozenset()


def test_a_note_that_was_queued_leaves_the_new_row(bench: Bench) -> None:
    """
    The bus has the old store's commit; the note on it comes when another commit stands under its key.
    """
    bench.append("a")
    bench.be_impatient()
    go_on = bench.hold_index()
    rows = bench.outbox()

    def remake_first(
        operation: str, request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        if operation == "BatchExecuteStatement" and "UPDATE" in request["Statements"][0]["Statement"]:
            bench.way.trap = None
            remake(bench)
            bench.append("a")
        return effect()

    bench.way.trap = remake_first
    bench.process(rows)
    go_on.set()
    bench.rest()

    assert bench.way.trap is None
    (row,) = bench.outbox()
    assert row.delivered == frozenset()


def test_a_page_of_the_old_store_takes_nothing_from_the_new_one(bench: Bench) -> None:
    """
    It was read before the tables were remade, and shows the same numbers; the row itself says whose it is.
    """
    bench.append("a")
    former = bench.outbox()
    remake(bench)
    bench.append("a")

    page = bench.process(former, recheck=True)
    bench.rest()

    assert page.fates[Fate.SETTLED] == 1
    sent = [message.headers["cloudEvents_id"] for message in bench.broker.messages(QUEUE)]
    assert sent == [event.event_id for event in bench.store.load("a")]
    assert bench.outbox() == []
