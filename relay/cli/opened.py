"""What operators' commands look at: the tables, the fleet, and the names of the destinations."""

from dataclasses import dataclass

from eventstore import settings as store_settings
from eventstore.backoff import Backoff
from eventstore.errors import SetUpError
from eventstore.system import SystemRuntime
from relay import settings as relay_settings
from relay.cli.destinations import open_destinations
from relay.cli.servers import Store, open_store
from relay.destination import BUS, INDEX
from relay.leases.fleet import Fleet
from relay.leases.fleet_table import FleetTable
from relay.outbox.reader import OutboxReader

BACKOFF = Backoff(attempts_max=4)
"""A person waits: a server that takes connections and never answers is given up on after less than a minute."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a command needs to look.

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
        chosen = open_destinations(relay_settings.load(), SystemRuntime())
    except SetUpError:  # nothing of the relay is set here, and no relay has run yet
        return (BUS, INDEX)
    return (chosen.bus.name, *(side.name for side in chosen.sides))


def in_order(names: frozenset[str]) -> tuple[str, ...]:
    """Return names, the bus first."""
    return tuple(sorted(names, key=lambda name: (name != BUS, name)))
