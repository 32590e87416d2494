"""Updates: what each clause does, and which ones are refused."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, N, S, code, create_things, get, key, put, refusal, thing

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
    update(client, "SET body = :v", {":v": S("new")}, number=2)
    update(client, "REMOVE body", number=3)
    client.update_item(TableName=THINGS, Key=key("ann", 4))

    assert get(client, "ann", 2) == thing("ann", 2, body=S("new"))
    assert get(client, "ann", 3) == thing("ann", 3)
    assert get(client, "ann", 4) == thing("ann", 4)


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
