"""The long-lived relay: opens the feed's shards as they come, keeps the sweep going, and stops in order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from eventstore.errors import EventStoreError
from eventstore.ports import Flag, Part, Runtime
from relay.checkpoints import Checkpoint, Checkpoints
from relay.feed import lineage
from relay.feed.directory import FeedDirectory, Stream
from relay.feed.worker import ShardState, ShardWorker
from relay.lane import Lane
from relay.sweep import Sweep

_TICK_SECONDS = 0.25
_BRISK_SECONDS = 1.0
_FAILED_DRAIN_SECONDS = 1.0
_DISCOVERY_DRAIN_SECONDS = 1.0


class PartDiedError(Exception):
    """A part of the relay ended by an error nobody expected; the process goes down, and the next one carries on."""


@dataclass(frozen=True, slots=True)
class DaemonSettings:
    """How the daemon runs.

    Attributes:
        discovery_seconds: How often the feed is looked at for new shards and a replaced stream.
        shards_max: Shards carried at the same time, two parts each; others wait for their turn.
        drain_seconds: How long pages in flight may take to finish once the relay is told to stop.
    """

    discovery_seconds: float = 10.0
    shards_max: int = 16
    drain_seconds: float = 20.0


OpenShard = Callable[[str, Stream, Checkpoint | None, Flag, Callable[[], None]], ShardWorker]
"""Makes a worker for a shard: shard id, stream, checkpoint, stop flag, what to call at its end."""


class Daemon:
    """One relay process. `run` returns when `stop` was raised and the pages in flight are dealt with."""

    def __init__(
        self,
        *,
        directory: FeedDirectory,
        checkpoints: Checkpoints,
        open_shard: OpenShard,
        lanes: tuple[Lane, ...],
        sweep: Sweep,
        runtime: Runtime,
        settings: DaemonSettings,
        stop: Flag,
    ) -> None:
        self._directory = directory
        self._checkpoints = checkpoints
        self._open_shard = open_shard
        self._lanes = lanes
        self._sweep = sweep
        self._runtime = runtime
        self._settings = settings
        self._stop = stop
        self._workers: Mapping[tuple[str, str], ShardWorker] = {}  # replaced, never changed: two parts look at it
        self._lost_at: dict[tuple[str, str], float] = {}
        self._sweep_part: Part | None = None
        self._discovery_part: Part | None = None
        self._looked_at = float("-inf")
        self._brisk = runtime.channel(1)
        self._log = structlog.get_logger()

    def run(self) -> None:
        """Carry the feed until told to stop, then finish what is in flight.

        Raises:
            PartDiedError: A part ended by an unexpected error.
        """
        for lane in self._lanes:
            lane.start()
        self._sweep_part = self._runtime.spawn("sweep", lambda: self._sweep.run(self._stop))
        self._discovery_part = self._runtime.spawn("discovery", self._follow_feed)
        self._log.info("relay.started")
        try:
            while not self._stop.is_set():
                self._watch()
                self._stop.wait(_TICK_SECONDS)
        except PartDiedError:
            self._stop.set()
            self._drain(_FAILED_DRAIN_SECONDS)  # what waits for the dead part would wait in vain
            raise
        self._drain(self._settings.drain_seconds)
        self._watch()
        self._log.info("relay.stopped")

    def _follow_feed(self) -> None:
        """Look at the feed until the relay stops: a part of its own, since DynamoDB may take a minute not to answer."""
        while not self._stop.is_set():
            self._look_at_feed()
            self._stop.wait(_TICK_SECONDS)

    def _look_at_feed(self) -> None:
        """Open the shards that may be read now; look again soon after a shard has ended."""
        now = self._runtime.monotonic()
        ended = self._brisk.get(0) is not None
        unread = not any(worker.state is ShardState.READING for worker in self._workers.values())
        due = now - self._looked_at >= (_BRISK_SECONDS if unread else self._settings.discovery_seconds)
        if not ended and not due:
            return
        self._looked_at = now
        try:
            self._discover()
        except EventStoreError as error:
            self._log.warning("feed.unlisted", error=str(error))  # open shards go on; the sweep goes on anyway

    def _discover(self) -> None:
        stream = self._directory.stream()
        listing = self._directory.shards(stream)
        known = self._checkpoints.load(stream)
        finished = {shard_id for shard_id, checkpoint in known.items() if checkpoint.finished}
        self._leave_ended()
        busy = {shard_id for label, shard_id in (*self._workers, *self._lost_at) if label == stream.label}
        for shard in lineage.eligible(listing, finished, busy):
            if len(self._workers) >= self._settings.shards_max:
                self._log.warning("shards.waiting", carried=len(self._workers))
                break
            self._open(stream, shard.id, known.get(shard.id))
        for shard_id in lineage.forgettable(finished, listing):
            self._checkpoints.forget(stream, shard_id)

    def _leave_ended(self) -> None:
        """Forget shards that are read no longer; one that was lost is left alone for a while."""
        now = self._runtime.monotonic()
        patience = self._settings.discovery_seconds
        self._lost_at = {key: at for key, at in self._lost_at.items() if now - at < patience}
        ended = {key: worker for key, worker in self._workers.items() if worker.state is not ShardState.READING}
        self._lost_at.update(dict.fromkeys((key for key in ended if ended[key].state is ShardState.LOST), now))
        self._workers = {key: worker for key, worker in self._workers.items() if key not in ended}

    def _open(self, stream: Stream, shard_id: str, checkpoint: Checkpoint | None) -> None:
        worker = self._open_shard(shard_id, stream, checkpoint, self._stop, self._note_end)
        self._workers = {**self._workers, (stream.label, shard_id): worker}
        worker.start()
        position = checkpoint.position if checkpoint else None
        self._log.info("shard.opened", shard=shard_id, after=None if position is None else str(position))

    def _note_end(self) -> None:
        self._brisk.put(True, 0)

    def _parts(self) -> list[Part]:
        parts = [part for worker in self._workers.values() for part in worker.parts]
        parts.extend(lane.part for lane in self._lanes if lane.part is not None)
        parts.extend(part for part in (self._sweep_part, self._discovery_part) if part is not None)
        return parts

    def _watch(self) -> None:
        """Go down loudly when a part has died: half a relay is worse than none."""
        for part in self._parts():
            if part.failure is not None:
                self._log.critical("part.died", part=part.name, error=repr(part.failure))
                raise PartDiedError(f"{part.name}: {part.failure!r}") from part.failure

    def _drain(self, seconds: float) -> None:
        """Wait for pages in flight, then let go of the destinations."""
        self._log.info("relay.draining")
        deadline = self._runtime.monotonic() + seconds
        lane_parts = {lane.part for lane in self._lanes}
        for part in self._parts():
            patience = max(0.0, deadline - self._runtime.monotonic())
            if part is self._discovery_part:  # nothing is in flight there
                patience = min(patience, _DISCOVERY_DRAIN_SECONDS)
            if part not in lane_parts and not part.join(patience):
                self._log.warning("part.abandoned", part=part.name)
        for lane in self._lanes:
            if not lane.stop(max(1.0, deadline - self._runtime.monotonic())):
                self._log.warning("part.abandoned", part=f"lane-{lane.name}")
