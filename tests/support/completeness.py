"""Holds what a witness and the index have against the history, and the history against what was acknowledged."""

from eventstore import TableNames
from eventstore.system import SystemRuntime
from relay.demo import truth
from relay.demo.search import ElasticsearchReader
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.writer import Writer


def outbox_left(corner: Corner) -> int:
    """Return how many commits are owed."""
    return truth.outbox_rows(corner.client, TableNames(), SystemRuntime())


def await_drained(corner: Corner, witness: Witness, writer: Writer, *, timeout_seconds: float) -> None:
    """Wait until all is appended, the outbox is empty, and the witness has every event."""
    until(lambda: not writer.is_writing(), "everything is appended", timeout_seconds=timeout_seconds)
    assert writer.failure is None
    until(lambda: outbox_left(corner) == 0, "the outbox is empty", timeout_seconds=timeout_seconds)
    until(lambda: len(witness.first()) >= writer.events, "everything is consumed")


def check(corner: Corner, witness: Witness, writer: Writer) -> None:
    """Nothing is missing and nothing was made up, at the bus and in the index; first deliveries are in order."""
    stored = truth.read(corner.client, TableNames(), SystemRuntime())
    firsts = witness.first_deliveries()
    assert firsts == {aggregate_id: list(range(1, last + 1)) for aggregate_id, last in writer.acknowledged.items()}
    assert {seen.event_id for seen in witness.seen} == stored.event_ids
    assert stored.outbox_left == 0
    index = ElasticsearchReader(corner.elasticsearch_url, corner.names)
    index.refresh()
    assert frozenset(index.event_ids()) == stored.event_ids
    index.close()
