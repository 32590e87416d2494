"""Several aggregates in one transaction."""

from collections.abc import Callable
from typing import Any

import pytest

from eventstore import (
    ANY,
    EXISTS,
    AggregateRef,
    AggregateTypeError,
    Append,
    EventStore,
    InvalidInputError,
    LimitExceededError,
    NewEvent,
    WrongExpectedVersionError,
)

from .conftest import ITEM, FaultyClient, event, lost

Rows = Callable[[str], list[dict[str, Any]]]
TWO, THREE = AggregateRef("ITEM", "item-2"), AggregateRef("ORDER", "order-3")


def test_each_aggregate_has_its_own_commit_row_and_result(store: EventStore, client: FaultyClient, rows: Rows) -> None:
    """
    One request stores all; each aggregate has its commit id, its outbox row and its result, in input order.
    """
    store.append(TWO, [event(1)], expected_version=0)

    results = store.append_many(
        [Append(ITEM, [event(1), event(2)], 0), Append(TWO, [event(2)], 1), Append(THREE, [event(1)], ANY)]
    )

    assert len(client.sent) == 2
    assert [(each.aggregate.id, each.first_sequence, each.version) for each in results] == [
        ("item-1", 1, 2),
        ("item-2", 2, 2),
        ("order-3", 1, 1),
    ]
    assert len({each.commit_id for each in results}) == 3
    owed = {(row["aggregateId"]["S"], row["commitId"]["S"]) for row in rows("inventory_outbox")}
    assert owed >= {(each.aggregate.id, each.commit_id) for each in results}
    assert len(client.sent[1]["ClientRequestToken"]) <= 36


def test_all_or_none(store: EventStore) -> None:
    """
    One aggregate at another version refuses all; the error says which.
    """
    store.append(TWO, [event(1)], expected_version=0)

    with pytest.raises(WrongExpectedVersionError) as caught:
        store.append_many([Append(ITEM, [event(1)], 0), Append(TWO, [event(2)], 7)])

    assert (caught.value.aggregate_id, caught.value.expected, caught.value.actual) == ("item-2", 7, 1)
    assert store.current_version("item-1") == 0


def test_another_type_is_named(store: EventStore) -> None:
    """
    The type is checked for each aggregate.
    """
    store.append(TWO, [event(1)], expected_version=0)

    with pytest.raises(AggregateTypeError) as caught:
        store.append_many([Append(ITEM, [event(1)], 0), Append(AggregateRef("ORDER", "item-2"), [event(2)], EXISTS)])

    assert (caught.value.aggregate_id, caught.value.actual) == ("item-2", "ITEM")


def test_keys_answer_for_each_aggregate(store: EventStore, rows: Rows) -> None:
    """
    A repeat of the whole gets the first results, also at later versions.
    """
    appends = [Append(ITEM, [event(1)], 0, "k"), Append(TWO, [event(2), event(3)], 0, "k")]
    first = store.append_many(appends)
    store.append(TWO, [event(4)], expected_version=2)

    repeat = store.append_many([Append(ITEM, [event(1)], 1, "k"), Append(TWO, [event(2), event(3)], ANY, "k")])

    assert [each.commit_id for each in repeat] == [each.commit_id for each in first]
    assert [(each.first_sequence, each.version) for each in repeat] == [(1, 1), (1, 2)]
    assert all(each.already_stored for each in repeat)
    assert len(rows("inventory_events")) == 4
    assert len(rows("inventory_idempotency")) == 2


def test_lost_reply_is_found_out_for_all(store: EventStore, client: FaultyClient, rows: Rows) -> None:
    """
    The same bytes go again under the same token.
    """
    client.after = [lost()]

    results = store.append_many([Append(ITEM, [event(1)], 0), Append(TWO, [event(2)], 0)])

    assert client.sent[0] == client.sent[1]
    assert [each.attempts for each in results] == [2, 2]
    assert len(rows("inventory_events")) == 2


def test_100_actions_fit_and_101_do_not(store: EventStore, client: FaultyClient) -> None:
    """
    Events, one outbox row each, one check each unless new, one key row each.
    """
    store.append(TWO, [event()], expected_version=0)
    many = [event(number) for number in range(94)]
    results = store.append_many([Append(ITEM, many[:47], 0, "k"), Append(TWO, many[47:95], 1, "k")])
    assert [each.version for each in results] == [47, 48]

    full = [Append(THREE, [*many, event(), event()], 0), Append(TWO, [event()], 48)]
    with pytest.raises(LimitExceededError) as caught:
        store.append_many([full[0], Append(TWO, [event(), event()], 48)])
    assert (caught.value.field, caught.value.limit, caught.value.actual, caught.value.unit) == (
        "appends",
        100,
        101,
        "actions",
    )
    assert len(client.sent) == 2

    assert store.append_many(full)[0].version == 96
    assert len(client.sent[2]["TransactItems"]) == 100


def test_what_any_may_need_is_counted_before_anything_is_read(store: EventStore, client: FaultyClient) -> None:
    """
    Whether `ANY` needs a check only the table knows; the limit must not depend on it.
    """
    client.inner = object()

    with pytest.raises(LimitExceededError) as caught:
        store.append_many([Append(ITEM, [event() for _ in range(50)], ANY), Append(TWO, [event()] * 47, ANY)])

    assert caught.value.actual == 101


def test_4_mb_count_for_all_together(store: EventStore, client: FaultyClient) -> None:
    """
    Each aggregate's part fits, all together do not.
    """
    big = [event(text="x" * 390_000) for _ in range(6)]

    with pytest.raises(LimitExceededError) as caught:
        store.append_many([Append(ITEM, big, 0), Append(TWO, big, 0)])

    assert (caught.value.field, caught.value.limit) == ("appends", 4_194_304)
    assert client.sent == []


@pytest.mark.parametrize(
    ("appends", "field"),
    [
        ([], "appends"),
        ("abc", "appends"),
        ([Append(ITEM, [event()], 0), "x"], "appends[1]"),
        ([Append(ITEM, [event()], 0), Append(ITEM, [event()], 1)], "appends[1].aggregate.id"),
        (
            [Append(ITEM, [event()], 0), Append(AggregateRef("ORDER", "item-1"), [event()], 0)],
            "appends[1].aggregate.id",
        ),
        ([Append(ITEM, [event()], 0, "k"), Append(TWO, [event()], 0)], "appends[1].idempotency_key"),
        ([Append(ITEM, [event()], 0), Append(TWO, [], 0)], "appends[1].events"),
        ([Append(ITEM, [event()], 0), Append(TWO, [NewEvent("X", {"a": {1}})], 0)], "appends[1].events[0].data.a"),
        ([Append(ITEM, [event()], 0), Append(TWO, [NewEvent("a b", {})], 0)], "appends[1].events[0].type"),
        ([Append(ITEM, [event()], 0), Append(TWO, [{"type": "X"}], 0)], "appends[1].events[0]"),
        ([Append(ITEM, [event()], -1)], "appends[0].expected_version"),
        ([Append("item-1", [event()], 0)], "appends[0].aggregate"),  # type: ignore[arg-type]
    ],
)
def test_bad_arguments_are_named(store: EventStore, client: FaultyClient, appends: Any, field: str) -> None:
    """
    The path says which append and what in it; nothing is sent.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append_many(appends)

    assert caught.value.field == field
    assert client.sent == []
