"""What a checker is told of, and what it makes of that."""

import ast
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from eventstore import NewEvent
from relay.testing import checker as checker_package
from relay.testing.checker import DeliveryChecker, IndexedDocument, Promise
from tests.unit.checker.spoiling import FIRST, FOURTH, REPEAT, SECOND
from tests.unit.checker.story import JANUARY_ENDS_MS, MONTHS, TIMES, Story, add_commit, good


@pytest.mark.parametrize("destination", ["bus", "index"])
def test_what_was_dropped_is_not_missed(destination: str) -> None:
    """
    Of a commit that an operator gave up for a destination nothing needs to be there, and some may.
    """
    story = good()
    drop = story.messages.pop if destination == "bus" else story.documents.pop
    drop(FOURTH)
    story.dropped.append((destination, "order-17", 4))
    assert story.judge().is_clean

    drop(FIRST)
    assert set(story.judge().counts) == {Promise.SENT if destination == "bus" else Promise.INDEXED}


def test_what_a_writer_was_not_told_may_be_stored_or_not() -> None:
    """
    A lost reply says nothing, and one such commit stands for one that is stored.
    """
    story = good()
    story.written[2] = replace(story.written[2], acknowledged=None)
    assert story.judge().is_clean

    story.written.append(replace(story.written[2], aggregate_id="sku-3"))
    assert story.judge().is_clean


def test_what_nobody_tells_of_is_not_judged() -> None:
    """
    Without writers what is stored is what was meant; without messages or documents none is missed.
    """
    story = good()
    story.written.clear()
    assert story.judge().is_clean
    assert story.judge(has_bus=False, has_index=False).is_clean


def test_headers_of_the_broker_are_its_own() -> None:
    """
    A quorum queue counts deliveries in a header, of the repeat alone.
    """
    story = good()
    story.change_header(REPEAT, "x-delivery-count", 1)
    assert story.judge().is_clean


def test_metadata_that_fits_no_header_is_left_out_of_the_message() -> None:
    """
    Too long, empty or no text; tracestate goes along with traceparent alone.
    """
    for metadata in (
        {"correlation_id": "x" * 256},
        {"correlation_id": ""},
        {"correlation_id": 17},
        {"traceparent": "x" * 513, "tracestate": "a=1"},
    ):
        story = Story()
        event = NewEvent("Found", {}, {}, 1, JANUARY_ENDS_MS)
        add_commit(story, ("Item", "sku-1"), "commit-d", (event,), times=TIMES, months=MONTHS)
        story.change_row(0, metadata={"S": str(metadata).replace("'", '"')})
        story.change_source(0, "metadata", metadata)
        story.written.clear()
        assert story.judge().is_clean


def test_settings_of_the_relay() -> None:
    """
    Source and prefix are those that the relay is set to.
    """
    story = good()
    assert set(story.judge(source="/other").counts) == {Promise.SENT_AS_STORED}
    assert set(story.judge(prefix="other").counts) == {Promise.SENT_AS_STORED, Promise.OWN_MONTH}
    assert set(story.judge(prefix="other", source="/inventory").counts) == {Promise.OWN_MONTH}


def test_many_broken_promises_are_counted_and_few_are_kept() -> None:
    """
    A verdict stays small, and its text says how many more there are.
    """
    story = good()
    story.messages += [replace(story.messages[0], message_id=f"made-up-{number}") for number in range(1000)]
    verdict = story.judge()

    assert verdict.count(Promise.ONLY_STORED_SENT) == 1000
    assert len([each for each in verdict.broken if each.promise is Promise.ONLY_STORED_SENT]) == 20
    assert "only what is stored is sent (broken 1,000 times)" in str(verdict)
    assert "  … and 980 more" in str(verdict)


def test_a_long_payload_is_cut_where_it_is_shown() -> None:
    """
    A finding of 400 KB helps nobody.
    """
    story = good()
    story.change_message(FIRST, body=b"x" * 400_000)
    (broken,) = story.judge().broken

    assert len(broken.seen) == 500


def test_copies_of_promoted_fields_are_left_aside() -> None:
    """
    Their rules are the index's.
    """
    story = good()
    story.change_source(FIRST, "promoted", {"price": 12.5})
    story.change_source(SECOND, "unpromoted", ["price"])
    assert story.judge().is_clean


def test_what_is_broken_is_told_at_once() -> None:
    """
    Whoever tells of the rows first hears with each message and document what is wrong with it.
    """
    story = good()
    story.change_header(FIRST, "cloudEvents_epoch", 7)
    story.documents[FIRST] = IndexedDocument("commit-a-1", "inventory-events-2025.01", {})
    checker = DeliveryChecker()
    assert [broken for each in story.rows for broken in checker.stored(each)] == []
    (sent,) = checker.came(story.messages[FIRST])
    (indexed,) = checker.indexed(story.documents[FIRST])

    assert str(sent) == (
        "what is sent is what is stored: Order order-17 no. 1 (commit-a-1): header cloudEvents_epoch is 7, not 1"
    )
    assert indexed.promise is Promise.INDEXED_AS_STORED
    assert checker.has_come("commit-a-1")
    assert not checker.has_come("commit-a-2")
    assert (checker.messages, checker.distinct) == (1, 1)


def test_it_uses_nothing_of_what_it_checks() -> None:
    """
    The standard library alone: what it shared with the product, both could have wrong.
    """
    imported: set[str] = set()
    for path in Path(checker_package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module is not None
                imported.add(node.module)
            elif isinstance(node, ast.Import):
                imported |= {each.name for each in node.names}
    own = {name for name in imported if name.startswith("relay.testing.checker")}

    assert own
    assert {name.partition(".")[0] for name in imported - own} <= sys.stdlib_module_names
