"""Single items: put, get, update, delete."""

import pytest

from tests.contract.dynamodb.shapes import BY_COLOUR, THINGS, N, S, code, create_things, get, key, put, refusal, thing

QUOTAS_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html"
GET_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_GetItem.html"


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def test_an_item_is_found_by_its_key(client):
    """
    A put item comes back whole, and only under its own key.
    """
    put(client, thing("ann", 1, note=S("first"), tags={"SS": ["a"]}, deep={"M": {"parts": {"L": [N(1), S("x")]}}}))

    assert get(client, "ann", 1) == {
        "owner_id": {"S": "ann"},
        "num": {"N": "1"},
        "note": {"S": "first"},
        "tags": {"SS": ["a"]},
        "deep": {"M": {"parts": {"L": [{"N": "1"}, {"S": "x"}]}}},
    }
    assert get(client, "ann", 2) is None
    assert get(client, "bob", 1) is None


def test_all_types_survive(client):
    """
    Every attribute type comes back as it went in.
    """
    values = {
        "text": {"S": ""},
        "negative": {"N": "-12.5"},
        "binary": {"B": b"\x00\xff"},
        "yes": {"BOOL": True},
        "no": {"BOOL": False},
        "nothing": {"NULL": True},
        "parts": {"L": []},
        "map": {"M": {}},
        "texts": {"SS": ["only"]},
        "numbers": {"NS": ["7"]},
        "binaries": {"BS": [b"\x01"]},
    }
    put(client, thing("ann", 1, **values))

    assert get(client, "ann", 1) == {**key("ann", 1), **values}


def test_put_replaces_the_whole_item(client):
    """
    A second put leaves nothing of the first; ALL_OLD gives it back.
    """
    put(client, thing("ann", 1, note=S("first")))

    reply = client.put_item(TableName=THINGS, Item=thing("ann", 1, other=S("second")), ReturnValues="ALL_OLD")

    assert reply["Attributes"] == thing("ann", 1, note=S("first"))
    assert get(client, "ann", 1) == thing("ann", 1, other=S("second"))


def test_old_values_of_an_absent_item_are_absent(client):
    """
    ALL_OLD of a first put has no Attributes at all.
    """
    assert "Attributes" not in client.put_item(TableName=THINGS, Item=thing("ann", 1), ReturnValues="ALL_OLD")
    assert "Attributes" not in client.delete_item(TableName=THINGS, Key=key("bob", 1), ReturnValues="ALL_OLD")


def test_a_key_is_the_same_however_its_number_is_written(client):
    """
    1, 1.0 and 1E0 are one key.
    """
    put(client, thing("ann", "1.0", note=S("first")))
    put(client, thing("ann", "1E0", note=S("second")))

    assert get(client, "ann", 1) == thing("ann", 1, note=S("second"))


def test_an_absent_item_gives_no_item_member(client):
    """
    GetItem of nothing is a reply without Item.
    """
    assert "Item" not in client.get_item(TableName=THINGS, Key=key("nobody", 1))


def test_a_projection_gives_the_named_parts(client):
    """
    Only the named attributes and parts come back; what is absent is left out.
    """
    put(client, thing("ann", 1, note=S("x"), deep={"M": {"a": N(1), "b": {"L": [S("p"), S("q"), S("r")]}}}))

    reply = client.get_item(
        TableName=THINGS, Key=key("ann", 1), ProjectionExpression="deep.a, deep.b[2], deep.b[0], absent, #n",
        ExpressionAttributeNames={"#n": "note"},
    )  # fmt: skip

    assert reply["Item"] == {"note": S("x"), "deep": {"M": {"a": N(1), "b": {"L": [S("p"), S("r")]}}}}


def test_a_projection_of_nothing_gives_an_empty_item(client):
    """
    The item is there, but has none of the named attributes.
    """
    put(client, thing("ann", 1))

    assert client.get_item(TableName=THINGS, Key=key("ann", 1), ProjectionExpression="absent")["Item"] == {}


def test_delete_removes_and_gives_back(client):
    """
    A deleted item is gone, and ALL_OLD gives what it was; deleting nothing is not an error.
    """
    put(client, thing("ann", 1, note=S("x")))

    reply = client.delete_item(TableName=THINGS, Key=key("ann", 1), ReturnValues="ALL_OLD")

    assert reply["Attributes"] == thing("ann", 1, note=S("x"))
    assert get(client, "ann", 1) is None
    client.delete_item(TableName=THINGS, Key=key("ann", 1))


def test_a_failed_condition_changes_nothing(client):
    """
    The put is refused, with the item that is there if that was asked for.
    """
    put(client, thing("ann", 1, note=S("first")))

    response = refusal(
        lambda: client.put_item(
            TableName=THINGS,
            Item=thing("ann", 1, note=S("second")),
            ConditionExpression="attribute_not_exists(owner_id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    )

    assert response["Error"]["Code"] == "ConditionalCheckFailedException"
    assert response["Item"] == thing("ann", 1, note=S("first"))
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert get(client, "ann", 1) == thing("ann", 1, note=S("first"))


def test_a_failed_condition_gives_no_item_unasked(client):
    """
    Without ALL_OLD, or where nothing was, the refusal has no Item.
    """
    put(client, thing("ann", 1))

    unasked = refusal(
        lambda: client.delete_item(
            TableName=THINGS, Key=key("ann", 1), ConditionExpression="attribute_not_exists(owner_id)"
        )
    )
    absent = refusal(
        lambda: client.delete_item(
            TableName=THINGS,
            Key=key("bob", 1),
            ConditionExpression="attribute_exists(owner_id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    )

    assert "Item" not in unasked
    assert "Item" not in absent


def test_the_exception_has_the_class_of_its_code(client):
    """
    A refusal can be caught by `client.exceptions`.
    """
    with pytest.raises(client.exceptions.ConditionalCheckFailedException):
        client.put_item(TableName=THINGS, Item=thing("a", 1), ConditionExpression="attribute_exists(owner_id)")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_table(TableName="missing")


@pytest.mark.parametrize(
    "item",
    [
        pytest.param({"owner_id": S("ann")}, id="no-sort-key"),
        pytest.param({"num": N(1)}, id="no-partition-key"),
        pytest.param({"owner_id": N(1), "num": N(1)}, id="partition-key-type"),
        pytest.param({"owner_id": S("ann"), "num": S("1")}, id="sort-key-type"),
        pytest.param({"owner_id": S(""), "num": N(1)}, id="empty-key"),
        pytest.param({"owner_id": S("x" * 2049), "num": N(1)}, id="long-key"),
        pytest.param(thing("ann", 1, colour=N(1)), id="index-key-type"),
        pytest.param(thing("ann", 1, colour=S("red"), weight=S("1")), id="index-sort-key-type"),
        pytest.param(thing("ann", 1, colour=S(""), weight=N(1)), id="empty-index-key"),
        pytest.param(thing("ann", 1, body=S("x" * 409_600)), id="item-over-400-KB"),
        pytest.param(thing("ann", 1, bad={}), id="value-without-type"),
        pytest.param(thing("ann", 1, bad={"S": "a", "N": "1"}), id="value-with-two-types"),
        pytest.param(thing("ann", 1, bad={"SS": []}), id="empty-set"),
        pytest.param(thing("ann", 1, bad={"SS": ["a", "a"]}), id="duplicates-in-set"),
        pytest.param(thing("ann", 1, bad={"NS": ["1", "1.0"]}), id="equal-numbers-in-set"),
        pytest.param(thing("ann", 1, bad={"NULL": False}), id="null-false"),
        pytest.param(thing("ann", 1, bad=N("one")), id="not-a-number"),
        pytest.param(thing("ann", 1, bad=N("")), id="empty-number"),
        pytest.param(thing("ann", 1, bad=N("1" * 39)), id="39-digits"),
        pytest.param(thing("ann", 1, bad=N("1E126")), id="overflow"),
        pytest.param(thing("ann", 1, bad=N("1E-131")), id="underflow"),
        pytest.param(thing("ann", 1, **{"": N(1)}), id="empty-name"),
        pytest.param(thing("ann", 1, deep={"M": {"parts": {"L": [{"M": {"": N(1)}}]}}}), id="empty-name-within"),
        pytest.param(thing("ann", 1, colour=S("x" * 2049)), id="long-index-key"),
        pytest.param(thing("ann", 1, colour=S("x" * 2049), weight=N(1)), id="long-index-key-of-an-entry"),
    ],
)  # fmt: skip
def test_an_unfit_item_is_refused(client, item):
    """
    What a table cannot take is a ValidationException, and nothing is stored.
    """
    assert code(lambda: client.put_item(TableName=THINGS, Item=item)) == "ValidationException"
    assert client.scan(TableName=THINGS)["Count"] == 0


@pytest.mark.local_differs(
    page=QUOTAS_PAGE, does="fails with an InternalFailure at an attribute's name of 65,535 bytes"
)
def test_a_name_has_less_than_64_kib(client):
    """
    The name of an attribute may have 65,535 bytes and no more, wherever it stands.
    """
    put(client, thing("ann", 1, **{"é" * 32_767 + "e": N(1)}))
    unfit = [{"é" * 32_768: N(1)}, {"deep": {"M": {"x" * 65_536: N(1)}}}]

    assert [code(lambda more=more: put(client, thing("ann", 2, **more))) for more in unfit] == [
        "ValidationException"
    ] * 2


def test_an_item_may_have_400_kb(client):
    """
    Names and values together may reach 409,600 bytes exactly.
    """
    overhead = len("owner_id") + len("ann") + len("num") + 2 + len("body")
    put(client, thing("ann", 1, body=S("x" * (409_600 - overhead))))

    assert code(lambda: put(client, thing("ann", 2, body=S("x" * (409_601 - overhead))))) == "ValidationException"


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"owner_id": S("ann")}, id="no-sort-key"),
        pytest.param({"owner_id": S("ann"), "num": S("1")}, id="wrong-type"),
        pytest.param({**key("ann", 1), "more": S("x")}, id="one-too-many"),
        pytest.param({"owner_id": S("ann"), "number": N(1)}, id="other-name"),
        pytest.param({"owner_id": S(""), "num": N(1)}, id="empty"),
    ],
)
def test_a_key_that_does_not_fit_is_refused(client, wanted):
    """
    Get, update and delete need the key, the whole key and nothing but the key.
    """
    assert code(lambda: client.get_item(TableName=THINGS, Key=wanted)) == "ValidationException"
    assert code(lambda: client.delete_item(TableName=THINGS, Key=wanted)) == "ValidationException"
    assert code(lambda: client.update_item(TableName=THINGS, Key=wanted)) == "ValidationException"


def test_a_missing_table_is_not_found(client):
    """
    Every call on a table that is not there is a ResourceNotFoundException.
    """
    calls = [
        lambda: client.get_item(TableName="missing", Key=key("ann", 1)),
        lambda: client.put_item(TableName="missing", Item=thing("ann", 1)),
        lambda: client.delete_item(TableName="missing", Key=key("ann", 1)),
        lambda: client.update_item(TableName="missing", Key=key("ann", 1)),
        lambda: client.scan(TableName="missing"),
    ]

    assert {code(call) for call in calls} == {"ResourceNotFoundException"}


@pytest.mark.parametrize("returned", ["ALL_NEW", "UPDATED_NEW", "EVERYTHING"])
def test_put_returns_old_values_or_nothing(client, returned):
    """
    Only an update can give new values.
    """
    assert code(lambda: client.put_item(TableName=THINGS, Item=thing("a", 1), ReturnValues=returned)) == (
        "ValidationException"
    )


@pytest.mark.parametrize(
    "projection",
    [
        "",
        "deep, deep.x",
        "deep.parts[0], deep.parts",
        "note, note",
        "deep.x, deep[0]",
        "(note)",
        "note,",
        "deep" + ".x" * 32,
        "size(note)",
    ],
)
def test_an_unfit_projection_is_refused(client, projection):
    """
    Paths of at most 32 levels, none of which leads to, through or past another.
    """
    refused = [
        lambda: client.get_item(TableName=THINGS, Key=key("ann", 1), ProjectionExpression=projection),
        lambda: client.scan(TableName=THINGS, ProjectionExpression=projection),
        lambda: client.batch_get_item(
            RequestItems={THINGS: {"Keys": [key("ann", 1)], "ProjectionExpression": projection}}
        ),
        lambda: client.transact_get_items(
            TransactItems=[{"Get": {"TableName": THINGS, "Key": key("ann", 1), "ProjectionExpression": projection}}]
        ),
    ]

    assert [code(call) for call in refused] == ["ValidationException"] * 4


def test_attributes_to_get(client):
    """
    The older form of a projection: names of attributes, whole ones, where no expression is beside it.
    """
    put(client, thing("ann", 1, note=S("a"), deep={"M": {"x": N(1)}}, **{"deep.x": N(2)}))

    def read(*names, **further):
        return client.get_item(TableName=THINGS, Key=key("ann", 1), AttributesToGet=list(names), **further)["Item"]

    assert read("note", "absent") == {"note": S("a")}
    assert read("deep.x") == {"deep.x": N(2)}
    assert client.scan(TableName=THINGS, AttributesToGet=["note"])["Items"] == [{"note": S("a")}]
    in_batch = {THINGS: {"Keys": [key("ann", 1)], "AttributesToGet": ["note"]}}
    assert client.batch_get_item(RequestItems=in_batch)["Responses"][THINGS] == [{"note": S("a")}]
    refused = [
        lambda: read("note", "note"),
        lambda: read(""),
        lambda: read("note", ProjectionExpression="note"),
        lambda: client.scan(TableName=THINGS, AttributesToGet=["note"], Select="COUNT"),
        lambda: client.scan(TableName=THINGS, AttributesToGet=["note"], FilterExpression="attribute_exists(note)"),
        lambda: client.scan(TableName=THINGS, AttributesToGet=["note"], IndexName=BY_COLOUR),
    ]
    assert [code(call) for call in refused] == ["ValidationException"] * 6


@pytest.mark.local_differs(page=GET_PAGE, does="takes an empty list for none")
def test_attributes_to_get_are_at_least_one(client):
    """
    An empty list is refused, so that it is not taken for everything.
    """
    read = lambda: client.get_item(TableName=THINGS, Key=key("ann", 1), AttributesToGet=[])  # noqa: E731

    assert code(read) == "ValidationException"
