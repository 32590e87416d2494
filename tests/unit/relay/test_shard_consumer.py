"""One shard under its lease: pages, checkpoints, its end, and what happens when the lease or the leave ends."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore.backoff import Backoff
from eventstore.testing.dynamodb.errors import ServiceError
from relay.delivery.commit import NEVER
from relay.destinations.bus.broker import BrokerLostError
from relay.feed.reader import FeedPage
from relay.feed.shard_consumer import ShardConsumer, ShardConsumerSettings, ShardState
from relay.leases.errors import LeaseFencedError, LeaseLostError
from relay.leases.fleet import lease_key
from tests.support.waiting import until

from .conftest import Bench
from .leasing import LEASE_SECONDS, ObedientKeeper

BRISK = ShardConsumerSettings(
    checkpoint_interval_seconds=0.0,
    retry=Backoff(base_seconds=0.01, cap_seconds=0.05),
    children=Backoff(attempts_max=3, base_seconds=0.01, cap_seconds=0.02),
)


class Shard:
    """The bench's one shard, its lease, and its consumer."""

    def __init__(self, bench: Bench, settings: ShardConsumerSettings = BRISK) -> None:
        self.bench = bench
        self.fleet = ObedientKeeper(bench.runtime)
        stream = bench.relay.directory.stream()
        (shard,) = bench.relay.directory.shards(stream)
        self.id = shard.id
        self.held = self.fleet.give(lease_key(stream.label, shard.id))
        bench.relay._settings = replace(bench.relay._settings, shard_consumer=settings)
        self.ended = bench.runtime.flag()
        keeper: Any = self.fleet
        self.is_former = False
        self.consumer: ShardConsumer = bench.relay._open_shard(
            self.held, stream, keeper, self.ended.set, lambda: self.is_former
        )

    def fence(self) -> None:
        """Let the last heartbeat be too long ago."""
        self.held.renewed(self.held._lease, self.bench.runtime.monotonic() - LEASE_SECONDS, None)

    def renew(self, wanted_by: str | None = None) -> None:
        self.held.renewed(self.held._lease, self.bench.runtime.monotonic(), wanted_by)

    def take_bus_down(self) -> None:
        self.bench.broker.refuse_connections(BrokerLostError("down"))
        self.bench.broker.drop_connections()

    def wait_for_trouble(self) -> None:
        until(lambda: self.bench.relay.pumps[0].trouble is not None, "the bus is known to be down")
        until(lambda: self.consumer.in_hand != (), "a page is in hand")

    def wait_for_recovery(self) -> None:
        until(lambda: self.bench.relay.pumps[0].trouble is None, "the bus is known to be back")

    def wait_for_end(self) -> ShardState:
        until(self.consumer.is_ended, "the consumer has ended")
        assert self.consumer.dead_part is None
        return self.consumer.state


@pytest.fixture
def shard(bench: Bench) -> Iterator[Shard]:
    shard = Shard(bench)
    yield shard
    shard.consumer.stop()
    assert shard.consumer.join(10)


def names(log_events: list[Any]) -> list[str]:
    return [event["event"] for event in log_events]


def page(oldest_at_ms: int | None) -> FeedPage:
    return FeedPage((), (), records=1, position=None, oldest_at_ms=oldest_at_ms, newest_at_ms=oldest_at_ms, ended=False)


def test_what_the_feed_said_long_ago_is_asked_about(shard: Shard) -> None:
    """
    The sweep may have been there since. What it said a second ago is a second old, and soon too old as well.
    """
    consumer, runtime = shard.consumer, shard.bench.runtime
    consumer._started_at_ms -= 3_600_000
    now_ms = runtime.now_ms()

    assert consumer._seen_at(page(now_ms - 61_000)) == NEVER
    assert consumer._seen_at(page(None)) == NEVER
    assert runtime.monotonic() - consumer._seen_at(page(now_ms - 1_000)) == pytest.approx(1.0, abs=0.5)


def test_what_is_read_while_the_feed_lags_is_asked_about(shard: Shard) -> None:
    """
    Another shard is an hour behind, so the sweep is at work on what this one says now.
    """
    consumer, lag, now_ms = shard.consumer, shard.bench.relay._lag, shard.bench.runtime.now_ms()
    consumer._started_at_ms -= 7_200_000
    lag.note("another", now_ms - 3_600_000, at_end=False)
    assert consumer._seen_at(page(now_ms)) == NEVER

    lag.forget("another")
    assert consumer._seen_at(page(now_ms)) != NEVER


def test_what_a_former_stream_says_is_asked_about(shard: Shard) -> None:
    """
    Its rows may be of a table that was made anew or restored under its name since.
    """
    consumer, now_ms = shard.consumer, shard.bench.runtime.now_ms()
    consumer._started_at_ms -= 3_600_000
    assert consumer._seen_at(page(now_ms)) != NEVER

    shard.is_former = True
    assert consumer._seen_at(page(now_ms)) == NEVER


def test_what_was_written_before_the_start_is_asked_about(shard: Shard) -> None:
    """
    A former owner may have settled its rows.
    """
    assert shard.consumer._seen_at(page(shard.bench.runtime.now_ms())) == NEVER


def test_what_is_dealt_with_is_checkpointed_under_the_lease(shard: Shard) -> None:
    """
    Every page moves the position on; nothing else is written about the shard while it is read.
    """
    shard.consumer.start()
    shard.bench.append("a")
    until(lambda: shard.bench.outbox() == [] and shard.fleet.saved() != [], "the first page is checkpointed")
    first = shard.fleet.saved()[0]
    shard.bench.append("a")
    until(lambda: shard.fleet.saved()[-1] > first, "a later one is")

    saved = shard.fleet.saved()
    assert saved == sorted(set(saved))
    assert {each[0] for each in shard.fleet.happened} == {"saved"}


def test_told_to_stop_it_finishes_the_commit_that_was_begun(shard: Shard) -> None:
    """
    The bus has the first of three events: the others follow, the row is settled, the position is saved, then it goes.
    """
    shard.bench.broker.stall()
    shard.consumer.start()
    shard.bench.append("a", count=3)
    until(lambda: len(shard.bench.on_bus()) == 1, "the bus has a part of it")
    shard.consumer.stop()
    shard.bench.broker.resume()

    assert shard.wait_for_end() is ShardState.DRAINED
    assert shard.bench.on_bus() == [("a", 1), ("a", 2), ("a", 3)]
    assert shard.bench.outbox() == []
    assert "saved" in [each[0] for each in shard.fleet.happened]
    assert shard.fleet.happened[-1] == ("released", None, 0.0)
    assert shard.consumer.cut_off == 0


def test_told_to_stop_it_does_not_wait_for_the_index(shard: Shard) -> None:
    """
    The bus has the commit and the index does not answer: the row says so, the checkpoint passes it, the shard is free.
    """
    go_on = shard.bench.hold_index()
    shard.consumer.start()
    shard.bench.append("a")
    until(lambda: len(shard.bench.on_bus()) == 1, "the bus has it")
    shard.consumer.stop()

    assert shard.wait_for_end() is ShardState.DRAINED
    assert shard.bench.row("a", 1).delivered == {"bus"}
    assert len(shard.fleet.saved()) == 1
    assert shard.fleet.happened[-1] == ("released", None, 0.0)
    go_on.set()
    until(lambda: shard.bench.outbox() == [], "what the index took in the end is settled")


def test_a_commit_that_cannot_be_finished_in_time_is_cut_off_and_named(shard: Shard, log_events: list[Any]) -> None:
    """
    The broker takes its first event and says nothing: the shard is let go, no checkpoint passes it, and it is told.
    """
    flow = shard.bench.relay.flow
    flow._settings = replace(flow._settings, finish_seconds=0.1)
    shard.bench.broker.stall()
    shard.consumer.start()
    shard.bench.append("a", count=3)
    until(lambda: len(shard.bench.on_bus()) == 1, "the bus has a part of it")
    shard.consumer.stop()

    assert shard.wait_for_end() is ShardState.DRAINED
    assert shard.fleet.happened == [("released", None, 0.0)]
    assert [event["commits"] for event in log_events if event["event"] == "shard.cut_off"] == [1]
    assert shard.consumer.cut_off == 1
    shard.bench.broker.resume()


def test_told_to_stop_while_the_bus_is_down_it_gives_the_page_up(shard: Shard) -> None:
    """
    Nobody knows when the bus is back: the page stays owed, no checkpoint passes it, and the shard is free for others.
    """
    shard.take_bus_down()
    shard.consumer.start()
    shard.bench.append("a")
    shard.wait_for_trouble()
    shard.consumer.stop()

    assert shard.wait_for_end() is ShardState.DRAINED
    assert shard.fleet.happened == [("released", None, 0.0)]
    assert len(shard.bench.outbox()) == 1


def test_a_shard_that_another_worker_asks_for_goes_to_it(shard: Shard) -> None:
    """
    Drained like at a stop, the lease changes hands without a moment in which nobody has it.
    """
    shard.consumer.start()
    shard.bench.append("a")
    until(lambda: len(shard.fleet.saved()) >= 1, "the page is checkpointed")
    shard.renew(wanted_by="worker-2")
    shard.consumer.stop()

    assert shard.wait_for_end() is ShardState.DRAINED
    assert shard.fleet.happened[-1] == ("released", "worker-2", 0.0)


def test_a_lost_lease_ends_it_and_nothing_more_is_written(shard: Shard) -> None:
    """
    Another worker has the shard while the page in hand waits for the bus: not one message more, no checkpoint.
    """
    shard.take_bus_down()
    shard.consumer.start()
    shard.bench.append("a")
    shard.wait_for_trouble()
    shard.held.end()
    shard.bench.broker.refuse_connections(None)
    shard.wait_for_recovery()

    assert shard.wait_for_end() is ShardState.LEASE_LOST
    assert shard.bench.on_bus() == []
    assert shard.fleet.saved() == []
    assert shard.bench.row("a", 1).parked == {}


def test_what_was_confirmed_before_the_lease_was_lost_is_settled(shard: Shard) -> None:
    """
    The bus has the commit and the index is late when the lease goes: the row says so, the position does not move.
    """
    shard.bench.be_impatient()
    shard.consumer._settings = replace(BRISK, checkpoint_interval_seconds=3600.0)
    go_on = shard.bench.hold_index()
    shard.consumer.start()
    shard.bench.append("a")
    until(lambda: shard.bench.row("a", 1).delivered == {"bus"}, "what the bus has is noted")
    shard.held.end()
    go_on.set()

    assert shard.wait_for_end() is ShardState.LEASE_LOST
    assert shard.fleet.saved() == []
    until(lambda: shard.bench.outbox() == [], "what the index took as well is settled")


def test_while_the_lease_is_not_certain_it_waits(shard: Shard) -> None:
    """
    The heartbeat is late, then it comes after all: nothing is read or sent in between, and everything after it.
    """
    shard.fence()
    shard.consumer.start()
    shard.bench.append("a")
    assert not shard.consumer.join(0.6)  # longer than it takes to look at the lease once more
    assert shard.bench.way.count("GetRecords") == 0
    assert shard.bench.on_bus() == []
    shard.renew()
    until(lambda: shard.bench.outbox() == [], "the row is settled")

    assert shard.bench.on_bus() == [("a", 1)]
    assert shard.consumer.state is ShardState.READING


def test_a_lease_that_is_fenced_in_the_middle_of_a_page_stops_the_messages(shard: Shard) -> None:
    """
    The first of two commits is on the bus when the heartbeat becomes late; the second follows after the renewal.
    """
    bench, send = shard.bench, shard.bench.bus.send
    bench.be_impatient()
    bench.append("a")
    bench.append("b")

    def fence_after_the_first(event: Any, token: Any) -> bool:
        bench.bus.send = send  # type: ignore[method-assign]
        is_sent = send(event, token)
        shard.fence()
        return is_sent

    bench.bus.send = fence_after_the_first  # type: ignore[method-assign]
    shard.consumer.start()
    until(lambda: sum("bus" not in row.delivered for row in bench.outbox()) == 1, "what was confirmed is noted")
    assert len(bench.on_bus()) == 1
    assert shard.fleet.saved() == []
    shard.renew()
    until(lambda: bench.outbox() == [], "the other follows")

    assert sorted(bench.on_bus()) == [("a", 1), ("b", 1)]


def test_paused_it_delivers_nothing_and_goes_on_where_it_was(shard: Shard) -> None:
    """
    An operator stops delivery: nothing is read, the lease stays, and after the word to go on everything goes once.
    """
    shard.fleet.paused = True
    shard.consumer.start()
    shard.bench.append("a")
    assert not shard.consumer.join(0.6)  # longer than it takes to look for a pause once more
    assert shard.bench.way.count("GetRecords") == 0
    assert shard.bench.on_bus() == []
    assert shard.fleet.happened == []
    shard.fleet.paused = False
    until(lambda: shard.bench.outbox() == [], "the row is settled")

    assert shard.bench.on_bus() == [("a", 1)]


def test_a_pause_while_the_bus_is_down_holds_the_page(shard: Shard) -> None:
    """
    The page in hand is not tried again before delivery goes on, though the bus is back, and then it goes out.
    """
    shard.take_bus_down()
    shard.consumer.start()
    shard.bench.append("a")
    shard.wait_for_trouble()
    shard.fleet.paused = True
    shard.bench.broker.refuse_connections(None)
    shard.wait_for_recovery()
    assert not shard.consumer.join(0.3)  # several looks at the permit
    assert shard.bench.on_bus() == []
    shard.fleet.paused = False
    until(lambda: shard.bench.outbox() == [], "the row is settled")

    assert shard.bench.on_bus() == [("a", 1)]


def test_what_the_bus_refuses_holds_no_checkpoint(shard: Shard) -> None:
    """
    One aggregate waits for a consumer with a full queue: the position moves past it, and the sweep has its row.
    """
    shard.bench.broker.refuse("all")
    shard.consumer.start()
    shard.bench.append("a")
    until(lambda: shard.fleet.saved() != [], "the checkpoint passes it")
    assert shard.bench.row("a", 1).delivered <= {"index"}

    shard.bench.broker.heal("all")
    until(lambda: shard.bench.outbox() == [], "it goes when the queue takes it")


def test_without_room_it_reads_no_further(shard: Shard) -> None:
    """
    The bus is down and the flow is full: the next page stays in the feed until there is room, and then all of it goes.
    """
    flow = shard.bench.relay.flow
    flow._settings = replace(flow._settings, commits_max=1)
    shard.take_bus_down()
    shard.consumer.start()
    shard.bench.append("a")
    shard.wait_for_trouble()
    reads = shard.bench.way.count("GetRecords")
    shard.bench.append("b")
    assert not shard.consumer.join(0.3)  # several looks for room
    assert shard.bench.way.count("GetRecords") == reads
    assert shard.consumer.in_hand == (("a", 1),)
    shard.bench.broker.refuse_connections(None)
    until(lambda: shard.bench.outbox() == [], "both are settled")


def test_children_get_their_leases_before_the_shard_is_marked(shard: Shard, bench: Bench) -> None:
    """
    Whoever finds it finished finds its children's leases, too, wherever this worker dies.
    """
    bench.append("a")
    shard.consumer.start()
    until(lambda: len(shard.fleet.saved()) >= 1, "the page is checkpointed")
    children = bench.database.split_shard("inventory_outbox", shard.id)

    assert shard.wait_for_end() is ShardState.FINISHED
    kinds = [each[0] for each in shard.fleet.happened]
    assert kinds[-4:] == ["offered", "offered", "finished", "released"]
    assert set(kinds[:-4]) == {"saved"}
    assert {each[1] for each in shard.fleet.happened if each[0] == "offered"} == set(children)


def test_a_shard_whose_childrens_leases_cannot_be_made_is_not_finished(shard: Shard, bench: Bench) -> None:
    """
    It is released and left alone for a while; whoever reads it next comes to its end again.
    """
    shard.fleet.unreachable = True
    shard.consumer.start()
    bench.database.split_shard("inventory_outbox", shard.id)

    assert shard.wait_for_end() is ShardState.UNREADABLE
    assert "finished" not in [each[0] for each in shard.fleet.happened]
    assert shard.fleet.happened[-1] == ("released", None, 10.0)


def test_a_shard_of_a_stream_that_is_switched_off_has_no_children(shard: Shard, bench: Bench) -> None:
    """
    It ends all the same, without asking again and again.
    """
    shard.consumer.start()
    bench.append("a")
    bench.client.update_table(TableName="inventory_outbox", StreamSpecification={"StreamEnabled": False})

    assert shard.wait_for_end() is ShardState.FINISHED
    assert bench.way.count("DescribeStream") == 2  # the test's own look, and one about children
    assert bench.outbox() == []


def refuse(operation: str) -> Callable[[str, Mapping[str, Any], Callable[[], dict[str, Any]]], dict[str, Any]]:
    def trap(name: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if name == operation:
            raise ServiceError("AccessDeniedException", "told to refuse")
        return effect()

    return trap


def test_no_error_looks_like_the_end_of_a_shard(shard: Shard, bench: Bench) -> None:
    """
    The right to read is gone: the shard is released and left alone for a while, not finished.
    """
    bench.way.trap = refuse("GetRecords")
    shard.consumer.start()

    assert shard.wait_for_end() is ShardState.UNREADABLE
    assert shard.fleet.happened == [("released", None, 10.0)]


@pytest.mark.parametrize("error", [LeaseFencedError("k"), LeaseLostError("k", worker_id="w", term=1)])
def test_a_checkpoint_that_is_refused_is_not_written(shard: Shard, error: Exception, log_events: list[Any]) -> None:
    """
    Nothing was lost by it: the shard is read again from the one before.
    """

    def refused(*_: Any, **__: Any) -> None:
        raise error

    shard.fleet.save = refused  # type: ignore[method-assign]
    shard.consumer.start()
    shard.bench.append("a")
    until(lambda: "checkpoint.write_failed" in names(log_events), "the checkpoint was refused")

    assert shard.fleet.happened in ([], [("released", None, 0.0)])
    assert shard.bench.outbox() == []


def test_a_page_in_hand_is_told(shard: Shard) -> None:
    """
    What is in flight is not a gap; the worker's report names it.
    """
    shard.take_bus_down()
    shard.consumer.start()
    shard.bench.append("a")
    shard.wait_for_trouble()

    assert shard.consumer.in_hand == (("a", 1),)
    shard.bench.broker.refuse_connections(None)
    until(lambda: shard.consumer.in_hand == (), "the page is dealt with")


def test_a_shard_that_is_let_go_lags_no_more(shard: Shard) -> None:
    """
    It is released while the next page is on its way: what that page says must not make the feed look late for ever.
    """
    asked, go_on = threading.Event(), threading.Event()
    bench, lag = shard.bench, shard.bench.relay._lag

    def hold(name: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        reply = effect()
        if name == "GetRecords" and reply["Records"]:
            asked.set()
            assert go_on.wait(30)
        return reply

    bench.append("a")
    bench.way.trap = hold
    shard.consumer.start()
    assert asked.wait(30)
    shard.consumer.stop()
    go_on.set()
    assert shard.wait_for_end() is ShardState.DRAINED

    assert lag.by_shard() == {}


def test_a_page_that_dynamodb_refuses_holds_its_shard_and_ends_no_part(shard: Shard, log_events: list[Any]) -> None:
    """
    The next owner would meet the same refusal: one page must not end one worker after the other.
    """

    def refuse(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation == "TransactGetItems":
            raise ServiceError("ValidationException", "a defect")
        return effect()

    bench = shard.bench
    bench.append("a")
    bench.way.trap = refuse
    shard.consumer.start()
    until(lambda: names(log_events).count("question.failed") >= 2, "it is asked again and again")
    assert shard.fleet.saved() == []
    bench.way.trap = None
    until(lambda: bench.outbox() == [], "the page is settled")
    assert bench.on_bus() == [("a", 1)]
