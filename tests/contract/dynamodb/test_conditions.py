"""Conditions: which ones hold for an item, and which ones are refused."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, N, S, code, create_things, key, put, thing

ITEM = thing(
    "ann",
    1,
    body=S("bee"),
    amount=N("1.50"),
    tags={"SS": ["u", "v"]},
    sizes={"NS": ["1", "2.5"]},
    deep={"M": {"x": N(1), "parts": {"L": [S("p"), N(2)]}}},
    nothing={"NULL": True},
    flag={"BOOL": False},
    octets={"B": b"\x01\x02"},
)

NESTED_32 = N(1)
for _ in range(32):
    NESTED_32 = {"L": [NESTED_32]}


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)
    put(client, ITEM)


def check(client, expression, values, names=None):
    """Ask whether the condition holds, by a delete of it that is put back."""
    request = {"TableName": THINGS, "Item": ITEM, "ConditionExpression": expression}
    if values:
        request["ExpressionAttributeValues"] = values
    if names:
        request["ExpressionAttributeNames"] = names
    client.put_item(**request)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("attribute_exists(body)", {}),
        ("attribute_exists(deep.parts[1])", {}),
        ("attribute_not_exists(absent)", {}),
        ("attribute_not_exists(deep.absent)", {}),
        ("attribute_not_exists(deep.parts[2])", {}),
        ("attribute_not_exists(body.x)", {}),
        ("attribute_type(deep, :v)", {":v": S("M")}),
        ("attribute_type(nothing, :v)", {":v": S("NULL")}),
        ("body = :v", {":v": S("bee")}),
        ("amount = :v", {":v": N("1.5")}),
        ("tags = :v", {":v": {"SS": ["v", "u"]}}),
        ("deep.parts[0] = :v", {":v": S("p")}),
        ("nothing = :v", {":v": {"NULL": True}}),
        ("deep = :v", {":v": ITEM["deep"]}),
        (":v = body", {":v": S("bee")}),
        ("body <> :v", {":v": S("bea")}),
        ("body <> :v", {":v": N(1)}),
        ("absent <> :v", {":v": S("x")}),
        ("NOT absent = :v", {":v": S("x")}),
        ("body < :v", {":v": S("beef")}),
        ("body <= :v", {":v": S("bee")}),
        ("body > :v", {":v": S("Zebra")}),
        ("amount >= :v", {":v": N("1.5")}),
        ("amount < :v", {":v": N(10)}),
        ("octets < :v", {":v": {"B": b"\x02"}}),
        ("amount BETWEEN :low AND :high", {":low": N("1.5"), ":high": N(2)}),
        ("body BETWEEN :low AND :high", {":low": S("a"), ":high": S("c")}),
        ("body IN (:v, :w)", {":v": S("x"), ":w": S("bee")}),
        ("begins_with(body, :v)", {":v": S("be")}),
        ("begins_with(octets, :v)", {":v": {"B": b"\x01"}}),
        ("contains(body, :v)", {":v": S("ee")}),
        ("contains(tags, :v)", {":v": S("u")}),
        ("contains(sizes, :v)", {":v": N("2.50")}),
        ("contains(deep.parts, :v)", {":v": N("2.0")}),
        ("size(body) = :v", {":v": N(3)}),
        ("size(tags) > :v", {":v": N(1)}),
        ("size(deep) = :v", {":v": N(2)}),
        ("size(octets) <= :v", {":v": N(2)}),
        ("attribute_exists(body) AND amount = :v", {":v": N("1.5")}),
        ("attribute_exists(absent) OR amount = :v", {":v": N("1.5")}),
        ("body = :w OR body = :v AND amount = :x", {":v": S("bee"), ":w": S("bee"), ":x": N(9)}),
        ("NOT body = :w AND amount = :v", {":v": N("1.5"), ":w": S("x")}),
        ("NOT (attribute_exists(body) AND attribute_exists(absent))", {}),
        ("NOT NOT body = :v", {":v": S("bee")}),
        ("not body in (:v) and amount between :low and :high or size(body) = :s",
         {":v": S("x"), ":low": N(1), ":high": N(2), ":s": N(9)}),
        ("(body = :v)", {":v": S("bee")}),
        ("(size(body)) = :v", {":v": N(3)}),
        ("(body) = (:v)", {":v": S("bee")}),
        ("NOT (body) = :v", {":v": S("x")}),
        ("((size(body)) = :v)", {":v": N(3)}),
        ("(body = :v) AND (amount) >= (:w)", {":v": S("bee"), ":w": N(1)}),
        ("(body) BETWEEN (:v) AND (:w)", {":v": S("a"), ":w": S("c")}),
        ("(body) IN ((:v), :w)", {":v": S("bee"), ":w": S("x")}),
        ("size((body)) = :v", {":v": N(3)}),
        ("contains((body), (:v))", {":v": S("ee")}),
        ("attribute_exists((body))", {}),
        ("begins_with(:v, body)", {":v": S("beetle")}),
        ("contains(:v, body)", {":v": {"SS": ["bee", "x"]}}),
        ("attribute_type(:v, :w)", {":v": S("x"), ":w": S("S")}),
        ("size(:v) > size(body)", {":v": S("four")}),
        ("NOT (NOT (NOT (absent = :v)))", {":v": S("x")}),
        ("amount IN (:v) OR (absent = :v AND (body = :v OR (body = :w)))", {":v": N("1.5"), ":w": S("x")}),
        ("NOT " * 298 + "body = :v", {":v": S("bee")}),
        ("NOT (" * 298 + "body = :v" + ")" * 298, {":v": S("bee")}),
        ("(body = :v AND " * 149 + "body = :v" + ")" * 149, {":v": S("bee")}),
        (" OR ".join(["body = :v"] * 150), {":v": S("bee")}),
        ("absent" + ".x" * 31 + " <> :v", {":v": N(1)}),
        ("absent[2147483647] <> :v", {":v": N(1)}),
        ("absent <> :v", {":v": NESTED_32}),
    ],
)  # fmt: skip
def test_it_holds(client, expression, values):
    """
    The write goes through.
    """
    check(client, expression, values)


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("attribute_exists(absent)", {}),
        ("attribute_not_exists(body)", {}),
        ("attribute_type(body, :v)", {":v": S("N")}),
        ("body = :v", {":v": S("Bee")}),
        ("amount = :v", {":v": S("1.5")}),
        ("absent = :v", {":v": S("x")}),
        ("absent < :v", {":v": S("x")}),
        ("body < :v", {":v": N(1)}),
        ("body > :v", {":v": N(1)}),
        ("amount > :v", {":v": N("1.5")}),
        ("tags = :v", {":v": {"SS": ["u"]}}),
        ("amount BETWEEN :low AND :high", {":low": N(2), ":high": N(3)}),
        ("absent BETWEEN :low AND :high", {":low": N(2), ":high": N(3)}),
        ("body IN (:v, :w)", {":v": S("x"), ":w": N(1)}),
        ("begins_with(body, :v)", {":v": S("ee")}),
        ("begins_with(amount, :v)", {":v": S("1")}),
        ("contains(tags, :v)", {":v": S("w")}),
        ("contains(tags, :v)", {":v": N(1)}),
        ("contains(body, :v)", {":v": N(1)}),
        ("contains(absent, :v)", {":v": S("x")}),
        ("size(absent) >= :v", {":v": N(0)}),
        ("size(amount) >= :v", {":v": N(0)}),
        ("deep.parts[9] = :v", {":v": S("p")}),
        ("attribute_exists(body) AND attribute_exists(absent)", {}),
        ("attribute_exists(absent) OR attribute_exists(gone)", {}),
        ("begins_with(:v, body)", {":v": S("be")}),
        ("contains(:v, body)", {":v": N(1)}),
        ("attribute_type(:v, :w)", {":v": S("x"), ":w": S("N")}),
        ("NOT " * 299 + "body = :v", {":v": S("bee")}),
    ],
)
def test_it_does_not_hold(client, expression, values):
    """
    The write is refused as a failed condition, not as an invalid one.
    """
    assert code(lambda: check(client, expression, values)) == "ConditionalCheckFailedException"


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("", {}),
        ("body", {}),
        ("body =", {}),
        ("body == :v", {":v": S("x")}),
        ("body = :v AND", {":v": S("x")}),
        ("body = :v)", {":v": S("x")}),
        ("(body = :v", {":v": S("x")}),
        ("((body = :v))", {":v": S("x")}),
        ("body = 1", {}),
        ("body = 'x'", {}),
        ("bo-dy = :v", {":v": S("x")}),
        ("_body = :v", {":v": S("x")}),
        ("body = :undefined", {}),
        ("#absent = :v", {":v": S("x")}),
        ("body = :v", {":v": S("x"), ":unused": S("y")}),
        ("attribute_exists(body)", {":unused": S("y")}),
        ("status = :v", {":v": S("x")}),
        ("attribute_not_exists(timestamp)", {}),
        ("deep.data = :v", {":v": S("x")}),
        ("Attribute_Exists(body)", {}),
        ("is_fine(body)", {}),
        ("attribute_exists(body, flag)", {}),
        ("attribute_exists(:v)", {":v": S("x")}),
        ("begins_with(body, :v)", {":v": N(1)}),
        ("attribute_type(body, :v)", {":v": S("TEXT")}),
        ("flag < :v", {":v": {"BOOL": True}}),
        ("tags > :v", {":v": {"SS": ["a"]}}),
        ("amount BETWEEN :low AND :high", {":low": N(3), ":high": N(2)}),
        ("amount BETWEEN :low AND :high", {":low": N(1), ":high": S("2")}),
        ("size(body)", {}),
        ("body = body", {}),
        ("contains(body, body)", {}),
        ("if_not_exists(body, :v)", {":v": S("x")}),
        ("((body)) = :v", {":v": S("bee")}),
        ("((size(body))) = :v", {":v": N(3)}),
        ("(((body = :v)))", {":v": S("bee")}),
        ("(NOT body) = :v", {":v": S("bee")}),
        ("(body)", {}),
        ("(body = :v) = :v", {":v": S("bee")}),
        ("body = :v AND (amount)", {":v": S("bee")}),
        ("size(size(body)) = :v", {":v": N(3)}),
        ("size(" * 680 + "body", {}),
        ("size(" * 680 + "body" + ")" * 680 + " = :v", {":v": N(3)}),
        ("size((" * 300 + "body" + "))" * 300 + " = :v", {":v": N(3)}),
        ("(" * 100 + "body = :v" + ")" * 100, {":v": S("bee")}),
        ("begins_with(body, size(body))", {}),
        ("begins_with(:v, body)", {":v": N(1)}),
        ("size(:v) = :v", {":v": N(1)}),
        ("size(:v) <> :w", {":v": {"BOOL": True}, ":w": N(1)}),
        ("body BETWEEN body AND :v", {":v": S("c")}),
        ("body IN (:v, body)", {":v": S("c")}),
        (" OR ".join(["body = :v"] * 151), {":v": S("bee")}),
        (" AND ".join(["size(body) = :v"] * 101), {":v": N(3)}),
        ("NOT " * 300 + "body = :v", {":v": S("bee")}),
        ("absent" + ".x" * 32 + " <> :v", {":v": N(1)}),
        ("absent" + "[0]" * 32 + " <> :v", {":v": N(1)}),
        ("absent[2147483648] <> :v", {":v": N(1)}),
        ("deep.parts[00] = :v", {":v": S("p")}),
        ("body <> :v", {":v": {"L": [NESTED_32]}}),
        ("body = :" + "v" * 255, {":" + "v" * 255: S("bee")}),
    ],
)
def test_it_is_refused(client, expression, values):
    """
    An invalid condition, a reserved word, and a value that is unused or undefined are ValidationExceptions.
    """
    assert code(lambda: check(client, expression, values)) == "ValidationException"


def test_names_stand_for_attributes(client):
    """
    A `#name` may stand for a reserved word, for a name with a dot, and for a part of a path.
    """
    put(client, thing("ann", 2, **{"data": N(1), "a.b": N(2)}))

    client.delete_item(
        TableName=THINGS,
        Key=key("ann", 2),
        ConditionExpression="#d = :one AND #dot = :two AND attribute_not_exists(#d.#dot)",
        ExpressionAttributeNames={"#d": "data", "#dot": "a.b"},
        ExpressionAttributeValues={":one": N(1), ":two": N(2)},
    )


def test_an_unused_name_is_refused(client):
    """
    Names that no expression uses are a mistake.
    """
    assert code(lambda: check(client, "attribute_exists(body)", {}, {"#x": "y"})) == "ValidationException"


@pytest.mark.parametrize(
    ("name", "attribute"),
    [("#" + "n" * 255, "body"), ("#n", ""), ("#n", "x" * 65_536)],
)
def test_a_name_has_bounds(client, name, attribute):
    """
    A `#name` has up to 255 characters, and stands for 1 to 65,535 bytes.
    """
    assert code(lambda: check(client, f"attribute_exists({name})", {}, {name: attribute})) == "ValidationException"
    check(client, f"attribute_exists({name[:255]})", {}, {name[:255]: "body"})
    check(client, f"attribute_not_exists({name[:255]})", {}, {name[:255]: "x" * 65_535})


def test_names_and_values_need_an_expression(client):
    """
    Names and values without any expression, or empty ones, are refused.
    """
    bare = [
        {"ExpressionAttributeValues": {":v": S("x")}},
        {"ExpressionAttributeNames": {"#n": "x"}},
        {"ExpressionAttributeValues": {}, "ConditionExpression": "attribute_exists(body)"},
        {"ExpressionAttributeNames": {}, "ConditionExpression": "attribute_exists(body)"},
    ]

    refused = [code(lambda more=more: client.put_item(TableName=THINGS, Item=ITEM, **more)) for more in bare]

    assert refused == ["ValidationException"] * 4
