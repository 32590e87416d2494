"""The places where a test may come between a call and its effect, or a commit and its feed."""

from eventstore.testing import InMemoryDynamoDB

TABLE = {
    "TableName": "things",
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
}


class LosesReplies:
    """A passage that carries calls out, and loses the reply of every PutItem."""

    def __init__(self):
        self.seen = []

    def carry(self, operation, request, effect):
        self.seen.append(operation)
        reply = effect()
        if operation == "PutItem":
            raise ConnectionError("the reply was lost")
        return reply


class Backwards:
    """A placing that turns the records of a commit round."""

    def place(self, feed, records):
        for record in reversed(records):
            feed.append(record)


def test_every_call_of_both_clients_goes_through_the_passage():
    """
    One door for all: here a reply is lost after the effect.
    """
    passage = LosesReplies()
    world = InMemoryDynamoDB(passage=passage)
    client, streams = world.client(), world.streams_client()
    client.create_table(**TABLE)
    lost = False
    try:
        client.put_item(TableName="things", Item={"id": {"S": "a"}})
    except ConnectionError:
        lost = True

    assert lost
    assert client.get_item(TableName="things", Key={"id": {"S": "a"}})["Item"] == {"id": {"S": "a"}}
    assert len(streams.list_streams()["Streams"]) == 1
    assert passage.seen == ["CreateTable", "PutItem", "GetItem", "ListStreams"]


def test_placing_decides_the_order_within_a_commit():
    """
    Records of one transaction may come otherwise than they were asked for; those of two commits keep theirs.
    """
    world = InMemoryDynamoDB(placing=Backwards())
    client, streams = world.client(), world.streams_client()
    client.create_table(**TABLE)

    for names in ("abc", "de"):
        actions = [{"Put": {"TableName": "things", "Item": {"id": {"S": name}}}} for name in names]
        client.transact_write_items(TransactItems=actions)

    arn = streams.list_streams()["Streams"][0]["StreamArn"]
    (shard_id,) = world.open_shard_ids("things")
    place = streams.get_shard_iterator(StreamArn=arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=place["ShardIterator"])["Records"]
    assert "".join(record["dynamodb"]["Keys"]["id"]["S"] for record in records) == "cbaed"


class CountingLock:
    """A lock that counts how often it is taken, and by how many at once."""

    def __init__(self):
        self.taken = 0
        self.holders = 0

    def __enter__(self):
        self.taken += 1
        self.holders += 1
        assert self.holders == 1, "the lock is taken once at a time"

    def __exit__(self, *_details):
        self.holders -= 1


def test_each_effect_holds_the_lock_once():
    """
    The lock is a port: a simulator hands in one of its own.
    """
    lock = CountingLock()
    world = InMemoryDynamoDB(lock=lock)
    client = world.client()
    client.create_table(**TABLE)
    client.put_item(TableName="things", Item={"id": {"S": "a"}})
    world.rotate_shards("things")

    assert (lock.taken, lock.holders) == (3, 0)
