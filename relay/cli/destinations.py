"""Where a command delivers, and what must be there, from its settings."""

import re
from dataclasses import dataclass

from pydantic import SecretStr

from eventstore import settings as store_settings
from eventstore.backoff import Backoff
from eventstore.dynamodb import connection
from eventstore.errors import SetUpError
from eventstore.ports import Runtime
from eventstore.settings import SettingsError
from eventstore.system import SystemRuntime
from relay.destination import Destination, EventBus
from relay.destinations.bus.address import read_addresses
from relay.destinations.bus.bus import Bus
from relay.destinations.bus.rabbitmq import RabbitBroker, RabbitSettings
from relay.destinations.bus.rabbitmq_topology import RabbitTopology
from relay.destinations.bus.routing import Routing
from relay.destinations.bus.settings import BusSettings
from relay.destinations.file.file import FileDestination, FileSettings
from relay.destinations.file.line import LINE_START
from relay.destinations.file.local_file import LineFile
from relay.destinations.file.topology import FileTopology
from relay.destinations.index.elasticsearch import ElasticsearchClient
from relay.destinations.index.elasticsearch_topology import ElasticsearchTopology
from relay.destinations.index.index import Index
from relay.destinations.index.settings import IndexSettings
from relay.destinations.resource_names import Names
from relay.destinations.topology import Topology
from relay.operating.index_memory import IndexMemoryTable
from relay.settings import RelaySettings

_WITHOUT_SCHEME = re.compile(r"(^|,\s*)(?![a-z]+://)")


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where a command delivers.

    Attributes:
        bus: RabbitMQ.
        sides: All others: none of them holds up the bus.
        routing: Of the bus, to be told how many messages lie in its queues; None when nobody counts them.
    """

    bus: EventBus
    sides: tuple[Destination, ...]
    routing: Routing | None = None


def open_destinations(settings: RelaySettings, runtime: Runtime) -> Destinations:
    """Return the destinations; they connect when something is delivered.

    Raises:
        SettingsError: An address cannot be read as one; every such address is named.
    """
    _check_addresses(settings)
    names = Names(settings.name_prefix)
    access = settings.bus_access
    broker = RabbitBroker(access.now().urls, names, rabbit_settings(settings), lambda: access.now().urls)
    client = _index_client(settings)
    sides: list[Destination] = [Index(client, runtime, index_settings(settings))]
    if settings.file_path is not None:
        lines = LineFile(settings.file_path, runtime, LINE_START)
        sides.append(FileDestination(lines, FileSettings(source=bus_settings(settings).source_or_default)))
    bus = Bus(broker, runtime, bus_settings(settings))
    return Destinations(bus, tuple(sides), bus.routing)


def open_topologies(settings: RelaySettings) -> tuple[Topology, ...]:
    """Return what must exist on each destination; they connect when they are asked.

    Raises:
        SettingsError: An address cannot be read as one; every such address is named.
    """
    _check_addresses(settings)
    client = _index_client(settings)
    topologies: list[Topology] = [
        open_bus_topology(settings),
        ElasticsearchTopology(client, index_settings(settings), open_index_memory(settings)),
    ]
    if settings.file_path is not None:
        topologies.append(FileTopology(settings.file_path))
    return tuple(topologies)


def open_index_memory(settings: RelaySettings) -> IndexMemoryTable | None:
    """Return what remembers what the indices held; None when no settings say where the tables are."""
    try:
        chosen = store_settings.load()
        client = connection.connect(chosen.endpoint)
    except SetUpError:
        return None
    alias = Names(settings.name_prefix).alias
    return IndexMemoryTable(client, chosen.tables, alias, SystemRuntime(), Backoff(attempts_max=2))


def open_bus_topology(settings: RelaySettings) -> RabbitTopology:
    """Return what must exist on the bus; it connects when it is asked.

    Raises:
        ValueError: An address cannot be read.
    """
    bus = settings.bus_access
    names, rabbit = Names(settings.name_prefix), rabbit_settings(settings)
    return RabbitTopology(bus.now().urls, names, rabbit, lambda: bus.now().urls)


def bus_settings(settings: RelaySettings) -> BusSettings:
    """Return the bus's part of the settings."""
    return BusSettings(
        names=Names(settings.name_prefix),
        window=settings.bus_window_messages,
        message_max_bytes=settings.bus_message_max_bytes,
    )


def bus_nodes(address: SecretStr | None) -> frozenset[str] | None:
    """Return the nodes of a bus as workers compare them, `host:port/vhost`; None for no address.

    What names a bus in an error, without `amqp://`, is an address here, too.

    Raises:
        ValueError: An address cannot be read.
    """
    if address is None:
        return None
    given = _WITHOUT_SCHEME.sub(r"\1amqp://", address.get_secret_value().strip())
    return frozenset(each.place for each in read_addresses(given))


def rabbit_settings(settings: RelaySettings) -> RabbitSettings:
    """Return the broker's part of the settings."""
    return RabbitSettings(queue_type=settings.bus_queue_type)


def index_settings(settings: RelaySettings) -> IndexSettings:
    """Return the index's part of the settings."""
    return IndexSettings(
        names=Names(settings.name_prefix),
        bulk_timeout_seconds=settings.index_bulk_timeout_seconds,
        replicas=settings.index_replicas,
        promoted=settings.index_promoted,
    )


def _index_client(settings: RelaySettings) -> ElasticsearchClient:
    access = settings.index_access
    now = access.now()
    return ElasticsearchClient(now.urls, index_settings(settings), api_key=now.api_key, fresh=access.now)


def _check_addresses(settings: RelaySettings) -> None:
    """Look whether the addresses can be read; what cannot is not repeated, since it may hold a password."""
    faults = []
    try:
        read_addresses(settings.rabbitmq_url.get_secret_value())
    except ValueError as error:
        faults.append(f"RELAY_RABBITMQ_URL: {error}")
    try:
        bus_nodes(settings.bus_moved_from)
    except ValueError as error:
        faults.append(f"RELAY_BUS_MOVED_FROM: {error}")
    try:
        ElasticsearchClient(settings.elasticsearch_url.get_secret_value()).close()
    except ValueError:
        faults.append("RELAY_ELASTICSEARCH_URL: is not http://host:port, or several of it with commas between")
    if faults:
        raise SettingsError("settings: " + "; ".join(faults)) from None
