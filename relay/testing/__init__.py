"""A bus and an index in memory, for tests and for trying the relay without servers.

They stand behind the same ports as RabbitMQ and Elasticsearch and pass the same contract tests; what they can be told
to do wrong (nack, stall, block, drop, refuse, lose a reply) is what a relay must live with.
"""

from relay.testing.broker import InMemoryBroker
from relay.testing.index import InMemoryIndex

__all__ = ["InMemoryBroker", "InMemoryIndex"]
