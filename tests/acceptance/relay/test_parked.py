"""Poisoned commits are parked, everything else flows, and once the cause is gone a release sends them out in order."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from eventstore import AggregateRef, NewEvent
from relay.demo.search import ElasticsearchReader
from tests.acceptance.cli.commands import Terminal
from tests.support import retail_input
from tests.support.completeness import append, check, outbox_left
from tests.support.figures import Figures
from tests.support.relay_process import RelayProcess
from tests.support.scale import SCALE
from tests.support.servers import Corner
from tests.support.waiting import until
from tests.support.witness import Witness
from tests.support.workers import start_all, stop_all, workers
from tests.support.writer import Writer

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

POISONED = AggregateRef("ITEM", "SKU-POISONED")
LIMIT_BYTES = 2_000
REJECTED_KEY = "a\0b"
"""JSON allows it, a flattened field does not: "Keys in [flattened] fields cannot contain the reserved character"."""


@pytest.fixture
def terminal(corner: Corner, tmp_path: Path) -> Terminal:
    """Where an operator of the corner types."""
    return Terminal(tmp_path).with_settings(**corner.environment, RELAY_INDEX_REPLICAS="0")


def parked_by(both: Sequence[RelayProcess]) -> list[tuple[str, int, str, str]]:
    """Return what was parked: aggregate, last number, destination, error class."""
    return [
        (each["aggregate_id"], each["last"], each["destination"], each["error_class"])
        for worker in both
        for each in worker.named("commit.parked")
    ]


def test_a_message_over_the_limit(
    corner: Corner, witness: Witness, terminal: Terminal, tmp_path: Path, figures: Figures
) -> None:
    """
    Its aggregate waits, others flow, the index has all; after a restart with a larger limit, a release sends the chain.
    """
    store = corner.store()
    others = retail_input.commits(40).commits
    with workers(corner.environment, tmp_path, "one", "two", bus_message_max_bytes=str(LIMIT_BYTES)) as both:
        start_all(both)
        texts = ["small", "x" * LIMIT_BYTES, "small", "x" * LIMIT_BYTES, "small"]
        poisoned = [
            append(store, POISONED, [NewEvent("COUNTED", {"text": text})], number) for number, text in enumerate(texts)
        ]
        writer = Writer(corner, others).finish()
        until(lambda: parked_by(both) != [], "the large one is parked")
        until(lambda: len(witness.first()) >= writer.events + 1, "all others have come")
        until(lambda: outbox_left(corner) == 4, "only those that wait are owed", timeout_seconds=SCALE.drain_seconds)
        index = ElasticsearchReader(corner.elasticsearch_url, corner.names)

        def indexed() -> int:
            index.refresh()
            return index.count()

        until(lambda: indexed() == writer.events + 5, "the index has all", timeout_seconds=SCALE.drain_seconds)
        index.close()
        assert stop_all(both) == [0, 0]
    assert parked_by(both) == [(POISONED.id, 2, "bus", "message_too_large")]
    assert witness.first_deliveries()[POISONED.id] == [1]

    listed = terminal.run("relay", "parked", "list", "--json")
    (group,) = listed.document["data"]["groups"]
    assert (group["destination"], group["error_class"], group["commits"], group["waiting"]) == (
        "bus",
        "message_too_large",
        1,
        3,
    )

    with workers(corner.environment, tmp_path, "three", "four") as larger:
        start_all(larger)
        released = terminal.run("relay", "parked", "release", "--aggregate", POISONED.id, "--reason", "limit raised")
        assert released.code == 0, released.out
        assert "up to number 5, in order" in released.out
        until(lambda: witness.first_deliveries()[POISONED.id] == [1, 2, 3, 4, 5], "the chain has gone out")
        until(lambda: outbox_left(corner) == 0, "nothing is owed")
        assert stop_all(larger) == [0, 0]
    assert parked_by(larger) == []
    check(corner, witness, [*writer.written, *poisoned])
    figures.state(parked=1, waited_behind=3, repeats=witness.repeats())


def test_a_document_that_the_index_rejects(
    corner: Corner, witness: Witness, terminal: Terminal, tmp_path: Path, figures: Figures
) -> None:
    """
    It is parked for the index and nothing waits; released it is parked again, and dropped it is owed no more.
    """
    store, written = corner.store(), []
    index = ElasticsearchReader(corner.elasticsearch_url, corner.names)
    with workers(corner.environment, tmp_path, "one", "two") as both:
        start_all(both)
        for number in range(5):
            data = {REJECTED_KEY: 1} if number in {1, 3} else {"n": 1}
            written.append(append(store, POISONED, [NewEvent("COUNTED", data)], number))
        until(lambda: witness.first_deliveries() == {POISONED.id: [1, 2, 3, 4, 5]}, "the bus has all")
        until(lambda: len(parked_by(both)) == 2, "two are parked")
        until(lambda: outbox_left(corner) == 2, "these two are owed")
        parked = parked_by(both)
        again = terminal.run("relay", "parked", "release", "--destination", "index")
        assert again.code == 1, again.out
        assert again.out.count("was parked again for index") == 2
        for last in ("2", "4"):
            dropped = terminal.run("relay", "parked", "drop", POISONED.id, last, "--yes", "--reason", "a key with NUL")
            assert dropped.code == 0, dropped.err
        until(lambda: outbox_left(corner) == 0, "nothing is owed")
        audited = terminal.run("relay", "audit", "list", "--json")
        assert stop_all(both) == [0, 0]
    index.refresh()
    found = index.count()
    index.close()
    assert sorted(parked) == [
        (POISONED.id, 2, "index", "document_parsing_exception"),
        (POISONED.id, 4, "index", "document_parsing_exception"),
    ]
    assert found == 3
    check(corner, witness, written, dropped=[("index", POISONED.id, 2), ("index", POISONED.id, 4)])
    assert audited.out.count("a key with NUL") == 2
    figures.state(parked=2, dropped=2, repeats=witness.repeats())
