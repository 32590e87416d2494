"""Global secondary indexes: what is in them, in which order, and how they follow."""

import pytest

from tests.contract.dynamodb.shapes import BY_COLOUR, THINGS, N, S, code, create_things, key, numbers, put, thing

GSI_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html"
pytestmark = pytest.mark.aws_differs(
    page=GSI_PAGE, does="updates an index after the write, so that a read right behind it may not see it"
)


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def find(client, colour="red", condition="", values=None, **further):
    return client.query(
        TableName=THINGS,
        IndexName=BY_COLOUR,
        KeyConditionExpression=f"colour = :c{condition}",
        ExpressionAttributeValues={":c": S(colour), **(values or {})},
        **further,
    )


def test_items_are_found_by_the_index_key_in_its_order(client):
    """
    The things of one colour, by weight, over all owners; only keys are kept.
    """
    put(
        client,
        thing("ann", 1, colour=S("red"), weight=N(30), note=S("x")),
        thing("bob", 2, colour=S("red"), weight=N(4)),
        thing("cid", 3, colour=S("blue"), weight=N(5)),
    )

    assert find(client)["Items"] == [
        thing("bob", 2, colour=S("red"), weight=N(4)),
        thing("ann", 1, colour=S("red"), weight=N(30)),
    ]
    assert numbers(find(client, condition=" AND weight > :w", values={":w": N(4)})) == ["1"]
    assert numbers(find(client, ScanIndexForward=False)) == ["1", "2"]


def test_an_item_without_the_index_key_is_not_in_it(client):
    """
    An index is sparse: an item needs all of its key to be there.
    """
    put(client, thing("ann", 1, colour=S("red")), thing("ann", 2, weight=N(1)))

    assert find(client)["Items"] == []


def test_it_follows_puts_updates_and_deletes(client):
    """
    An entry comes, moves and goes with its item.
    """
    put(client, thing("ann", 1, colour=S("red"), weight=N(1)))
    put(client, thing("ann", 1, colour=S("blue"), weight=N(1)))
    assert (numbers(find(client)), numbers(find(client, "blue"))) == ([], ["1"])

    client.update_item(
        TableName=THINGS,
        Key=key("ann", 1),
        UpdateExpression="SET colour = :c",
        ExpressionAttributeValues={":c": S("red")},
    )
    assert (numbers(find(client)), numbers(find(client, "blue"))) == (["1"], [])

    client.update_item(TableName=THINGS, Key=key("ann", 1), UpdateExpression="REMOVE weight")
    assert numbers(find(client)) == []

    put(client, thing("ann", 1, colour=S("red"), weight=N(1)))
    client.delete_item(TableName=THINGS, Key=key("ann", 1))
    assert numbers(find(client)) == []


@pytest.mark.parametrize("forward", [True, False])
def test_pages_join_also_among_equal_keys(client, forward):
    """
    Many items may share one index key; pages give each of them once.
    """
    put(client, *(thing(f"owner-{place % 5}", place, colour=S("red"), weight=N(7)) for place in range(20)))

    found, further = [], {}
    for _ in range(20):
        reply = find(client, Limit=3, ScanIndexForward=forward, **further)
        found += numbers(reply)
        if "LastEvaluatedKey" not in reply:
            break
        assert set(reply["LastEvaluatedKey"]) == {"owner_id", "num", "colour", "weight"}
        further = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}

    assert len(found) == 20
    assert set(found) == {str(place) for place in range(20)}


def test_a_projection_of_all_and_of_some(client):
    """
    ALL keeps every attribute; INCLUDE keeps the keys and the named ones.
    """
    client.create_table(
        TableName="shelf",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("id", "genre")],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": name,
                "KeySchema": [{"AttributeName": "genre", "KeyType": "HASH"}],
                "Projection": projection,
            }
            for name, projection in (
                ("with-all", {"ProjectionType": "ALL"}),
                ("with-some", {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["title"]}),
            )
        ],
    )
    book = {"id": S("1"), "genre": S("g"), "title": S("t"), "body": S("b")}
    client.put_item(TableName="shelf", Item=book)

    def read(index):
        return client.query(
            TableName="shelf",
            IndexName=index,
            KeyConditionExpression="genre = :g",
            ExpressionAttributeValues={":g": S("g")},
        )["Items"]

    assert read("with-all") == [book]
    assert read("with-some") == [{"id": S("1"), "genre": S("g"), "title": S("t")}]


@pytest.mark.parametrize(
    "further",
    [
        {"ConsistentRead": True},
        {"Select": "ALL_ATTRIBUTES"},
        {"ProjectionExpression": "note"},
        {"ExclusiveStartKey": key("ann", 1)},
        {"Limit": -1},
    ],
)
def test_it_is_refused(client, further):
    """
    An index reads neither consistently nor what it does not keep.
    """
    assert code(lambda: find(client, **further)) == "ValidationException"


def test_a_filter_on_what_the_index_lacks_is_refused(client):
    """
    A filter sees what the index keeps, and no more.
    """
    refused = code(lambda: find(client, values={":n": S("x")}, FilterExpression="note = :n"))

    assert refused == "ValidationException"
