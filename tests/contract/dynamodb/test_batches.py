"""BatchWriteItem and BatchGetItem."""

import pytest

from tests.contract.dynamodb.shapes import THINGS, N, S, code, create_things, get, key, put, thing


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def write(client, *requests):
    return client.batch_write_item(RequestItems={THINGS: list(requests)})


def put_request(item):
    return {"PutRequest": {"Item": item}}


def delete_request(owner, number):
    return {"DeleteRequest": {"Key": key(owner, number)}}


def test_a_batch_puts_and_deletes(client):
    """
    All requests are carried out, and none stays unprocessed.
    """
    put(client, thing("ann", 1), thing("ann", 2))

    reply = write(client, delete_request("ann", 1), put_request(thing("ann", 3)), delete_request("nobody", 1))

    assert reply["UnprocessedItems"] == {}
    assert get(client, "ann", 1) is None
    assert get(client, "ann", 2) == thing("ann", 2)
    assert get(client, "ann", 3) == thing("ann", 3)


@pytest.mark.parametrize(
    "requests",
    [
        pytest.param([], id="none"),
        pytest.param([put_request(thing("ann", number)) for number in range(26)], id="26"),
        pytest.param([put_request(thing("ann", 1)), delete_request("ann", 1)], id="one-item-twice"),
        pytest.param([put_request(thing("ann", 1)), put_request({"owner_id": S("ann")})], id="incomplete-key"),
        pytest.param([put_request(thing("ann", 1)), put_request(thing("ann", 2, colour=N(1)))], id="index-key-type"),
        pytest.param([{**put_request(thing("ann", 1)), **delete_request("ann", 2)}], id="put-and-delete-in-one"),
        pytest.param([put_request(thing("ann", 1)), put_request(thing("b", 1, colour=S("x" * 2049)))], id="index-key"),
    ],
)
def test_an_unfit_batch_is_refused_whole(client, requests):
    """
    A batch with a fault in it writes nothing.
    """
    assert code(lambda: write(client, *requests)) == "ValidationException"
    assert client.scan(TableName=THINGS)["Count"] == 0


def test_a_batch_reads_from_several_tables(client):
    """
    Items that are there come back per table; those that are not are left out.
    """
    client.create_table(
        TableName="others",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    client.put_item(TableName="others", Item={"id": S("x"), "note": S("other")})
    put(client, thing("ann", 1, note=S("one")), thing("ann", 2, note=S("two")))

    reply = client.batch_get_item(
        RequestItems={
            THINGS: {"Keys": [key("ann", 2), key("ann", 1), key("ann", 3)], "ConsistentRead": True},
            "others": {"Keys": [{"id": S("x")}, {"id": S("y")}], "ProjectionExpression": "note"},
        }
    )

    assert sorted(item["note"]["S"] for item in reply["Responses"][THINGS]) == ["one", "two"]
    assert reply["Responses"]["others"] == [{"note": S("other")}]
    assert reply["UnprocessedKeys"] == {}


@pytest.mark.parametrize(
    "request_items",
    [
        pytest.param({}, id="none"),
        pytest.param({THINGS: {"Keys": [key("ann", number) for number in range(101)]}}, id="101"),
        pytest.param({THINGS: {"Keys": [key("ann", 1), key("ann", 1)]}}, id="one-item-twice"),
        pytest.param({THINGS: {"Keys": [{"owner_id": S("ann")}]}}, id="incomplete-key"),
        pytest.param({THINGS: {"Keys": []}}, id="no-keys"),
        pytest.param({THINGS: {"Keys": [key("ann", 1)]}, "others": {"Keys": []}}, id="no-keys-of-one"),
    ],
)
def test_an_unfit_read_is_refused(client, request_items):
    """
    1 to 100 different whole keys.
    """
    assert code(lambda: client.batch_get_item(RequestItems=request_items)) == "ValidationException"


def test_a_read_beyond_16_mb_stays_unprocessed(client):
    """
    What does not fit comes back as UnprocessedKeys, which can be sent as they are.
    """
    put(client, *(thing("big", number, body=S("x" * 400_000)) for number in range(45)))

    request, found = {THINGS: {"Keys": [key("big", number) for number in range(45)], "ConsistentRead": True}}, []
    reply = client.batch_get_item(RequestItems=request)
    found += reply["Responses"][THINGS]
    assert 0 < len(found) < 45
    assert reply["UnprocessedKeys"][THINGS]["ConsistentRead"] is True

    reply = client.batch_get_item(RequestItems=reply["UnprocessedKeys"])
    found += reply["Responses"][THINGS]

    assert reply["UnprocessedKeys"] == {}
    assert {item["num"]["N"] for item in found} == {str(number) for number in range(45)}


def test_a_missing_table_is_not_found(client):
    """
    A batch that names a table which is not there is refused whole.
    """
    requests = {THINGS: [put_request(thing("ann", 1))], "missing": [put_request(thing("ann", 1))]}

    assert code(lambda: client.batch_write_item(RequestItems=requests)) == "ResourceNotFoundException"
    assert code(lambda: client.batch_get_item(RequestItems={"missing": {"Keys": [key("ann", 1)]}})) == (
        "ResourceNotFoundException"
    )
    assert get(client, "ann", 1) is None
