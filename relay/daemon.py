"""The long-lived relay: starts its parts, watches them, and stops in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from eventstore.ports import Flag, Runtime
from relay import defaults
from relay.delivery.lane import Lane
from relay.feed.discovery import Discovery
from relay.feed.shard_consumers import ShardConsumers
from relay.leases.keeper import Keeper
from relay.lifecycle import Service
from relay.observing import readiness
from relay.observing.http.health import Check
from relay.progress import LOOP_TURN_SECONDS, Progress
from relay.sweep.sweeper import Sweeper

_TICK_SECONDS = 0.25
_FAILED_DRAIN_SECONDS = 1.0
_DISCOVERY_DRAIN_SECONDS = 1.0
_LEAVE_SECONDS = 2.0
_LEAVE_SHARE = 4
"""Seconds, and share, of the drain time that are reserved for releasing the leases."""


class PartDiedError(Exception):
    """A part of the relay ended with an unexpected error; the process exits, and another continues."""


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """How the daemon runs.

    Attributes:
        drain_seconds: How long pages in flight may take to finish once the relay is told to stop.
    """

    drain_seconds: float = defaults.DRAIN_SECONDS


class Daemon:
    """One relay process. `run` returns when `stop` was raised and the pages in flight are dealt with."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        discovery: Discovery,
        consumers: ShardConsumers,
        sweeper: Sweeper,
        lanes: tuple[Lane, ...],
        runtime: Runtime,
        settings: DaemonSettings,
        stop: Flag,
        progress: Progress | None = None,
    ) -> None:
        self._keeper = keeper
        self._discovery = discovery
        self._consumers = consumers
        self._sweeper = sweeper
        self._lanes = lanes
        self._runtime = runtime
        self._settings = settings
        self._stop = stop
        self._progress = progress or Progress(runtime)
        self._beside: tuple[Service, ...] = ()
        self._log = structlog.get_logger()

    def checks(self) -> list[Check]:
        """Return what tells whether this worker can do its work; asks no server."""
        return readiness.checks(self._keeper, self._lanes)

    def run(self, beside: Sequence[Service] = ()) -> None:
        """Join the fleet and carry what falls to this worker until told to stop; then finish what is in flight.

        Args:
            beside: Services of the same process, started by the caller, that are watched as its own are.

        Raises:
            FleetSettingsError: Workers with other settings live.
            EventStoreError: DynamoDB did not answer when joining, or the relay table is not one.
            PartDiedError: A part ended by an unexpected error.
        """
        self._beside = tuple(beside)
        self._keeper.join_fleet(self._stop)
        for service in (*self._lanes, self._keeper, self._discovery, self._sweeper):
            service.start()
        self._log.info("relay.started", worker=self._keeper.worker_id)
        try:
            while not self._stop.is_set():
                self._progress.turned("main", LOOP_TURN_SECONDS)
                self._watch()
                self._consumers.tend()
                self._stop.wait(_TICK_SECONDS)
        except PartDiedError:
            self._stop.set()
            self._drain(_FAILED_DRAIN_SECONDS)  # what waits for the dead part would wait in vain
            raise
        self._progress.turned("main", self._settings.drain_seconds + LOOP_TURN_SECONDS)
        self._drain(self._settings.drain_seconds)
        self._watch()
        self._log.info("relay.stopped")

    def _services(self) -> Iterator[Service]:
        """Yield everything long-lived of this process."""
        yield from self._consumers.all
        yield from (self._sweeper, self._discovery, self._keeper)
        yield from self._lanes
        yield from self._beside

    def _watch(self) -> None:
        """Go down loudly when a part has died: half a relay is worse than none."""
        for service in self._services():
            part = service.dead_part
            if part is not None:
                self._log.critical("part.died", part=part.name, error=repr(part.failure))
                raise PartDiedError(f"{part.name}: {part.failure!r}") from part.failure

    def _drain(self, seconds: float) -> None:
        """Wait for pages in flight, then release the leases and the destinations.

        The leases are kept alive until the pages are done, and released one by one as their consumers end.
        """
        self._log.info("relay.draining")
        deadline = self._runtime.monotonic() + seconds
        for_leaving = min(_LEAVE_SECONDS, seconds / _LEAVE_SHARE)
        self._keeper.retire()
        self._consumers.stop()
        self._sweeper.stop()
        self._discovery.stop()
        for service in (*self._consumers.all, self._sweeper, self._discovery):
            patience = deadline - for_leaving - self._runtime.monotonic()
            if service is self._discovery:  # nothing is in flight there
                patience = min(patience, _DISCOVERY_DRAIN_SECONDS)
            self._join(service, patience)
        self._leave(max(for_leaving, deadline - self._runtime.monotonic()))
        for lane in self._lanes:
            lane.stop()
        for lane in self._lanes:
            self._join(lane, max(1.0, deadline - self._runtime.monotonic()))

    def _leave(self, seconds: float) -> None:
        """Leave the fleet; in a part of its own, since DynamoDB may not answer. Leases that are not released expire."""
        deadline = self._runtime.monotonic() + seconds
        self._keeper.stop()
        self._join(self._keeper, deadline - self._runtime.monotonic())
        leaving = self._runtime.spawn("leave", self._keeper.leave_fleet)
        if not leaving.join(max(0.0, deadline - self._runtime.monotonic())):
            self._log.warning("part.abandoned", part=leaving.name)

    def _join(self, service: Service, seconds: float) -> None:
        if not service.join(max(0.0, seconds)):
            for part in service.parts:
                if part.is_alive():
                    self._log.warning("part.abandoned", part=part.name)
