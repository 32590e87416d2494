"""The caller's own rows in an append's transaction, where fake and real server must agree."""

import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from eventstore import (
    AggregateRef,
    Append,
    Decision,
    EventStore,
    InvalidInputError,
    NewEvent,
    RecordedEvent,
    Repository,
    RowCheck,
    RowConditionError,
    RowDelete,
    RowPut,
    RowUpdate,
    TableMissingError,
    TableNames,
    WrongExpectedVersionError,
    init_tables,
)
from eventstore.append.appender import Call
from eventstore.append.unchanged import Unchanged

FREE = "attribute_not_exists(email)"
WITH_ALL = {
    "email": "ann@example.com",
    "text": "ä",
    "number": Decimal("12.50"),
    "large": 10**37,
    "yes": True,
    "nothing": None,
    "bytes": b"\x00\xff",
    "list": [1, "a", [{}]],
    "map": {"a": {"b": ""}},
    "texts": {"a", "b"},
    "numbers": {1, 2},
    "parts": {b"a", b"b"},
}


@pytest.fixture(scope="module")
def names(client: Any) -> Iterator[TableNames]:
    """Give tables that the tests of this module share."""
    made = TableNames(f"t{uuid.uuid4().hex[:12]}")
    init_tables(client, made, protect=False)
    yield made
    for table in (made.events, made.outbox, made.relay, made.snapshots, made.idempotency):
        client.delete_table(TableName=table)


@pytest.fixture
def emails(client: Any) -> Iterator[str]:
    """Give a table of addresses."""
    name = f"emails{uuid.uuid4().hex[:12]}"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "email", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "email", "KeyType": "HASH"}],
    )
    client.get_waiter("table_exists").wait(TableName=name)
    yield name
    client.delete_table(TableName=name)


@pytest.fixture
def store(client: Any, names: TableNames) -> EventStore:
    return EventStore.open(client, names)


def an_item() -> AggregateRef:
    return AggregateRef("ITEM", f"item-{uuid.uuid4().hex}")


def event(number: int = 1) -> NewEvent:
    return NewEvent("COUNTED", {"number": number})


def rows(client: Any, table: str) -> dict[str, Any]:
    return {row["email"]["S"]: row for row in client.scan(TableName=table, ConsistentRead=True)["Items"]}


def test_mixed_writes_go_along(store: EventStore, client: Any, emails: str) -> None:
    """
    Put, update, delete and check; what a put has stored comes back as it was given.
    """
    for address in ("gone", "kept"):
        client.put_item(TableName=emails, Item={"email": {"S": address}, "open": {"BOOL": True}})
    put = RowPut(emails, WITH_ALL, FREE)
    others = [
        RowUpdate(
            emails,
            {"email": "used"},
            "SET #o = :o ADD times :one",
            "attribute_not_exists(#o)",
            values={":one": 1, ":o": {"by": ["x"]}},
            names={"#o": "owner"},
        ),
        RowDelete(emails, {"email": "gone"}, "#o = :true", values={":true": True}, names={"#o": "open"}),
        RowCheck(emails, {"email": "kept"}, "attribute_exists(email)"),
    ]

    store.append(an_item(), [event()], expected_version=0, also=[put, *others])

    assert sorted(rows(client, emails)) == ["ann@example.com", "kept", "used"]
    assert rows(client, emails)["used"]["times"] == {"N": "1"}
    with pytest.raises(RowConditionError) as caught:
        store.append(an_item(), [event()], expected_version=0, also=[RowPut(emails, WITH_ALL, FREE, return_row=True)])
    assert caught.value.row == WITH_ALL


def test_refusals_of_every_kind(store: EventStore, client: Any, emails: str) -> None:
    """
    Each is told, with its row where it was asked for, and nothing is stored.
    """
    there = {"email": "ann@example.com", "owner": "x"}
    store.append(an_item(), [event()], expected_version=0, also=[RowPut(emails, there)])
    item, key = an_item(), {"email": "ann@example.com"}
    absent = {"email": "nobody@example.com"}
    also = [
        RowCheck(emails, absent, "attribute_exists(email)", return_row=True),
        RowPut(emails, {"email": "new@example.com"}, FREE, return_row=True),
    ]

    for refused in (
        RowPut(emails, key, FREE, return_row=True),
        RowUpdate(emails, key, "REMOVE #o", FREE, names={"#o": "owner"}, return_row=True),
        RowDelete(emails, key, FREE, return_row=True),
        RowCheck(emails, key, FREE, return_row=True),
    ):
        with pytest.raises(RowConditionError) as caught:
            store.append(item, [event()], expected_version=0, also=[*also, refused])
        assert [(each.index, each.row) for each in caught.value.refused] == [(0, None), (2, there)]

    assert store.current_version(item.id) == 0
    assert list(rows(client, emails)) == ["ann@example.com"]


def test_another_version_comes_first(store: EventStore, emails: str) -> None:
    """
    Also with several aggregates, and where the row is refused too.
    """
    item, other = an_item(), an_item()
    put = RowPut(emails, {"email": "ann@example.com"}, FREE)
    store.append(item, [event()], expected_version=0, also=[put])

    with pytest.raises(WrongExpectedVersionError) as caught:
        store.append_many([Append(other, [event()], 0), Append(item, [event()], 0)], also=[put])

    assert caught.value.aggregate_id == item.id


def test_an_aggregate_that_was_only_read(store: EventStore) -> None:
    """
    It must be as it was read, new ones and others.
    """
    read, new, item = an_item(), an_item(), an_item()
    store.append(read, [event()], expected_version=0)
    unchanged = [Unchanged(new.id, 0), Unchanged(read.id, 1)]

    assert store._appender.append([Append(item, [event()], 0)], Call(None, None, unchanged=unchanged))[0].version == 1
    store.append(read, [event()], expected_version=1)
    with pytest.raises(WrongExpectedVersionError) as caught:
        store._appender.append([Append(item, [event()], 1)], Call(None, None, unchanged=unchanged))

    assert (caught.value.aggregate_id, caught.value.expected, caught.value.actual) == (read.id, 1, 2)
    assert store.current_version(item.id) == 1


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"owner": "x"}, id="no-key"),
        pytest.param({"email": 7}, id="key-of-another-type"),
        pytest.param({"email": ""}, id="empty-key"),
    ],
)
def test_what_the_table_cannot_take(store: EventStore, emails: str, item: dict[str, Any]) -> None:
    """
    It is the caller's mistake, whether DynamoDB says which row or refuses the whole.
    """
    aggregate = an_item()

    with pytest.raises(InvalidInputError) as caught:
        store.append(aggregate, [event()], expected_version=0, also=[RowPut(emails, item)])

    assert caught.value.field == "also[0]"
    assert store.current_version(aggregate.id) == 0


def test_a_row_written_twice_is_refused(store: EventStore, emails: str) -> None:
    """
    Of two puts only the table knows that they are of one row.
    """
    twice = [RowPut(emails, {"email": "a", "owner": owner}) for owner in ("x", "y")]

    with pytest.raises(InvalidInputError, match="multiple operations on one item"):
        store.append(an_item(), [event()], expected_version=0, also=twice)


def test_a_missing_table(store: EventStore) -> None:
    """
    It is named.
    """
    with pytest.raises(TableMissingError) as caught:
        store.append(an_item(), [event()], expected_version=0, also=[RowPut("no-such-table", {"email": "a"})])

    assert caught.value.table == "no-such-table"


def test_one_of_many_gets_an_address(client: Any, names: TableNames, emails: str) -> None:
    """
    Threads register the same address for different aggregates at the same time: one is stored, all others are refused.
    """
    outcomes: list[object] = []
    start = threading.Barrier(6)

    def register() -> None:
        store, item = EventStore.open(client, names), an_item()
        start.wait(timeout=10)
        try:
            also = [RowPut(emails, {"email": "ann@example.com", "owner": item.id}, FREE)]
            outcomes.append(store.append(item, [event()], expected_version=0, also=also).aggregate.id)
        except Exception as error:  # noqa: BLE001 - told to the test
            outcomes.append(error)

    threads = [threading.Thread(target=register) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    stored = [each for each in outcomes if isinstance(each, str)]
    assert len(stored) == 1
    assert {type(each) for each in outcomes} == {str, RowConditionError}
    assert rows(client, emails)["ann@example.com"]["owner"] == {"S": stored[0]}


def counted(total: int, recorded: RecordedEvent) -> int:
    return total + int(recorded.data["number"])


def test_decisions_over_several_aggregates(client: Any, names: TableNames, emails: str) -> None:
    """
    Threads move numbers between three at the same time, each move with a row, each sent twice under its key.

    Nothing is lost, doubled or half done.
    """
    prefix = uuid.uuid4().hex
    ids = [f"{prefix}-{number}" for number in range(3)]
    first = EventStore.open(client, names)
    for name in ids:
        first.append(AggregateRef("ITEM", name), [event(10)], expected_version=0)
    failures: list[BaseException] = []
    start = threading.Barrier(3)

    def move(worker: int) -> None:
        items = Repository(EventStore.open(client, names), aggregate_type="ITEM", initial=0, evolve=counted)
        start.wait(timeout=10)
        try:
            for turn in range(4):
                source, target = ids[(worker + turn) % 3], ids[(worker + turn + 1) % 3]
                row = RowPut(emails, {"email": f"{worker}/{turn}"}, FREE)
                made = Decision({source: event(-1), target: event(1)}, also=[row])
                for delivery in range(2):
                    done = items.transact_many(
                        ids,
                        lambda *_, made=made: made,
                        (worker, turn),
                        idempotency_key=f"{worker}/{turn}",
                        attempts_max=200,
                    )
                    assert sorted(done.results) == sorted((source, target))
                    assert all(each.already_stored for each in done.results.values()) is bool(delivery)
        except BaseException as failure:  # noqa: BLE001 - told to the test
            failures.append(failure)

    threads = [threading.Thread(target=move, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)

    assert failures == []
    items = Repository(first, aggregate_type="ITEM", initial=0, evolve=counted)
    assert sum(items.load(name).state for name in ids) == 30
    assert sum(first.current_version(name) for name in ids) == 3 + 2 * 12
    assert len(rows(client, emails)) == 12
