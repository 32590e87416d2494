"""Test support for programs that use the event store; supported like the rest of the library.

    store = in_memory_store()

is an `EventStore` on a DynamoDB in memory, with its tables, and with a clock that moves when the test says so.
"""

from eventstore.testing.builders import history, recorded
from eventstore.testing.dynamodb import InMemoryDynamoDB, Weather
from eventstore.testing.given import DeciderSpec, ProjectionSpec
from eventstore.testing.manual import ManualRuntime
from eventstore.testing.memory_store import InMemoryEventStore, in_memory_store
from eventstore.testing.search import InMemorySearch

__all__ = [
    "DeciderSpec",
    "InMemoryDynamoDB",
    "InMemoryEventStore",
    "InMemorySearch",
    "ManualRuntime",
    "ProjectionSpec",
    "Weather",
    "history",
    "in_memory_store",
    "recorded",
]
