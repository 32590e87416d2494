"""Idempotency keys: the same answer for ever, and what counts as the same content."""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from eventstore import (
    ANY,
    NO_EVENTS,
    AggregateRef,
    EventStore,
    IdempotencyConflictError,
    InvalidInputError,
    LimitExceededError,
    NewEvent,
)
from eventstore.rows.idempotency import digest_of_content, exact
from eventstore.testing import InMemoryDynamoDB

from .conftest import ITEM, FaultyClient, event

Rows = Callable[[str], list[dict[str, Any]]]


def test_a_key_has_a_row_of_its_own(store: EventStore, rows: Rows) -> None:
    """
    The row says which commit the key stands for, and a digest of what it holds.
    """
    result = store.append(ITEM, [event(1), event(2)], expected_version=NO_EVENTS, idempotency_key="order-7")

    (row,) = rows("inventory_idempotency")
    assert row["aggregateId"] == {"S": "item-1"}
    assert row["key"] == {"S": "order-7"}
    assert row["aggregateType"] == {"S": "ITEM"}
    assert row["commitId"] == {"S": result.commit_id}
    assert (row["firstSequence"], row["lastSequence"]) == ({"N": "1"}, {"N": "2"})
    assert len(row["digest"]["S"]) == 64


def test_no_key_no_row(store: EventStore, rows: Rows) -> None:
    """
    The row costs a write, so only who asks for it pays.
    """
    store.append(ITEM, [event()], expected_version=NO_EVENTS)

    assert rows("inventory_idempotency") == []


def test_another_process_gets_the_first_answer_after_any_time(database: InMemoryDynamoDB, rows: Rows) -> None:
    """
    A caller that died, was started again and reloaded repeats at a later version: nothing is stored twice.
    """
    before, after = EventStore.open(database.client()), EventStore.open(database.client())
    first = before.append(ITEM, [event(1)], expected_version=0, idempotency_key="k")
    before.append(ITEM, [event(2), event(3)], expected_version=1)

    repeat = after.append(ITEM, [event(1)], expected_version=after.current_version("item-1"), idempotency_key="k")

    assert (repeat.commit_id, repeat.first_sequence, repeat.version) == (first.commit_id, 1, 1)
    assert repeat.already_stored
    assert not first.already_stored
    assert len(rows("inventory_events")) == 3
    assert len(rows("inventory_outbox")) == 2


def test_ids_times_metadata_and_order_of_names_are_not_content(store: EventStore) -> None:
    """
    A repeat is recreated: it has another time and trace, and another dict may name things in another order.
    """
    store.append(
        ITEM,
        [NewEvent("PLACED", {"a": 1, "b": [{"x": 1, "y": 2}]}, {"user": "anna"}, timestamp_ms=1)],
        expected_version=0,
        idempotency_key="k",
    )

    repeat = store.append(
        ITEM,
        [NewEvent("PLACED", {"b": [{"y": 2, "x": 1}], "a": 1}, {"traceparent": "…"}, timestamp_ms=2)],
        expected_version=ANY,
        idempotency_key="k",
    )

    assert repeat.already_stored


@pytest.mark.parametrize(
    "events",
    [
        [NewEvent("OTHER", {"a": 1})],
        [NewEvent("PLACED", {"a": 2})],
        [NewEvent("PLACED", {"a": 1}, schema_version=2)],
        [NewEvent("PLACED", {"a": 1}), NewEvent("PLACED", {"a": 1})],
        [NewEvent("PLACED", {"a": "1"})],
        [NewEvent("PLACED", {"a": 1, "b": None})],
    ],
    ids=["type", "payload", "schema version", "count", "kind of value", "another name"],
)
def test_other_content_under_a_key_is_an_error(store: EventStore, events: list[NewEvent]) -> None:
    """
    Types, schema versions and payloads are the content; nothing is stored.
    """
    store.append(ITEM, [NewEvent("PLACED", {"a": 1})], expected_version=0, idempotency_key="k")

    with pytest.raises(IdempotencyConflictError):
        store.append(ITEM, events, expected_version=1, idempotency_key="k")

    assert store.current_version("item-1") == 1


def test_a_key_belongs_to_its_aggregate(store: EventStore) -> None:
    """
    The same key of another aggregate is another key.
    """
    store.append(ITEM, [event()], expected_version=0, idempotency_key="k")

    result = store.append(AggregateRef("ITEM", "item-2"), [event()], expected_version=0, idempotency_key="k")

    assert not result.already_stored


def test_the_row_of_a_key_takes_the_place_of_an_event(store: EventStore, client: FaultyClient) -> None:
    """
    97 events, the outbox row, the check and the key's row are 100 actions.
    """
    store.append(ITEM, [event()], expected_version=0)
    numbered = [event(number) for number in range(98)]
    assert store.append(ITEM, numbered[:97], expected_version=1, idempotency_key="k").version == 98

    with pytest.raises(LimitExceededError) as caught:
        store.append(ITEM, numbered, expected_version=98, idempotency_key="l")

    assert (caught.value.field, caught.value.limit, caught.value.actual) == ("events", 97, 98)
    assert len(client.sent) == 2


@pytest.mark.parametrize("key", ["", "\ud800", "x" * 1025, 7, b"k"])
def test_what_cannot_be_a_key_is_refused(store: EventStore, client: FaultyClient, key: Any) -> None:
    """
    A key is 1 to 1,024 bytes of UTF-8.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append(ITEM, [event()], expected_version=0, idempotency_key=key)

    assert caught.value.field == "idempotency_key"
    assert client.sent == []


def test_a_key_of_1024_bytes_is_taken(store: EventStore) -> None:
    """
    The limit counts bytes: two for each of these characters.
    """
    assert not store.append(ITEM, [event()], expected_version=0, idempotency_key="ż" * 512).already_stored


def test_large_integers_differ_by_their_last_digit(store: EventStore) -> None:
    """
    Beyond 2^53 a float could not tell them apart; the digest does.
    """
    store.append(ITEM, [event(2**70)], expected_version=0, idempotency_key="k")

    with pytest.raises(IdempotencyConflictError):
        store.append(ITEM, [event(2**70 + 1)], expected_version=1, idempotency_key="k")
    assert store.append(ITEM, [event(2**70)], expected_version=1, idempotency_key="k").already_stored


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1.5", "1.50", True),
        ("1e2", "100.0", True),
        ("0.1", "0.10000000000000000001", False),
        ("12345678901234567890.123", "12345678901234567890.124", False),
        ("1e-400", "0.0", False),
        ("1e400", "1e401", False),
        ("1e99999999999999999999", "1e99999999999999999998", False),
        ("1", "1.0", False),
    ],
)
def test_numbers_that_a_float_would_round_are_content(one: str, other: str, *, same: bool) -> None:
    """
    The digest tells apart what text tells apart, and takes two spellings of one float for one.
    """
    digests = [digest_of_content([exact(f'{{"a":[{text}]}}')]) for text in (one, other)]

    assert (digests[0] == digests[1]) is same


def test_the_digest_of_what_floats_can_say_has_not_changed(store: EventStore, rows: Rows) -> None:
    """
    It lies in tables: SHA-256 of types, versions and payloads as JSON, names sorted.
    """
    store.append(ITEM, [NewEvent("PLACED", {"b": 1.5, "a": [1, "x"]})], expected_version=0, idempotency_key="k")

    (row,) = rows("inventory_idempotency")
    assert row["digest"] == {"S": sha256(b'[["PLACED",1,{"a":[1,"x"],"b":1.5}]]').hexdigest()}
