"""What a test of a program that uses the event store needs; supported like the rest of the library."""

from eventstore.testing.dynamodb import InMemoryDynamoDB

__all__ = ["InMemoryDynamoDB"]
