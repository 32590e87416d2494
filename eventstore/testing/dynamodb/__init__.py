"""An in-memory DynamoDB behind the client surface of boto3.

    database    `InMemoryDynamoDB`: one engine behind one door (`call`), clients, operations on shards
    client      the surfaces of boto3's two low-level clients
    requests    what each call may say: checked for callers in this process, decoded from the wire
    operations  what each call does, by its name on the wire
    engine      the state: tables, feeds, tokens; and the commit
    writes      Put, Update, Delete, ConditionCheck, alone or in a transaction
    table, index, rows, items, schema, values, decimals
    feed, shard, iterators
    expressions parsed once, compiled into small objects
    capacity    what a request costs
    weather     what goes wrong on request, and how often: `Weather`
    faults      what acts on it: chance, journey, hiding, lateness, sharding

Nothing goes wrong by itself. What can go wrong on AWS is a chance in a `Weather`. A test that wants one certain thing
to happen at one certain moment has `database.Passage`, the way of a call and its reply; `feed.Placing`, the order in
which records of a commit enter the feed; and `split_shard` and `rotate_shards` of the database.
"""

from eventstore.testing.dynamodb.client import DynamoDBClient, DynamoDBStreamsClient
from eventstore.testing.dynamodb.database import InMemoryDynamoDB
from eventstore.testing.dynamodb.faults.weather import Weather

__all__ = ["DynamoDBClient", "DynamoDBStreamsClient", "InMemoryDynamoDB", "Weather"]
