"""Scan: all items, in pages and segments."""

import pytest

from tests.contract.dynamodb.shapes import BY_COLOUR, THINGS, N, S, code, create_things, key, put, thing

EVERYTHING = {(f"owner-{owner}", str(number)) for owner in range(8) for number in range(3)}

CONSISTENCY_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html"
pytestmark = pytest.mark.aws_differs(
    page=CONSISTENCY_PAGE, does="may answer an eventually consistent read from before the write"
)


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)
    put(client, *(thing(owner, number, colour=S("red"), weight=N(number)) for owner, number in sorted(EVERYTHING)))


def scan_all(client, **request):
    """Return the keys of all pages."""
    found = []
    for _ in range(100):
        reply = client.scan(TableName=THINGS, **request)
        found += [(item["owner_id"]["S"], item["num"]["N"]) for item in reply["Items"]]
        if "LastEvaluatedKey" not in reply:
            return found
        request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]
    raise AssertionError("the scan does not end")


@pytest.mark.parametrize("limit", [1, 5, 24, 100])
def test_pages_join_without_gap_or_repeat(client, limit):
    """
    However small the pages, every item comes exactly once.
    """
    found = scan_all(client, Limit=limit)

    assert len(found) == len(EVERYTHING)
    assert set(found) == EVERYTHING


@pytest.mark.parametrize("total", [1, 3, 7])
def test_segments_share_the_items(client, total):
    """
    Each item lies in exactly one segment.
    """
    found = [one for segment in range(total) for one in scan_all(client, Segment=segment, TotalSegments=total, Limit=4)]

    assert len(found) == len(EVERYTHING)
    assert set(found) == EVERYTHING


def test_it_goes_on_after_items_that_were_deleted(client):
    """
    A scan that deletes what it finds still finds the rest.
    """
    reply = client.scan(TableName=THINGS, Limit=10)
    for item in reply["Items"]:
        client.delete_item(TableName=THINGS, Key={name: item[name] for name in ("owner_id", "num")})

    rest = scan_all(client, ExclusiveStartKey=reply["LastEvaluatedKey"])

    assert len(rest) == len(EVERYTHING) - 10
    assert client.scan(TableName=THINGS, Select="COUNT")["Count"] == len(EVERYTHING) - 10


def test_items_of_one_partition_come_in_order(client):
    """
    Within one owner, numbers grow.
    """
    found = scan_all(client)

    for owner in {one[0] for one in found}:
        assert [number for name, number in found if name == owner] == ["0", "1", "2"]


def test_a_filter_and_a_count(client):
    """
    Scanned is what was read, counted what was found; a filter may name the key.
    """
    reply = client.scan(
        TableName=THINGS,
        FilterExpression="num = :n",
        ExpressionAttributeValues={":n": N(2)},
        Select="COUNT",
        ConsistentRead=True,
    )

    assert (reply["Count"], reply["ScannedCount"]) == (8, 24)
    assert "Items" not in reply


def test_an_index_can_be_scanned(client):
    """
    The scan of an index gives what it keeps, of items that are in it.
    """
    put(client, thing("no-colour", 1, weight=N(1)))

    found = scan_all(client, IndexName=BY_COLOUR, Limit=7)

    assert len(found) == len(EVERYTHING)
    assert set(found) == EVERYTHING


def test_an_empty_table_gives_an_empty_page(client):
    """
    Nothing is a page without items and without a last key.
    """
    client.delete_table(TableName=THINGS)
    create_things(client)

    reply = client.scan(TableName=THINGS, Limit=5)

    assert (reply["Items"], reply["Count"]) == ([], 0)
    assert "LastEvaluatedKey" not in reply


@pytest.mark.parametrize(
    "request_",
    [
        {"Segment": 2, "TotalSegments": 2},
        {"Segment": 0},
        {"TotalSegments": 2},
        {"Segment": 0, "TotalSegments": 0},
        {"Limit": 0},
        {"IndexName": BY_COLOUR, "ConsistentRead": True},
        {"IndexName": "missing-index"},
        {"ExclusiveStartKey": {"owner_id": S("x")}},
        {"ExclusiveStartKey": {**key("x", 1), "more": S("y")}},
        {"FilterExpression": "num = :n"},
    ],
)
def test_it_is_refused(client, request_):
    """
    A segment needs a total that is greater, a page at least one item, a start key the whole key.
    """
    assert code(lambda: client.scan(TableName=THINGS, **request_)) == "ValidationException"
