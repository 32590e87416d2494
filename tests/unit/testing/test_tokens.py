"""How long a client request token is remembered."""

import pytest
from botocore.exceptions import ClientError

from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb import Weather

MINUTES = 60 * 1000


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def client(clock):
    client = InMemoryDynamoDB(clock=clock).client()
    client.create_table(
        TableName="things",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    return client


def put(client, name, token):
    item = {"id": {"S": name}, "blob": {"B": b"\x00"}}
    condition = "attribute_not_exists(id)"
    action = {"Put": {"TableName": "things", "Item": item, "ConditionExpression": condition}}
    client.transact_write_items(TransactItems=[action], ClientRequestToken=token)


def test_a_repeat_within_ten_minutes_is_answered(client, clock):
    """
    Until ten minutes have passed since the first request, a repeat succeeds without an effect.
    """
    put(client, "a", "token")
    clock.ms += 10 * MINUTES - 1

    put(client, "a", "token")


def test_after_ten_minutes_a_repeat_is_a_new_request(client, clock):
    """
    Then the condition is judged again, and fails.
    """
    put(client, "a", "token")
    clock.ms += 10 * MINUTES

    with pytest.raises(client.exceptions.TransactionCanceledException):
        put(client, "a", "token")


def test_after_ten_minutes_a_token_may_serve_another_request(client, clock):
    """
    A forgotten token is no mismatch.
    """
    put(client, "a", "token")
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        put(client, "b", "token")
    clock.ms += 10 * MINUTES

    put(client, "b", "token")


def test_binaries_are_part_of_the_request(client):
    """
    Requests that differ in a binary only are different requests.
    """

    def write(blob):
        item = {"id": {"S": "a"}, "blob": {"B": blob}}
        actions = [{"Put": {"TableName": "things", "Item": item}}]
        client.transact_write_items(TransactItems=actions, ClientRequestToken="token")

    write(b"\x00")
    write(bytearray(b"\x00"))
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        write(b"\x01")


def test_a_weather_forgets_tokens_sooner(clock):
    """
    A repeat after that is a new request, as after ten minutes.
    """
    database = InMemoryDynamoDB(clock=clock, weather=Weather(token_valid_ms=5))
    client = database.client()
    client.create_table(
        TableName="things",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    put(client, "a", "token")
    clock.ms += 4
    put(client, "a", "token")
    clock.ms += 1
    with pytest.raises(ClientError) as caught:
        put(client, "a", "token")

    assert caught.value.response["Error"]["Code"] == "TransactionCanceledException"
