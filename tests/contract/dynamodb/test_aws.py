"""The way to AWS: names of tables there and back, tried on the in-memory DynamoDB behind HTTP."""

import os

import pytest

from tests.contract.dynamodb import aws
from tests.contract.dynamodb.conftest import open_server
from tests.contract.dynamodb.shapes import THINGS, N, create_things, get, put, put_action, thing


def test_this_suite_runs_against_aws():
    """
    With credentials, every test of this folder runs there too, as [aws].
    """
    if aws.region() is None:
        pytest.skip(f"{aws.REGION_VARIABLE} is not set: name a region, with credentials that may create tables in it")
    assert aws.connect("dynamodb", aws.region(), aws.new_prefix()).list_tables()["TableNames"] == []


@pytest.fixture
def keys_for_http(monkeypatch):
    """Give boto3 credentials of a database of its own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"contract{os.urandom(8).hex()}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "local")


def test_tables_have_names_of_their_own_and_the_tests_do_not_see_it(keys_for_http, dev_server):
    """
    Two clients with two prefixes share an account, and neither sees what the other one has.
    """
    mine, other = (aws.connect("dynamodb", "eu-central-1", prefix, dev_server) for prefix in ("mine-", "other-"))
    create_things(mine)
    create_things(other)
    put(mine, thing("ann", 1, weight=N(3)))
    mine.transact_write_items(TransactItems=[put_action(thing("bob", 2))])
    reply = mine.batch_write_item(
        RequestItems={THINGS: [{"PutRequest": {"Item": thing("cid", 3)}}]}, ReturnConsumedCapacity="TOTAL"
    )

    assert reply["ConsumedCapacity"][0]["TableName"] == THINGS
    assert get(mine, "ann", 1) == thing("ann", 1, weight=N(3))
    assert mine.scan(TableName=THINGS)["Count"] == 3
    assert other.scan(TableName=THINGS)["Count"] == 0
    keys = {THINGS: {"Keys": [{"owner_id": {"S": "cid"}, "num": {"N": "3"}}], "ConsistentRead": True}}
    assert mine.batch_get_item(RequestItems=keys)["Responses"] == {THINGS: [thing("cid", 3)]}
    statement = 'DELETE FROM "things" WHERE "owner_id" = ? AND "num" = ?'
    deleted = mine.batch_execute_statement(
        Statements=[{"Statement": statement, "Parameters": [{"S": "cid"}, {"N": "3"}]}], ReturnConsumedCapacity="TOTAL"
    )
    assert deleted["Responses"] == [{"TableName": THINGS}]
    assert deleted["ConsumedCapacity"][0]["TableName"] == THINGS
    assert mine.scan(TableName=THINGS)["Count"] == 2
    assert mine.describe_table(TableName=THINGS)["Table"]["TableName"] == THINGS
    assert mine.list_tables()["TableNames"] == other.list_tables()["TableNames"] == [THINGS]

    bare = aws.connect("dynamodb", "eu-central-1", "", dev_server)
    assert bare.list_tables()["TableNames"] == ["mine-things", "other-things"]


def test_a_server_of_this_machine_is_no_account_of_aws(dev_server):
    """
    The clients of the other servers send names as they are.
    """
    database = open_server(dev_server)
    create_things(database.client)
    assert database.client.list_tables()["TableNames"] == [THINGS]
