"""Events as lines of a bulk body, and what became of commits whose events are answered one by one: values."""

import json
from dataclasses import replace
from typing import Any

import pytest

from eventstore.model import RecordedEvent
from relay.destination import Confirmed, Park, Retry
from relay.destinations.index import bulk_lines
from relay.destinations.index.bulk_lines import EncodedEvent
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.tally import Tally
from relay.destinations.resource_names import Names
from relay.testing.commits import commit

PARK, RETRY = Park("too large", "x"), Retry("status 429")


def event(**attributes: Any) -> RecordedEvent:
    (made,) = commit("order-1").events or ()
    return replace(made, **attributes)


@pytest.mark.parametrize(
    "bounds",
    [
        {"event_id": "e"},
        {"event_id": "ä" * 256},
        {"timestamp_ms": 0},
        {"timestamp_ms": 253_402_300_799_999},
        {"schema_version": 2**31 - 1},
        {"epoch": 2**63 - 1},
        {"sequence_number": -(2**63 - 1)},
    ],
)
def test_a_document_may_reach_its_bounds(bounds: dict[str, Any]) -> None:
    """
    Those of Elasticsearch for ids and numbers, and the years that have a month of their own.
    """
    assert bulk_lines.unindexable(event(**bounds)) is None


@pytest.mark.parametrize(
    ("over", "says"),
    [
        ({"event_id": ""}, "an id of no or more than 512 bytes"),
        ({"event_id": "ä" * 256 + "e"}, "an id of no or more than 512 bytes"),
        ({"timestamp_ms": -1}, "timestamp -1, outside"),
        ({"timestamp_ms": 253_402_300_800_000}, "timestamp 253402300800000, outside"),
        ({"schema_version": 2**31}, "schema_version 2147483648: its field in the index holds 32 bits"),
        ({"epoch": 2**63}, "epoch 9223372036854775808: its field in the index holds 64 bits"),
        ({"epoch": 10**39}, f"epoch {10**39}:"),
        ({"epoch": 10**40}, "epoch more than 40 digits:"),
    ],
)
def test_beyond_its_bounds_there_is_no_document(over: dict[str, Any], says: str) -> None:
    """
    The event is named, and what is wrong with it.
    """
    refused = bulk_lines.unindexable(event(**over))

    assert refused is not None
    assert refused.error_class == "unindexable"
    assert refused.reason.startswith("event 1 (")
    assert says in refused.reason


def test_what_the_encoder_gave_up_is_parked() -> None:
    """
    With its words, cut.
    """
    refused = bulk_lines.unencodable(event(), ValueError("x" * 300))

    assert refused.error_class == "unindexable"
    assert refused.reason == f"event 1 (order-1:1) has content that cannot be encoded (ValueError: {'x' * 200})"


def test_an_event_is_two_lines() -> None:
    """
    Its place and its id, then the document.
    """
    made = bulk_lines.encode(event(), IndexSettings(names=Names("shop")))

    action, document, rest = made.lines.split(b"\n")
    assert json.loads(action) == {"create": {"_index": "shop-events-2025.01", "_id": "order-1:1"}}
    assert json.loads(document)["event_id"] == "order-1:1"
    assert (rest, made.index, made.unpromoted) == (b"", "shop-events-2025.01", ())
    assert EncodedEvent(b"", "i").unpromoted == ()


@pytest.mark.parametrize(
    ("failed", "outcome"),
    [
        ((), Retry("unsent")),
        ((PARK,), PARK),
        ((RETRY,), RETRY),
        ((PARK, RETRY), RETRY),
        ((RETRY, PARK), RETRY),
        ((PARK, Park("other", "y")), PARK),
        ((RETRY, Retry("other")), RETRY),
    ],
)
def test_what_became_of_a_commit_of_which_events_were_not_taken(failed: tuple[Any, ...], outcome: object) -> None:
    """
    Retry outweighs Park, and of two of a kind the first counts.
    """
    row = commit("a", events=3)
    tally = Tally([row, commit("b")])
    tally.done(row.key)
    for each in failed:
        tally.failed(row.key, each)

    assert tally.outcomes("unsent") == {row.key: outcome, ("b", 1): Retry("unsent")}


def test_a_commit_is_confirmed_when_all_of_its_events_are() -> None:
    """
    In any order, and each by itself.
    """
    one, other = commit("a", events=2), commit("b")
    tally = Tally([one, other])
    for key in (one.key, other.key, one.key):
        tally.done(key)

    assert tally.outcomes("unsent") == {one.key: Confirmed(), other.key: Confirmed()}
