"""PartiQL: what is understood and what is refused, and what befalls statements one by one."""

from random import Random

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb import Weather
from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.dynamodb.partiql.statement import AttributeChange, ChangeKind, Verb, parse

DELETE = 'DELETE FROM "rows" WHERE "id" = ? AND "mark" = ?'
UPDATE = 'UPDATE "rows" SET "seen" = set_add("seen", ?) WHERE "id" = ?'


class World:
    """A table `rows` with a stream, and rows `0` to `9` in it, in a weather."""

    def __init__(self, seed=1, passage=None, **weather):
        self.database = InMemoryDynamoDB(random=Random(seed), passage=passage)
        self.client = self.database.client()
        self.client.create_table(
            TableName="rows",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        )
        for number in range(10):
            self.client.put_item(TableName="rows", Item={"id": {"S": str(number)}, "mark": {"S": "m"}})
        self.database.weather = Weather(**weather)

    def delete(self, *names):
        return self.client.batch_execute_statement(Statements=[delete(name) for name in names])["Responses"]

    def names(self):
        return {row["id"]["S"] for row in self.database.observer().scan(TableName="rows")["Items"]}


def delete(name):
    return {"Statement": DELETE, "Parameters": [{"S": name}, {"S": "m"}]}


def codes(answers):
    return [answer["Error"]["Code"] if "Error" in answer else None for answer in answers]


# What is understood


def test_a_delete_is_read_with_the_places_of_its_parameters():
    """
    Conditions name their parameter, or none where the attribute has to be missing.
    """
    statement = parse('delete FROM "a ""b""" WHERE "x" = ? AND "gone" IS MISSING AND "y" = ?')

    assert statement.table == 'a "b"'
    assert statement.conditions == {"x": 0, "gone": None, "y": 1}
    assert (statement.verb, statement.changes) == (Verb.DELETE, ())
    assert statement.parameter_count == 2


def test_an_update_is_read_with_what_it_adds():
    """
    The parameter of SET comes before those of WHERE.
    """
    statement = parse('UPDATE "t" SET "s" = SET_ADD("s", ?) WHERE "x" = ? RETURNING ALL NEW *')

    assert (statement.verb, statement.changes) == (Verb.UPDATE, (AttributeChange(ChangeKind.SET_ADD, "s", 0),))
    assert statement.conditions == {"x": 1}
    assert statement.returns_item is True


def test_changes_follow_one_another():
    """
    Each with the place of its parameter; a removal has none.
    """
    statement = parse('UPDATE "t" SET "a" = ? set "n" = "n" + ? REMOVE "gone" WHERE "x" = ?')

    assert statement.changes == (
        AttributeChange(ChangeKind.SET, "a", 0),
        AttributeChange(ChangeKind.PLUS, "n", 1),
        AttributeChange(ChangeKind.REMOVE, "gone", None),
    )
    assert statement.conditions == {"x": 2}


def test_an_insert_is_read_with_its_attributes():
    """
    Names stand in single quotes there.
    """
    statement = parse("INSERT INTO \"t\" VALUE {'id': ?, 'it''s': ?}")

    assert (statement.verb, statement.table, statement.conditions) == (Verb.INSERT, "t", {})
    assert [(change.name, change.place) for change in statement.changes] == [("id", 0), ("it's", 1)]


@pytest.mark.parametrize(
    "text",
    [
        'SELECT * FROM "rows" WHERE "id" = ?',
        'INSERT INTO "rows" VALUE {}',
        'INSERT INTO "rows" VALUE ?',
        "INSERT INTO \"rows\" VALUE {'id': ?, 'id': ?}",
        "INSERT INTO \"rows\" VALUE {'id': 'a'}",
        "INSERT INTO \"rows\" VALUE {'id': ?} RETURNING ALL NEW *",
        'DELETE FROM "rows"',
        'DELETE FROM rows WHERE "id" = ?',
        'DELETE FROM "rows" WHERE id = ?',
        'DELETE FROM "rows" WHERE "id" = \'a\'',
        'DELETE FROM "rows" WHERE "id" = 1',
        'DELETE FROM "rows" WHERE "id" = ?;',
        'DELETE FROM "rows" WHERE "id" = ? AND',
        'DELETE FROM "rows" WHERE "id" = ? AND ("mark" = ?)',
        'DELETE FROM "rows" WHERE "id" = ? OR "mark" = ?',
        'DELETE FROM "rows" WHERE NOT "id" = ?',
        'DELETE FROM "rows" WHERE "id" = ? AND "mark" <> ?',
        'DELETE FROM "rows" WHERE "id" = ? AND "mark" IS NOT MISSING',
        'DELETE FROM "rows" WHERE "id" = ? AND "mark" IS NULL',
        'DELETE FROM "rows" WHERE "id" = ? AND "id" = ?',
        'DELETE FROM "rows" WHERE "id" = ? AND "a"."b" = ?',
        'DELETE FROM "rows"."index" WHERE "id" = ?',
        'DELETE FROM "rows" WHERE "id" = ? RETURNING ALL OLD *',
        'DELETE FROM "rows" WHERE ? = "id"',
        'UPDATE "rows" WHERE "id" = ?',
        'UPDATE "rows" SET "seen" = ?, "other" = ? WHERE "id" = ?',
        'UPDATE "rows" SET "seen" = ? SET "seen" = ? WHERE "id" = ?',
        'UPDATE "rows" SET "seen" = "other" + ? WHERE "id" = ?',
        'UPDATE "rows" SET "seen" = "seen" - ? WHERE "id" = ?',
        'UPDATE "rows" SET "seen" = \'a\' WHERE "id" = ?',
        'UPDATE "rows" SET "seen" = set_delete("seen", ?) WHERE "id" = ?',
        'UPDATE "rows" SET "seen" = set_add("other", ?) WHERE "id" = ?',
        f"{UPDATE} RETURNING ALL OLD *",
        f"{UPDATE} RETURNING MODIFIED NEW *",
        f"{UPDATE} RETURNING ALL NEW",
        'EXISTS(SELECT * FROM "rows" WHERE "id" = ?)',
        '"',
        " ",
    ],
)
def test_all_other_partiql_is_refused(text):
    """
    AWS takes most of it; refusing it is better than half an understanding.
    """
    with pytest.raises(ServiceError) as refused:
        parse(text)
    assert refused.value.code == "ValidationException"


def test_a_parameter_too_many_is_refused():
    """
    A statement takes what it has question marks for.
    """
    statement = {"Statement": DELETE, "Parameters": [{"S": "1"}, {"S": "m"}, {"S": "more"}]}

    assert codes(World().client.batch_execute_statement(Statements=[statement])["Responses"]) == ["ValidationError"]


def test_a_call_without_statements_never_leaves_the_client():
    """
    As boto3 does, and so with a parameter it does not know.
    """
    client = World().client

    with pytest.raises(ParamValidationError, match='Missing required parameter in input: "Statements"'):
        client.batch_execute_statement()
    with pytest.raises(ParamValidationError, match='Unknown parameter in input: "ClientRequestToken"'):
        client.batch_execute_statement(Statements=[delete("1")], ClientRequestToken="x")


def test_an_unknown_wish_for_the_item_is_refused_whole():
    """
    ReturnValuesOnConditionCheckFailure is NONE or ALL_OLD.
    """
    world = World()
    odd = {**delete("2"), "ReturnValuesOnConditionCheckFailure": "ALL_NEW"}

    with pytest.raises(ClientError, match="ValidationException"):
        world.client.batch_execute_statement(Statements=[delete("1"), odd])
    assert len(world.names()) == 10


def test_answers_are_the_callers():
    """
    Changing an item that came back does not change what is stored.
    """
    client = World().client
    statement = {"Statement": f"{UPDATE} RETURNING ALL NEW *", "Parameters": [{"SS": ["a"]}, {"S": "1"}]}
    (answer,) = client.batch_execute_statement(Statements=[statement])["Responses"]
    answer["Item"]["seen"]["SS"].append("b")

    assert client.get_item(TableName="rows", Key={"id": {"S": "1"}})["Item"]["seen"] == {"SS": ["a"]}


# Weather


def code_of(world, *names):
    try:
        world.delete(*names)
    except ClientError as error:
        return error.response["Error"]["Code"]
    except ConnectionClosedError:
        return "lost"
    return None


@pytest.mark.parametrize(
    ("fault", "expected", "took_effect"),
    [
        ("throttle", {"RequestLimitExceeded", "ThrottlingException"}, False),
        ("server_error", {"InternalServerError", "ServiceUnavailable"}, False),
        ("lost_request", {"lost"}, False),
        ("lost_reply", {"lost"}, True),
    ],
)
def test_a_call_of_statements_fails_as_others_do(fault, expected, took_effect):
    """
    The throughput of a table is exceeded statement by statement, never by the call.
    """
    world = World(**{fault: 1})

    assert {code_of(world, "1", "2") for _ in range(30)} == expected
    assert len(world.names()) == (8 if took_effect else 10)


def test_a_reply_to_statements_can_be_cut_short():
    """
    It lacks `Responses`, and the statements took effect.
    """
    world = World(cut_short=1)

    reply = world.client.batch_execute_statement(Statements=[delete("1")])

    assert set(reply) == {"ResponseMetadata"}
    assert "1" not in world.names()


def test_a_part_of_the_statements_is_refused_for_load():
    """
    At least one, and not all; a refused statement has no effect, and repeating what was refused ends.
    """
    world = World(unprocessed=1)
    wanted = [str(number) for number in range(10)]
    seen = set()
    while wanted:
        told = codes(world.delete(*wanted))
        seen.update(told)
        left = [name for name, code in zip(wanted, told, strict=True) if code is not None]
        assert world.names() == set(left)
        assert len(left) < len(wanted)
        wanted = left
    for seed in range(20):
        seen.update(codes(World(seed, unprocessed=1).delete("1", "2", "3")))

    assert seen == {
        None,
        "InternalServerError",
        "ProvisionedThroughputExceeded",
        "RequestLimitExceeded",
        "ThrottlingError",
    }
    assert world.database.met["unprocessed"] > 0


def test_a_part_of_the_statements_conflicts():
    """
    TransactionConflict, without effect; the others are carried out.
    """
    world = World(transaction_conflict=1)

    answers = world.delete("1", "2", "3")

    conflicting = {name for name, answer in zip("123", answers, strict=True) if "Error" in answer}
    assert {answer["Error"]["Code"] for answer in answers if "Error" in answer} == {"TransactionConflict"}
    assert all(answer["TableName"] == "rows" for answer in answers)
    assert world.names() & {"1", "2", "3"} == conflicting
    assert 0 < len(conflicting) < 3


def test_a_server_error_may_tell_nothing_of_what_happened():
    """
    The whole call, or some statements in it: all of them took effect.
    """
    outcomes = set()
    for seed in range(20):
        world = World(seed, server_error_after=1)
        try:
            outcomes.update(codes(world.delete("1", "2", "3")))
        except ClientError as error:
            outcomes.add(("whole", error.response["Error"]["Code"]))
        assert world.names() & {"1", "2", "3"} == set()

    assert outcomes == {None, "InternalServerError", ("whole", "InternalServerError"), ("whole", "ServiceUnavailable")}


class DeletesBetween:
    """A passage that deletes by statements between the effect and the reply of TransactWriteItems."""

    def __init__(self):
        self.world = None
        self.answers = None

    def carry(self, operation, request, effect):
        reply = effect()
        if operation == "TransactWriteItems":
            self.answers = self.world.delete("1", "2", "9")
        return reply


def test_a_statement_on_an_item_of_a_transaction_in_flight_conflicts():
    """
    Items that the transaction still hides; an item beside it is written.
    """
    passage = DeletesBetween()
    world = passage.world = World(passage=passage, hide_transaction=1)
    items = [{"id": {"S": name}, "mark": {"S": "m"}, "new": {"BOOL": True}} for name in "12"]

    world.client.transact_write_items(TransactItems=[{"Put": {"TableName": "rows", "Item": item}} for item in items])

    first, second, beside = codes(passage.answers)
    assert "TransactionConflict" in {first, second} <= {None, "TransactionConflict"}
    assert beside is None
    assert ("1" in world.names(), "2" in world.names()) == (first is not None, second is not None)
    assert codes(world.delete("1", "2")) == [None, None]
