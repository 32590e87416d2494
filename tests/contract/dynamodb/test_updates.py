"""Updates: what each clause does, and which ones are refused."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, N, S, code, create_things, get, key, put, refusal, thing

UPDATE_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html"


def nested(levels):
    """Return a number in so many lists."""
    value = N(1)
    for _ in range(levels):
        value = {"L": [value]}
    return value


BEFORE = {
    "body": S("b"),
    "amount": N("1.5"),
    "deep": {"M": {"x": N(1), "parts": {"L": [S("p"), S("q"), S("r")]}}},
    "tags": {"SS": ["u", "v"]},
    "colour": S("red"),
    "weight": N(3),
}


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)
    put(client, thing("ann", 1, **BEFORE))


def update(client, expression, values=None, number=1, **further):
    request = {"TableName": THINGS, "Key": key("ann", number), "UpdateExpression": expression, **further}
    if values:
        request["ExpressionAttributeValues"] = values
    return client.update_item(**request)


def with_sets_sorted(item):
    return {name: {"SS": sorted(value["SS"])} if "SS" in value else value for name, value in item.items()}


@pytest.mark.parametrize(
    ("expression", "values", "after"),
    [
        ("SET body = :v", {":v": S("new")}, {"body": S("new")}),
        ("SET fresh = :v", {":v": S("new")}, {"fresh": S("new")}),
        ("SET amount = amount + :v", {":v": N(1)}, {"amount": N("2.5")}),
        ("SET amount = amount - :v", {":v": N("0.25")}, {"amount": N("1.25")}),
        ("SET amount = :v + amount", {":v": N("-0.25")}, {"amount": N("1.25")}),
        ("SET body = amount, amount = body", {}, {"body": N("1.5"), "amount": S("b")}),
        ("SET body = if_not_exists(absent, :v)", {":v": S("else")}, {"body": S("else")}),
        ("SET body = if_not_exists(body, :v)", {":v": S("else")}, {}),
        ("SET count_of = if_not_exists(count_of, :zero) + :one", {":zero": N(0), ":one": N(1)}, {"count_of": N(1)}),
        ("SET deep.x = :v", {":v": S("y")},
         {"deep": {"M": {"x": S("y"), "parts": {"L": [S("p"), S("q"), S("r")]}}}}),
        ("SET deep.fresh = :v", {":v": S("y")},
         {"deep": {"M": {"x": N(1), "fresh": S("y"), "parts": {"L": [S("p"), S("q"), S("r")]}}}}),
        ("SET deep.parts[1] = :v", {":v": S("Q")},
         {"deep": {"M": {"x": N(1), "parts": {"L": [S("p"), S("Q"), S("r")]}}}}),
        ("SET deep.parts[9] = :v", {":v": S("z")},
         {"deep": {"M": {"x": N(1), "parts": {"L": [S("p"), S("q"), S("r"), S("z")]}}}}),
        ("SET deep.parts = list_append(deep.parts, :v)", {":v": {"L": [S("z")]}},
         {"deep": {"M": {"x": N(1), "parts": {"L": [S("p"), S("q"), S("r"), S("z")]}}}}),
        ("SET deep.parts = list_append(:v, deep.parts)", {":v": {"L": [S("z")]}},
         {"deep": {"M": {"x": N(1), "parts": {"L": [S("z"), S("p"), S("q"), S("r")]}}}}),
        ("REMOVE deep.parts[0], deep.parts[2]", {}, {"deep": {"M": {"x": N(1), "parts": {"L": [S("q")]}}}}),
        ("REMOVE deep.x", {}, {"deep": {"M": {"parts": {"L": [S("p"), S("q"), S("r")]}}}}),
        ("REMOVE absent, deep.absent", {}, {}),
        ("SET deep.parts[9] = :v, deep.parts[3] = :w", {":v": S("9"), ":w": S("3")},
         {"deep": {"M": {"x": N(1), "parts": {"L": [S("p"), S("q"), S("r"), S("3"), S("9")]}}}}),
        ("SET deep.parts[7] = :v, deep.parts[0] = :w REMOVE deep.parts[1]", {":v": S("7"), ":w": S("0")},
         {"deep": {"M": {"x": N(1), "parts": {"L": [S("0"), S("r"), S("7")]}}}}),
        ("SET amount = (amount) + (:v)", {":v": N(1)}, {"amount": N("2.5")}),
        ("SET amount = ((amount) - :v)", {":v": N(1)}, {"amount": N("0.5")}),
        ("SET amount = (if_not_exists(absent, amount)) + :v", {":v": N(1)}, {"amount": N("2.5")}),
        ("SET amount = (:v)", {":v": N(1)}, {"amount": N(1)}),
        ("SET deep.parts = list_append((deep.parts), (:v))", {":v": {"L": [S("z")]}},
         {"deep": {"M": {"x": N(1), "parts": {"L": [S("p"), S("q"), S("r"), S("z")]}}}}),
        ("SET body = if_not_exists((absent), if_not_exists(gone, (amount)))", {}, {"body": N("1.5")}),
        ("SET body = " + "if_not_exists(absent, " * 150 + "amount" + ")" * 150, {}, {"body": N("1.5")}),
        ("SET deep.x = :v", {":v": nested(30)},
         {"deep": {"M": {"x": nested(30), "parts": {"L": [S("p"), S("q"), S("r")]}}}}),
        ("ADD amount :v", {":v": N(2)}, {"amount": N("3.5")}),
        ("ADD fresh :v", {":v": N(2)}, {"fresh": N(2)}),
        ("ADD tags :v", {":v": {"SS": ["w", "u"]}}, {"tags": {"SS": ["u", "v", "w"]}}),
        ("ADD fresh :v", {":v": {"SS": ["w"]}}, {"fresh": {"SS": ["w"]}}),
        ("ADD deep.x :v", {":v": N(2)}, {"deep": {"M": {"x": N(3), "parts": {"L": [S("p"), S("q"), S("r")]}}}}),
        ("DELETE tags :v", {":v": {"SS": ["u", "other"]}}, {"tags": {"SS": ["v"]}}),
        ("DELETE absent :v", {":v": {"SS": ["u"]}}, {}),
        ("SET body = :v REMOVE absent ADD amount :n DELETE tags :t",
         {":v": S("new"), ":n": N(1), ":t": {"SS": ["u"]}},
         {"body": S("new"), "amount": N("2.5"), "tags": {"SS": ["v"]}}),
    ],
)  # fmt: skip
def test_it_changes_what_it_names_and_nothing_else(client, expression, values, after):
    """
    The item afterwards is the item before with exactly these attributes changed; ALL_NEW gives it.
    """
    reply = update(client, expression, values, ReturnValues="ALL_NEW")

    expected = thing("ann", 1, **{**BEFORE, **after})
    assert with_sets_sorted(reply["Attributes"]) == expected
    assert with_sets_sorted(get(client, "ann", 1)) == expected


@pytest.mark.parametrize(
    ("expression", "values", "gone"),
    [
        ("REMOVE body, amount", {}, {"body", "amount"}),
        ("DELETE tags :v", {":v": {"SS": ["u", "v"]}}, {"tags"}),
    ],
)
def test_it_removes_attributes(client, expression, values, gone):
    """
    Removed attributes are gone, and so is a set without members.
    """
    update(client, expression, values)

    left = {name: value for name, value in BEFORE.items() if name not in gone}
    assert with_sets_sorted(get(client, "ann", 1)) == thing("ann", 1, **left)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("", {}),
        ("SET", {}),
        ("PUT body = :v", {":v": S("x")}),
        ("SET body = :v, body = :v", {":v": S("x")}),
        ("SET deep.x = :v REMOVE deep", {":v": S("x")}),
        ("SET body = :v SET amount = :v", {":v": S("x")}),
        ("SET amount = amount + :v + :v", {":v": N(1)}),
        ("SET amount = amount + :v", {":v": S("1")}),
        ("SET body = body + :v", {":v": N(1)}),
        ("SET body = size(deep)", {}),
        ("SET body = absent", {}),
        ("SET body = absent + :v", {":v": N(1)}),
        ("SET absent.x = :v", {":v": N(1)}),
        ("SET body.x = :v", {":v": N(1)}),
        ("SET body = list_append(body, :v)", {":v": {"L": []}}),
        ("SET status = :v", {":v": N(1)}),
        ("SET body = :v", {":v": S("x"), ":unused": S("y")}),
        ("REMOVE absent.x", {}),
        ("ADD body :v", {":v": N(1)}),
        ("ADD body :v", {":v": S("x")}),
        ("ADD amount :v", {":v": {"SS": ["x"]}}),
        ("DELETE tags :v", {":v": {"NS": ["1"]}}),
        ("DELETE tags :v", {":v": S("u")}),
        ("SET owner_id = :v", {":v": S("bob")}),
        ("SET num = :v", {":v": N(1)}),
        ("REMOVE num", {}),
        ("SET colour = :v", {":v": N(1)}),
        ("SET colour = :v", {":v": S("")}),
        ("SET weight = :v", {":v": S("heavy")}),
        ("SET body = :v", {":v": S("x" * 410_000)}),
        ("SET amount = ((amount + :v))", {":v": N(1)}),
        ("SET amount = ((amount)) + :v", {":v": N(1)}),
        ("SET amount = (amount + :v) + :v", {":v": N(1)}),
        ("SET body = if_not_exists(absent, amount + :v)", {":v": N(1)}),
        ("SET (body) = :v", {":v": N(1)}),
        ("SET body = list_append(list_append(deep.parts, :v), :v)", {":v": {"L": []}}),
        ("SET body = list_append(deep.parts, list_append(deep.parts, :v))", {":v": {"L": []}}),
        ("SET body = if_not_exists(absent, list_append(deep.parts, :v))", {":v": {"L": []}}),
        ("SET body = if_not_exists(amount, amount)", {}),
        ("SET deep.x = :v, deep[0] = :v", {":v": N(1)}),
        ("SET deep.parts[2147483648] = :v", {":v": N(1)}),
        ("SET deep" + ".x" * 32 + " = :v", {":v": N(1)}),
        ("SET " + ", ".join(f"a{number} = amount + :v" for number in range(301)), {":v": N(1)}),
        ("SET deep.x = :v", {":v": nested(31)}),
        ("SET deep.parts = list_append(deep.parts, :v)", {":v": {"L": [nested(30)]}}),
        ("SET colour = :v", {":v": S("x" * 2049)}),
    ],
)
def test_it_is_refused(client, expression, values):
    """
    An invalid update, one that the item cannot take, or one of a key is a ValidationException and changes nothing.
    """
    assert code(lambda: update(client, expression, values)) == "ValidationException"
    assert with_sets_sorted(get(client, "ann", 1)) == thing("ann", 1, **BEFORE)


def test_it_makes_what_is_absent(client):
    """
    An update of nothing creates the item, so marking a row needs a condition.
    """
    update(client, "SET body = :v REMOVE amount", {":v": S("new")}, number=2)
    client.update_item(TableName=THINGS, Key=key("ann", 4))

    assert get(client, "ann", 2) == thing("ann", 2, body=S("new"))
    assert get(client, "ann", 4) == thing("ann", 4)


@pytest.mark.local_differs(page=UPDATE_PAGE, does="makes an item with nothing but its key")
@pytest.mark.parametrize("returned", ["NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"])
def test_removing_from_what_is_absent_makes_nothing(client, returned):
    """
    An update that only removes has nothing to do where no item is.
    """
    replies = [
        update(client, "REMOVE body", number=2, ReturnValues=returned),
        update(client, "REMOVE body DELETE tags :v", {":v": {"SS": ["u"]}}, number=3, ReturnValues=returned),
    ]

    assert not any("Attributes" in reply for reply in replies)
    assert client.scan(TableName=THINGS, Select="COUNT")["Count"] == 1


def test_removing_a_part_of_what_is_absent_is_refused(client):
    """
    A path into nothing is invalid, as it is in an item that has nothing there.
    """
    assert code(lambda: update(client, "REMOVE deep.x", number=2)) == "ValidationException"
    assert get(client, "ann", 2) is None


def test_a_condition_keeps_it_from_making_what_is_absent(client):
    """
    With `attribute_exists` an update of nothing is refused, and nothing is made.
    """
    response = refusal(
        lambda: update(
            client, "ADD tags :v", {":v": {"SS": ["x"]}}, number=2, ConditionExpression="attribute_exists(owner_id)"
        )
    )

    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert get(client, "ann", 2) is None


@pytest.mark.parametrize(
    ("returned", "attributes"),
    [
        ("NONE", None),
        ("ALL_OLD", thing("ann", 1, **BEFORE)),
        ("UPDATED_OLD", {"body": S("b"), "amount": N("1.5")}),
        ("UPDATED_NEW", {"body": S("new"), "fresh": N(1)}),
    ],
)
def test_it_returns_what_was_asked_for(client, returned, attributes):
    """
    UPDATED_OLD and UPDATED_NEW give the attributes that the update names.
    """
    reply = update(
        client, "SET body = :v, fresh = :one REMOVE amount", {":v": S("new"), ":one": N(1)}, ReturnValues=returned
    )

    found = reply.get("Attributes")
    assert (found and with_sets_sorted(found)) == attributes


@pytest.mark.local_differs(page=UPDATE_PAGE, does="gives whole attributes, also of nested targets")
@pytest.mark.parametrize(
    ("expression", "returned", "attributes"),
    [
        ("SET deep.x = :v", "UPDATED_OLD", {"deep": {"M": {"x": N(1)}}}),
        ("SET deep.x = :v", "UPDATED_NEW", {"deep": {"M": {"x": S("new")}}}),
        ("SET deep.parts[1] = :v", "UPDATED_OLD", {"deep": {"M": {"parts": {"L": [S("q")]}}}}),
        ("SET deep.parts[1] = :v, deep.x = :v", "UPDATED_NEW",
         {"deep": {"M": {"x": S("new"), "parts": {"L": [S("new")]}}}}),
        ("SET deep.x = :v, body = :v", "UPDATED_OLD", {"deep": {"M": {"x": N(1)}}, "body": S("b")}),
        ("SET deep.fresh = :v", "UPDATED_NEW", {"deep": {"M": {"fresh": S("new")}}}),
        ("REMOVE deep.parts[0], deep.parts[7]", "UPDATED_OLD", {"deep": {"M": {"parts": {"L": [S("p")]}}}}),
        ("REMOVE deep.parts[0]", "UPDATED_NEW", {"deep": {"M": {"parts": {"L": [S("q")]}}}}),
    ],
)  # fmt: skip
def test_of_a_nested_target_it_returns_no_more(client, expression, returned, attributes):
    """
    What lies at the target comes back, within the maps and lists that lead there, and nothing beside it.
    """
    values = {":v": S("new")} if ":v" in expression else None

    reply = update(client, expression, values, ReturnValues=returned)

    assert reply["Attributes"] == attributes


@pytest.mark.parametrize(
    ("expression", "returned"),
    [
        ("SET deep.fresh = :v", "UPDATED_OLD"),
        ("SET deep.parts[9] = :v", "UPDATED_OLD"),
        ("SET deep.parts[9] = :v", "UPDATED_NEW"),
        ("REMOVE deep.x", "UPDATED_NEW"),
        ("REMOVE deep.absent", "UPDATED_OLD"),
    ],
)
def test_of_a_nested_target_where_nothing_lies_it_returns_nothing(client, expression, returned):
    """
    What was not there before, or is not there under this path afterwards, is left out.
    """
    values = {":v": S("new")} if ":v" in expression else None

    assert "Attributes" not in update(client, expression, values, ReturnValues=returned)
