"""The long-lived relay: starts its parts, watches them, and stops in order."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from eventstore.ports import Flag, Part, Runtime
from relay import defaults
from relay.delivery.lane import Lane
from relay.feed.discovery import Discovery
from relay.feed.shard_consumers import ShardConsumers
from relay.leases.keeper import Keeper
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
        self._beside: tuple[Part, ...] = ()
        self._drained = runtime.flag()
        self._leases_part: Part | None = None
        self._discovery_part: Part | None = None
        self._sweep_part: Part | None = None
        self._log = structlog.get_logger()

    def checks(self) -> list[Check]:
        """Return what tells whether this worker can do its work; asks no server."""
        return readiness.checks(self._keeper, self._lanes)

    def run(self, beside: Sequence[Part] = ()) -> None:
        """Join the fleet and deliver this worker's share until told to stop; then finish what is in flight.

        Args:
            beside: Parts of the same process that are watched as its own are.

        Raises:
            FleetSettingsError: Workers with other settings live.
            EventStoreError: DynamoDB did not answer when joining, or the relay table is not one.
            PartDiedError: A part ended by an unexpected error.
        """
        self._beside = tuple(beside)
        self._keeper.join(self._stop)
        for lane in self._lanes:
            lane.start()
        self._leases_part = self._runtime.spawn("leases", lambda: self._keeper.run(self._drained))
        self._discovery_part = self._runtime.spawn("discovery", lambda: self._discovery.run(self._stop))
        self._sweep_part = self._runtime.spawn("sweep", lambda: self._sweeper.run(self._stop))
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

    def _parts(self) -> list[Part]:
        """Every part that may have something in flight."""
        parts = self._consumers.parts
        parts.extend(part for part in (self._sweep_part, self._discovery_part) if part is not None)
        return parts

    def _watch(self) -> None:
        """Exit with an error when a part has died: half a relay is worse than none."""
        lane_parts = [lane.part for lane in self._lanes]
        for part in (*self._parts(), self._leases_part, *lane_parts, *self._beside):
            if part is not None and part.failure is not None:
                self._log.critical("part.died", part=part.name, error=repr(part.failure))
                raise PartDiedError(f"{part.name}: {part.failure!r}") from part.failure

    def _drain(self, seconds: float) -> None:
        """Wait for pages in flight, then release the leases and of the destinations.

        The leases are kept alive until the pages are through, and release one by one as their shard consumers end.
        """
        self._log.info("relay.draining")
        deadline = self._runtime.monotonic() + seconds
        for_leaving = min(_LEAVE_SECONDS, seconds / _LEAVE_SHARE)
        self._keeper.retire()
        self._consumers.drain()
        for part in self._parts():
            patience = deadline - for_leaving - self._runtime.monotonic()
            if part is self._discovery_part:  # nothing is in flight there
                patience = min(patience, _DISCOVERY_DRAIN_SECONDS)
            self._join(part, patience)
        self._leave(max(for_leaving, deadline - self._runtime.monotonic()))
        for lane in self._lanes:
            if not lane.stop(max(1.0, deadline - self._runtime.monotonic())):
                self._log.warning("part.abandoned", part=f"lane-{lane.name}")

    def _leave(self, seconds: float) -> None:
        """Leave the fleet; in a part of its own, since DynamoDB may not answer. What is not release runs out."""
        deadline = self._runtime.monotonic() + seconds
        self._drained.set()
        if self._leases_part is not None:
            self._join(self._leases_part, deadline - self._runtime.monotonic())
        self._join(self._runtime.spawn("leave", self._keeper.leave), deadline - self._runtime.monotonic())

    def _join(self, part: Part, seconds: float) -> None:
        if not part.join(max(0.0, seconds)):
            self._log.warning("part.abandoned", part=part.name)
