"""What every destination promises, whatever it is: see `Destination` and `EventBus` in `relay.destination`."""

from collections import defaultdict
from collections.abc import Iterator

import pytest

from relay.destination import Confirmed, Park, Retry
from relay.testing.commits import chain, commit
from tests.contract.destinations.any_world import (
    AnyElasticsearchIndex,
    AnyFile,
    AnyMemoryBus,
    AnyMemoryIndex,
    AnyRabbitBus,
    AnyWorld,
)
from tests.contract.destinations.servers import address
from tests.support.delivering import TestedPermit, close, deliver, idle

MAKERS = {
    "bus in memory": AnyMemoryBus,
    "rabbitmq": lambda: AnyRabbitBus(address("RELAY_RABBITMQ_URL")),
    "index in memory": AnyMemoryIndex,
    "elasticsearch": lambda: AnyElasticsearchIndex(address("RELAY_ELASTICSEARCH_URL")),
    "file": AnyFile,
}
SERVERS = {"rabbitmq", "elasticsearch"}
BUSES = {"bus in memory", "rabbitmq"}
PARAMS = {each: pytest.param(each, marks=pytest.mark.servers if each in SERVERS else ()) for each in MAKERS}


@pytest.fixture(params=PARAMS.values())
def world(request: pytest.FixtureRequest) -> Iterator[AnyWorld]:
    made = MAKERS[request.param]()
    yield made
    made.close()


@pytest.fixture(params=[param for each, param in PARAMS.items() if each not in BUSES])
def side_world(request: pytest.FixtureRequest) -> Iterator[AnyWorld]:
    """A side asks for leave by itself; a bus sends what it is told to, and whoever drives it asks."""
    made = MAKERS[request.param]()
    yield made
    made.close()


def test_what_is_confirmed_is_there(world):
    """Every event of every commit, and nothing else; every commit handed over has an outcome."""
    chains = [chain("a", 2, 1), chain("b", 1), chain("c", 3)]

    report = deliver(world.destination, chains, 10)

    assert report.outcomes == {row.key: Confirmed() for each in chains for row in each}
    assert report.trouble is None
    assert sorted(world.taken(7)) == ["a:1", "a:2", "a:3", "b:1", "c:1", "c:2", "c:3"]


def test_nothing_to_deliver(world):
    """The report is empty, and nobody is troubled."""
    report = deliver(world.destination, [], 10)

    assert (report.outcomes, report.trouble) == ({}, None)


def test_the_events_of_an_aggregate_come_in_order(world):
    """Within one delivery, where there is an order at all; an index is asked, not read."""
    deliver(world.destination, [chain(f"a{number}", 2, 1, 2) for number in range(30)], 20)

    if world.destination.name == "index":
        return
    found = defaultdict(list)
    for event_id in world.taken(150):
        aggregate_id, _, number = event_id.partition(":")
        found[aggregate_id].append(int(number))
    assert found == {f"a{number}": [1, 2, 3, 4, 5] for number in range(30)}


def test_a_repeat_is_taken_again(world):
    """After a crash the same commit comes once more: it is confirmed, whether it is stored twice or not."""
    deliver(world.destination, [chain("a", 2)], 10)

    assert deliver(world.destination, [chain("a", 2)], 10).outcomes == {("a", 2): Confirmed()}
    assert set(world.taken(2)) == {"a:1", "a:2"}


def test_a_commit_that_can_never_be_taken(world):
    """It is parked, whole, with a sentence that names the event and a class; other aggregates are taken."""
    poison = commit("a", 1, 2, timestamp_ms=-1)

    report = deliver(world.destination, [[poison], chain("b", 1)], 10)

    parked = report.outcomes["a", 2]
    assert isinstance(parked, Park)
    assert "event 1 (a:1)" in parked.reason
    assert parked.error_class in {"unsendable", "unindexable"}
    assert report.outcomes["b", 1] == Confirmed()
    assert report.trouble is None
    assert world.taken(1) == ["b:1"]


def test_out_of_reach_and_back(world):
    """Nothing is confirmed, nothing is parked, and the trouble is said; afterwards the same object delivers again."""
    deliver(world.destination, [chain("warm", 1)], 10)
    world.cut_off()

    for _ in range(2):
        report = deliver(world.destination, [chain("a", 1, 1)], 2)
        assert {type(outcome) for outcome in report.outcomes.values()} == {Retry}
        assert set(report.outcomes) == {("a", 1), ("a", 2)}
        assert report.trouble is not None
        assert report.trouble.reason

    world.restore()
    assert deliver(world.destination, [chain("a", 1, 1)], 10).outcomes == {("a", 1): Confirmed(), ("a", 2): Confirmed()}
    assert set(world.taken(3)) == {"warm:1", "a:1", "a:2"}


def test_without_leave_nothing_is_sent(side_world):
    """A worker whose lease is gone sends nothing more, however much of the budget is left; that is no trouble."""
    deliver(side_world.destination, [chain("warm", 1)], 10)

    report = deliver(side_world.destination, [chain("a", 1), chain("b", 1)], 10, TestedPermit(0.0))

    assert {type(outcome) for outcome in report.outcomes.values()} == {Retry}
    assert report.trouble is None
    assert side_world.taken(1) == ["warm:1"]


def test_more_than_one_request_holds(world):
    """2,000 events of 400 commits arrive, each once."""
    report = deliver(world.destination, [[commit(f"a{number:03}", 1, 5)] for number in range(400)], 60)

    assert set(report.outcomes.values()) == {Confirmed()}
    found = world.taken(2000)
    assert (len(found), len(set(found))) == (2000, 2000)


def test_idle_and_close_at_any_time(world):
    """Before, between and after deliveries both are harmless, and after a close a delivery connects again."""
    idle(world.destination)
    close(world.destination)
    assert deliver(world.destination, [chain("a", 1)], 10).trouble is None
    idle(world.destination)
    close(world.destination)
    close(world.destination)
    assert deliver(world.destination, [chain("b", 1)], 10).trouble is None
