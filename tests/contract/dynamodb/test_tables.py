"""Tables: creating, describing, listing, deleting."""

import pytest
from botocore.exceptions import WaiterError

from tests.contract.dynamodb.shapes import BY_COLOUR, THINGS, N, S, code, create_things, put, thing

STRING_ID = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
}


def by(name, partition, projected=None):
    """Return a global index, of all attributes or of those that are named."""
    projection = {"ProjectionType": "ALL"}
    if projected is not None:
        projection = {"ProjectionType": "INCLUDE", "NonKeyAttributes": projected}
    key_schema = [{"AttributeName": partition, "KeyType": "HASH"}]
    return {"IndexName": name, "KeySchema": key_schema, "Projection": projection}


def test_a_table_is_described_as_it_was_made(client):
    """
    Keys, indexes, billing and protection come back.
    """
    create_things(client, DeletionProtectionEnabled=False)

    table = client.describe_table(TableName=THINGS)["Table"]

    assert table["TableName"] == THINGS
    assert table["TableStatus"] == "ACTIVE"
    assert table["TableArn"].endswith(":table/things")
    assert table["KeySchema"] == [
        {"AttributeName": "owner_id", "KeyType": "HASH"},
        {"AttributeName": "num", "KeyType": "RANGE"},
    ]
    assert {entry["AttributeName"]: entry["AttributeType"] for entry in table["AttributeDefinitions"]} == {
        "owner_id": "S",
        "num": "N",
        "colour": "S",
        "weight": "N",
    }
    (index,) = table["GlobalSecondaryIndexes"]
    assert (index["IndexName"], index["IndexStatus"]) == (BY_COLOUR, "ACTIVE")
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert table["DeletionProtectionEnabled"] is False
    assert table["CreationDateTime"].tzinfo is not None


def test_items_are_counted(client):
    """
    A description tells the number of items and their size.
    """
    create_things(client)
    put(client, thing("ann", 1, note=S("abc")), thing("ann", 2))

    table = client.describe_table(TableName=THINGS)["Table"]

    key_bytes = len("owner_id") + len("ann") + len("num") + 2
    assert (table["ItemCount"], table["TableSizeBytes"]) == (2, 2 * key_bytes + len("note") + len("abc"))


def test_a_table_can_be_made_once(client):
    """
    A second one of the same name is refused; after a delete the name is free, and the items are gone.
    """
    create_things(client)
    put(client, thing("ann", 1))
    assert code(lambda: create_things(client)) == "ResourceInUseException"

    client.delete_table(TableName=THINGS)
    client.get_waiter("table_not_exists").wait(TableName=THINGS)
    create_things(client)

    assert client.scan(TableName=THINGS)["Count"] == 0


@pytest.mark.own_database
def test_tables_are_listed_by_name_in_pages(client):
    """
    Names are sorted; a page that is cut names its last table.
    """
    for name in ("ccc", "aaa", "bbb"):
        client.create_table(TableName=name, **STRING_ID)

    first = client.list_tables(Limit=2)
    rest = client.list_tables(ExclusiveStartTableName=first["LastEvaluatedTableName"])

    assert (first["TableNames"], rest["TableNames"]) == (["aaa", "bbb"], ["ccc"])
    assert "LastEvaluatedTableName" not in rest


def test_what_is_not_there_is_not_found(client):
    """
    Describing, changing and deleting nothing is a ResourceNotFoundException; waiting for it fails.
    """
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}

    assert code(lambda: client.describe_table(TableName="missing")) == "ResourceNotFoundException"
    assert code(lambda: client.delete_table(TableName="missing")) == "ResourceNotFoundException"
    assert code(lambda: client.update_table(TableName="missing", StreamSpecification=stream)) == (
        "ResourceNotFoundException"
    )
    with pytest.raises(WaiterError):
        client.get_waiter("table_exists").wait(TableName="missing", WaiterConfig={"Delay": 0, "MaxAttempts": 1})


@pytest.mark.own_database
def test_a_protected_table_cannot_be_deleted(client):
    """
    Protection has to be taken off first.
    """
    client.create_table(TableName="kept", DeletionProtectionEnabled=True, **STRING_ID)
    assert client.describe_table(TableName="kept")["Table"]["DeletionProtectionEnabled"] is True

    assert code(lambda: client.delete_table(TableName="kept")) == "ValidationException"
    client.update_table(TableName="kept", DeletionProtectionEnabled=False)
    client.delete_table(TableName="kept")

    assert client.list_tables()["TableNames"] == []


def test_a_table_may_have_a_partition_key_only(client):
    """
    Without sort key an item is found by its partition key alone.
    """
    client.create_table(TableName="plain", **STRING_ID)
    client.put_item(TableName="plain", Item={"id": S("x"), "note": S("a")})
    client.put_item(TableName="plain", Item={"id": S("x"), "note": S("b")})

    assert client.get_item(TableName="plain", Key={"id": S("x")})["Item"] == {"id": S("x"), "note": S("b")}
    found = client.query(TableName="plain", KeyConditionExpression="id = :i", ExpressionAttributeValues={":i": S("x")})
    assert found["Count"] == 1


def test_keys_may_be_numbers_and_binaries(client):
    """
    Every scalar type can be a key.
    """
    client.create_table(
        TableName="odd-keys",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "N"},
            {"AttributeName": "part_id", "AttributeType": "B"},
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "part_id", "KeyType": "RANGE"}],
    )
    item = {"id": N(7), "part_id": {"B": b"\x00\x01"}}
    client.put_item(TableName="odd-keys", Item=item)

    found = client.get_item(TableName="odd-keys", Key={"id": N("7.0"), "part_id": {"B": b"\x00\x01"}})

    assert found["Item"] == item


STREAM_PAGE = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_StreamSpecification.html"


@pytest.mark.local_differs(page=STREAM_PAGE, does="takes any StreamViewType")
def test_a_view_type_is_one_of_four(client):
    """
    Another StreamViewType is refused.
    """
    stream = {"StreamEnabled": True, "StreamViewType": "ALL"}

    assert code(lambda: client.create_table(TableName="unfit", StreamSpecification=stream, **STRING_ID)) == (
        "ValidationException"
    )


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"TableName": "ab"}, id="short-name"),
        pytest.param({"TableName": "no/slash"}, id="name"),
        pytest.param({"AttributeDefinitions": [{"AttributeName": "x", "AttributeType": "S"}]}, id="key-undefined"),
        pytest.param(
            {
                "AttributeDefinitions": [
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "unused", "AttributeType": "S"},
                ]
            },
            id="definition-unused",
        ),
        pytest.param({"KeySchema": [{"AttributeName": "id", "KeyType": "RANGE"}]}, id="no-partition-key"),
        pytest.param({"BillingMode": "PROVISIONED"}, id="no-throughput"),
        pytest.param({"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "BOOL"}]}, id="key-type"),
        pytest.param(
            {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}] * 2}, id="definition-twice"
        ),
        pytest.param(
            {
                "AttributeDefinitions": [
                    {"AttributeName": "id", "AttributeType": "S"},
                    {"AttributeName": "id", "AttributeType": "N"},
                ]
            },
            id="two-types",
        ),
        pytest.param(
            {
                "AttributeDefinitions": [{"AttributeName": "", "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "", "KeyType": "HASH"}],
            },
            id="key-without-name",
        ),
        pytest.param(
            {
                "AttributeDefinitions": [{"AttributeName": "x" * 256, "AttributeType": "S"}],
                "KeySchema": [{"AttributeName": "x" * 256, "KeyType": "HASH"}],
            },
            id="long-name-of-key",
        ),
        pytest.param(
            {"BillingMode": "PROVISIONED", "ProvisionedThroughput": {"ReadCapacityUnits": 0, "WriteCapacityUnits": 1}},
            id="no-unit",
        ),
        pytest.param({"GlobalSecondaryIndexes": []}, id="no-index"),
        pytest.param({"GlobalSecondaryIndexes": [by("a", "id"), by("a", "id")]}, id="index-name"),
        pytest.param({"GlobalSecondaryIndexes": [by("abc", "id"), by("abc", "id")]}, id="index-twice"),
        pytest.param({"GlobalSecondaryIndexes": [by(f"by-{number}", "id") for number in range(21)]}, id="21-indexes"),
        pytest.param({"GlobalSecondaryIndexes": [by("abc", "id", [])]}, id="nothing-projected"),
        pytest.param({"GlobalSecondaryIndexes": [by("abc", "id", ["x", "x"])]}, id="projected-twice"),
        pytest.param({"GlobalSecondaryIndexes": [by("abc", "id", ["x" * 256])]}, id="long-name-projected"),
        pytest.param(
            {
                "GlobalSecondaryIndexes": [
                    by(f"by-{number}", "id", [f"{number}-{other}" for other in range(17)]) for number in range(6)
                ]
            },
            id="102-projected",
        ),
        pytest.param({"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}}, id="no-stream"),
    ],
)
def test_an_unfit_table_is_refused(client, changes):
    """
    Names, keys and billing have to fit.
    """
    request = {"TableName": "unfit", **STRING_ID, **changes}

    assert code(lambda: client.create_table(**request)) == "ValidationException"
    assert client.list_tables()["TableNames"] == []


@pytest.mark.local_differs(
    page="https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html",
    does="gives tables no id",
)
def test_a_table_that_is_made_anew_has_another_id(client):
    """
    The id tells two tables of one name apart, and stays while a table is there.
    """
    create_things(client)
    first = client.describe_table(TableName=THINGS)["Table"]
    assert client.describe_table(TableName=THINGS)["Table"]["TableId"] == first["TableId"]
    client.delete_table(TableName=THINGS)
    client.get_waiter("table_not_exists").wait(TableName=THINGS)
    create_things(client)

    again = client.describe_table(TableName=THINGS)["Table"]

    assert again["TableId"] != first["TableId"]
    assert again["TableArn"] == first["TableArn"]


def test_a_table_that_is_made_anew_has_another_stream(client):
    """
    It begins without the changes of the former one, whose stream stays as it was.
    """
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    create_things(client, StreamSpecification=stream)
    put(client, thing("ann", 1))
    first = client.describe_table(TableName=THINGS)["Table"]
    client.delete_table(TableName=THINGS)
    client.get_waiter("table_not_exists").wait(TableName=THINGS)
    create_things(client)
    client.update_table(TableName=THINGS, StreamSpecification=stream)
    again = client.describe_table(TableName=THINGS)["Table"]

    assert again["LatestStreamArn"] != first["LatestStreamArn"]
    assert again["CreationDateTime"] >= first["CreationDateTime"]
