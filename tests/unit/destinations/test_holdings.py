"""An index that was deleted or emptied is noticed, told until a person acts, and never taken for one that grows."""

import pytest
from structlog.testing import capture_logs

from eventstore import init_tables
from eventstore.backoff import Backoff
from eventstore.dynamodb.table_names import TableNames
from eventstore.system import SystemRuntime
from eventstore.testing import InMemoryDynamoDB
from relay.delivery.delivered import DeliveredMemory
from relay.delivery.flow import Flow
from relay.delivery.pumps.side_pump import SidePump
from relay.delivery.settings import FlowSettings
from relay.destination import TroubleKind
from relay.destinations.index import holdings
from relay.destinations.index.client import IndexLostError
from relay.destinations.index.holdings import Holding
from relay.destinations.index.index import Index
from relay.destinations.index.watch import INTERVAL_SECONDS, SECOND_LOOK_SECONDS
from relay.operating.index_memory import IndexMemoryTable
from relay.testing import InMemoryIndex
from relay.testing.commits import chain
from tests.support.delivering import deliver

JANUARY = "inventory-events-2025.01"
HELD = {JANUARY: Holding("u1", 20)}


def lost(known: dict[str, Holding], found: dict[str, Holding]) -> list[str]:
    return [str(loss) for loss in holdings.losses(holdings.learnt(known, found), found)]


class TestRules:
    def test_it_grows(self) -> None:
        """The most that it held is what is known."""
        assert holdings.learnt({}, HELD) == HELD
        assert holdings.learnt(HELD, {JANUARY: Holding("u1", 25)}) == {JANUARY: Holding("u1", 25)}
        assert lost(HELD, {JANUARY: Holding("u1", 20)}) == []

    def test_it_is_gone(self) -> None:
        """For as long as it is."""
        assert lost(HELD, {}) == [f"index {JANUARY} is gone, which held 20 events"]
        assert lost(holdings.learnt(HELD, {}), {}) == [f"index {JANUARY} is gone, which held 20 events"]
        assert lost({JANUARY: Holding("u1", 0)}, {}) == []

    @pytest.mark.parametrize("uuid", ["u1", "u2"])
    def test_it_was_emptied_or_made_again(self, uuid: str) -> None:
        """However much it holds later, since that is other events."""
        known = holdings.learnt(HELD, {JANUARY: Holding(uuid, 3)})
        assert lost(HELD, {JANUARY: Holding(uuid, 3)}) == [f"index {JANUARY} has lost 17 events that it held"]
        grown = {JANUARY: Holding(uuid, 500)}
        assert lost(known, grown) == [f"index {JANUARY} has lost 17 events that it held"]

    def test_it_was_restored(self) -> None:
        """Another index that holds as much as was known at once is a restored one, also after a loss was seen."""
        assert lost(HELD, {JANUARY: Holding("u2", 20)}) == []
        known = holdings.learnt(HELD, {JANUARY: Holding("u2", 3)})
        assert lost(known, {JANUARY: Holding("u3", 20)}) == []
        assert lost(known, {JANUARY: Holding("u3", 19)}) == [f"index {JANUARY} has lost 1 events that it held"]

    def test_it_cannot_be_known(self) -> None:
        """A closed index, or one without all of its shards, has lost nothing for all that is known."""
        known = holdings.learnt(HELD, {JANUARY: Holding("u1", None)})
        assert known == HELD
        assert lost(HELD, {JANUARY: Holding("u1", None)}) == []

    def test_a_lifecycle_policy_deleted_it(self) -> None:
        """That is what the policy is for; emptied by hand, such an index is noticed all the same."""
        managed = {JANUARY: Holding("u1", 20, managed=True)}
        assert holdings.learnt(managed, {}) == {}
        assert lost(managed, {}) == []
        assert lost(managed, {JANUARY: Holding("u2", 1, managed=True)}) == []
        assert len(lost(managed, {JANUARY: Holding("u1", 1, managed=True)})) == 1

    def test_a_person_accepts_it(self) -> None:
        """From then on it is what is there that counts."""
        found = {JANUARY: Holding("u2", 3)}
        known = holdings.accepted(holdings.learnt(HELD, found), found)
        assert lost(known, found) == []
        assert holdings.accepted(HELD, {}) == {}
        assert len(lost(known, {JANUARY: Holding("u2", 2)})) == 1


@pytest.fixture
def database() -> InMemoryDynamoDB:
    made = InMemoryDynamoDB()
    init_tables(made.client(), TableNames(), SystemRuntime())
    return made


@pytest.fixture
def client(runtime) -> InMemoryIndex:
    return InMemoryIndex(runtime)


def memory_of(database: InMemoryDynamoDB) -> IndexMemoryTable:
    once = Backoff(attempts_max=1)
    return IndexMemoryTable(database.client(), TableNames(), "inventory-events", SystemRuntime(), once)


@pytest.fixture
def watched(client, runtime, database):
    """Give an index of one worker after the other, as they see what they share."""

    def make() -> Index:
        index = Index(client, runtime)
        index.watch(memory_of(database))
        return index

    return make


def test_a_deleted_index_is_told_by_every_worker(client, runtime, watched):
    """Within two minutes, also by one that starts later; what is delivered meanwhile arrives and hides nothing."""
    first = watched()
    deliver(first, [chain("a", 20)], 5)
    runtime.seconds += INTERVAL_SECONDS
    first.idle()
    assert first.concern is None

    client.delete(JANUARY)
    runtime.seconds += INTERVAL_SECONDS
    first.idle()
    late = watched()
    late.idle()
    for index in (first, late):
        assert index.concern is not None
        assert index.concern.kind is TroubleKind.LOST
        assert f"index {JANUARY} is gone, which held 20 events" in index.concern.reason
        assert "docs/how-to/restore-the-index.md" in index.concern.reason

    assert deliver(late, [chain("b", 1)], 5).trouble is None
    for _ in range(3):
        runtime.seconds += INTERVAL_SECONDS
        late.idle()
        assert f"index {JANUARY} has lost 19 events" in late.concern.reason


def test_an_emptied_index_is_believed_at_the_second_look(client, runtime, watched):
    """A copy of a shard that has just become the primary may be late; within two minutes it is told all the same."""
    index = watched()
    deliver(index, [chain("a", 20)], 5)
    runtime.seconds += INTERVAL_SECONDS
    index.idle()
    client.empty(JANUARY)

    runtime.seconds += INTERVAL_SECONDS
    index.idle()
    assert index.concern is None
    runtime.seconds += SECOND_LOOK_SECONDS
    index.idle()
    assert "has lost 20 events" in index.concern.reason
    assert INTERVAL_SECONDS + SECOND_LOOK_SECONDS < 120


def test_it_is_asked_at_most_once_a_minute(client, runtime, watched, monkeypatch):
    """However often the part turns, and whether or not there is something to deliver."""
    asked = []
    real = client.holdings
    monkeypatch.setattr(client, "holdings", lambda timeout: asked.append(timeout) or real(timeout))
    index = watched()
    for name in "abcde":
        deliver(index, [chain(name, 1)], 5)
        index.idle()
        runtime.seconds += 19.0
    assert len(asked) == 1 + 1


def test_what_cannot_be_known_is_no_news(client, runtime, watched, database):
    """An index or a table that does not answer leaves what was known, and is said in the log."""
    index = watched()
    deliver(index, [chain("a", 20)], 5)
    runtime.seconds += INTERVAL_SECONDS
    index.idle()
    client.delete(JANUARY)
    runtime.seconds += INTERVAL_SECONDS
    client.fail(IndexLostError("down"))
    with capture_logs() as logs:
        index.idle()
    assert [entry["event"] for entry in logs] == ["index.holdings_unknown"]
    assert index.concern is None

    client.fail(None)
    runtime.seconds += INTERVAL_SECONDS
    index.idle()
    assert index.concern is not None
    item = {"recordType": {"S": "index"}, "recordKey": {"S": "inventory-events"}}
    broken = {**item, "revision": {"N": "9"}, "holdings": {"S": "[1]"}}
    database.client().put_item(TableName="inventory_relay", Item=broken)
    runtime.seconds += INTERVAL_SECONDS
    with capture_logs() as logs:
        index.idle()
    assert "holdings" in logs[0]["error"]
    assert index.concern is not None


def test_two_workers_write_at_once(database):
    """The slower one keeps nothing, and knows it."""
    first, second = memory_of(database), memory_of(database)
    assert (first.load(), second.load()) == ({}, {})
    assert first.save(HELD)
    assert not second.save({})
    assert second.load() == HELD
    assert second.save({JANUARY: Holding("u2", 1, managed=True, lost=19)})
    assert not first.save({})
    assert first.load() == {JANUARY: Holding("u2", 1, managed=True, lost=19)}


def test_the_part_of_the_index_shows_it(client, runtime, watched):
    """As its trouble, which status, readiness and the metric read; and deliveries go on."""
    index = watched()
    deliver(index, [chain("a", 2)], 5)
    runtime.seconds += INTERVAL_SECONDS
    pump = SidePump(
        index,
        Flow(sides=["index"], memory=DeliveredMemory(runtime, 10), runtime=runtime, settings=FlowSettings()),
        runtime,
        5.0,
    )
    pump._turn()
    assert pump.trouble is None

    client.delete(JANUARY)
    runtime.seconds += INTERVAL_SECONDS
    with capture_logs() as logs:
        pump._turn()
    assert pump.trouble is not None
    assert pump.trouble.kind is TroubleKind.LOST
    assert not pump.is_breaker_open()
    assert [(entry["event"], entry["log_level"]) for entry in logs] == [("destination.troubled", "error")]

    deliver(Index(client, runtime), [chain("a", 2)], 5)
    runtime.seconds += INTERVAL_SECONDS
    pump._turn()
    assert pump.trouble is None
