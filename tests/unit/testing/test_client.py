"""The client surface: parameters, replies, exceptions, waiters."""

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError, ParamValidationError, WaiterError
from botocore.session import Session

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb import DynamoDBClient, DynamoDBStreamsClient
from eventstore.testing.dynamodb.operations import OPERATIONS
from eventstore.testing.dynamodb.requests.known import REQUESTS
from eventstore.testing.dynamodb.requests.shapes import ITEM, ListOf, MapOf, Struct
from eventstore.testing.wire import STREAMS_OPERATIONS

KEY = {"id": {"S": "a"}}
PUT = {"TableName": "things", "Item": KEY}
GET = {"TableName": "things", "Key": KEY}
MISSHAPEN = [
    "text", 5, ["S"],
    {"S": 5}, {"N": 5}, {"B": "text"}, {"BOOL": "true"}, {"L": "text"}, {"L": [5]}, {"M": []}, {"M": {"x": "y"}},
    {"SS": "text"}, {"SS": [5]},
]  # fmt: skip


@pytest.fixture
def client():
    client = InMemoryDynamoDB().client()
    client.create_table(
        TableName="things",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return client


def item():
    return {"id": {"S": "a"}, "list": {"L": [{"S": "x"}]}, "map": {"M": {"y": {"S": "z"}}}, "set": {"SS": ["p"]}}


def spoil(found):
    """Change everything in an item that can be changed."""
    found["list"]["L"].append({"S": "more"})
    found["list"]["L"][0]["S"] = "other"
    found["map"]["M"]["y"]["S"] = "other"
    found["set"]["SS"].append("q")
    found["id"]["S"] = "b"


def read(client):
    return client.get_item(TableName="things", Key=KEY)["Item"]


def test_a_request_stays_the_callers(client):
    """
    Changing what was sent does not change what is stored.
    """
    sent = item()
    client.put_item(TableName="things", Item=sent)
    spoil(sent)

    assert read(client) == item()


def test_a_reply_is_the_callers(client):
    """
    Changing what was received does not change what is stored.
    """
    client.put_item(TableName="things", Item=item())

    spoil(read(client))
    spoil(client.scan(TableName="things")["Items"][0])
    spoil(client.put_item(TableName="things", Item=item(), ReturnValues="ALL_OLD")["Attributes"])
    asked = {"TransactItems": [{"Get": {"TableName": "things", "Key": KEY}}]}
    spoil(client.transact_get_items(**asked)["Responses"][0]["Item"])

    assert read(client) == item()


def test_an_update_leaves_earlier_images_alone(client):
    """
    What was read before an update of a nested part stays as it was.
    """
    client.put_item(TableName="things", Item=item())
    reply = client.update_item(
        TableName="things",
        Key=KEY,
        UpdateExpression="SET #m.y = :v",
        ExpressionAttributeNames={"#m": "map"},
        ExpressionAttributeValues={":v": {"S": "new"}},
        ReturnValues="ALL_OLD",
    )

    assert reply["Attributes"] == item()
    assert read(client)["map"] == {"M": {"y": {"S": "new"}}}


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"TableName": "things"}, 'Missing required parameter in input: "Item"'),
        ({"TableName": "things", "Item": KEY, "Items": []}, 'Unknown parameter in input: "Items"'),
        ({"TableName": "things", "Item": KEY, "Expected": {}}, 'Unknown parameter in input: "Expected"'),
    ],
)  # fmt: skip
def test_parameters_are_checked_before_the_call(client, request_, named):
    """
    Missing and unknown parameters are refused as botocore refuses them, by name.
    """
    with pytest.raises(ParamValidationError, match=named):
        client.put_item(**request_)


@pytest.mark.parametrize(
    ("operation", "request_", "named"),
    [
        ("transact_write_items", {"TransactItems": [{"Put": {**PUT, "ConditionExpresion": "x"}}]},
         'Unknown parameter in TransactItems[0].Put: "ConditionExpresion", must be one of: TableName, Item, '),
        ("transact_write_items", {"TransactItems": [{"Putt": {}}]}, 'Unknown parameter in TransactItems[0]: "Putt"'),
        ("transact_write_items", {"TransactItems": [{"Delete": {"TableName": "things"}}]},
         'Missing required parameter in TransactItems[0].Delete: "Key"'),
        ("transact_get_items", {"TransactItems": [{"Get": {**GET, "ConsistentRead": True}}]},
         'Unknown parameter in TransactItems[0].Get: "ConsistentRead"'),
        ("batch_get_item", {"RequestItems": {"things": {"Keys": [KEY], "Consistent": True}}},
         'Unknown parameter in RequestItems.things: "Consistent"'),
        ("batch_write_item", {"RequestItems": {"things": [{"PutRequest": {"Items": KEY}}]}},
         'Unknown parameter in RequestItems.things[0].PutRequest: "Items"'),
        ("batch_execute_statement", {"Statements": [{"Statement": "x", "Parameter": []}]},
         'Unknown parameter in Statements[0]: "Parameter"'),
        ("update_table", {"TableName": "things", "StreamSpecification": {"StreamEnable": True}},
         'Unknown parameter in StreamSpecification: "StreamEnable"'),
        ("get_item", {"TableName": 5, "Key": KEY}, "Invalid type for parameter TableName, value: 5"),
        ("get_item", {"TableName": "things", "Key": [KEY]}, "Invalid type for parameter Key"),
        ("get_item", {**GET, "ConsistentRead": "no"}, "Invalid type for parameter ConsistentRead"),
        ("scan", {"TableName": "things", "Limit": "5"}, "Invalid type for parameter Limit"),
        ("scan", {"TableName": "things", "Limit": True}, "Invalid type for parameter Limit"),
        ("transact_write_items", {"TransactItems": {"Put": {}}}, "Invalid type for parameter TransactItems"),
    ],
)  # fmt: skip
def test_parameters_are_checked_at_any_depth(client, operation, request_, named):
    """
    What is misspelt, missing or of another type within a request is refused too, and nothing takes effect.
    """
    with pytest.raises(ParamValidationError) as refused:
        getattr(client, operation)(**request_)

    assert named in str(refused.value)
    assert client.scan(TableName="things", Select="COUNT")["Count"] == 0


def model_of(operation):
    """Return the shape that botocore gives a request."""
    service = "dynamodbstreams" if operation in STREAMS_OPERATIONS else "dynamodb"
    return Session().get_service_model(service).operation_model(operation).input_shape


def differences(ours, theirs, where):
    """Yield where a shape of ours has other members than botocore's."""
    if isinstance(ours, Struct):
        if set(theirs.members) != set(ours.members) | ours.refused:
            yield where, sorted(set(theirs.members) ^ (set(ours.members) | ours.refused))
        if not set(theirs.required_members) <= ours.required:
            yield where, sorted(set(theirs.required_members) - ours.required)
        for name in set(ours.members) & set(theirs.members):
            yield from differences(ours.members[name], theirs.members[name], f"{where}.{name}")
    elif isinstance(ours, ListOf):
        yield from differences(ours.member, theirs.member, f"{where}[]")
    elif isinstance(ours, MapOf) and ours is not ITEM:
        yield from differences(ours.member, theirs.value, f"{where}{{}}")


@pytest.mark.parametrize("operation", sorted(REQUESTS))
def test_requests_have_the_members_that_botocore_knows(operation):
    """
    No member is forgotten, at any depth: each is taken, or refused by name.
    """
    assert list(differences(REQUESTS[operation], model_of(operation), operation)) == []


def test_every_operation_has_a_request_and_a_method():
    """
    What is carried out can be asked for, over the wire and in this process.
    """
    methods = {*vars(DynamoDBClient), *vars(DynamoDBStreamsClient)}

    assert set(OPERATIONS) == set(REQUESTS)
    assert {xform_name(operation) for operation in OPERATIONS} <= methods


def test_a_value_of_the_wrong_shape_is_refused(client):
    """
    A number that is no text never gets as far as the table.
    """
    for value in MISSHAPEN:
        with pytest.raises(ClientError, match="SerializationException"):
            client.put_item(TableName="things", Item={**KEY, "bad": value})
        with pytest.raises(ClientError, match="SerializationException"):
            client.transact_get_items(TransactItems=[{"Get": {"TableName": "things", "Key": {"id": value}}}])


def test_replies_have_metadata(client):
    """
    Status and a request id come with every reply and every refusal.
    """
    reply = client.get_item(TableName="things", Key=KEY)
    with pytest.raises(ClientError) as caught:
        client.get_item(TableName="missing", Key=KEY)

    assert reply["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    ids = {one["ResponseMetadata"]["RequestId"] for one in (reply, caught.value.response)}
    assert len(ids) == 2
    assert caught.value.operation_name == "GetItem"


def test_exceptions_have_names(client):
    """
    Modelled codes have classes, which are ClientErrors; others have none.
    """
    assert issubclass(client.exceptions.TransactionCanceledException, ClientError)
    assert client.exceptions.ClientError is ClientError
    with pytest.raises(AttributeError, match="no such exception"):
        _ = client.exceptions.ValidationException


def test_waiters_look_once(client):
    """
    A table is there at once or not at all.
    """
    client.get_waiter("table_exists").wait(TableName="things", WaiterConfig={"Delay": 1})
    client.get_waiter("table_not_exists").wait(TableName="missing")
    with pytest.raises(WaiterError):
        client.get_waiter("table_exists").wait(TableName="missing")
    with pytest.raises(WaiterError):
        client.get_waiter("table_not_exists").wait(TableName="things")
    with pytest.raises(ValueError, match="Waiter does not exist"):
        client.get_waiter("table_is_nice")


def test_a_client_can_be_closed(client):
    """
    Closing does nothing, so that code for both worlds is the same.
    """
    client.close()

    client.list_tables()


def test_worlds_are_apart():
    """
    Two databases share nothing.
    """
    assert InMemoryDynamoDB().client().list_tables()["TableNames"] == []


def test_an_empty_query_costs_the_least(client):
    """
    A query or scan that reads nothing costs one unit, or half of one; DynamoDB Local tells none.
    """
    request = {"KeyConditionExpression": "id = :i", "ExpressionAttributeValues": {":i": {"S": "x"}}}

    def units(**further):
        reply = client.query(TableName="things", ReturnConsumedCapacity="TOTAL", **request, **further)
        return reply["ConsumedCapacity"]["CapacityUnits"]

    assert (units(), units(ConsistentRead=True)) == (0.5, 1)
