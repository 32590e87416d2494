"""How a worker joins the fleet: the settings in force are its own, or no live worker uses others."""

from typing import Protocol

import structlog

from eventstore.ports import Flag, Runtime
from relay.leases import rules
from relay.leases.errors import FleetSettingsError
from relay.leases.fleet import FleetSettings, WorkerState
from relay.leases.fleet_table import FleetTable
from relay.leases.rules import View

_PATIENCE_SECONDS = 60.0
"""Beyond the duration of a lease: how long workers that are leaving are waited for."""


class Newcomer(Protocol):
    """The worker that joins."""

    def show(self, state: WorkerState) -> None:
        """Write its record."""
        ...

    def look(self) -> View:
        """Look at the fleet."""
        ...


class Joining:
    """Agrees on settings. One that replaces them checks for others afterwards, and one that starts checks them again.

    Args:
        table: The fleet's records.
        settings: Of the worker that joins.
        look_seconds: How often it looks.
        runtime: Clock.
        moved_from: A bus, of `FleetSettings.bus`, that may be replaced although others work with it.
    """

    def __init__(
        self,
        table: FleetTable,
        settings: FleetSettings,
        look_seconds: float,
        runtime: Runtime,
        moved_from: frozenset[str] = frozenset(),
    ) -> None:
        self._table = table
        self._settings = settings
        self._moved_from = moved_from
        self._look_seconds = look_seconds
        self._runtime = runtime
        self._has_named = False
        self._log = structlog.get_logger()

    def go(self, newcomer: Newcomer, stop: Flag) -> None:
        """Return once the newcomer is at work under the settings in force, or told to stop.

        Raises:
            FleetSettingsError: Workers with other settings live.
            EventStoreError: DynamoDB did not answer, or the relay table is not one.
        """
        began_at, said = self._runtime.monotonic(), False
        while not stop.is_set():
            newcomer.show(WorkerState.JOINING)
            view = newcomer.look()
            there = view.fleet.settings
            if there is not None and self._names_nodes(there):
                continue
            if there is not None and there.agrees_with(self._settings):
                newcomer.show(WorkerState.WORKING)
                there = newcomer.look().fleet.settings
                if there is not None and there.agrees_with(self._settings):
                    return
                continue  # somebody replaced them in this very moment, and has not seen us yet
            if there is not None and rules.is_move(there, self._settings, self._moved_from):
                self._move(there)
                continue
            different = {} if there is None else rules.differences(there, self._settings)
            others = frozenset() if there is None else rules.others_at_work(view)
            maybe = frozenset() if there is None else rules.others_maybe(view)
            patience = view.lease_seconds + _PATIENCE_SECONDS  # of the longer leases: theirs, or this worker's
            if others or self._runtime.monotonic() - began_at >= patience:
                raise FleetSettingsError(different, others or maybe)
            if not maybe:
                if self._table.put_settings(self._settings, there) and there is not None:
                    self._log.info("settings.replaced", differences=sorted(different))
                continue
            if not said:
                self._log.warning("settings.differ", differences=sorted(different), workers=sorted(maybe))
                said = True
            stop.wait(self._look_seconds)

    def _names_nodes(self, there: FleetSettings) -> bool:
        """Put the nodes of the bus that this worker knows in place of others of the same cluster, once."""
        mine = self._settings
        if self._has_named or mine.bus is None or there.bus == mine.bus or not there.agrees_with(mine):
            return False
        self._has_named = True
        return self._table.put_settings(mine, there)

    def _move(self, there: FleetSettings) -> None:
        """Put another bus in force, as it was announced; who works with the one before learns it at its next look."""
        if self._table.put_settings(self._settings, there):
            before, now = (sorted(settings.bus or ()) for settings in (there, self._settings))
            self._log.warning("bus.moved", before=before, now=now)
