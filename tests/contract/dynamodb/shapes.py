"""Values, tables and refusals as the contract tests write them."""

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

THINGS = "things"
BY_COLOUR = "by-colour"
FEED_DEADLINE_SECONDS = 10


def S(text: str) -> dict[str, str]:  # noqa: N802 - named like the type
    """Return a text."""
    return {"S": text}


def N(number: object) -> dict[str, str]:  # noqa: N802 - named like the type
    """Return a number."""
    return {"N": str(number)}


def key(owner: str, number: object) -> dict[str, Any]:
    """Return the key of a thing."""
    return {"owner_id": S(owner), "num": N(number)}


def thing(owner: str, number: object, **attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a thing."""
    return {**key(owner, number), **attributes}


def create_things(client: Any, **further: Any) -> None:
    """Create a table of things: by owner and number, and in an index by colour and weight."""
    client.create_table(
        TableName=THINGS,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "owner_id", "AttributeType": "S"},
            {"AttributeName": "num", "AttributeType": "N"},
            {"AttributeName": "colour", "AttributeType": "S"},
            {"AttributeName": "weight", "AttributeType": "N"},
        ],
        KeySchema=[
            {"AttributeName": "owner_id", "KeyType": "HASH"},
            {"AttributeName": "num", "KeyType": "RANGE"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": BY_COLOUR,
                "KeySchema": [
                    {"AttributeName": "colour", "KeyType": "HASH"},
                    {"AttributeName": "weight", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
        **further,
    )
    client.get_waiter("table_exists").wait(TableName=THINGS)


def put(client: Any, *things: Mapping[str, Any]) -> None:
    """Store things one by one."""
    for one in things:
        client.put_item(TableName=THINGS, Item=one)


def get(client: Any, owner: str, number: object) -> dict[str, Any] | None:
    """Return a thing, read consistently; None when it is not there."""
    found: dict[str, Any] | None = client.get_item(TableName=THINGS, Key=key(owner, number), ConsistentRead=True).get(
        "Item"
    )
    return found


def put_action(item: Mapping[str, Any], **further: Any) -> dict[str, Any]:
    """Return a Put of a transaction."""
    return {"Put": {"TableName": THINGS, "Item": item, **further}}


def update_action(owner: str, number: object, expression: str, **further: Any) -> dict[str, Any]:
    """Return an Update of a transaction."""
    request = {"TableName": THINGS, "Key": key(owner, number), "UpdateExpression": expression, **further}
    return {"Update": request}


def check_action(owner: str, number: object, expression: str, **further: Any) -> dict[str, Any]:
    """Return a ConditionCheck of a transaction."""
    request = {"TableName": THINGS, "Key": key(owner, number), "ConditionExpression": expression, **further}
    return {"ConditionCheck": request}


def delete_action(owner: str, number: object, **further: Any) -> dict[str, Any]:
    """Return a Delete of a transaction."""
    return {"Delete": {"TableName": THINGS, "Key": key(owner, number), **further}}


def refusal(call: Callable[[], object]) -> dict[str, Any]:
    """Return the error's response; fail if the call is not refused."""
    with pytest.raises(ClientError) as caught:
        call()
    return dict(caught.value.response)


def code(call: Callable[[], object]) -> str:
    """Return the code of the refusal; fail if the call is not refused."""
    return str(refusal(call)["Error"]["Code"])


def reasons(call: Callable[[], object]) -> list[str]:
    """Return the codes of a cancelled transaction's reasons."""
    response = refusal(call)
    assert response["Error"]["Code"] == "TransactionCanceledException", response
    return [reason["Code"] for reason in response["CancellationReasons"]]


def numbers(reply: Mapping[str, Any]) -> list[str]:
    """Return the numbers of the things in a reply, in its order."""
    return [item["num"]["N"] for item in reply["Items"]]


def new_token() -> str:
    """Return a client request token that nobody has used."""
    return uuid.uuid4().hex


def stream_arn(client: Any) -> str:
    """Return the address of the latest stream of the table of things."""
    return str(client.describe_table(TableName=THINGS)["Table"]["LatestStreamArn"])


def only_shard_id(streams: Any, arn: str) -> str:
    """Return the id of the only shard of a stream."""
    (shard,) = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    return str(shard["ShardId"])


def iterator(streams: Any, arn: str, kind: str = "TRIM_HORIZON", **further: Any) -> str:
    """Return an iterator of the only shard of a stream."""
    reply = streams.get_shard_iterator(
        StreamArn=arn, ShardId=only_shard_id(streams, arn), ShardIteratorType=kind, **further
    )
    return str(reply["ShardIterator"])


def read_feed(streams: Any, place: str, count: int) -> list[dict[str, Any]]:
    """Return the records from a place on; wait until there are `count` of them."""
    records: list[dict[str, Any]] = []
    following = place
    deadline = time.monotonic() + FEED_DEADLINE_SECONDS
    while len(records) < count:
        assert time.monotonic() < deadline, f"{len(records)} of {count} records came"
        reply = streams.get_records(ShardIterator=following)
        records += reply["Records"]
        following = reply["NextShardIterator"]
    return records + streams.get_records(ShardIterator=following)["Records"]
