"""Removes the exchange, queues and indices of one demo run; nothing else is touched."""

import contextlib

from elastic_transport import TransportError
from elasticsearch import ApiError

from relay.destinations.bus.amqp_errors import FAILURES
from relay.destinations.bus.broker import BrokerError
from relay.destinations.bus.rabbitmq import RabbitSettings, open_connection
from relay.destinations.index.elasticsearch import connect
from relay.destinations.resource_names import Names


def remove_bus(url: str, names: Names, queue: str) -> None:
    """Delete a run's exchanges and queues; what cannot be reached stays, under a name of its own."""
    with contextlib.suppress(*FAILURES, BrokerError):
        connection = open_connection(url, RabbitSettings(client_name="demo clean-up"))
        channel = connection.channel()
        for name in (queue, names.unrouted, names.dead_letters):
            channel.queue_delete(name)
        for name in (names.exchange, names.unrouted, names.dead_letters):
            channel.exchange_delete(name)
        connection.close()


def remove_index(url: str, names: Names) -> None:
    """Delete a run's indices and its template."""
    client = connect(url).options(request_timeout=10, ignore_status=404)
    with contextlib.suppress(ApiError, TransportError):
        months = client.indices.get(index=f"{names.prefix}-events-*", filter_path="*.aliases")
        for month in months:
            client.indices.delete(index=month)
        client.indices.delete_index_template(name=names.template)
    client.close()
