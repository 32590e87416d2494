"""Test support for programs that use the event store; supported like the rest of the library.

    store = in_memory_store()

is an `EventStore` on a DynamoDB in memory, with its tables, and with a clock that moves when the test says so.
"""

from eventstore.testing.builders import history, recorded
from eventstore.testing.dynamodb import DynamoDBClient, DynamoDBStreamsClient, InMemoryDynamoDB, Weather
from eventstore.testing.dynamodb.clock import WallClock
from eventstore.testing.dynamodb.database import Passage
from eventstore.testing.dynamodb.feed.feed import Feed, FeedRecord, Placing
from eventstore.testing.manual_runtime import ManualRuntime
from eventstore.testing.memory_store import InMemoryEventStore, in_memory_store
from eventstore.testing.search import InMemorySearch
from eventstore.testing.specs import Decided, DeciderSpec, Given, Projected, ProjectionSpec

__all__ = [
    "Decided",
    "DeciderSpec",
    "DynamoDBClient",
    "DynamoDBStreamsClient",
    "Feed",
    "FeedRecord",
    "Given",
    "InMemoryDynamoDB",
    "InMemoryEventStore",
    "InMemorySearch",
    "ManualRuntime",
    "Passage",
    "Placing",
    "Projected",
    "ProjectionSpec",
    "WallClock",
    "Weather",
    "history",
    "in_memory_store",
    "recorded",
]
