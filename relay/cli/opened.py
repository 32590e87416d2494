"""What commands read: settings, tables, the fleet, and the names of the destinations."""

from dataclasses import dataclass

from eventstore import settings as store_settings
from eventstore.backoff import Backoff
from eventstore.dynamodb import connection, tables
from eventstore.dynamodb.connection import Endpoint
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import SetUpError
from eventstore.ports import DynamoClient, StreamsClient
from eventstore.settings import SettingsError, StoreSettings
from eventstore.system import SystemRuntime
from relay import settings as relay_settings
from relay.destination import BUS, FILE, INDEX
from relay.leases.fleet import Fleet
from relay.leases.fleet_table import FleetTable
from relay.outbox.reader import OutboxReader
from relay.settings import RelaySettings

BACKOFF = Backoff(attempts_max=4)
"""A person waits: a server that takes connections and never answers is given up on after less than a minute."""


@dataclass(frozen=True, slots=True)
class Store:
    """The tables of a command.

    Attributes:
        client: For the tables.
        streams: For the feed.
        tables: Their names.
        endpoint: Where they are.
    """

    client: DynamoClient
    streams: StreamsClient
    tables: TableNames
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a command needs to look at the relay.

    Attributes:
        store: The tables.
        runtime: Clock and waiting.
        backoff: Attempts of one call to DynamoDB.
    """

    store: Store
    runtime: SystemRuntime
    backoff: Backoff

    @property
    def reader(self) -> OutboxReader:
        """Reads the outbox."""
        return OutboxReader(self.store.client, self.store.tables, self.runtime, self.backoff)

    @property
    def fleet_table(self) -> FleetTable:
        """Reads what workers share."""
        return FleetTable(self.store.client, self.store.tables, self.runtime, self.backoff)


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
    client, streams = connection.connect_with_streams(chosen.endpoint)
    tables.check(client, chosen.tables)
    return Store(client, streams, chosen.tables, chosen.endpoint)


def open_desk() -> Desk:
    """Connect to the tables that the settings name. Settings of the relay are not needed to look.

    Raises:
        SetUpError: Settings are wrong, or the tables are not there.
        UnreachableError: DynamoDB did not answer.
    """
    return Desk(open_store(store_settings.load()), SystemRuntime(), BACKOFF)


def destination_names(fleet: Fleet) -> tuple[str, ...]:
    """Return the names of all destinations, the bus first: those in force, else those of this process's settings."""
    if fleet.settings is not None:
        return in_order(fleet.settings.destinations)
    try:
        chosen = relay_settings.load()
    except SetUpError:  # nothing of the relay is set here, and no relay has run yet
        return (BUS, INDEX)
    return (BUS, INDEX) if chosen.file_path is None else (BUS, INDEX, FILE)


def in_order(names: frozenset[str]) -> tuple[str, ...]:
    """Return names, the bus first."""
    return tuple(sorted(names, key=lambda name: (name != BUS, name)))
