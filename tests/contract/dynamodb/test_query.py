"""Query: key ranges, order, pages, filters."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, N, S, code, create_things, key, numbers, put, thing

CONSISTENCY_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html"
pytestmark = pytest.mark.aws_differs(
    page=CONSISTENCY_PAGE, does="may answer an eventually consistent read from before the write"
)


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)
    put(client, *(thing("ann", number, note=S("x" * number)) for number in range(1, 7)))
    put(client, thing("bob", 1))


def query(client, condition="owner_id = :o", values=None, **further):
    return client.query(
        TableName=THINGS,
        KeyConditionExpression=condition,
        ExpressionAttributeValues={":o": S("ann"), **(values or {})},
        **further,
    )


@pytest.mark.parametrize(
    ("condition", "values", "found"),
    [
        ("owner_id = :o", {}, ["1", "2", "3", "4", "5", "6"]),
        ("owner_id = :o AND num = :n", {":n": N(3)}, ["3"]),
        ("owner_id = :o AND num < :n", {":n": N(3)}, ["1", "2"]),
        ("owner_id = :o AND num <= :n", {":n": N(3)}, ["1", "2", "3"]),
        ("owner_id = :o AND num > :n", {":n": N("4.5")}, ["5", "6"]),
        ("owner_id = :o AND num >= :n", {":n": N(5)}, ["5", "6"]),
        ("owner_id = :o AND num BETWEEN :n AND :m", {":n": N(2), ":m": N(4)}, ["2", "3", "4"]),
        ("num >= :n AND owner_id = :o", {":n": N(6)}, ["6"]),
        ("(owner_id = :o) AND (num > :n)", {":n": N(6)}, []),
        (":o = owner_id", {}, ["1", "2", "3", "4", "5", "6"]),
        (":o = owner_id AND :n = num", {":n": N(3)}, ["3"]),
        ("owner_id = :o AND :n > num", {":n": N(3)}, ["1", "2"]),
        ("owner_id = :o AND :n >= num", {":n": N(3)}, ["1", "2", "3"]),
        ("owner_id = :o AND :n < num", {":n": N(4)}, ["5", "6"]),
        (":n <= num AND :o = owner_id", {":n": N(5)}, ["5", "6"]),
        ("((:o = owner_id) AND ((num) <= (:n)))", {":n": N(2)}, ["1", "2"]),
        ("(owner_id) = (:o) AND (num) BETWEEN (:n) AND (:n)", {":n": N(2)}, ["2"]),
    ],
)
def test_it_finds_a_range(client, condition, values, found):
    """
    The things of one owner within a range of numbers, in order.
    """
    reply = query(client, condition, values)

    assert numbers(reply) == found
    assert (reply["Count"], reply["ScannedCount"]) == (len(found), len(found))
    assert "LastEvaluatedKey" not in reply


def test_it_walks_backwards(client):
    """
    With ScanIndexForward=False the greatest comes first.
    """
    reply = query(client, "owner_id = :o AND num < :n", {":n": N(4)}, ScanIndexForward=False)

    assert numbers(reply) == ["3", "2", "1"]


@pytest.mark.parametrize("forward", [True, False])
def test_pages_join_without_gap_or_repeat(client, forward):
    """
    LastEvaluatedKey leads from page to page to the end.
    """
    pages, further = [], {}
    for _ in range(10):
        reply = query(client, Limit=2, ScanIndexForward=forward, **further)
        pages.append(numbers(reply))
        if "LastEvaluatedKey" not in reply:
            break
        further = {"ExclusiveStartKey": reply["LastEvaluatedKey"]}

    in_order = [["1", "2"], ["3", "4"], ["5", "6"], []]
    assert pages == (in_order if forward else [["6", "5"], ["4", "3"], ["2", "1"], []])


def test_a_full_last_page_has_a_last_key(client):
    """
    Whether more follows is not looked at: a page that reaches its limit names its last key.
    """
    assert query(client, Limit=6)["LastEvaluatedKey"] == key("ann", 6)
    assert "LastEvaluatedKey" not in query(client, Limit=7)


def test_a_page_can_start_after_a_key_that_is_not_there(client):
    """
    The start key is a place, not an item: it may have been deleted meanwhile.
    """
    client.delete_item(TableName=THINGS, Key=key("ann", 3))

    assert numbers(query(client, ExclusiveStartKey=key("ann", 3))) == ["4", "5", "6"]
    assert numbers(query(client, ExclusiveStartKey=key("ann", "4.5"), ScanIndexForward=False)) == ["4", "2", "1"]


def test_a_page_ends_at_one_megabyte(client):
    """
    A page ends once it has 1 MB of items, whatever the limit says.
    """
    put(client, *(thing("big", number, body=S("x" * 300_000)) for number in range(6)))

    reply = query(client, values={":o": S("big")})

    assert numbers(reply) == ["0", "1", "2", "3"]
    assert reply["LastEvaluatedKey"] == key("big", 3)


def test_a_filter_comes_after_the_limit(client):
    """
    Filtered items count as scanned, and an empty page can have a next one.
    """
    reply = query(client, values={":v": S("xxx")}, FilterExpression="note = :v", Limit=2)

    assert (reply["Items"], reply["Count"], reply["ScannedCount"]) == ([], 0, 2)
    assert reply["LastEvaluatedKey"] == key("ann", 2)
    assert numbers(query(client, values={":v": S("xxx")}, FilterExpression="note = :v")) == ["3"]


def test_a_count_has_no_items(client):
    """
    Select COUNT gives numbers only.
    """
    reply = query(client, "owner_id = :o AND num > :n", {":n": N(2)}, Select="COUNT")

    assert "Items" not in reply
    assert (reply["Count"], reply["ScannedCount"]) == (4, 4)


def test_a_projection_gives_the_named_parts(client):
    """
    Only the named attributes come back; LastEvaluatedKey is whole all the same.
    """
    reply = query(client, ProjectionExpression="note", Limit=1)

    assert reply["Items"] == [{"note": S("x")}]
    assert reply["LastEvaluatedKey"] == key("ann", 1)


def test_texts_sort_by_their_bytes(client):
    """
    Sort keys that are texts are ordered by UTF-8 bytes, and a prefix finds its range.
    """
    client.create_table(
        TableName="words",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("lang", "word")],
        KeySchema=[{"AttributeName": "lang", "KeyType": "HASH"}, {"AttributeName": "word", "KeyType": "RANGE"}],
    )
    words = ["zebra", "Zebra", "äpfel", "apple", "a", "ab", "\U0001f600", "\uffee", "app"]
    for word in words:
        client.put_item(TableName="words", Item={"lang": S("xx"), "word": S(word)})

    def find(condition, **values):
        reply = client.query(
            TableName="words",
            KeyConditionExpression=condition,
            ExpressionAttributeValues={":l": S("xx"), **{f":{name}": S(text) for name, text in values.items()}},
        )
        return [item["word"]["S"] for item in reply["Items"]]

    in_order = ["Zebra", "a", "ab", "app", "apple", "zebra", "äpfel", "\uffee", "\U0001f600"]
    assert find("lang = :l") == in_order
    assert find("lang = :l AND begins_with(word, :p)", p="ap") == ["app", "apple"]
    assert find("lang = :l AND begins_with(word, :p)", p="zz") == []
    assert find("lang = :l AND word > :p", p="app") == ["apple", "zebra", "äpfel", "\uffee", "\U0001f600"]


def test_binaries_sort_by_their_bytes(client):
    """
    Sort keys that are binaries are ordered as unsigned bytes.
    """
    client.create_table(
        TableName="blobs",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "grp", "AttributeType": "S"},
            {"AttributeName": "blob_id", "AttributeType": "B"},
        ],
        KeySchema=[{"AttributeName": "grp", "KeyType": "HASH"}, {"AttributeName": "blob_id", "KeyType": "RANGE"}],
    )
    for blob in (b"\xff", b"\x00\x01", b"\x00", b"\x7f", b"\x80"):
        client.put_item(TableName="blobs", Item={"grp": S("x"), "blob_id": {"B": blob}})

    reply = client.query(TableName="blobs", KeyConditionExpression="grp = :g", ExpressionAttributeValues={":g": S("x")})

    assert [item["blob_id"]["B"] for item in reply["Items"]] == [b"\x00", b"\x00\x01", b"\x7f", b"\x80", b"\xff"]


@pytest.mark.parametrize(
    ("condition", "values", "further"),
    [
        ("num = :n", {":n": N(1)}, {}),
        ("owner_id < :o", {}, {}),
        ("owner_id = :o OR num = :n", {":n": N(1)}, {}),
        ("NOT owner_id = :o", {}, {}),
        ("owner_id = :o AND num <> :n", {":n": N(1)}, {}),
        ("owner_id = :o AND note = :n", {":n": S("x")}, {}),
        ("owner_id = :o AND num = :n", {":n": S("1")}, {}),
        ("owner_id = :o AND num > :n AND num < :m", {":n": N(1), ":m": N(3)}, {}),
        ("owner_id = :o AND num BETWEEN :n AND :m", {":n": N(3), ":m": N(1)}, {}),
        ("owner_id = :o AND begins_with(num, :n)", {":n": N(1)}, {}),
        ("owner_id = :o AND", {}, {}),
        ("owner_id = :o", {":unused": N(1)}, {}),
        ("owner_id = :o", {":n": N(1)}, {"FilterExpression": "num = :n"}),
        ("owner_id = :o", {}, {"Limit": 0}),
        ("owner_id = :o", {}, {"ExclusiveStartKey": key("bob", 1)}),
        ("owner_id = :o", {}, {"ExclusiveStartKey": {"owner_id": S("ann")}}),
        ("owner_id = :o AND num > :n", {":n": N(3)}, {"ExclusiveStartKey": key("ann", 1)}),
        ("owner_id = :o", {}, {"Select": "COUNT", "ProjectionExpression": "note"}),
        ("owner_id = :o", {}, {"Select": "SPECIFIC_ATTRIBUTES"}),
        ("owner_id = :o", {}, {"Select": "ALL_PROJECTED_ATTRIBUTES"}),
        ("owner_id = :o", {}, {"ProjectionExpression": "note, note.x"}),
        ("owner_id = :o", {}, {"IndexName": "missing-index"}),
    ],
)
def test_it_is_refused(client, condition, values, further):
    """
    A key condition is one partition and at most one range of sort keys; the rest fits the table.
    """
    assert code(lambda: query(client, condition, values, **further)) == "ValidationException"


def test_a_missing_table_is_not_found(client):
    """
    A query on nothing says so.
    """
    call = {"KeyConditionExpression": "a = :a", "ExpressionAttributeValues": {":a": S("x")}}

    assert code(lambda: client.query(TableName="missing", **call)) == "ResourceNotFoundException"
