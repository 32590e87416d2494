"""A bus and an index in memory, for tests and for trying the relay without servers.

They stand behind the same ports as RabbitMQ and Elasticsearch and pass the same contract tests; what they can be told
to do wrong (nack, stall, block, drop, refuse, lose a reply) is what a relay must live with. What has arrived is
judged by `relay.testing.checker`.
"""

from relay.destinations.bus.broker import Acked, Blocked, BrokerError, BrokerEvent, Message, Nacked, Returned, Unblocked
from relay.destinations.index.bulk_item import ItemVerdict
from relay.destinations.index.client import IndexClientError, IndexRefusedError
from relay.destinations.index.holdings import Holding
from relay.destinations.resource_names import Names
from relay.testing.broker import InMemoryBroker
from relay.testing.consumer import InMemoryConsumer
from relay.testing.index import InMemoryIndex
from relay.testing.received import FoundEvent, ReceivedMessage
from relay.testing.session import InMemorySession

__all__ = [
    "Acked",
    "Blocked",
    "BrokerError",
    "BrokerEvent",
    "FoundEvent",
    "Holding",
    "InMemoryBroker",
    "InMemoryConsumer",
    "InMemoryIndex",
    "InMemorySession",
    "IndexClientError",
    "IndexRefusedError",
    "ItemVerdict",
    "Message",
    "Nacked",
    "Names",
    "ReceivedMessage",
    "Returned",
    "Unblocked",
]
