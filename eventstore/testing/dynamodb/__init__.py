"""An in-memory DynamoDB behind the client surface of boto3.

    database    `InMemoryDynamoDB`: one engine behind one door (`call`), clients, operations on shards
    client      the surfaces of boto3's two low-level clients
    operations  what each call does, by its name on the wire
    engine      the state: tables, feeds, tokens; and the commit
    writes      Put, Update, Delete, ConditionCheck, alone or in a transaction
    table, index, rows, items, schema, values, decimals
    feed, shard, iterators
    expressions parsed once, compiled into small objects
    capacity    what a request costs

Nothing goes wrong by itself. What can go wrong on AWS has one place here where a test can make it happen: the way of
a call and its reply is `database.Passage`; the order and time in which records of a commit enter the feed, and their
shard, is `feed.Placing`; when an index follows is `Table.apply`; what a read sees is `Table.get` and `Rows`; splits,
rotation and trimming are methods of `Feed` and `Shard`.
"""

from eventstore.testing.dynamodb.client import DynamoDBClient, DynamoDBStreamsClient
from eventstore.testing.dynamodb.database import InMemoryDynamoDB

__all__ = ["DynamoDBClient", "DynamoDBStreamsClient", "InMemoryDynamoDB"]
