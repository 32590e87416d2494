"""What a test of a program that uses the event store needs; supported like the rest of the library."""

from eventstore.testing.dynamodb import InMemoryDynamoDB
from eventstore.testing.search import InMemorySearch

__all__ = ["InMemoryDynamoDB", "InMemorySearch"]
