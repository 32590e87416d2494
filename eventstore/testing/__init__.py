"""Test support for programs that use the event store; supported like the rest of the library.

    store = in_memory_store()

is an `EventStore` on a DynamoDB in memory, with its tables, and with a clock that moves when the test says so.
"""

from eventstore.testing.builders import history, recorded
from eventstore.testing.dynamodb import InMemoryDynamoDB, Weather
from eventstore.testing.manual_runtime import ManualRuntime
from eventstore.testing.memory_store import InMemoryEventStore, in_memory_store
from eventstore.testing.search import InMemorySearch
from eventstore.testing.specs import DeciderSpec, ProjectionSpec

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
