"""Looks at the feed: new shards get a lease, leases of what is gone are removed, a new stream is followed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from eventstore.backoff import Backoff
from eventstore.errors import EventStoreError
from eventstore.ports import Runtime
from relay import defaults
from relay.feed import lineage
from relay.feed.directory import FeedDirectory, NoFeedError, Stream
from relay.leases.fleet import SWEEP_KEY, Lease, lease_key
from relay.leases.fleet_table import FleetTable
from relay.leases.keeper import Keeper
from relay.lifecycle import Service

_TICK_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class DiscoverySettings:
    """How often the feed is looked at.

    Attributes:
        interval_seconds: Between looks; also how long a shard that could not be read is left alone.
        brisk_seconds: Between looks when a shard has just ended, or when nobody in the fleet has anything to read.
        retry: Pauses while there is no feed, or no answer.
    """

    interval_seconds: float = defaults.DISCOVERY_SECONDS
    brisk_seconds: float = 1.0
    retry: Backoff = field(default_factory=lambda: Backoff(base_seconds=1.0, cap_seconds=30.0))


class Discovery(Service):
    """The part `discovery`; one of its own, since DynamoDB may take a minute not to answer, and so may its end."""

    def __init__(
        self,
        *,
        directory: FeedDirectory,
        keeper: Keeper,
        table: FleetTable,
        runtime: Runtime,
        settings: DiscoverySettings,
    ) -> None:
        super().__init__(runtime)
        self._directory = directory
        self._keeper = keeper
        self._table = table
        self._settings = settings
        self._hurry = runtime.channel(1)
        self._stream: Stream | None = None
        self._listed_before: frozenset[str] | None = None
        self._left_over: frozenset[str] = frozenset()
        self._fault: str | None = None
        self._log = structlog.get_logger()

    @property
    def stream(self) -> Stream | None:
        """The stream as it was last seen; None before the first look."""
        return self._stream

    def hurry(self) -> None:
        """Look again soon: a shard has ended."""
        self._hurry.put(True, 0)

    def _bodies(self) -> Mapping[str, Callable[[], None]]:
        return {"discovery": self._run}

    def _run(self) -> None:
        """Look until told to stop. Nothing that is wrong with the feed ends it: the sweep delivers meanwhile."""
        failures, next_look = 0, self._runtime.monotonic()
        while not self._stopping.is_set():
            now = self._runtime.monotonic()
            if self._hurry.get(0) is not None:
                next_look = min(next_look, now + self._settings.brisk_seconds)
            if now >= next_look:
                failures = 0 if self._look() else failures + 1
                next_look = self._runtime.monotonic() + self._pause_seconds(failures)
            self._stopping.wait(_TICK_SECONDS)

    def _pause_seconds(self, failures: int) -> float:
        if failures:
            return self._settings.retry.delay_seconds(failures, self._runtime.uniform())
        label = self._stream.label if self._stream else None
        leases = self._keeper.fleet().leases.values()
        unread = not any(lease.stream_label == label and not lease.finished for lease in leases)
        return min(self._settings.interval_seconds, self._settings.brisk_seconds if unread else float("inf"))

    def _look(self) -> bool:
        """Look once; say what is wrong when that changes; tell whether it went well."""
        try:
            self._discover()
        except EventStoreError as error:  # open shards go on, and the sweep goes on anyway
            if str(error) != self._fault and isinstance(error, NoFeedError):
                self._log.warning("feed.absent", error=str(error))
            elif str(error) != self._fault:
                self._log.warning("feed.list_failed", error=str(error))
            self._fault = str(error)
            return False
        if self._fault is not None:
            self._log.info("feed.found", after=self._fault)
            self._fault = None
        return True

    def _discover(self) -> None:
        stream = self._directory.stream()
        if self._stream is not None and stream.label != self._stream.label:
            self._log.warning("feed.replaced", former=self._stream.label, stream=stream.label)
            self._listed_before = None
        self._stream = stream
        listing = self._directory.shards(stream)
        fleet = self._keeper.fleet()
        ours = {
            lease.shard_id: lease
            for lease in fleet.leases.values()
            if lease.shard_id is not None and lease.stream_label == stream.label
        }
        finished = {shard_id for shard_id, lease in ours.items() if lease.finished}
        fresh = lineage.eligible(listing, finished, ours)
        sweep = [] if SWEEP_KEY in fleet.leases else [SWEEP_KEY]  # the relay table may have been made anew as well
        self._keeper.offer([*sweep, *(lease_key(stream.label, shard.id) for shard in fresh)])
        listed = frozenset(shard.id for shard in listing)
        before = frozenset(ours) if self._listed_before is None else self._listed_before
        gone = lineage.forgettable(finished, ours, listed, before)
        self._listed_before = listed
        self._remove([ours[shard_id] for shard_id in gone])
        self._remove_left_over(fleet.leases, stream)

    def _remove_left_over(self, leases: Mapping[str, Lease], stream: Stream) -> None:
        """Remove leases of former streams that are read to their ends, or that nobody has taken since the last look.

        What a former stream still holds can be read for a day, so somebody carries it to its end. What nobody can read
        any more the sweep finds.
        """
        former = {key: lease for key, lease in leases.items() if lease.stream_label not in {None, stream.label}}
        idle = frozenset(key for key, lease in former.items() if lease.owner is None)
        self._remove([lease for key, lease in former.items() if lease.finished or key in idle & self._left_over])
        self._left_over = idle

    def _remove(self, leases: list[Lease]) -> None:
        """Remove leases that nobody needs; each conditional on what was seen."""
        for lease in leases:
            if lease.owner is None or lease.finished:
                self._table.remove_lease(lease)
