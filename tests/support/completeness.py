"""Has a checker look at a corner: what was written, stored, sent and indexed, all its content included."""

from collections.abc import Iterable, Sequence
from typing import Literal

from eventstore import AggregateRef, EventStore, NewEvent, TableNames
from eventstore.system import SystemRuntime
from relay.demo import truth
from relay.demo.search import ElasticsearchReader
from relay.testing.checker import Acknowledged, CheckVerdict, DeliveryChecker, WrittenCommit
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.writer import Writer

Dropped = tuple[Literal["bus", "index"], str, int]
"""Destination, aggregate and last number of a commit that an operator has dropped."""


def outbox_left(corner: Corner) -> int:
    """Return how many commits are owed."""
    return sum(1 for _ in truth.owed(corner.client, TableNames(), SystemRuntime()))


def await_drained(corner: Corner, witness: Witness, writer: Writer, *, timeout_seconds: float) -> None:
    """Wait until all is appended, the outbox is empty, and the witness has every event."""
    until(lambda: not writer.is_writing(), "everything is appended", timeout_seconds=timeout_seconds)
    assert writer.failure is None
    until(lambda: outbox_left(corner) == 0, "the outbox is empty", timeout_seconds=timeout_seconds)
    until(lambda: len(witness.first()) >= writer.events, "everything is consumed")


def append(
    store: EventStore, aggregate: AggregateRef, events: Sequence[NewEvent], expected_version: int
) -> WrittenCommit:
    """Append a commit, and return what its writer means and was told."""
    result = store.append(aggregate, events, expected_version=expected_version)
    told = Acknowledged(result.commit_id, result.first_sequence, result.version)
    return WrittenCommit(aggregate.id, aggregate.type, events, told)


def check(
    corner: Corner,
    witness: Witness,
    written: Iterable[WrittenCommit],
    *,
    repeats_max: int | None = None,
    dropped: Iterable[Dropped] = (),
) -> CheckVerdict:
    """Every promise is kept: nothing is missing, made up, changed, out of order or owed. Return the counts.

    Args:
        corner: Where everything is at rest.
        witness: Who has consumed since before the first event.
        written: All that was appended.
        repeats_max: How many messages may have come that had come before; None for any number.
        dropped: What operators have dropped.
    """
    checker = DeliveryChecker(prefix=corner.run, repeats_max=repeats_max)
    for commit in written:
        checker.written(commit)
    for row in truth.event_rows(corner.client, TableNames(), SystemRuntime()):
        checker.stored(row)
    for message in list(witness.messages):
        checker.came(message)
    index = ElasticsearchReader(corner.elasticsearch_url, corner.names)
    index.refresh()
    for document in index.documents():
        checker.indexed(document)
    index.close()
    for aggregate_id, last in truth.owed(corner.client, TableNames(), SystemRuntime()):
        checker.owed(aggregate_id, last)
    for destination, aggregate_id, last in dropped:
        checker.dropped(destination, aggregate_id, last)
    verdict = checker.verdict()
    assert verdict.is_clean, str(verdict)
    return verdict
