"""Local secondary indexes: another order within a partition, as fresh as the table, and with all that the table has."""

import pytest

from tests.contract.dynamodb.shapes import N, S, code

TABLE = "letters"
ROWS = [("1", "z"), ("2", "y"), ("3", "x"), ("4", None), ("5", "x")]
WHOLE = {"ProjectionType": "ALL"}


def by(name, sort, projection=WHOLE, partition="box"):
    """Return a local index."""
    key_schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    if sort is not None:
        key_schema.append({"AttributeName": sort, "KeyType": "RANGE"})
    return {"IndexName": name, "KeySchema": key_schema, "Projection": projection}


def request(*indexes, sort="place", further=("letter",)):
    """Return a request for a table with these indexes."""
    keys = [("box", "HASH")] if sort is None else [("box", "HASH"), (sort, "RANGE")]
    names = [name for name, _ in keys] + list(further)
    return {
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in names],
        "LocalSecondaryIndexes": list(indexes),
    }


def row(number, letter=None, box="b"):
    attributes = {"box": S(box), "place": S(number), "note": S("n" * 10), "size_of": N(number)}
    return attributes if letter is None else {**attributes, "letter": S(letter)}


@pytest.fixture
def letters(client):
    client.create_table(
        **request(
            by("whole", "letter"),
            by("keys", "letter", {"ProjectionType": "KEYS_ONLY"}),
            by("some", "letter", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["size_of"]}),
        )
    )
    client.get_waiter("table_exists").wait(TableName=TABLE)
    for number, letter in ROWS:
        client.put_item(TableName=TABLE, Item=row(number, letter))
    client.put_item(TableName=TABLE, Item=row("1", "w", box="other"))
    return client


def query(client, index, condition="box = :b", values=None, **further):
    return client.query(
        TableName=TABLE,
        IndexName=index,
        KeyConditionExpression=condition,
        ExpressionAttributeValues={":b": S("b"), **(values or {})},
        **further,
    )


def numbers(reply):
    return [item["place"]["S"] for item in reply["Items"]]


@pytest.mark.parametrize("index", ["whole", "keys", "some"])
@pytest.mark.parametrize("consistent", [True, False])
def test_items_come_in_the_order_of_the_index(letters, index, consistent):
    """
    By the index's sort key, then by the table's; without the items that lack it, and of one partition only.
    """
    assert numbers(query(letters, index, ConsistentRead=consistent)) == ["3", "5", "2", "1"]
    assert numbers(query(letters, index, ScanIndexForward=False)) == ["1", "2", "5", "3"]
    assert numbers(query(letters, index, "box = :b AND letter > :l", {":l": S("x")})) == ["2", "1"]
    assert letters.scan(TableName=TABLE, IndexName=index, ConsistentRead=consistent, Select="COUNT")["Count"] == 5


def test_pages_join_also_among_equal_keys(letters):
    """
    A place has the keys of the table and of the index.
    """
    first = query(letters, "keys", Limit=1)
    assert first["LastEvaluatedKey"] == {"box": S("b"), "place": S("3"), "letter": S("x")}
    assert numbers(query(letters, "keys", ExclusiveStartKey=first["LastEvaluatedKey"])) == ["5", "2", "1"]
    place = {"box": S("b"), "place": S("3")}
    assert code(lambda: query(letters, "keys", ExclusiveStartKey=place)) == "ValidationException"


def test_it_follows_the_table(letters):
    """
    A changed key moves an item, a removed one takes it out, a deletion too.
    """
    target = {"TableName": TABLE, "Key": {"box": S("b"), "place": S("3")}}
    letters.update_item(**target, UpdateExpression="SET letter = :l", ExpressionAttributeValues={":l": S("zz")})
    assert numbers(query(letters, "some", ConsistentRead=True)) == ["5", "2", "1", "3"]
    letters.update_item(**target, UpdateExpression="REMOVE letter")
    assert numbers(query(letters, "some", ConsistentRead=True)) == ["5", "2", "1"]
    letters.delete_item(TableName=TABLE, Key={"box": S("b"), "place": S("5")})
    assert numbers(query(letters, "some", ConsistentRead=True)) == ["2", "1"]


@pytest.mark.parametrize(
    ("index", "further", "names"),
    [
        ("whole", {}, {"box", "place", "letter", "note", "size_of"}),
        ("keys", {}, {"box", "place", "letter"}),
        ("some", {}, {"box", "place", "letter", "size_of"}),
        ("keys", {"Select": "ALL_PROJECTED_ATTRIBUTES"}, {"box", "place", "letter"}),
        ("keys", {"Select": "ALL_ATTRIBUTES"}, {"box", "place", "letter", "note", "size_of"}),
        ("keys", {"ProjectionExpression": "note"}, {"note"}),
        ("some", {"ProjectionExpression": "size_of, note"}, {"note", "size_of"}),
    ],
)
def test_what_it_does_not_keep_comes_from_the_table(letters, index, further, names):
    """
    Unasked it gives what it keeps; asked, everything.
    """
    assert {frozenset(item) for item in query(letters, index, **further)["Items"]} == {frozenset(names)}


def test_a_filter_sees_what_the_index_keeps(letters):
    """
    Of its own key there is none, and none of what it lacks; the table's sort key is fine.
    """
    assert numbers(query(letters, "some", values={":n": N(2)}, FilterExpression="size_of > :n")) == ["3", "5"]
    assert numbers(query(letters, "keys", values={":n": S("2")}, FilterExpression="place > :n")) == ["3", "5"]
    refused = [("keys", "size_of > :n"), ("keys", "letter > :n"), ("whole", "letter > :n")]
    for index, expression in refused:
        asked = {"values": {":n": S("2")}, "FilterExpression": expression}
        assert code(lambda index=index, asked=asked: query(letters, index, **asked)) == "ValidationException"


def test_it_is_charged_by_itself(letters):
    """
    A write of each index that it changes, a read of the index, and one of the table for each item that is fetched.
    """
    told = {"ReturnConsumedCapacity": "INDEXES"}
    put = letters.put_item(TableName=TABLE, Item=row("9", "m"), **told)["ConsumedCapacity"]
    assert (put["CapacityUnits"], put["Table"]["CapacityUnits"]) == (4, 1)
    assert put["LocalSecondaryIndexes"] == {name: {"CapacityUnits": 1} for name in ("whole", "keys", "some")}
    kept = query(letters, "keys", **told)["ConsumedCapacity"]
    assert (kept["Table"]["CapacityUnits"], kept["LocalSecondaryIndexes"]) == (0, {"keys": {"CapacityUnits": 0.5}})
    fetched = query(letters, "keys", ProjectionExpression="note", **told)["ConsumedCapacity"]
    assert (fetched["CapacityUnits"], fetched["Table"]["CapacityUnits"]) == (3, 2.5)


@pytest.mark.parametrize("letter", [N(1), S(""), S("x" * 1025)])
def test_an_item_that_cannot_stand_in_it_is_refused(letters, letter):
    """
    Its sort key has a type, is not empty, and has at most 1,024 bytes.
    """
    item = {**row("1"), "letter": letter}

    assert code(lambda: letters.put_item(TableName=TABLE, Item=item)) == "ValidationException"


def test_it_is_described(letters):
    """
    Beside the global ones, without a status: it is there as long as its table.
    """
    described = letters.describe_table(TableName=TABLE)["Table"]

    found = {index["IndexName"]: index for index in described["LocalSecondaryIndexes"]}
    assert set(found) == {"whole", "keys", "some"}
    assert found["some"]["KeySchema"] == by("some", "letter")["KeySchema"]
    assert found["some"]["Projection"] == {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["size_of"]}
    assert "IndexStatus" not in found["some"]
    assert "GlobalSecondaryIndexes" not in described


@pytest.mark.parametrize(
    "unfit",
    [
        pytest.param(request(by("by-letter", "letter", partition="place")), id="other-partition"),
        pytest.param(request(by("by-letter", None), further=()), id="no-sort-key"),
        pytest.param(request(by("by-letter", "letter"), sort=None), id="table-without-sort-key"),
        pytest.param(request(by("by-letter", "letter"), by("by-letter", "letter")), id="one-name-twice"),
        pytest.param(request(by("x", "letter")), id="short-name"),
        pytest.param(
            request(*(by(f"by-{name}", name) for name in "cdefgh"), further="cdefgh"),
            id="six",
        ),
        pytest.param(
            {
                **request(by("by-letter", "letter")),
                "GlobalSecondaryIndexes": [by("by-letter", None, partition="letter")],
            },
            id="name-of-a-global-one",
        ),
    ],
)
def test_an_unfit_one_is_refused(client, unfit):
    """
    The table's partition, a sort key of its own, up to five of different names.
    """
    assert code(lambda: client.create_table(**unfit)) == "ValidationException"
    assert client.list_tables()["TableNames"] == []
