"""Many threads on one database."""

from concurrent.futures import ThreadPoolExecutor

from eventstore.testing import InMemoryDynamoDB

WRITERS = 8
WRITES = 50


def test_concurrent_writers_lose_nothing():
    """
    Each version is written by exactly one of the competing writers, and each has one feed record.
    """
    world = InMemoryDynamoDB()
    client = world.client()
    client.create_table(
        TableName="events",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "seq", "AttributeType": "N"},
        ],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "seq", "KeyType": "RANGE"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )

    def write(writer: int) -> int:
        own, version, mine = world.client(), 1, 0
        while version <= WRITES:
            item = {"id": {"S": "one"}, "seq": {"N": str(version)}, "writer": {"N": str(writer)}}
            put = {"TableName": "events", "Item": item, "ConditionExpression": "attribute_not_exists(id)"}
            try:
                own.transact_write_items(TransactItems=[{"Put": put}])
                mine += 1
            except client.exceptions.TransactionCanceledException:
                pass  # another writer came first
            version += 1
        return mine

    with ThreadPoolExecutor(WRITERS) as pool:
        written = list(pool.map(write, range(WRITERS)))

    found = client.query(
        TableName="events", KeyConditionExpression="id = :i", ExpressionAttributeValues={":i": {"S": "one"}}
    )
    assert sum(written) == WRITES
    assert [item["seq"]["N"] for item in found["Items"]] == [str(version) for version in range(1, WRITES + 1)]

    streams = world.streams_client()
    arn = streams.list_streams()["Streams"][0]["StreamArn"]
    (shard_id,) = world.open_shard_ids("events")
    place = streams.get_shard_iterator(StreamArn=arn, ShardId=shard_id, ShardIteratorType="TRIM_HORIZON")
    records = streams.get_records(ShardIterator=place["ShardIterator"])["Records"]
    assert [record["dynamodb"]["Keys"]["seq"]["N"] for record in records] == [str(v) for v in range(1, WRITES + 1)]
