"""What a look at the feed does to the leases."""

from typing import Any

import pytest

from eventstore import TableNames
from eventstore.backoff import Backoff
from eventstore.dynamodb import tables
from relay.feed.directory import FeedDirectory
from relay.feed.discovery import Discovery, DiscoverySettings
from relay.leases.fleet import Fleet, Lease, lease_key
from relay.leases.fleet_table import FleetTable

from .conftest import Bench

OUTBOX = "inventory_outbox"


class Looking:
    """A discovery, and a keeper that knows what the table says."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.table = FleetTable(bench.client, TableNames(), bench.runtime, Backoff())
        keeper: Any = self
        self.discovery = Discovery(
            directory=bench.relay.directory,
            keeper=keeper,
            table=self.table,
            runtime=bench.runtime,
            settings=DiscoverySettings(),
        )
        self.replaced: list[str] = []
        bench.relay.directory.table.on_other(lambda: self.replaced.append("another"))

    def fleet(self) -> Fleet:
        return self.table.look()

    def offer(self, keys: list[str]) -> None:
        for key in keys:
            self.table.create_lease(key)

    def look(self) -> bool:
        return self.discovery._look()

    def leases(self) -> dict[str, Lease]:
        """Return the leases by shard; the sweep's is left out."""
        return {lease.shard_id: lease for lease in self.table.look().leases.values() if lease.shard_id is not None}

    def finish(self, shard_id: str) -> None:
        lease = self.leases()[shard_id]
        taken = self.table.take(lease, "worker-1")
        assert taken is not None
        self.table.save(lease.key, "worker-1", taken.term, None, finished=True)

    def label(self) -> str:
        return self.directory().stream().label

    def directory(self) -> FeedDirectory:
        return self.bench.relay.directory

    def switch_stream(self, *, on: bool) -> None:
        view = {"StreamViewType": "NEW_IMAGE"} if on else {}
        self.bench.client.update_table(TableName=OUTBOX, StreamSpecification={"StreamEnabled": on, **view})


@pytest.fixture
def looking(bench: Bench) -> Looking:
    return Looking(bench)


def test_roots_get_leases_and_children_when_their_parent_is_finished(looking: Looking) -> None:
    """
    Parent first, for economy.
    """
    (root,) = looking.bench.database.open_shard_ids(OUTBOX)
    left, right = looking.bench.database.split_shard(OUTBOX, root)
    assert looking.look()
    assert set(looking.leases()) == {root}
    looking.finish(root)
    assert looking.look()

    assert set(looking.leases()) == {root, left, right}


def test_a_finished_lease_goes_when_the_feed_forgets_its_shard(looking: Looking) -> None:
    """
    A year of rotations does not fill the partition.
    """
    (root,) = looking.bench.database.open_shard_ids(OUTBOX)
    looking.look()
    (child,) = looking.bench.database.rotate_shards(OUTBOX)
    looking.finish(root)
    looking.look()
    looking.bench.database._feed(OUTBOX).trim(before_ms=looking.bench.runtime.now_ms() + 86_400_000)
    looking.look()

    assert set(looking.leases()) == {child}


def test_an_outbox_that_was_made_anew_is_told_once(looking: Looking) -> None:
    """
    Everything in hand is of the former one. A stream that is only switched off and on leaves the table what it is.
    """
    looking.look()
    looking.switch_stream(on=False)
    looking.switch_stream(on=True)
    looking.look()
    assert looking.replaced == []
    looking.bench.client.delete_table(TableName=OUTBOX)
    tables.init(looking.bench.client, TableNames(), looking.bench.runtime, protect=False)
    looking.look()
    looking.look()

    assert len(looking.replaced) == 1


def test_a_lease_of_a_shard_that_is_gone_is_removed_once_nobody_has_it(looking: Looking) -> None:
    """
    Not while somebody has it, and not before two listings in a row lacked it.
    """
    looking.look()
    key = lease_key(looking.label(), "shard-gone")
    looking.table.create_lease(key)
    taken = looking.table.take(looking.leases()["shard-gone"], "worker-1")
    assert taken is not None
    for _ in range(3):
        looking.look()
    assert "shard-gone" in looking.leases()
    looking.table.release(key, "worker-1", taken.term)
    looking.look()

    assert "shard-gone" not in looking.leases()


def test_a_new_shard_that_a_listing_is_late_with_keeps_its_lease(looking: Looking) -> None:
    """
    Its parent's shard consumer has made the lease; the next listing shows it.
    """
    looking.look()
    looking.table.create_lease(lease_key(looking.label(), "shard-new"))
    looking.look()

    assert "shard-new" in looking.leases()


def test_leases_of_a_former_stream_go_when_they_are_read_or_nobody_takes_them(
    looking: Looking, log_events: list[Any]
) -> None:
    """
    What is finished goes at once, what is free only when nobody has taken it from one look to the next.
    """
    looking.look()
    former = looking.label()
    for shard_id in ("shard-read", "shard-free", "shard-held"):
        looking.table.create_lease(lease_key(former, shard_id))
    looking.finish("shard-read")
    held = looking.table.take(looking.leases()["shard-held"], "worker-1")
    assert held is not None
    looking.switch_stream(on=False)
    looking.switch_stream(on=True)
    (root,) = looking.bench.database.open_shard_ids(OUTBOX)
    looking.look()
    assert {"shard-free", "shard-held", root} <= set(looking.leases())
    assert "shard-read" not in looking.leases()
    looking.look()

    assert set(looking.leases()) == {"shard-held", root}
    assert [event["former"] for event in log_events if event["event"] == "feed.replaced"] == [former]


def test_no_feed_is_said_once(looking: Looking, log_events: list[Any]) -> None:
    """
    However often it is looked for; and that it is back, too.
    """
    looking.switch_stream(on=False)
    assert [looking.look() for _ in range(3)] == [False, False, False]
    looking.switch_stream(on=True)
    assert looking.look()

    said = [event["event"] for event in log_events if event["event"].startswith("feed.")]
    assert said == ["feed.absent", "feed.found"]


def test_it_looks_briskly_only_while_nobody_reads_anything(looking: Looking) -> None:
    """
    DescribeStream is a scarce call, and a worker without a shard of its own is no reason to make more of them.
    """
    looking.look()
    settings = looking.discovery._settings
    assert looking.discovery._pause_seconds(0) == settings.interval_seconds
    (root,) = looking.bench.database.open_shard_ids(OUTBOX)
    looking.finish(root)

    assert looking.discovery._pause_seconds(0) == settings.brisk_seconds
    assert looking.discovery._pause_seconds(3) <= settings.retry.cap_seconds


def test_children_are_told_by_the_filter_and_without_it(looking: Looking) -> None:
    """
    A server that does not know the filter refuses it, or lists everything: the answer is the same.
    """
    (root,) = looking.bench.database.open_shard_ids(OUTBOX)
    children = set(looking.bench.database.split_shard(OUTBOX, root))
    stream = looking.directory().stream()
    assert {shard.id for shard in looking.directory().children(stream, root).shards} == children
    describe: Any = looking.directory()._streams.describe_stream

    class Older:
        """Streams that do not know the filter."""

        def describe_stream(self, *, ShardFilter: Any = None, **request: Any) -> Any:  # noqa: N803 - AWS's name
            del ShardFilter
            return describe(**request)

    older: Any = Older()
    looking.directory()._streams = older
    found = looking.directory().children(stream, root)

    assert {shard.id for shard in found.shards} == children
    assert not found.are_all
