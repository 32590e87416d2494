"""What is remembered counts for rows of one table: who reads another one's rows forgets first, whoever notices it."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from eventstore import EventStore, TableMissingError, TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from eventstore.testing import ManualRuntime
from relay.delivery.page import Fate
from relay.feed.directory import Stream
from relay.feed.shard_consumers import ShardConsumers
from relay.leases.fleet import lease_key
from relay.outbox.table import OutboxTable

from .conftest import Bench
from .flow_world import FlowWorld
from .test_sweep import walk

MADE_AT = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
FIRST_LABEL, SECOND_LABEL = "2026-01-01T12:00:00.000", "2026-01-01T12:00:01.000"


def described(made_at: datetime = MADE_AT, label: str = FIRST_LABEL) -> dict[str, Any]:
    return {"TableId": str(made_at), "CreationDateTime": made_at, "LatestStreamLabel": label}


class Looking:
    """A table under scripted descriptions; None for none."""

    def __init__(self, *script: Mapping[str, Any] | None) -> None:
        self.script = list(script)
        self.forgot = 0
        client: Any = SimpleNamespace(describe_table=self.describe)
        self.table = OutboxTable(client, TableNames(), ManualRuntime(), Backoff())
        self.table.on_other(self.forget)

    def describe(self, **_: Any) -> dict[str, Any]:
        table = self.script.pop(0)
        if table is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no table"}}, "DescribeTable")
        return {"Table": table}

    def forget(self) -> None:
        self.forgot += 1

    def look(self) -> None:
        with suppress(TableMissingError):
            self.table.look()


def test_the_first_look_and_the_same_table_are_no_news() -> None:
    """
    A stream that is switched off and on gets another label, and the rows stay.
    """
    looking = Looking(described(), described(), described(label=SECOND_LABEL))
    mark = looking.table.mark()

    assert [looking.table.is_still(mark) for _ in range(3)] == [True, True, True]
    assert looking.forgot == 0
    assert not looking.table.is_obsolete(FIRST_LABEL)


def test_another_table_is_told_once_and_makes_streams_of_the_former_one_obsolete() -> None:
    """
    Made a second later, which the margin for labels alone would not tell.
    """
    other = described(MADE_AT + timedelta(seconds=1), SECOND_LABEL)
    looking = Looking(described(), other, other)
    looking.look()
    mark = looking.table.mark()

    assert not looking.table.is_still(mark)
    assert looking.table.is_still(looking.table.mark())
    assert looking.forgot == 1
    assert looking.table.is_obsolete(FIRST_LABEL)
    assert not looking.table.is_obsolete(SECOND_LABEL)


def test_a_table_that_is_gone_is_told_and_so_is_its_return() -> None:
    """
    Told once while it is gone; if it is back as it was, its streams are what they were.
    """
    looking = Looking(described(), None, None, described())
    for expected in (0, 1, 1, 2):
        looking.look()
        assert looking.forgot == expected
    assert not looking.table.is_obsolete(FIRST_LABEL)


def test_a_look_that_took_its_time_changes_nothing() -> None:
    """
    A description of the former table that comes late is no third table.
    """
    former, present = described(), described(MADE_AT + timedelta(minutes=1), "2026-01-01T12:01:00.000")
    looking = Looking(former, present, former)
    for _ in range(3):
        looking.look()

    assert looking.forgot == 1
    assert not looking.table.is_obsolete("2026-01-01T12:01:00.000")


def test_a_process_that_starts_knows_streams_older_than_the_table() -> None:
    """
    It has seen no former table, but a stream cannot be older than its table.
    """
    looking = Looking(described())
    looking.look()

    assert looking.table.is_obsolete("2026-01-01T11:59:57.000")
    assert not looking.table.is_obsolete("2026-01-01T11:59:59.000")


def remake(bench: Bench) -> None:
    bench.client.delete_table(TableName="inventory_outbox")
    bench.client.delete_table(TableName="inventory_events")
    tables.init(bench.client, TableNames(), bench.runtime)
    bench.store = EventStore.open(bench.client)


def test_a_walk_that_meets_another_table_takes_nothing_of_it_by_old_memory(bench: Bench) -> None:
    """
    It ends, everybody forgets, and the next walk asks.
    """
    for _ in range(3):
        bench.append("a")
    bench.process(bench.outbox())
    bench.rest()
    bench.relay.directory.table.look()
    remake(bench)
    for _ in range(3):
        bench.append("a")

    first = walk(bench)
    assert (first.taken, first.complete) == (0, False)
    assert bench.relay._memory.recall("a", 1) == 0

    assert walk(bench).settled == 3
    assert bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)] * 2


def test_a_commit_before_one_in_hand_that_is_another_tables_is_not_sent(bench: Bench) -> None:
    """
    Number 3 of the former table is in hand; the 2 that stands before its place now is the new table's.
    """
    for _ in range(3):
        bench.append("a")
    last = bench.row("a", 3)
    bench.relay.directory.table.look()
    remake(bench)
    for _ in range(2):
        bench.append("a")

    page = bench.process([last], recheck=True)
    bench.rest()

    assert page.fates == {Fate.VOID: 1}
    assert bench.on_bus() == []


def test_rows_from_a_stream_of_a_table_that_is_gone_are_passed_over() -> None:
    """
    Nobody is owed them, and what the outbox says of their numbers is about other commits.
    """
    world = FlowWorld()
    source = world.source(is_obsolete=lambda: True)

    page = world.hand_in(source, world.append("a", 1, 1))

    assert page.is_over
    assert page.fates == {Fate.VOID: 2}
    assert world.counts == {}


@pytest.mark.parametrize(("label", "opens"), [(FIRST_LABEL, 1), (SECOND_LABEL, 0)])
def test_a_stream_newer_than_the_one_seen_is_not_read_yet(label: str, opens: int) -> None:
    """
    It may be that of a table which this worker has not noticed: first it looks.
    """
    opened, hurried = [], []
    lease: Any = SimpleNamespace(
        shard_id="s", stream_label=label, position=None, term=1, is_fenced=lambda: False, is_wanted=lambda: False
    )
    keeper: Any = SimpleNamespace(held=lambda: {lease_key(label, "s"): lease}, waiting_shards=lambda: 0)
    discovery: Any = SimpleNamespace(
        stream=Stream("arn/x", FIRST_LABEL),
        stream_of=lambda label: Stream(f"arn/{label}", label),
        hurry=lambda: hurried.append(True),
    )

    def open_shard(held: Any, stream: Stream, _: Any) -> Any:
        opened.append((held, stream.label))
        return SimpleNamespace(start=lambda: None, shard_id="s", is_ended=lambda: False)

    consumers = ShardConsumers(keeper=keeper, discovery=discovery, open_shard=open_shard, shards_max=4)
    consumers.tend()

    assert len(opened) == opens
    assert len(hurried) == 1 - opens
