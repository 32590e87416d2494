"""The long-lived relay: starts its parts, watches them, and stops in order."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import structlog

from eventstore.ports import Flag, Part, Runtime
from relay import defaults
from relay.delivery.flow import Flow
from relay.delivery.pumps.pump import Pump
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
_HASTENED_SECONDS = 1.0
"""How long each part may still take once somebody has asked twice."""
_JOIN_SLICE_SECONDS = 0.1
_LEAVE_SECONDS = 2.0
_LEAVE_SHARE = 4
"""Seconds, and share, of the drain time that are reserved for releasing the leases."""


class PartDiedError(Exception):
    """A part of the relay ended with an unexpected error; the process exits, and another continues."""


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """How the daemon runs.

    Attributes:
        drain_seconds: How long the relay may take to end once it is told to stop.
    """

    drain_seconds: float = defaults.DRAIN_SECONDS


@dataclass(frozen=True, slots=True)
class Abandoned:
    """What a stop left behind. Nothing is lost by it: it stays owed, and its events may be sent again.

    Attributes:
        parts: Names of parts that did not end in time.
        commits: Commits of which the bus has a part, or has not answered for.
    """

    parts: tuple[str, ...] = ()
    commits: int = 0

    def __bool__(self) -> bool:
        return bool(self.parts or self.commits)

    def __str__(self) -> str:
        parts = f"parts that did not end in time: {', '.join(self.parts)}" if self.parts else ""
        commits = f"commits that were cut off: {self.commits:,}" if self.commits else ""
        return "; ".join(filter(None, (parts, commits)))


class Daemon:
    """One relay process. `run` returns when `stop` was raised and what was begun is finished, or let go."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        discovery: Discovery,
        consumers: ShardConsumers,
        sweeper: Sweeper,
        flow: Flow,
        pumps: tuple[Pump, ...],
        delivery: tuple[Service, ...],
        runtime: Runtime,
        settings: DaemonSettings,
        stop: Flag,
        hasten: Flag | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._keeper = keeper
        self._discovery = discovery
        self._consumers = consumers
        self._sweeper = sweeper
        self._flow = flow
        self._pumps = pumps
        self._delivery = (*pumps, *delivery)
        self._runtime = runtime
        self._settings = settings
        self._stop = stop
        self._hasten = hasten or runtime.flag()
        self._progress = progress or Progress(runtime)
        self._beside: tuple[Service, ...] = ()
        self._abandoned = Abandoned()
        self._is_hastened = False
        self._log = structlog.get_logger()

    @property
    def abandoned(self) -> Abandoned:
        """What the stop left behind, once `run` has returned."""
        return self._abandoned

    def checks(self) -> list[Check]:
        """Return what tells whether this worker can do its work; asks no server."""
        return readiness.checks(self._keeper, self._pumps, self._flow, self._discovery.trouble)

    def run(self, beside: Sequence[Service] = ()) -> None:
        """Join the fleet and carry what falls to this worker until told to stop; then finish what was begun.

        Args:
            beside: Services of the same process, started by the caller, that are watched as its own are.

        Raises:
            FleetSettingsError: Workers with other settings live.
            EventStoreError: DynamoDB did not answer when joining, or the relay table is not one.
            PartDiedError: A part ended by an unexpected error.
        """
        self._beside = tuple(beside)
        self._keeper.join_fleet(self._stop)
        for service in (*self._delivery, self._keeper, self._discovery, self._sweeper):
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
        yield from self._delivery
        yield from self._beside

    def _watch(self) -> None:
        """Go down loudly when a part has died: half a relay is worse than none."""
        for service in self._services():
            part = service.dead_part
            if part is not None:
                self._log.critical("part.died", part=part.name, error=repr(part.failure))
                raise PartDiedError(f"{part.name}: {part.failure!r}") from part.failure

    def _drain(self, seconds: float) -> None:
        """Wait for what was begun, then release the leases and the destinations.

        The leases are kept alive meanwhile, and released one by one as their consumers end.
        """
        self._log.info("relay.draining")
        deadline = self._runtime.monotonic() + seconds
        for_leaving = min(_LEAVE_SECONDS, seconds / _LEAVE_SHARE)
        self._keeper.retire()
        self._consumers.stop()
        self._sweeper.stop()
        self._discovery.stop()
        consumers = self._consumers.all
        for service in (*consumers, self._sweeper, self._discovery):
            patience = deadline - for_leaving - self._runtime.monotonic()
            if service is self._discovery:  # nothing is in flight there
                patience = min(patience, _DISCOVERY_DRAIN_SECONDS)
            self._join(service, patience)
        self._leave(max(for_leaving, deadline - self._runtime.monotonic()))
        for service in self._delivery:
            service.stop()
        for service in self._delivery:
            self._join(service, max(1.0, deadline - self._runtime.monotonic()))
        commits = sum(consumer.cut_off for consumer in consumers) + self._sweeper.cut_off
        self._abandoned = replace(self._abandoned, commits=commits)

    def _leave(self, seconds: float) -> None:
        """Leave the fleet; in a part of its own, since DynamoDB may not answer. Leases that are not released expire."""
        deadline = self._runtime.monotonic() + seconds
        self._keeper.stop()
        self._join(self._keeper, deadline - self._runtime.monotonic())
        leaving = self._runtime.spawn("leave", self._keeper.leave_fleet)
        if not self._has_ended(leaving.join, deadline - self._runtime.monotonic()):
            self._abandon(leaving)

    def _join(self, service: Service, seconds: float) -> None:
        if not self._has_ended(service.join, seconds):
            for part in service.parts:
                if part.is_alive():
                    self._abandon(part)

    def _has_ended(self, join: Callable[[float], bool], seconds: float) -> bool:
        """Wait for an end, for less long once somebody has asked for a stop a second time."""
        deadline = self._runtime.monotonic() + max(0.0, seconds)
        while True:  # until the deadline at most
            if self._hasten.is_set():
                self._say_hastened()
                deadline = min(deadline, self._runtime.monotonic() + _HASTENED_SECONDS)
                return join(max(0.0, deadline - self._runtime.monotonic()))
            left = deadline - self._runtime.monotonic()
            if join(min(max(0.0, left), _JOIN_SLICE_SECONDS)):
                return True
            if left <= 0:
                return False

    def _say_hastened(self) -> None:
        if not self._is_hastened:
            self._is_hastened = True
            self._log.warning("relay.hastened")

    def _abandon(self, part: Part) -> None:
        self._log.warning("part.abandoned", part=part.name)
        self._abandoned = replace(self._abandoned, parts=(*self._abandoned.parts, part.name))
