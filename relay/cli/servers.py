"""The real servers behind a command, from its settings."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from eventstore import dynamo, tables
from eventstore import settings as store_settings
from eventstore.backoff import Backoff
from eventstore.ports import DynamoClient, Runtime, StreamsClient
from eventstore.settings import SettingsError, StoreSettings
from eventstore.table_names import TableNames
from relay import settings as relay_settings
from relay.assembly import AssemblySettings, Relay
from relay.daemon import DaemonSettings
from relay.destinations.bus import Bus
from relay.destinations.bus_settings import BusNames, BusSettings
from relay.destinations.elasticsearch import ElasticsearchClient
from relay.destinations.index import Index
from relay.destinations.index_settings import IndexNames, IndexSettings
from relay.destinations.rabbitmq import RabbitBroker, RabbitSettings
from relay.feed.pacing import Pacing
from relay.feed.worker import WorkerSettings
from relay.pipeline import PipelineSettings
from relay.settings import RelaySettings
from relay.sweep import SweepSettings

_REFUSALS_MAX = 3
_ANSWER_MARGIN_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Store:
    """The tables of a command.

    Attributes:
        client: For the tables.
        streams: For the feed.
        tables: Their names.
    """

    client: DynamoClient
    streams: StreamsClient
    tables: TableNames


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where a command delivers.

    Attributes:
        bus: RabbitMQ.
        index: Elasticsearch.
    """

    bus: Bus
    index: Index


def load_settings() -> tuple[StoreSettings, RelaySettings]:
    """Read all settings of a command that delivers.

    Raises:
        SettingsError: Names every fault of either kind, and the variable to set.
    """
    faults: list[SettingsError] = []
    store: StoreSettings | None = None
    relay: RelaySettings | None = None
    try:
        store = store_settings.load()
    except SettingsError as error:
        faults.append(error)
    try:
        relay = relay_settings.load()
    except SettingsError as error:
        faults.append(error)
    if store is None or relay is None:
        raise SettingsError("; ".join(dict.fromkeys(str(fault) for fault in faults))) from faults[0]
    return store, relay


def open_store(chosen: StoreSettings) -> Store:
    """Connect to DynamoDB and check that the tables are as they must be.

    Raises:
        SetUpError: A table is missing or has another layout, or the credentials are refused.
        UnreachableError: DynamoDB did not answer.
    """
    client, streams = dynamo.connect(chosen.endpoint)
    tables.check(client, chosen.tables)
    return Store(client, streams, chosen.tables)


def open_destinations(settings: RelaySettings, runtime: Runtime) -> Destinations:
    """Return the destinations; they connect when something is delivered.

    Raises:
        SettingsError: An address cannot be read as one.
    """
    url = settings.rabbitmq_url.get_secret_value()
    faults = []
    broker: RabbitBroker | None = None
    client: ElasticsearchClient | None = None
    try:
        _ = urlsplit(url).port
        broker = RabbitBroker(
            url,
            BusNames(settings.name_prefix),
            RabbitSettings(queue_type=settings.bus_queue_type),
        )
    except ValueError:  # whose message may hold the password
        faults.append("RELAY_RABBITMQ_URL: is not of the form amqp://user:password@host:port/vhost")
    try:
        client = ElasticsearchClient(settings.elasticsearch_url.get_secret_value(), index_settings(settings))
    except ValueError:  # likewise
        faults.append("RELAY_ELASTICSEARCH_URL: is not http://host:port, or several of it with commas between")
    if broker is None or client is None:
        raise SettingsError("settings: " + "; ".join(faults))
    return Destinations(
        bus=Bus(broker, runtime, bus_settings(settings)),
        index=Index(client, runtime, index_settings(settings)),
    )


def build_relay(
    store: Store,
    destinations: Destinations,
    settings: RelaySettings,
    runtime: Runtime,
    *,
    by_hand: bool = False,
) -> Relay:
    """Return a relay on the real servers.

    Args:
        store: The tables.
        destinations: Where it delivers.
        settings: The relay's settings.
        runtime: Clock, waiting and parts.
        by_hand: A person waits for the end: give up on a bus that keeps refusing, and wait for the index's answer.
    """
    return Relay(
        client=store.client,
        streams=store.streams,
        tables=store.tables,
        bus=destinations.bus,
        sides=(destinations.index,),
        runtime=runtime,
        settings=assembly_settings(settings, by_hand=by_hand),
    )


def bus_settings(settings: RelaySettings) -> BusSettings:
    """Return the bus's part of the settings."""
    return BusSettings(
        names=BusNames(settings.name_prefix),
        window=settings.bus_window_messages,
        message_max_bytes=settings.bus_message_max_bytes,
    )


def index_settings(settings: RelaySettings) -> IndexSettings:
    """Return the index's part of the settings."""
    return IndexSettings(
        names=IndexNames(settings.name_prefix),
        bulk_timeout_seconds=settings.index_bulk_timeout_seconds,
        replicas=settings.index_replicas,
        promoted=settings.index_promoted,
    )


def assembly_settings(settings: RelaySettings, *, by_hand: bool) -> AssemblySettings:
    """Return the settings of the relay's parts."""
    pipeline = PipelineSettings(side_budget_seconds=settings.index_budget_seconds)
    if by_hand:
        patience = settings.index_bulk_timeout_seconds + _ANSWER_MARGIN_SECONDS
        pipeline = PipelineSettings(side_budget_seconds=patience, refusals_max=_REFUSALS_MAX)
    return AssemblySettings(
        daemon=DaemonSettings(
            discovery_seconds=settings.discovery_seconds,
            shards_max=settings.shards_max,
            drain_seconds=settings.drain_seconds,
        ),
        worker=WorkerSettings(
            pacing=Pacing(max_seconds=settings.feed_poll_max_seconds),
            checkpoint_interval_seconds=settings.checkpoint_interval_seconds,
            recheck_lag_seconds=settings.sweep_min_age_seconds,
        ),
        pipeline=pipeline,
        sweep=SweepSettings(
            min_age_seconds=settings.sweep_min_age_seconds,
            interval_seconds=settings.sweep_interval_seconds,
        ),
        bus_budget_seconds=settings.bus_budget_seconds,
        side_budget_seconds=settings.index_bulk_timeout_seconds,
        memory_aggregates_max=settings.memory_aggregates_max,
        dynamodb=Backoff(attempts_max=6),
    )
