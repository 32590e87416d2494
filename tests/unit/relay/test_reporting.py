"""What a worker says of itself, and how a pool of shard consumers follows the leases."""

from dataclasses import replace
from typing import Any

from eventstore.backoff import Backoff
from relay.destination import Trouble, TroubleKind
from relay.destinations.bus.broker import BrokerLostError
from relay.destinations.index.client import IndexLostError
from relay.feed.directory import Stream
from relay.feed.shard_consumer import ShardState
from relay.feed.shard_consumers import ShardConsumers
from relay.leases.fleet import SWEEP_KEY, Fleet, lease_key
from relay.leases.held import HeldLease
from relay.leases.worker_report import DestinationReport, SweepReport, WorkerReport, decode, encode
from relay.observing.reporting import report
from tests.support.waiting import until

from .conftest import QUEUE, Bench
from .leasing import ObedientKeeper


class Pool:
    """Consumers of the bench's shard, opened as the leases say."""

    def __init__(self, bench: Bench, shards_max: int = 16) -> None:
        self.keeper: Any = ObedientKeeper(bench.runtime)
        self.keeper.fleet = Fleet
        self.stream: Stream | None = bench.relay.directory.stream()
        self.opened: list[tuple[str, str]] = []
        self._bench = bench
        discovery: Any = self
        self.consumers = ShardConsumers(
            keeper=self.keeper, discovery=discovery, open_shard=self._open, shards_max=shards_max
        )
        (shard,) = bench.relay.directory.shards(bench.relay.directory.stream())
        self.shard_id = shard.id
        self.key = lease_key(bench.relay.directory.stream().label, shard.id)

    def stream_of(self, label: str) -> Stream | None:
        """See `Discovery`."""
        return self._bench.relay.directory.named(label)

    def hurry(self) -> None:
        """Nothing to look at."""

    def _open(self, held: HeldLease, stream: Stream, on_end: Any) -> Any:
        self.opened.append((str(held.shard_id), stream.arn))
        return self._bench.relay._open_shard(held, stream, self.keeper, on_end, lambda: False)

    def end(self) -> None:
        self.consumers.stop()
        for consumer in self.consumers.all:
            assert consumer.join(10)


def say(bench: Bench, consumers: Any = (), sweep: SweepReport | None = None) -> WorkerReport:
    """Return what the bench's worker says of itself."""
    relay = bench.relay
    return report(consumers, relay.pumps, relay.flow, relay._lag, sweep, bench.runtime.now_ms())


def test_a_report_names_shards_destinations_and_what_is_in_flight(bench: Bench) -> None:
    """
    An operator sees it by `relay status`, without a way to the process.
    """
    pool = Pool(bench)
    bench.broker.refuse_connections(BrokerLostError("down"))
    bench.broker.drop_connections()
    bench.append("a")
    pool.keeper.give(pool.key)
    pool.consumers.tend()
    until(lambda: bench.relay.pumps[0].trouble is not None, "the bus is known to be down")
    until(lambda: any(consumer.in_hand for consumer in pool.consumers.reading), "the page is in hand")
    sweep = SweepReport(1, 2, {"bus": 1}, 0)
    made = say(bench, pool.consumers.reading, sweep)
    bench.broker.refuse_connections(None)
    until(lambda: bench.outbox() == [], "the page is through")
    pool.end()

    (shard,) = made.shards
    assert (shard.shard, shard.in_flight) == (pool.shard_id, 1)
    assert made.in_flight == (("a", 1),)
    assert made.sweep == sweep
    assert [(each.name, each.state) for each in made.destinations] == [("bus", "outage"), ("index", "up")]


def test_a_bus_without_bindings_is_up_and_says_so(bench: Bench) -> None:
    """
    The exchange was removed with them: events are confirmed, and lie where no consumer looks.
    """
    bench.append("a")
    bench.process(bench.outbox())
    bench.broker.delete_exchange()
    bench.append("b")
    bench.process(bench.outbox())
    until(lambda: bench.relay.pumps[0].warning is not None, "the exchange is there again")

    bus = say(bench).destinations[0]
    assert (bus.name, bus.state) == ("bus", "up")
    assert "without the bindings of consumers" in bus.reason


def test_a_destination_whose_breaker_is_open_is_breaker_open(bench: Bench) -> None:
    """
    The reason stays with it.
    """
    bench.index.fail(IndexLostError("down"))
    bench.append("a")
    bench.process(bench.outbox())

    made = say(bench)

    (index,) = [each for each in made.destinations if each.name == "index"]
    trouble = bench.relay.pumps[1].trouble
    assert isinstance(trouble, Trouble)
    assert trouble.kind is TroubleKind.OUTAGE
    assert index == DestinationReport("index", "breaker_open", trouble.reason)


def test_aggregates_that_wait_alone_are_reported(bench: Bench) -> None:
    """
    A queue rejects: which commit, why, how often and since when; once the queue takes it, nothing is reported.
    """
    flow = bench.relay.flow
    flow._settings = replace(flow._settings, refused=Backoff(base_seconds=60.0, cap_seconds=60.0))
    bench.broker.refuse(QUEUE)
    bench.append("a", count=2)
    began_ms = bench.runtime.now_ms()
    bench.process(bench.outbox())

    made = say(bench)
    now_ms = bench.runtime.now_ms()

    (found,) = made.held_up
    assert made.held_up_count == 1
    assert (found.aggregate_id, found.last, found.reason, found.attempts) == ("a", 2, "nack", 1)
    assert began_ms - 1 <= found.since_ms <= now_ms
    assert now_ms + 50_000 < found.next_ms < now_ms + 80_000
    assert decode(encode(made)) == made

    bench.broker.heal(QUEUE)
    with flow._lock:
        flow._let_others_try(bench.runtime.monotonic())  # as when another that was refused is taken
    bench.rest()
    assert (say(bench).held_up, say(bench).held_up_count) == ((), 0)


def test_a_report_of_an_older_release_says_of_nothing_that_it_waits_alone() -> None:
    """
    Workers of two releases live side by side during a roll-out.
    """
    made = decode('{"shards":[],"destinations":[],"sweep":null,"in_flight":[["a",1]]}')

    assert made is not None
    assert (made.in_flight, made.held_up, made.held_up_count) == ((("a", 1),), (), 0)


def test_each_lease_gets_one_carrier(bench: Bench) -> None:
    """
    However often they are tended; the sweep's lease has none, and one that is fenced must wait.
    """
    pool = Pool(bench)
    pool.keeper.give(SWEEP_KEY)
    held = pool.keeper.give(pool.key)
    held.renewed(held._lease, float("-inf"), None)
    pool.consumers.tend()
    assert pool.opened == []
    held.renewed(held._lease, bench.runtime.monotonic(), None)
    for _ in range(3):
        pool.consumers.tend()
    pool.end()

    assert [shard for shard, _ in pool.opened] == [pool.shard_id]


def test_a_later_term_gets_a_carrier_once_the_former_one_has_ended(bench: Bench) -> None:
    """
    The lease was lost and came back: never two shard consumers of one shard in one process.
    """
    pool = Pool(bench)
    first = pool.keeper.give(pool.key)
    pool.consumers.tend()
    (consumer,) = pool.consumers.reading
    first.end()
    pool.keeper.give(pool.key, term=3)
    until(consumer.is_ended, "the first has ended")
    assert consumer.state is ShardState.LEASE_LOST
    pool.consumers.tend()
    pool.end()

    assert len(pool.opened) == 2


def test_a_shard_that_is_asked_for_is_drained(bench: Bench) -> None:
    """
    It goes to the worker that asks.
    """
    pool = Pool(bench)
    held = pool.keeper.give(pool.key)
    pool.consumers.tend()
    (consumer,) = pool.consumers.reading
    held.note_wanted("worker-2")
    pool.consumers.tend()
    until(consumer.is_ended, "it is drained")

    assert pool.keeper.happened[-1] == ("released", "worker-2", 0.0)


def test_a_lease_of_a_former_stream_is_read_there(bench: Bench) -> None:
    """
    The ARN ends with the label of the stream that the lease names.
    """
    pool = Pool(bench)
    assert pool.stream is not None
    pool.keeper.give(lease_key("2020-01-01T00:00:00.000", "shard-1"))
    pool.consumers.tend()
    pool.end()

    ((shard, arn),) = pool.opened
    assert shard == "shard-1"
    assert arn == pool.stream.arn.replace(pool.stream.label, "2020-01-01T00:00:00.000")


def test_it_never_carries_more_than_it_has_room_for(bench: Bench, log_events: list[Any]) -> None:
    """
    Consumers that have not quite ended count, too, so that the threads stay bounded; what waits is said once.
    """
    pool = Pool(bench, shards_max=1)
    pool.keeper.waiting = 1
    pool.keeper.give(pool.key)
    pool.keeper.give(lease_key("label", "shard-3"))
    for _ in range(3):
        pool.consumers.tend()
    assert [len(consumer.parts) for consumer in pool.consumers.all] == [1]
    pool.end()

    (said,) = [event for event in log_events if event["event"] == "shards.waiting"]
    assert (said["held"], said["waiting"]) == (2, 1)
    assert said["advice"] == "raise RELAY_SHARDS_MAX (1 now), or start another worker"
