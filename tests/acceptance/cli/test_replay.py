"""`relay replay` as a process: what is owed is delivered by hand, in order."""

import pytest

from eventstore import AggregateRef, NewEvent
from relay.testing.checker import WrittenCommit
from tests.support import completeness
from tests.support.ports import nobody
from tests.support.proxy import door
from tests.support.servers import Corner
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

AGGREGATES = ("SKU-1", "SKU-2", "SKU-3")
COMMITS = 4


def append_all(corner: Corner) -> list[WrittenCommit]:
    """Append commits of two events to each aggregate, in turns."""
    store, written = corner.store(), []
    for number in range(COMMITS):
        for name in AGGREGATES:
            events = [NewEvent("A", {"n": 2 * number + 1}), NewEvent("B", {"n": 2 * number + 2})]
            written.append(completeness.append(store, AggregateRef("ITEM", name), events, 2 * number))
    return written


def outbox_rows(corner: Corner) -> int:
    return corner.client.scan(TableName="inventory_outbox", ConsistentRead=True)["Count"]


def done(settled: int) -> dict[str, object]:
    """Return what a replay says that has handed each commit over once and left nothing."""
    return {"settled": settled, "handed_over": settled, "left": 0, "parked": 0, "waiting": 0, "complete": True}


def test_it_empties_the_outbox_in_order(terminal, corner, witness):
    """
    With no relay running everything comes once, in order, and is indexed; a second run finds nothing to do.
    """
    written = append_all(corner)

    first = terminal.run("relay", "replay", "--json")
    again = terminal.run("relay", "replay")
    until(lambda: len(witness.seen) >= 24, "every event came")

    assert first.code == again.code == 0
    assert first.document == {"version": 1, "status": "ok", "data": done(12), "diagnostics": []}
    assert first.err == again.err == ""
    assert again.out == "0 commits settled, 0 left in the outbox.\n"
    assert completeness.check(corner, witness, written, repeats_max=0).events == 24


def test_the_bus_is_out_of_reach(terminal, corner, witness):
    """
    It ends with 3, names the server and what to do, and nothing is lost: once the bus is there, all of it is delivered.
    """
    written = append_all(corner)
    with door(corner.rabbitmq_url) as bus:
        there = terminal.with_settings(RELAY_RABBITMQ_URL=bus.url)
        refused = there.run("relay", "replay")
        left = outbox_rows(corner)
        bus.open()
        delivered = there.run("relay", "replay", "--json")
        until(lambda: len(witness.seen) >= 24, "every event came")

    assert refused.code == 3
    assert refused.out == "0 commits settled, at least 12 left in the outbox.\n"  # the walk ended early
    assert f"error: bus: RabbitMQ was lost while connecting to amqp://127.0.0.1:{bus.port}" in refused.err
    assert "run `relay replay` again to resume" in refused.err
    assert "guest:guest" not in refused.err
    assert left == 12
    assert delivered.document == {"version": 1, "status": "ok", "data": done(12), "diagnostics": []}
    completeness.check(corner, witness, written)


def test_the_index_is_out_of_reach(terminal, corner, witness):
    """
    The bus gets everything, the rows stay owed to the index alone, and a later run brings nothing to the bus again.
    """
    written = append_all(corner)
    with nobody() as port:
        there = terminal.with_settings(RELAY_ELASTICSEARCH_URL=f"http://127.0.0.1:{port}")
        refused = there.run("relay", "replay", "--json")
        until(lambda: len(witness.seen) >= 24, "every event came")
        status = terminal.run("relay", "status", "--json").document["data"]["outbox"]
        delivered = terminal.run("relay", "replay", "--json")

    assert refused.code == 3
    assert refused.document["status"] == "incomplete"
    assert (refused.document["data"]["settled"], refused.document["data"]["left"]) == (0, 12)
    (diagnostic,) = refused.document["diagnostics"]
    assert diagnostic.startswith(f"index: Elasticsearch at http://127.0.0.1:{port} does not answer ")
    assert (status["owed_to_bus"], status["owed_to_others_only"]) == (0, 12)
    assert delivered.document["data"] == done(12)
    completeness.check(corner, witness, written, repeats_max=0)
