"""Appends: numbering, expectations, and what is refused before anything is sent."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    AggregateTypeError,
    EventStore,
    InvalidInputError,
    LimitExceededError,
    NewEvent,
    NotJsonError,
    WrongExpectedVersionError,
)

from .conftest import ITEM, FaultyClient, event

Rows = Callable[[str], list[dict[str, Any]]]


def test_numbers_have_no_holes(store: EventStore) -> None:
    """
    Each append continues where the one before it ended.
    """
    store.append(ITEM, [event(1), event(2)], expected_version=0)
    result = store.append(ITEM, [event(3)], expected_version=2)

    assert result.first_sequence == 3
    assert result.version == 3
    assert [found.sequence_number for found in store.load("item-1")] == [1, 2, 3]
    assert [found.data["number"] for found in store.load("item-1")] == [1, 2, 3]


def test_append_reads_nothing(store: EventStore, client: FaultyClient) -> None:
    """
    An append is one request; numbering needs no read.
    """
    store.append(ITEM, [event()], expected_version=0)

    assert len(client.sent) == 1


def test_a_commit_stores_its_outbox_row_with_it(store: EventStore, rows: Rows) -> None:
    """
    The row of the outbox says who, from where to where, and carries small events.
    """
    result = store.append(ITEM, [event(1), event(2)], expected_version=0)

    (row,) = rows("inventory_outbox")
    assert row["aggregateId"] == {"S": "item-1"}
    assert row["sequenceNumber"] == {"N": "2"}
    assert row["firstSequence"] == {"N": "1"}
    assert row["commitId"] == {"S": result.commit_id}
    assert '"eventData":{"number":1}' in row["events"]["S"]
    assert {item["commitLast"]["N"] for item in rows("inventory_events")} == {"2"}


def test_large_commits_are_not_embedded(store: EventStore, rows: Rows) -> None:
    """
    An outbox row above 1 KiB would cost write units, so the events are left out of it.
    """
    store.append(ITEM, [event(text="x" * 1024)], expected_version=0)

    (row,) = rows("inventory_outbox")
    assert "events" not in row


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_wrong_expected_version_says_what_is_there(store: EventStore, rows: Rows, expected: int) -> None:
    """
    Too low or too high: the error has both numbers, and nothing is stored.
    """
    store.append(ITEM, [event(1), event(2)], expected_version=0)

    with pytest.raises(WrongExpectedVersionError) as caught:
        store.append(ITEM, [event(9)], expected_version=expected)

    assert (caught.value.expected, caught.value.actual) == (expected, 2)
    assert len(rows("inventory_events")) == 2
    assert len(rows("inventory_outbox")) == 1


@pytest.mark.parametrize("expected", [0, 1])
def test_an_id_keeps_its_type(store: EventStore, expected: int) -> None:
    """
    Another type under the same id is refused, whatever version the caller expects.
    """
    store.append(ITEM, [event()], expected_version=0)

    with pytest.raises(AggregateTypeError) as caught:
        store.append(AggregateRef("ORDER", "item-1"), [event()], expected_version=expected)

    assert (caught.value.expected, caught.value.actual) == ("ORDER", "ITEM")


def test_98_events_fit_and_99_do_not(store: EventStore, client: FaultyClient) -> None:
    """
    100 actions are a transaction: 98 events, the outbox row and the check.
    """
    store.append(ITEM, [event()], expected_version=0)
    assert store.append(ITEM, [event(number) for number in range(98)], expected_version=1).version == 99

    with pytest.raises(LimitExceededError) as caught:
        store.append(ITEM, [event(number) for number in range(99)], expected_version=99)

    assert (caught.value.limit, caught.value.actual, caught.value.unit) == (98, 99, "events")
    assert len(client.sent) == 2


def test_an_event_over_400_kb_is_refused_before_the_wire(store: EventStore, client: FaultyClient) -> None:
    """
    The event is named, and so is the limit.
    """
    with pytest.raises(LimitExceededError, match=r"events\[1\]") as caught:
        store.append(ITEM, [event(), event(text="x" * 410_000)], expected_version=0)

    assert caught.value.limit == 409_600
    assert client.sent == []


def test_a_commit_over_4_mb_is_refused_before_the_wire(store: EventStore, client: FaultyClient) -> None:
    """
    Each event fits, all together do not.
    """
    with pytest.raises(LimitExceededError) as caught:
        store.append(ITEM, [event(text="x" * 400_000) for _ in range(11)], expected_version=0)

    assert caught.value.limit == 4_194_304
    assert client.sent == []


@pytest.mark.parametrize(
    ("bad", "path"),
    [
        ({"a": {1, 2}}, "events[0].data.a"),
        ({"a": [1, b"x"]}, "events[0].data.a[1]"),
        ({"a": float("nan")}, "events[0].data.a"),
        ({"a": float("inf")}, "events[0].data.a"),
        ({1: "a"}, "events[0].data"),
        ({"a": "\ud800"}, "events[0].data.a"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "events[0].data.a"),
        ({"a": {"b": [{"c": Decimal("1.5")}]}}, "events[0].data.a.b[0].c"),
        ({"a": {"\ud800": 1}}, "events[0].data.a"),
    ],
)
def test_a_payload_that_is_not_json_is_named(
    store: EventStore,
    client: FaultyClient,
    bad: dict[Any, Any],
    path: str,
) -> None:
    """
    The error names the path to the value, and nothing is sent.
    """
    with pytest.raises(NotJsonError) as caught:
        store.append(ITEM, [NewEvent("X", bad)], expected_version=0)

    assert caught.value.field == path
    assert client.sent == []


@pytest.mark.parametrize(
    ("aggregate", "events", "expected", "field"),
    [
        (AggregateRef("ITEM", ""), [event()], 0, "aggregate.id"),
        (AggregateRef("ITEM", "x" * 2049), [event()], 0, "aggregate.id"),
        (AggregateRef("ITEM", "\ud800"), [event()], 0, "aggregate.id"),
        (AggregateRef("IT.EM", "a"), [event()], 0, "aggregate.type"),
        (ITEM, [], 0, "events"),
        (ITEM, [event()], -1, "expected_version"),
        (ITEM, [event()], True, "expected_version"),
        (ITEM, [event()], "any", "expected_version"),
        (ITEM, [event()], None, "expected_version"),
        (ITEM, [event()], 10**16, "expected_version"),
        ("item-1", [event()], 0, "aggregate"),
        (AggregateRef("ITEM", 7), [event()], 0, "aggregate.id"),
        (ITEM, "events", 0, "events"),
        (ITEM, (event() for _ in range(2)), 0, "events"),
        (ITEM, None, 0, "events"),
        (ITEM, [{"type": "COUNTED"}], 0, "events[0]"),
        (ITEM, [event(), NewEvent("T", {}, metadata=[])], 0, "events[1].metadata"),
        (ITEM, [NewEvent("a b", {})], 0, "events[0].type"),
        (ITEM, [NewEvent("T" * 251, {})], 0, "events[0].type"),
        (ITEM, [NewEvent("T", [])], 0, "events[0].data"),
        (ITEM, [NewEvent("T", {}, schema_version=0)], 0, "events[0].schema_version"),
        (ITEM, [NewEvent("T", {}, timestamp_ms=-1)], 0, "events[0].timestamp_ms"),
        (ITEM, [NewEvent("T", {}, timestamp_ms=10**15)], 0, "events[0].timestamp_ms"),
    ],
)
def test_bad_arguments_are_named(
    store: EventStore,
    client: FaultyClient,
    aggregate: Any,
    events: Any,
    expected: Any,
    field: str,
) -> None:
    """
    Each refusal names the argument at fault, and nothing is sent.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append(aggregate, events, expected_version=expected)

    assert caught.value.field == field
    assert client.sent == []


def test_payloads_come_back_as_they_went_in(store: EventStore) -> None:
    """
    Large integers, key order and text of any script survive.
    """
    data = {"z": 2**70, "a": [1.5, None, True], "text": "zażółć 🐢"}

    store.append(ITEM, [NewEvent("X", data)], expected_version=0)

    (found,) = store.load("item-1")
    assert found.data == data
    assert list(found.data) == ["z", "a", "text"]
    assert found.data_json == '{"z":1180591620717411303424,"a":[1.5,null,true],"text":"zażółć 🐢"}'


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), True, "5"])
def test_a_deadline_that_cannot_be_is_refused(store: EventStore, client: FaultyClient, seconds: Any) -> None:
    """
    A deadline is seconds, more than 0.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append(ITEM, [event()], expected_version=0, deadline_seconds=seconds)

    assert caught.value.field == "deadline_seconds"
    assert client.sent == []
