"""The caller's own rows in the transaction of an append: written with it, or refused with it."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from typing import Any

import pytest

from eventstore import (
    ANY,
    AggregateRef,
    Append,
    EventStore,
    EventTypes,
    InvalidInputError,
    LimitExceededError,
    NewEvent,
    OutcomeUnknownError,
    RefusedRow,
    RowCheck,
    RowConditionError,
    RowDelete,
    RowPut,
    RowUpdate,
    TableMissingError,
    ThrottledError,
    WrongExpectedVersionError,
)
from eventstore.payload.attribute_value import attribute_value, plain_row
from eventstore.testing import InMemoryDynamoDB

from .conftest import ITEM, FaultyClient, conflict, event, lost

TWO, THREE = AggregateRef("ITEM", "item-2"), AggregateRef("ITEM", "item-3")
FREE = "attribute_not_exists(email)"

Rows = Callable[[str], list[dict[str, Any]]]


def email(address: str = "ann@example.com", owner: str = "item-1", **more: Any) -> RowPut:
    return RowPut("emails", {"email": address, "owner": owner}, FREE, **more)


@pytest.fixture(autouse=True)
def emails(database: InMemoryDynamoDB) -> None:
    make_table(database.client(), "emails", "email")


def make_table(client: Any, name: str, key: str) -> None:
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
    )


def test_rows_are_stored_with_the_events(store: EventStore, rows: Rows, database: InMemoryDynamoDB) -> None:
    """
    Put, update, delete and check in one request with them, on several tables; values are plain Python.
    """
    make_table(database.client(), "quotas", "id")
    database.client().put_item(TableName="quotas", Item={"id": {"S": "gone"}})
    database.client().put_item(TableName="quotas", Item={"id": {"S": "kept"}, "open": {"BOOL": True}})

    store.append(
        ITEM,
        [event()],
        expected_version=0,
        also=[
            email(),
            RowUpdate("quotas", {"id": "used"}, "ADD #n :one", values={":one": 1}, names={"#n": "number"}),
            RowDelete("quotas", {"id": "gone"}, "attribute_exists(id)"),
            RowCheck("quotas", {"id": "kept"}, "#o = :true", names={"#o": "open"}, values={":true": True}),
        ],
    )

    assert rows("emails") == [{"email": {"S": "ann@example.com"}, "owner": {"S": "item-1"}}]
    assert sorted(row["id"]["S"] for row in rows("quotas")) == ["kept", "used"]
    assert {"id": {"S": "used"}, "number": {"N": "1"}} in rows("quotas")


def test_a_condition_that_does_not_hold_refuses_all(store: EventStore, rows: Rows, client: FaultyClient) -> None:
    """
    Nothing is stored, of the events and of the other rows; the error says which row, and shows it only if asked.
    """
    store.append(ITEM, [event()], expected_version=0, also=[email()])

    with pytest.raises(RowConditionError) as caught:
        store.append(TWO, [event()], expected_version=0, also=[email("bob@example.com", "item-2"), email()])
    with pytest.raises(RowConditionError) as shown:
        store.append(TWO, [event()], expected_version=ANY, also=[email(return_row=True)])

    error = caught.value
    assert (error.field, error.index, error.table, error.row) == ("also[1]", 1, "emails", None)
    assert "also[1]: the condition on the row of table 'emails' does not hold; nothing was stored" in str(error)
    assert shown.value.row == {"email": "ann@example.com", "owner": "item-1"}
    assert store.current_version("item-2") == 0
    assert len(rows("emails")) == 1
    assert len(client.sent) == 3, "asked once each"
    assert store.metrics().counts.refused == 2


def test_all_rows_that_are_in_the_way_are_told(store: EventStore) -> None:
    """
    A form shows each of its fields; a row that is not there has nothing to show.
    """
    store.append(ITEM, [event()], expected_version=0, also=[email()])

    with pytest.raises(RowConditionError) as caught:
        store.append(
            TWO,
            [event()],
            expected_version=0,
            also=[
                email(return_row=True),
                email("bob@example.com"),
                RowCheck("emails", {"email": "eve@example.com"}, "attribute_exists(email)", return_row=True),
            ],
        )

    assert caught.value.refused == (
        RefusedRow("also[0]", 0, "emails", {"email": "ann@example.com", "owner": "item-1"}),
        RefusedRow("also[2]", 2, "emails", None),
    )
    assert "also[2]" in str(caught.value)


def test_another_version_is_told_before_a_refused_row(store: EventStore) -> None:
    """
    What was decided on an old state is decided anew first: then the row may be another.
    """
    store.append(ITEM, [event()], expected_version=0, also=[email()])

    with pytest.raises(WrongExpectedVersionError):
        store.append(ITEM, [event()], expected_version=0, also=[email()])


def test_a_version_left_to_the_store_takes_the_rows_along(
    store: EventStore, client: FaultyClient, database: InMemoryDynamoDB, rows: Rows
) -> None:
    """
    A second round is another commit with the same rows.
    """
    rival, inner = EventStore.open(database.client()), client.inner

    class Outrun:
        def transact_write_items(self, **request: Any) -> Any:
            if len(client.sent) == 1:
                rival.append(ITEM, [event(9)], expected_version=0)
            return inner.transact_write_items(**request)

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Outrun()
    result = store.append(ITEM, [event()], expected_version=ANY, also=[email()])

    assert (result.version, result.attempts) == (2, 2)
    assert len(rows("emails")) == 1


def test_a_lost_reply_is_no_refused_row(store: EventStore, client: FaultyClient, rows: Rows) -> None:
    """
    The same bytes go again under the same token; also when the token is forgotten, the own commit is known.
    """
    client.after = [lost()]
    assert store.append(ITEM, [event()], expected_version=0, also=[email()]).attempts == 2
    assert client.sent[0] == client.sent[1]

    forget_tokens(client)
    client.after = [lost()]
    result = store.append(TWO, [event()], expected_version=0, also=[email("bob@example.com")])

    assert (result.version, result.attempts, result.already_stored) == (1, 2, True)
    assert len(rows("emails")) == 2


def forget_tokens(client: FaultyClient) -> None:
    inner = client.inner

    class Forgetting:
        number = 0

        def transact_write_items(self, **request: Any) -> Any:
            self.number += 1
            return inner.transact_write_items(**{**request, "ClientRequestToken": f"token-{self.number}"})

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Forgetting()


def reduce_reasons(client: FaultyClient, role_kept: str) -> None:
    """Let the server show the failure of one table's action alone, as it may."""
    inner = client.inner

    class Reticent:
        def transact_write_items(self, **request: Any) -> Any:
            try:
                return inner.transact_write_items(**request)
            except Exception as error:
                names = [next(iter(each.values()))["TableName"] for each in request["TransactItems"]]
                reasons = error.response["CancellationReasons"]  # type: ignore[attr-defined]
                for index, name in enumerate(names):
                    if name != role_kept:
                        reasons[index] = {"Code": "None"}
                raise

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Reticent()


def test_a_row_of_ones_own_stored_commit_is_no_refusal(store: EventStore, client: FaultyClient) -> None:
    """
    After a lost reply the row is there since this very append has put it; the events say so where only it is shown.
    """
    forget_tokens(client)
    reduce_reasons(client, "emails")
    client.after = [lost()]

    result = store.append(ITEM, [event()], expected_version=0, also=[email()])

    assert (result.version, result.already_stored) == (1, True)


def test_a_row_that_is_refused_after_a_lost_reply(store: EventStore, client: FaultyClient) -> None:
    """
    The lost attempt has stored nothing: a look at the table says so. Where that fails, nobody knows.
    """
    store.append(ITEM, [event()], expected_version=0, also=[email()])
    client.before = [lost()]
    with pytest.raises(RowConditionError):
        store.append(TWO, [event()], expected_version=0, also=[email()])

    inner = client.inner

    class Deaf:
        def transact_get_items(self, **_: Any) -> Any:
            raise lost()

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner, client.before = Deaf(), [lost()]
    with pytest.raises(OutcomeUnknownError):
        store.append(TWO, [event()], expected_version=0, also=[email()])


def test_a_refused_row_beside_a_conflict_decides_nothing(store: EventStore, client: FaultyClient) -> None:
    """
    Whoever is just storing the events may be an earlier attempt, which has put the row: asked again.
    """
    refused: Any = conflict()
    refused.response["CancellationReasons"] = [
        {"Code": "TransactionConflict"},
        {"Code": "None"},
        {"Code": "ConditionalCheckFailed"},
    ]
    client.before = [refused]

    assert store.append(ITEM, [event()], expected_version=0, also=[email()]).attempts == 2

    client.before = [refused] * 4
    with pytest.raises(ThrottledError):
        store.append(TWO, [event()], expected_version=0, also=[email()])


def test_a_foreign_row_is_not_taken_for_an_own_commit(store: EventStore, client: FaultyClient) -> None:
    """
    Whatever its attributes are called: here it says the commit id of the very append.
    """
    refused: Any = conflict()
    inner = client.inner

    class Saying:
        def transact_write_items(self, **request: Any) -> Any:
            commit = {"commitId": {"S": request["ClientRequestToken"]}, "aggregateType": {"S": "ORDER"}}
            refused.response["CancellationReasons"] = [
                {"Code": "None"},
                {"Code": "None"},
                {"Code": "ConditionalCheckFailed", "Item": commit},
            ]
            raise refused

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    client.inner = Saying()
    with pytest.raises(RowConditionError) as caught:
        store.append(ITEM, [event()], expected_version=0, also=[email(return_row=True)])

    assert caught.value.row is not None
    assert caught.value.row["aggregateType"] == "ORDER"


def test_a_repeat_under_a_key_writes_no_row(store: EventStore, rows: Rows, client: FaultyClient) -> None:
    """
    The first result, though the address is taken by now: by the first time.

    The rows are no part of what a key stands for, so that a time in them, or a deploy that adds one, does not refuse a
    repeat for ever.
    """
    first = store.append(ITEM, [event()], expected_version=0, idempotency_key="k", also=[email()])

    for also in ([email()], [email("bob@example.com")], []):
        repeat = store.append(ITEM, [event()], expected_version=ANY, idempotency_key="k", also=also)
        assert (repeat.commit_id, repeat.already_stored) == (first.commit_id, True)
    reduce_reasons(client, "emails")
    repeat = store.append(ITEM, [event()], expected_version=1, idempotency_key="k", also=[email()])
    assert repeat.commit_id == first.commit_id, "the key's row was not shown"
    assert len(rows("emails")) == 1


def test_several_aggregates(store: EventStore, rows: Rows) -> None:
    """
    Rows that belong to an append, and rows that belong to all; the error leads to either.
    """
    store.append_many(
        [Append(ITEM, [event()], 0, also=[email()]), Append(TWO, [event()], 0)], also=[email("all@example.com")]
    )
    assert len(rows("emails")) == 2

    with pytest.raises(RowConditionError) as of_one:
        store.append_many([Append(ITEM, [event()], 1), Append(THREE, [event()], 0, also=[email()])])
    with pytest.raises(RowConditionError) as of_all:
        store.append_many([Append(THREE, [event()], 0)], also=[email("new@example.com"), email()])

    assert (of_one.value.field, of_one.value.index) == ("appends[1].also[0]", 0)
    assert (of_all.value.field, of_all.value.index) == ("also[1]", 1)
    assert store.current_version("item-3") == 0


def test_many_appends_one_by_one(store: EventStore) -> None:
    """
    In an import a taken address is the outcome of its line alone.
    """
    outcomes = list(
        store.append_all(
            [
                Append(ITEM, [event()], 0, also=[email()]),
                Append(TWO, [event()], 0, also=[RowPut("emails", {"email": ""})]),
                Append(THREE, [event()], 0, also=[email("bob@example.com")]),
            ],
            concurrency=1,
        )
    )

    assert [type(outcome.error) for outcome in outcomes] == [type(None), InvalidInputError, type(None)]


def test_rows_count_against_the_limits(store: EventStore, client: FaultyClient) -> None:
    """
    100 actions and 4 MB in all, the rows included.
    """
    some = [RowCheck("emails", {"email": f"{number}@example.com"}, FREE) for number in range(98)]
    assert store.append(ITEM, [event()] * 50, expected_version=0, also=some[:48]).version == 50
    assert len(client.sent[0]["TransactItems"]) == 99
    for events, also, field, most in (
        (50, some[:49], "events", 49),
        (1, some, "also", 97),
        (3, some[:96], "events", 2),
    ):
        with pytest.raises(LimitExceededError) as caught:
            store.append(ITEM, [event()] * events, expected_version=50, also=also)
        assert (caught.value.field, caught.value.limit) == (field, most)
    with pytest.raises(LimitExceededError) as caught:
        store.append_many([Append(TWO, [event()] * 50, 0, also=some[:25])], also=some[25:50])
    assert (caught.value.field, caught.value.actual, caught.value.unit) == ("appends", 101, "actions")
    big = [email(f"{number}@example.com", "x" * 400_000) for number in range(11)]
    with pytest.raises(LimitExceededError) as caught:
        store.append(TWO, [event()], expected_version=0, also=big)
    assert (caught.value.limit, caught.value.unit) == (4_194_304, "bytes")
    with pytest.raises(LimitExceededError) as caught:
        store.append(TWO, [event()], expected_version=0, also=[email(owner="x" * 409_600)])
    assert (caught.value.field, caught.value.limit) == ("also[0].item", 409_600)
    assert len(client.sent) == 1


class Kind(StrEnum):
    TABLE = "emails"


class Level(IntEnum):
    HIGH = 3


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("also", "field"),
    [
        (email(), "also"),
        ("emails", "also"),
        (None, "also"),
        ([{"Put": {}}], "also[0]"),
        ([RowPut("inventory_events", {"a": "b"})], "also[0].table"),
        ([RowDelete("inventory_outbox", {"a": "b"})], "also[0].table"),
        ([RowCheck("inventory_relay", {"a": "b"}, "x")], "also[0].table"),
        ([RowUpdate("inventory_snapshots", {"a": "b"}, "x")], "also[0].table"),
        (
            [email(), RowPut("arn:aws:dynamodb:eu-central-1:000000000000:table/inventory_idempotency", {"a": "b"})],
            "also[1].table",
        ),
        ([RowPut("a b", {"a": "b"})], "also[0].table"),
        ([RowPut(None, {"a": "b"})], "also[0].table"),  # type: ignore[arg-type]
        ([RowPut("emails", {})], "also[0].item"),
        ([RowPut("emails", [("a", 1)])], "also[0].item"),  # type: ignore[arg-type]
        ([RowPut("emails", {"": "b"})], "also[0].item"),
        ([RowPut("emails", {1: "b"})], "also[0].item"),  # type: ignore[dict-item]
        ([RowPut("emails", {"email": "a", "at": datetime.now(UTC)})], "also[0].item.at"),
        ([RowPut("emails", {"email": "a", "of": [{"deep": {Colour.RED}}]})], "also[0].item.of[0].deep{}"),
        ([RowPut("emails", {"email": "a", "n": float("nan")})], "also[0].item.n"),
        ([RowPut("emails", {"email": "a", "n": Decimal("Infinity")})], "also[0].item.n"),
        ([RowPut("emails", {"email": "a", "n": Decimal("1." + "3" * 40)})], "also[0].item.n"),
        ([RowPut("emails", {"email": "a", "n": 10**200})], "also[0].item.n"),
        ([RowPut("emails", {"email": "a", "n": Decimal("1E-200")})], "also[0].item.n"),
        ([RowPut("emails", {"email": "a", "s": set()})], "also[0].item.s"),
        ([RowPut("emails", {"email": "a", "s": {1, "1"}})], "also[0].item.s"),
        ([RowPut("emails", {"email": "a", "s": {True}})], "also[0].item.s"),
        ([RowPut("emails", {"email": "\ud800"})], "also[0].item.email"),
        ([RowDelete("emails", "ann")], "also[0].key"),  # type: ignore[arg-type]
        ([RowPut("emails", {"email": "a"}, "")], "also[0].condition"),
        ([RowPut("emails", {"email": "a"}, object())], "also[0].condition"),  # type: ignore[arg-type]
        ([RowCheck("emails", {"email": "a"}, None)], "also[0].condition"),  # type: ignore[arg-type]
        ([RowUpdate("emails", {"email": "a"}, " ")], "also[0].update"),
        ([RowUpdate("emails", {"email": "a"}, "SET a = :a")], "also[0].values"),
        ([RowUpdate("emails", {"email": "a"}, "SET #a = :a", values={":a": 1})], "also[0].names"),
        ([RowPut("emails", {"email": "a"}, FREE, values={":a": 1})], "also[0].values"),
        ([RowPut("emails", {"email": "a"}, values={":a": 1})], "also[0].values"),
        ([RowPut("emails", {"email": "a"}, FREE, names={"#a": "a"})], "also[0].names"),
        ([RowPut("emails", {"email": "a"}, "x = :a", values={"a": 1})], "also[0].values"),
        ([RowPut("emails", {"email": "a"}, "x = :a", values=[1])], "also[0].values"),  # type: ignore[arg-type]
        ([RowPut("emails", {"email": "a"}, "x = :a", values={":a": object()})], "also[0].values[':a']"),
        ([RowPut("emails", {"email": "a"}, "#a = #a", names={"#a": 1})], "also[0].names['#a']"),  # type: ignore[dict-item]
        ([email(return_row="yes")], "also[0].return_row"),
        ([email(), email()], "also[1]"),
        ([email(), RowDelete("emails", {"email": "ann@example.com"})], "also[1]"),
        ([RowCheck("emails", {"email": "ann@example.com"}, FREE), email("b"), email()], "also[2]"),
        ([RowDelete("emails", {"email": "a"}), RowCheck(Kind.TABLE, {"email": "a"}, FREE)], "also[1]"),
    ],
)
def test_bad_rows_are_named_before_anything_is_sent(
    store: EventStore, client: FaultyClient, also: Any, field: str
) -> None:
    """
    The path says which row and what in it.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append(ITEM, [event()], expected_version=0, also=also)

    assert caught.value.field == field
    assert client.sent == []


def test_what_holds_itself_is_refused(store: EventStore) -> None:
    """
    Nesting has a bound, which DynamoDB sets.
    """
    holds_itself: list[Any] = []
    holds_itself.append(holds_itself)
    with pytest.raises(InvalidInputError, match="nested deeper than 31 levels"):
        store.append(ITEM, [event()], expected_version=0, also=[RowPut("emails", {"email": "a", "l": holds_itself})])

    deepest: Any = "x"
    for _ in range(31):
        deepest = [deepest]
    store.append(ITEM, [event()], expected_version=0, also=[RowPut("emails", {"email": "a", "l": deepest})])
    with pytest.raises(InvalidInputError):
        store.append(ITEM, [event()], expected_version=1, also=[RowPut("emails", {"email": "b", "l": [deepest]})])


@pytest.mark.parametrize(
    ("also", "field", "says"),
    [
        ([RowPut("emails", {"owner": "item-1"})], "also[0]", "key"),
        ([email(), RowPut("emails", {"owner": "item-1"})], "also", "key"),
        ([email(), RowPut("emails", {"email": 7})], "also[1]", "Type mismatch for key"),
        ([email(), RowUpdate("emails", {"email": "b"}, "SET email = :b", values={":b": "b"})], "also[1]", "key"),
        ([RowPut("emails", {"email": "a"}, "attribute_exists(")], "also[0]", "Invalid ConditionExpression"),
        ([RowPut("emails", {"email": ""})], "also[0]", "empty"),
    ],
)
def test_what_only_dynamodb_knows_is_refused_as_the_callers(
    store: EventStore, rows: Rows, also: Any, field: str, says: str
) -> None:
    """
    Neither a defect of the library nor an error of a client library; DynamoDB says which row, or it is the only one.
    """
    with pytest.raises(InvalidInputError, match=says) as caught:
        store.append(ITEM, [event()], expected_version=0, also=also)

    assert caught.value.field == field
    assert rows("emails") == []
    assert store.current_version("item-1") == 0


def test_a_missing_table_is_the_callers(store: EventStore, database: InMemoryDynamoDB) -> None:
    """
    `eventstore init` does not make it; one of the store's own is still a case for it.
    """
    with pytest.raises(TableMissingError, match="'mails' does not exist: it was named in `also`") as caught:
        store.append(ITEM, [event()], expected_version=0, also=[RowPut("mails", {"email": "a"})])
    assert caught.value.table == "mails"

    database.client().delete_table(TableName="inventory_outbox")
    with pytest.raises(TableMissingError, match="eventstore init"):
        store.append(ITEM, [event()], expected_version=0, also=[email()])


def test_bad_events_are_named_as_without_rows(store: EventStore) -> None:
    """
    Nothing else of the checks changes.
    """
    with pytest.raises(InvalidInputError) as caught:
        store.append(ITEM, [NewEvent("X", {"a": object()})], expected_version=0, also=[email()])

    assert caught.value.field == "events[0].data.a"


VALUES: list[tuple[Any, dict[str, Any], Any]] = [
    ("a", {"S": "a"}, "a"),
    ("", {"S": ""}, ""),
    (Kind.TABLE, {"S": "emails"}, "emails"),
    (12, {"N": "12"}, 12),
    (Level.HIGH, {"N": "3"}, 3),
    (12.5, {"N": "12.5"}, Decimal("12.5")),
    (-0.0, {"N": "0"}, 0),
    (Decimal("1.50"), {"N": "1.50"}, Decimal("1.5")),
    (10**100, {"N": "1" + "0" * 100}, 10**100),
    (True, {"BOOL": True}, True),
    (None, {"NULL": True}, None),
    (b"a", {"B": b"a"}, b"a"),
    (bytearray(b"a"), {"B": b"a"}, b"a"),
    ([1, "a", [None]], {"L": [{"N": "1"}, {"S": "a"}, {"L": [{"NULL": True}]}]}, [1, "a", [None]]),
    ((1,), {"L": [{"N": "1"}]}, [1]),
    ({"a": {"b": 1}}, {"M": {"a": {"M": {"b": {"N": "1"}}}}}, {"a": {"b": 1}}),
    ({"b", "a"}, {"SS": ["a", "b"]}, {"a", "b"}),
    (frozenset({2, 1}), {"NS": ["1", "2"]}, {1, 2}),
    ({b"a"}, {"BS": [b"a"]}, {b"a"}),
]


@pytest.mark.parametrize(("value", "stored", "shown"), VALUES, ids=lambda value: repr(value)[:20])
def test_values_are_plain_python(value: Any, stored: dict[str, Any], shown: Any) -> None:
    """
    Each kind of DynamoDB, in and out; of subclasses the plain value.
    """
    assert attribute_value(value, "v") == stored
    back = plain_row({"v": stored})["v"]
    assert back == shown
    assert type(back) is type(shown)


def test_rows_go_along_with_registered_classes(database: InMemoryDynamoDB, rows: Rows) -> None:
    """
    What a key stands for is compared by meaning, and the rows are no part of that.
    """
    types = EventTypes()
    types.add_upcaster(lambda data: {"pieces": data["number"]}, event().type, 1)
    EventStore.open(database.client()).append(ITEM, [event(1)], expected_version=0, idempotency_key="k", also=[email()])
    given = NewEvent(event().type, {"pieces": 1}, schema_version=2)

    store = EventStore.open(database.client(), events=types)
    repeat = store.append(ITEM, [given], expected_version=1, idempotency_key="k", also=[email()])

    assert repeat.already_stored
    assert len(rows("emails")) == 1
