"""ReturnConsumedCapacity: what requests cost."""

import pytest

from tests.contract.dynamodb.shapes import (
    BY_COLOUR,
    THINGS,
    N,
    S,
    check_action,
    create_things,
    delete_action,
    key,
    new_token,
    put,
    put_action,
    thing,
    update_action,
)

TRANSACTIONS_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html"
CAPACITY_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html"

KEY_BYTES = len("owner_id") + len("ann") + len("num") + 2


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def sized(number, size_bytes, **attributes):
    """Return a thing of that many bytes, without further attributes."""
    return thing("ann", number, body=S("x" * (size_bytes - KEY_BYTES - len("body"))), **attributes)


def units(reply):
    """Return the units of a reply about one table."""
    consumed = reply["ConsumedCapacity"]
    (report,) = consumed if isinstance(consumed, list) else [consumed]
    assert report["TableName"] == THINGS
    return report["CapacityUnits"]


def total(call, **request):
    return units(call(TableName=THINGS, ReturnConsumedCapacity="TOTAL", **request))


def transact(client, *actions, **further):
    return client.transact_write_items(TransactItems=list(actions), ReturnConsumedCapacity="TOTAL", **further)


def test_nothing_is_told_unasked(client):
    """
    Without ReturnConsumedCapacity, or with NONE, replies have no ConsumedCapacity.
    """
    assert "ConsumedCapacity" not in client.put_item(TableName=THINGS, Item=thing("ann", 1))
    assert "ConsumedCapacity" not in client.get_item(TableName=THINGS, Key=key("ann", 1), ReturnConsumedCapacity="NONE")


@pytest.mark.parametrize(("size_bytes", "expected"), [(100, 1), (1024, 1), (1025, 2), (10 * 1024, 10)])
def test_a_write_costs_a_unit_per_started_kib(client, size_bytes, expected):
    """
    Puts are charged by the size of the item.
    """
    assert total(client.put_item, Item=sized(1, size_bytes)) == expected


@pytest.mark.parametrize(
    ("size_bytes", "consistent", "expected"),
    [(100, True, 1), (4096, True, 1), (4097, True, 2), (100, False, 0.5), (4097, False, 1)],
)
def test_a_read_costs_a_unit_per_started_4_kib(client, size_bytes, consistent, expected):
    """
    Eventually consistent reads cost half.
    """
    put(client, sized(1, size_bytes))

    assert total(client.get_item, Key=key("ann", 1), ConsistentRead=consistent) == expected


def test_reading_nothing_costs_the_least(client):
    """
    An absent item costs what a small one costs.
    """
    assert total(client.get_item, Key=key("ann", 1), ConsistentRead=True) == 1
    assert total(client.get_item, Key=key("ann", 1)) == 0.5


def test_a_write_is_charged_by_the_larger_item(client):
    """
    Making an item smaller, or deleting it, costs what it was.
    """
    put(client, sized(1, 5000), sized(2, 5000), sized(3, 5000))

    assert total(client.put_item, Item=thing("ann", 1)) == 5
    assert total(client.update_item, Key=key("ann", 2), UpdateExpression="REMOVE body") == 5
    assert total(client.delete_item, Key=key("ann", 3)) == 5
    assert total(client.delete_item, Key=key("ann", 3)) == 1


def test_a_query_costs_the_sum_of_what_it_read(client):
    """
    Sizes are added up before they are rounded; filters and counts cost what is read.
    """
    put(client, *(sized(number, 2000) for number in range(5)))
    request = {"KeyConditionExpression": "owner_id = :o", "ExpressionAttributeValues": {":o": S("ann")}}

    assert total(client.query, ConsistentRead=True, **request) == 3
    assert total(client.query, **request) == 1.5
    assert total(client.query, Select="COUNT", ConsistentRead=True, **request) == 3
    assert total(client.query, Limit=1, ConsistentRead=True, **request) == 1
    assert total(client.scan, ConsistentRead=True) == 3


def test_an_index_costs_its_own_units(client):
    """
    A new entry costs one write of what the index keeps, a moved one two, an untouched one nothing.
    """
    coloured = {"colour": S("red"), "weight": N(1)}

    def put_units(item):
        report = client.put_item(TableName=THINGS, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
        index = report.get("GlobalSecondaryIndexes", {}).get(BY_COLOUR, {"CapacityUnits": 0})
        assert report["CapacityUnits"] == report["Table"]["CapacityUnits"] + index["CapacityUnits"]
        return report["Table"]["CapacityUnits"], index["CapacityUnits"]

    assert put_units(sized(1, 3000)) == (3, 0)
    assert put_units(sized(1, 3000, **coloured)) == (3, 1)
    assert put_units(sized(1, 2900, **coloured)) == (3, 0)
    assert put_units(sized(1, 2900, **{**coloured, "weight": N(2)})) == (3, 2)
    assert put_units(sized(1, 2900)) == (3, 1)


def test_reading_an_index_costs_what_it_keeps(client):
    """
    Large items are cheap to find by an index that keeps only keys.
    """
    put(client, *(sized(number, 5000, colour=S("red"), weight=N(number)) for number in range(10)))

    reply = client.query(
        TableName=THINGS,
        IndexName=BY_COLOUR,
        KeyConditionExpression="colour = :c",
        ExpressionAttributeValues={":c": S("red")},
        ReturnConsumedCapacity="INDEXES",
    )

    assert reply["ConsumedCapacity"]["GlobalSecondaryIndexes"] == {BY_COLOUR: {"CapacityUnits": 0.5}}
    assert reply["ConsumedCapacity"]["Table"] == {"CapacityUnits": 0}
    assert reply["ConsumedCapacity"]["CapacityUnits"] == 0.5


def test_a_transaction_costs_double(client):
    """
    Every action of a transaction, also a check, costs two units per started KiB.
    """
    put(client, sized(2, 100), sized(3, 100), sized(4, 1500))

    assert units(transact(client, put_action(sized(1, 1500)))) == 4
    assert units(transact(client, check_action("ann", 2, "attribute_exists(num)"))) == 2
    assert units(transact(client, update_action("ann", 3, "REMOVE body"))) == 2
    assert units(transact(client, delete_action("ann", 4))) == 4


@pytest.mark.local_differs(page=TRANSACTIONS_PAGE, does="adds up the sizes before it rounds them")
def test_a_transaction_is_charged_action_by_action(client):
    """
    Two small items cost two units each.
    """
    assert units(transact(client, put_action(sized(5, 100)), put_action(sized(6, 100)))) == 4


@pytest.mark.local_differs(page=TRANSACTIONS_PAGE, does="charges one unit, although every write is done twice")
def test_deleting_nothing_in_a_transaction_costs_double_too(client):
    """
    Two underlying writes, of the least size.
    """
    assert units(transact(client, delete_action("ann", 1))) == 2


def test_a_repeated_transaction_costs_reads(client):
    """
    With a token that was used, a repeat costs two read units per started 4 KiB of each item.
    """
    action, token = put_action(sized(1, 3000)), new_token()
    assert units(transact(client, action, ClientRequestToken=token)) == 6

    assert units(transact(client, action, ClientRequestToken=token)) == 2


def test_a_transactional_read_costs_double(client):
    """
    Two units per started 4 KiB of each item, and for an absent one.
    """
    put(client, sized(1, 5000))

    reply = client.transact_get_items(
        TransactItems=[{"Get": {"TableName": THINGS, "Key": key("ann", number)}} for number in (1, 2)],
        ReturnConsumedCapacity="TOTAL",
    )

    assert units(reply) == 6


def test_batches_cost_what_their_parts_cost(client):
    """
    A batch is charged item by item.
    """
    put(client, sized(1, 5000), sized(3, 900))
    requests = [{"PutRequest": {"Item": sized(2, 1500)}}, {"DeleteRequest": {"Key": key("ann", 3)}}]

    written = client.batch_write_item(RequestItems={THINGS: requests}, ReturnConsumedCapacity="TOTAL")
    read = client.batch_get_item(
        RequestItems={THINGS: {"Keys": [key("ann", 1), key("ann", 2)], "ConsistentRead": True}},
        ReturnConsumedCapacity="TOTAL",
    )

    assert units(written) == 3
    assert units(read) == 3


@pytest.mark.local_differs(page=CAPACITY_PAGE, does="charges nothing for an absent item of a batch")
def test_an_absent_item_of_a_batch_costs_the_least(client):
    """
    A read of a nonexistent item consumes capacity, as it does for GetItem.
    """
    put(client, thing("ann", 1))

    read = client.batch_get_item(
        RequestItems={THINGS: {"Keys": [key("ann", 1), key("ann", 2)], "ConsistentRead": True}},
        ReturnConsumedCapacity="TOTAL",
    )

    assert units(read) == 2
