"""Bodies that no client of botocore's would send: members that nobody knows, members that are not there, nulls."""

import json

import pytest

from tests.contract.dynamodb.shapes import THINGS, S, code, create_things, get, key, put_action, thing

pytestmark = pytest.mark.parametrize(
    "dynamodb", ["http", pytest.param("local", marks=pytest.mark.servers)], indirect=True
)


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def send(client, operation, change, **request):
    """Make a call whose body is changed on its way."""

    def hook(params, **_):
        body = json.loads(params["body"])
        change(body)
        params["body"] = json.dumps(body).encode()

    client.meta.events.register("before-call", hook)
    try:
        return getattr(client, operation)(**request)
    finally:
        client.meta.events.unregister("before-call", hook)


PUT = {"TableName": THINGS, "Item": thing("ann", 1, note=S("a"))}
TRANSACTION = {"TransactItems": [put_action(thing("ann", 1, note=S("a")))]}
BATCH = {"RequestItems": {THINGS: [{"PutRequest": {"Item": thing("ann", 1, note=S("a"))}}]}}


@pytest.mark.parametrize(
    ("operation", "request_", "change"),
    [
        ("put_item", PUT, lambda body: body.update(Newer={"a": [1]})),
        ("put_item", PUT, lambda body: body.update(ConditionExpression=None)),
        ("put_item", PUT, lambda body: body["Item"]["note"].update(T="newer")),
        ("put_item", PUT, lambda body: body["Item"]["note"].update(N=None)),
        ("transact_write_items", TRANSACTION, lambda body: body["TransactItems"][0].update(Newer={})),
        ("transact_write_items", TRANSACTION, lambda body: body["TransactItems"][0]["Put"].update(Newer=1)),
        ("transact_write_items", TRANSACTION, lambda body: body["TransactItems"][0].update(Update=None)),
        ("batch_write_item", BATCH, lambda body: body["RequestItems"][THINGS][0].update(Newer=1)),
    ],
)
def test_what_nobody_knows_is_ignored(client, operation, request_, change):
    """
    A newer client may send more; a null stands for what was left away.
    """
    send(client, operation, change, **request_)

    assert get(client, "ann", 1) == thing("ann", 1, note=S("a"))


@pytest.mark.parametrize(
    ("operation", "request_", "change"),
    [
        ("put_item", PUT, lambda body: body.pop("Item")),
        ("put_item", PUT, lambda body: body.pop("TableName")),
        ("put_item", PUT, lambda body: body["Item"].update(note=None)),
        ("put_item", PUT, lambda body: body["Item"].update(note={"L": [None]})),
        ("put_item", PUT, lambda body: body["Item"].update(note={})),
        ("put_item", PUT, lambda body: body["Item"].update(note={"T": "newer"})),
        ("put_item", PUT, lambda body: body["Item"].update(note={"NULL": False})),
        ("get_item", {"TableName": THINGS, "Key": key("ann", 1)}, lambda body: body.pop("Key")),
        ("transact_write_items", TRANSACTION, lambda body: body["TransactItems"][0]["Put"].pop("Item")),
        ("transact_write_items", TRANSACTION, lambda body: body["TransactItems"][0]["Put"].pop("TableName")),
        ("transact_write_items", TRANSACTION, lambda body: body["TransactItems"][0].update(Put=None)),
    ],
)
def test_what_is_missing_is_refused(client, operation, request_, change):
    """
    A member that has to be there, and a value that is none.
    """
    assert code(lambda: send(client, operation, change, **request_)) == "ValidationException"
    assert get(client, "ann", 1) is None
