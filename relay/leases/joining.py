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
    """

    def __init__(self, table: FleetTable, settings: FleetSettings, look_seconds: float, runtime: Runtime) -> None:
        self._table = table
        self._settings = settings
        self._look_seconds = look_seconds
        self._runtime = runtime
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
            if there == self._settings:
                newcomer.show(WorkerState.WORKING)
                if newcomer.look().fleet.settings == self._settings:
                    return
                continue  # somebody replaced them in this very moment, and has not seen us yet
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
