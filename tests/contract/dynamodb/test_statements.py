"""BatchExecuteStatement: conditional deletes and updates, up to 25 a call, each with an answer of its own."""

import pytest

from tests.contract.dynamodb.shapes import (
    THINGS,
    N,
    S,
    code,
    create_things,
    get,
    iterator,
    key,
    put,
    read_feed,
    stream_arn,
    thing,
)

BATCH_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html"
STATEMENT_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchStatementRequest.html"
CAPACITY_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"

DELETE = 'DELETE FROM "things" WHERE "owner_id" = ? AND "num" = ? AND "mark" = ?'
DELETE_UNMARKED = 'DELETE FROM "things" WHERE "owner_id" = ? AND "num" = ? AND "mark" IS MISSING'
UPDATE = 'UPDATE "things" SET "seen" = set_add("seen", ?) WHERE "owner_id" = ? AND "num" = ? AND "mark" = ?'
UPDATE_AND_SHOW = f"{UPDATE} RETURNING ALL NEW *"
COUNT = 'UPDATE "things" SET "count" = "count" + ? WHERE "owner_id" = ? AND "num" = ?'
RECOUNT = (
    'UPDATE "things" SET "mark" = ? SET "count" = "count" + ? REMOVE "gone"'
    ' WHERE "owner_id" = ? AND "num" = ? AND "mark" = ? RETURNING ALL NEW *'
)
MARK_UNSEEN = 'UPDATE "things" SET "mark" = ? WHERE "owner_id" = ? AND "num" = ? AND "seen" IS MISSING AND "mark" = ?'
INSERT = """INSERT INTO "things" VALUE {'owner_id': ?, 'num': ?, 'mark': ?}"""
WITH_ITEM = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def statement(text, *parameters, **further):
    return {"Statement": text, "Parameters": list(parameters), **further}


def delete(number, mark="m", **further):
    return statement(DELETE, S("ann"), N(number), S(mark), **further)


def see(number, *by, mark="m", text=UPDATE_AND_SHOW, **further):
    return statement(text, {"SS": list(by)}, S("ann"), N(number), S(mark), **further)


def marked(number, **attributes):
    return thing("ann", number, mark=S("m"), **attributes)


def execute(client, *statements, **further):
    """Return the answers, in order."""
    return client.batch_execute_statement(Statements=list(statements), **further)["Responses"]


def outcomes(client, *statements):
    """Return each statement's error code, or None where it succeeded."""
    return [answer["Error"]["Code"] if "Error" in answer else None for answer in execute(client, *statements)]


def count(client):
    return client.scan(TableName=THINGS, ConsistentRead=True)["Count"]


# Deleting


def test_a_delete_takes_away_an_item_that_meets_its_condition(client):
    """
    The answer names the table, and has no item.
    """
    put(client, marked(1), marked(2))

    assert execute(client, delete(1)) == [{"TableName": THINGS}]
    assert get(client, "ann", 1) is None
    assert get(client, "ann", 2) == marked(2)


def test_a_delete_whose_condition_is_not_met_changes_nothing(client):
    """
    ConditionalCheckFailed; the item comes along when it was asked for.
    """
    put(client, marked(1), marked(2))

    first, second = execute(client, delete(1, "other"), delete(2, "other", **WITH_ITEM))

    assert first["Error"]["Code"] == second["Error"]["Code"] == "ConditionalCheckFailed"
    assert first["TableName"] == second["TableName"] == THINGS
    assert "Item" not in first["Error"]
    assert second["Error"]["Item"] == marked(2)
    assert count(client) == 2


def test_deleting_an_absent_item_succeeds(client):
    """
    There is nothing to compare: success with no item deleted, whatever the condition. A repeat is harmless.
    """
    put(client, marked(1))

    assert outcomes(client, delete(1)) == [None]
    assert outcomes(client, delete(1), statement(DELETE_UNMARKED, S("ann"), N(2))) == [None, None]


def test_a_delete_can_ask_for_an_absent_attribute(client):
    """
    IS MISSING holds where the item has no such attribute, and only there.
    """
    put(client, marked(1), thing("ann", 2))

    statements = [statement(DELETE_UNMARKED, S("ann"), N(number)) for number in (1, 2)]

    assert outcomes(client, *statements) == ["ConditionalCheckFailed", None]
    assert get(client, "ann", 1) == marked(1)
    assert get(client, "ann", 2) is None


def test_a_delete_by_key_alone_has_no_condition(client):
    """
    Key attributes may stand in any order.
    """
    put(client, marked(1))

    assert outcomes(client, statement('DELETE FROM "things" WHERE "num" = ? AND "owner_id" = ?', N(1), S("ann"))) == [
        None
    ]
    assert count(client) == 0


def test_keywords_may_have_any_case(client):
    """
    Names keep theirs.
    """
    put(client, marked(1))

    assert outcomes(client, statement(DELETE.replace("DELETE FROM", "delete from"), S("ann"), N(1), S("m"))) == [None]
    assert count(client) == 0


# Updating


def test_set_add_makes_a_set_and_adds_to_it(client):
    """
    RETURNING ALL NEW * gives the item after the update; a member that is there already stays once.
    """
    put(client, marked(1))

    assert execute(client, see(1, "bus")) == [{"TableName": THINGS, "Item": marked(1, seen={"SS": ["bus"]})}]
    (answer,) = execute(client, see(1, "bus", "index"))

    assert sorted(answer["Item"]["seen"]["SS"]) == ["bus", "index"]
    assert sorted(get(client, "ann", 1)["seen"]["SS"]) == ["bus", "index"]


def test_an_update_returns_nothing_unasked(client):
    """
    Without RETURNING the answer is the table's name.
    """
    put(client, marked(1))

    assert execute(client, see(1, "bus", text=UPDATE)) == [{"TableName": THINGS}]
    assert get(client, "ann", 1) == marked(1, seen={"SS": ["bus"]})


def test_an_update_never_makes_an_item(client):
    """
    An absent item fails the condition, and there is no item to come along.
    """
    by_key = 'UPDATE "things" SET "seen" = set_add("seen", ?) WHERE "owner_id" = ? AND "num" = ?'

    first, second = execute(
        client, see(1, "bus", **WITH_ITEM), statement(by_key, {"SS": ["bus"]}, S("ann"), N(2), **WITH_ITEM)
    )

    assert first["Error"]["Code"] == second["Error"]["Code"] == "ConditionalCheckFailed"
    assert "Item" not in first["Error"]
    assert count(client) == 0


def test_an_update_whose_condition_is_not_met_changes_nothing(client):
    """
    ConditionalCheckFailed, with the item when it was asked for.
    """
    put(client, marked(1))

    (answer,) = execute(client, see(1, "bus", mark="other", **WITH_ITEM))

    assert answer["Error"]["Code"] == "ConditionalCheckFailed"
    assert answer["Error"]["Item"] == marked(1)
    assert get(client, "ann", 1) == marked(1)


@pytest.mark.parametrize("kind", ["S", "N"])
def test_set_add_takes_sets_only(client, kind):
    """
    Neither a text nor a number, which ADD would take.
    """
    put(client, marked(1))

    assert outcomes(client, statement(UPDATE, {kind: "1"}, S("ann"), N(1), S("m"))) == ["ValidationError"]
    assert get(client, "ann", 1) == marked(1)


def test_set_add_to_what_is_no_set_is_refused(client):
    """
    An attribute of another type, another kind of set, and the key stay as they are.
    """
    put(client, marked(1, seen=S("text")), marked(2, seen={"NS": ["1"]}), marked(3))
    of_key = 'UPDATE "things" SET "num" = set_add("num", ?) WHERE "owner_id" = ? AND "num" = ?'

    assert outcomes(client, see(1, "bus"), see(2, "bus"), statement(of_key, {"NS": ["1"]}, S("ann"), N(3))) == [
        "ValidationError",
        "ValidationError",
        "ValidationError",
    ]
    assert get(client, "ann", 1) == marked(1, seen=S("text"))


# Many in a call


def test_an_update_sets_adds_and_removes(client):
    """
    Several attributes in one statement, each as it was told; the new item has them all.
    """
    put(client, marked(1, count=N(5), gone=S("x")))

    answers = execute(client, statement(RECOUNT, S("new"), N(2), S("ann"), N(1), S("m")))

    assert answers == [{"TableName": THINGS, "Item": thing("ann", 1, mark=S("new"), count=N(7))}]
    assert get(client, "ann", 1) == thing("ann", 1, mark=S("new"), count=N(7))


def test_an_update_can_ask_for_an_absent_attribute(client):
    """
    Beside what an attribute has to be.
    """
    put(client, marked(1), marked(2, seen={"SS": ["bus"]}))

    assert outcomes(client, *(statement(MARK_UNSEEN, S("new"), S("ann"), N(number), S("m")) for number in (1, 2))) == [
        None,
        "ConditionalCheckFailed",
    ]


def test_a_sum_needs_a_number_that_is_there(client):
    """
    Adding to nothing is no sum.
    """
    put(client, marked(1))

    assert outcomes(client, statement(COUNT, N(1), S("ann"), N(1))) == ["ValidationError"]
    assert get(client, "ann", 1) == marked(1)


def test_an_insert_makes_an_item_that_is_not_there(client):
    """
    Whoever comes second changes nothing.
    """
    put(client, marked(1))

    answers = execute(
        client, statement(INSERT, S("ann"), N(1), S("other")), statement(INSERT, S("ann"), N(2), S("new"))
    )

    assert answers[0]["Error"]["Code"] == "DuplicateItem"
    assert answers[1] == {"TableName": THINGS}
    assert get(client, "ann", 1) == marked(1)
    assert get(client, "ann", 2) == thing("ann", 2, mark=S("new"))


def test_each_statement_succeeds_or_fails_alone(client):
    """
    Answers come in the order of the statements, whatever becomes of the others.
    """
    put(client, *(marked(number) for number in range(1, 5)))

    codes = outcomes(
        client,
        delete(1),
        delete(2, "other"),
        statement("DELETE FROM nowhere at all", S("ann")),
        statement(DELETE.replace("things", "missing"), S("ann"), N(3), S("m")),
        see(3, "bus"),
        see(9, "bus"),
        delete(4),
    )

    assert codes == [
        None,
        "ConditionalCheckFailed",
        "ValidationError",
        "ResourceNotFound",
        None,
        "ConditionalCheckFailed",
        None,
    ]
    left = client.scan(TableName=THINGS, ConsistentRead=True)["Items"]
    assert sorted(item["num"]["N"] for item in left) == ["2", "3"]


def test_25_statements_go_into_a_call(client):
    """
    All of them are carried out.
    """
    put(client, *(marked(number) for number in range(25)))

    assert outcomes(client, *(delete(number) for number in range(25))) == [None] * 25
    assert count(client) == 0


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([], id="none"),
        pytest.param([delete(number) for number in range(26)], id="26"),
        pytest.param([delete(1), {"Statement": ""}], id="an-empty-statement"),
        pytest.param([delete(1), statement(DELETE + " " * 8192, S("ann"), N(2), S("m"))], id="a-long-statement"),
        pytest.param([delete(1), statement(DELETE, S("ann"), {"N": "x"}, S("m"))], id="a-value-that-is-none"),
        pytest.param([delete(1), see(2)], id="an-empty-set"),
        pytest.param(
            [delete(1), statement('SELECT * FROM "things" WHERE "owner_id" = ? AND "num" = ?', S("ann"), N(2))],
            id="a-read-among-writes",
        ),
    ],
)
def test_an_unfit_call_is_refused_whole(client, statements):
    """
    It changes nothing.
    """
    put(client, marked(1), marked(2))

    assert code(lambda: execute(client, *statements)) == "ValidationException"
    assert get(client, "ann", 1) == marked(1)
    assert get(client, "ann", 2) == marked(2)


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([delete(1), delete(1)], id="deleted-twice"),
        pytest.param([delete(1), see(1, "bus")], id="deleted-and-updated"),
        pytest.param([see(1, "bus"), delete(2), see(1, "index")], id="updated-twice"),
    ],
)
def test_two_statements_on_one_item_are_refused(client, statements):
    """
    The call is refused; DynamoDB Local has carried them out by then, AWS documents neither, so nobody may count on it.
    """
    put(client, marked(1), marked(2))

    assert code(lambda: execute(client, *statements)) == "ValidationException"


@pytest.mark.local_differs(page=STATEMENT_PAGE, does="takes an empty list for none, and refuses that statement alone")
def test_parameters_are_at_least_one_if_they_are_there(client):
    """
    An empty list of parameters makes the call unfit.
    """
    put(client, marked(1))

    assert code(lambda: execute(client, delete(1), statement(DELETE_UNMARKED))) == "ValidationException"
    assert get(client, "ann", 1) == marked(1)


@pytest.mark.parametrize(
    "unfit",
    [
        pytest.param(statement('DELETE FROM "things" WHERE "owner_id" = ?', S("ann")), id="half-a-key"),
        pytest.param(
            statement('DELETE FROM "things" WHERE "owner_id" = ? AND "num" > ?', S("ann"), N(1)), id="a-range-of-keys"
        ),
        pytest.param(
            statement('DELETE FROM "things" WHERE "owner_id" = ? AND "num" IS MISSING', S("ann")), id="a-key-is-missing"
        ),
        pytest.param(
            statement('DELETE FROM "things" WHERE "owner_id" = ? OR "num" = ?', S("ann"), N(1)), id="or-between-keys"
        ),
        pytest.param(statement(DELETE, S("ann"), S("1"), S("m")), id="a-key-of-another-type"),
        pytest.param(statement(DELETE, S(""), N(1), S("m")), id="an-empty-key"),
        pytest.param(statement(DELETE, S("ann"), N(1)), id="a-parameter-too-few"),
        pytest.param({"Statement": DELETE}, id="no-parameters"),
        pytest.param(statement("DROP TABLE things", S("ann")), id="no-such-statement"),
        pytest.param(statement('DELETE FROM WHERE "num" = ?', N(1)), id="no-table"),
        pytest.param(
            see(1, "bus", text=UPDATE.replace('add("seen"', 'add("others"')), id="set-add-of-another-attribute"
        ),
        pytest.param(statement('INSERT INTO "things" VALUE {}', N(1)), id="an-insert-of-nothing"),
        pytest.param(
            statement('UPDATE "things" WHERE "owner_id" = ? AND "num" = ?', S("ann"), N(1)),
            id="an-update-that-changes-nothing",
        ),
        pytest.param(delete(1) | {"Statement": f"{DELETE} RETURNING ALL NEW *"}, id="the-new-item-of-a-delete"),
    ],
)
def test_an_unfit_statement_fails_alone(client, unfit):
    """
    ValidationError; the statement beside it is carried out.
    """
    put(client, marked(1), marked(2))

    assert outcomes(client, unfit, delete(2)) == ["ValidationError", None]
    assert get(client, "ann", 1) == marked(1)
    assert get(client, "ann", 2) is None


# The feed, and units


def test_changes_enter_the_feed(client, streams):
    """
    A delete that took an item away and an update leave records; a delete of nothing and a refusal leave none.
    """
    client.delete_table(TableName=THINGS)
    client.get_waiter("table_not_exists").wait(TableName=THINGS)
    create_things(client, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    put(client, marked(1), marked(2), marked(3))

    execute(client, delete(1), delete(9), delete(3, "other"), see(2, "bus"))
    records = read_feed(streams, iterator(streams, stream_arn(client)), 5)[3:]

    told = {record["eventName"]: record["dynamodb"] for record in records}
    assert len(records) == 2
    assert told["REMOVE"]["Keys"] == key("ann", 1)
    assert told["REMOVE"]["OldImage"] == marked(1)
    assert "NewImage" not in told["REMOVE"]
    assert told["MODIFY"]["OldImage"] == marked(2)
    assert told["MODIFY"]["NewImage"] == marked(2, seen={"SS": ["bus"]})


def units(client, *statements):
    consumed = client.batch_execute_statement(Statements=list(statements), ReturnConsumedCapacity="TOTAL")[
        "ConsumedCapacity"
    ]
    assert {one["TableName"] for one in consumed} == {THINGS}
    return [one["CapacityUnits"] for one in consumed]


@pytest.mark.local_differs(page=BATCH_PAGE, does="never tells what a batch of statements cost")
def test_statements_cost_what_single_writes_cost(client):
    """
    One unit per started KiB of the larger item, told in the order of the statements; the least for an absent one.
    """
    put(client, marked(1, body=S("x" * 3000)), marked(2), marked(3, body=S("x" * 1020)))

    assert units(client, delete(1), delete(2), delete(9), see(3, "bus")) == [3, 1, 1, 2]


@pytest.mark.local_differs(page=CAPACITY_PAGE, does="never tells what a batch of statements cost")
def test_a_condition_that_is_not_met_costs_units(client):
    """
    By the size of the item that is there, and one for an absent one.
    """
    put(client, marked(1, body=S("x" * 3000)))

    assert units(client, delete(1, "other"), see(2, "bus")) == [3, 1]


def test_units_are_not_told_unasked(client):
    """
    No ConsumedCapacity without ReturnConsumedCapacity.
    """
    assert "ConsumedCapacity" not in client.batch_execute_statement(Statements=[delete(1)])
