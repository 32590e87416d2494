"""UpdateTable: indexes that come and go, billing, protection, streams."""

import time

import pytest

from tests.contract.dynamodb.shapes import BY_COLOUR, THINGS, N, S, code, create_things, put, thing

UPDATE_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTable.html"
BACKFILL_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html"
DEADLINE_SECONDS = 30
BY_SHAPE = {
    "IndexName": "by-shape",
    "KeySchema": [{"AttributeName": "shape", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
CREATE = {
    "AttributeDefinitions": [{"AttributeName": "shape", "AttributeType": "S"}],
    "GlobalSecondaryIndexUpdates": [{"Create": BY_SHAPE}],
}
DELETE = {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": BY_COLOUR}}]}
UNITS = {"ReadCapacityUnits": 2, "WriteCapacityUnits": 3}


@pytest.fixture(autouse=True)
def things(client):
    create_things(client)


def update(client, **changes):
    return client.update_table(TableName=THINGS, **changes)["TableDescription"]


def indexes(client):
    """Return the global indexes once none of them is on its way."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = client.describe_table(TableName=THINGS)["Table"].get("GlobalSecondaryIndexes", [])
        if all(index["IndexStatus"] == "ACTIVE" for index in found):
            return {index["IndexName"]: index for index in found}
        assert time.monotonic() < deadline, found


def found_by_shape(client, shape):
    reply = client.query(
        TableName=THINGS,
        IndexName="by-shape",
        KeyConditionExpression="shape = :s",
        ExpressionAttributeValues={":s": S(shape)},
    )
    return [item["num"]["N"] for item in reply["Items"]]


def test_a_new_index_has_the_items_that_were_there(client):
    """
    Those with its key; then it follows the table, and its key has the type that was said.
    """
    put(client, thing("ann", 1, shape=S("round")), thing("ann", 2, shape=S("")), thing("ann", 3))
    update(client, **CREATE)

    assert set(indexes(client)) == {BY_COLOUR, "by-shape"}
    assert found_by_shape(client, "round") == ["1"]
    put(client, thing("ann", 4, shape=S("square")))
    assert found_by_shape(client, "square") == ["4"]
    assert code(lambda: put(client, thing("ann", 5, shape=N(1)))) == "ValidationException"
    defined = client.describe_table(TableName=THINGS)["Table"]["AttributeDefinitions"]
    assert {"AttributeName": "shape", "AttributeType": "S"} in defined


@pytest.mark.local_differs(page=BACKFILL_PAGE, does="takes them into the index")
def test_a_new_index_passes_over_what_cannot_stand_in_it(client):
    """
    Items whose key has another type, or is too long, stay in the table alone.
    """
    put(client, thing("ann", 1, shape=N(1)), thing("ann", 2, shape=S("x" * 2049)), thing("ann", 3, shape=S("round")))
    update(client, **CREATE)

    assert indexes(client)["by-shape"]["ItemCount"] == 1
    assert client.scan(TableName=THINGS, IndexName="by-shape", Select="COUNT")["Count"] == 1


def test_an_index_can_be_deleted(client):
    """
    It is gone, and what was its key may be anything again.
    """
    update(client, **DELETE)

    assert indexes(client) == {}
    put(client, thing("ann", 1, colour=N(5)))
    refused = {"KeyConditionExpression": "colour = :c", "ExpressionAttributeValues": {":c": S("red")}}
    assert code(lambda: client.query(TableName=THINGS, IndexName=BY_COLOUR, **refused)) == "ValidationException"
    defined = client.describe_table(TableName=THINGS)["Table"]["AttributeDefinitions"]
    assert sorted(one["AttributeName"] for one in defined) == ["num", "owner_id"]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        pytest.param({}, "ValidationException", id="nothing"),
        pytest.param({"AttributeDefinitions": CREATE["AttributeDefinitions"]}, "ValidationException", id="types-alone"),
        pytest.param({"GlobalSecondaryIndexUpdates": []}, "ValidationException", id="no-index"),
        pytest.param({"GlobalSecondaryIndexUpdates": [{}]}, "ValidationException", id="no-action"),
        pytest.param(
            {"GlobalSecondaryIndexUpdates": CREATE["GlobalSecondaryIndexUpdates"]}, "ValidationException", id="no-type"
        ),
        pytest.param(
            {**CREATE, "GlobalSecondaryIndexUpdates": [{"Create": {**BY_SHAPE, "IndexName": BY_COLOUR}}]},
            "ValidationException",
            id="name-is-taken",
        ),
        pytest.param(
            {
                "AttributeDefinitions": [{"AttributeName": "colour", "AttributeType": "N"}],
                "GlobalSecondaryIndexUpdates": [
                    {"Create": {**BY_SHAPE, "KeySchema": [{"AttributeName": "colour", "KeyType": "HASH"}]}}
                ],
            },
            "ValidationException",
            id="another-type",
        ),
        pytest.param(
            {**CREATE, "GlobalSecondaryIndexUpdates": [{"Create": BY_SHAPE}, *DELETE["GlobalSecondaryIndexUpdates"]]},
            "LimitExceededException",
            id="two-at-once",
        ),
        pytest.param(
            {"GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-taste"}}]},
            "ResourceNotFoundException",
            id="unknown",
        ),
        pytest.param({"BillingMode": "PROVISIONED"}, "ValidationException", id="no-throughput"),
    ],
)
def test_an_unfit_update_is_refused(client, changes, refusal):
    """
    One index at a time, with its types, under a name of its own; and nothing is changed.
    """
    assert code(lambda: update(client, **changes)) == refusal
    assert set(indexes(client)) == {BY_COLOUR}


def test_billing_can_be_changed(client):
    """
    From request to throughput, of the table and of each index, and back.
    """
    of_index = {"Update": {"IndexName": BY_COLOUR, "ProvisionedThroughput": UNITS}}
    update(client, BillingMode="PROVISIONED", ProvisionedThroughput=UNITS, GlobalSecondaryIndexUpdates=[of_index])

    described = client.describe_table(TableName=THINGS)["Table"]
    assert described.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED") == "PROVISIONED"
    for throughput in (described["ProvisionedThroughput"], indexes(client)[BY_COLOUR]["ProvisionedThroughput"]):
        assert UNITS.items() <= throughput.items()
    assert update(client, BillingMode="PAY_PER_REQUEST")["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


@pytest.mark.local_differs(page=UPDATE_PAGE, does="knows no table classes and no encryption")
def test_class_and_encryption_are_told(client):
    """
    They are kept as they were said.
    """
    update(client, TableClass="STANDARD_INFREQUENT_ACCESS", SSESpecification={"Enabled": True})

    described = client.describe_table(TableName=THINGS)["Table"]
    assert described["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS"
    assert described["SSEDescription"]["SSEType"] == "KMS"


def test_protection_and_stream_can_be_changed(client):
    """
    Each by itself; a stream is turned on once.
    """
    update(client, DeletionProtectionEnabled=True)
    assert code(lambda: client.delete_table(TableName=THINGS)) == "ValidationException"
    update(client, DeletionProtectionEnabled=False)
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    assert update(client, StreamSpecification=stream)["StreamSpecification"] == stream
    assert code(lambda: update(client, StreamSpecification=stream)) == "ValidationException"
