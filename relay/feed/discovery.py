"""Looks at the feed: new shards get a lease, leases of what is gone are removed, a new stream is followed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from eventstore.backoff import Backoff
from eventstore.errors import AccessDeniedError, EventStoreError
from eventstore.ports import Runtime
from relay import defaults
from relay.feed import lineage
from relay.feed.directory import FeedDirectory, NoFeedError, Stream
from relay.feed.health import FeedHealth, trouble_of
from relay.feed.lineage import Shard
from relay.feed.trouble import FeedState, FeedTrouble
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
        health: FeedHealth | None = None,
    ) -> None:
        super().__init__(runtime)
        self._directory = directory
        self._keeper = keeper
        self._table = table
        self._settings = settings
        self._hurry = runtime.channel(1)
        self._stream: Stream | None = None
        self._missed_before: frozenset[str] = frozenset()
        self._left_over: frozenset[str] = frozenset()
        self._health = health or FeedHealth(runtime)
        self._said: FeedTrouble | None = None
        self._checked_label: str | None = None
        self._log = structlog.get_logger()

    @property
    def stream(self) -> Stream | None:
        """The stream as it was last seen; None before the first look."""
        return self._stream

    @property
    def trouble(self) -> FeedTrouble | None:
        """What is wrong with the feed; None while all is well."""
        return self._health.trouble

    def stream_of(self, label: str) -> Stream | None:
        """Return the table's stream of that label, also when it is switched off; None when it is not known yet."""
        return self._directory.named(label)

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
        found: FeedTrouble | None = None
        try:
            self._discover()
        except EventStoreError as error:  # open shards go on, and the sweep goes on anyway
            found = trouble_of(error)
        self._health.looked(found)
        self._say(self._health.trouble, is_of_look=found is not None)
        return found is None

    def _say(self, trouble: FeedTrouble | None, *, is_of_look: bool) -> None:
        before, self._said = self._said, trouble
        if trouble == before:
            return
        if trouble is None:
            assert before is not None, "they differ"
            self._log.info("feed.found", after=before.reason)
        elif trouble.state is FeedState.ABSENT:
            self._log.error("feed.absent", error=trouble.reason)
        elif trouble.state is FeedState.DENIED:
            self._log.error("feed.denied", error=trouble.reason)
        elif not is_of_look:
            self._log.warning("feed.silent", error=trouble.reason)
        elif trouble.needs_person:
            self._log.error("feed.list_failed", error=trouble.reason)
        else:
            self._log.warning("feed.list_failed", error=trouble.reason)

    def _discover(self) -> None:
        try:
            stream = self._directory.stream()
        except NoFeedError:  # what a former stream still holds can be read, and its leases must not stay for ever
            self._remove_left_over(self._keeper.fleet().leases, None)
            raise
        if self._stream is not None and stream.label != self._stream.label:
            self._log.warning("feed.replaced", former=self._stream.label, stream=stream.label)
            self._missed_before = frozenset()
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
        gone = lineage.forgettable(finished, ours, listed, self._missed_before)
        self._missed_before = frozenset(ours) - listed
        self._remove([ours[shard_id] for shard_id in gone])
        self._remove_left_over(fleet.leases, stream)
        self._health.keep({stream.label, *(lease.stream_label or "" for lease in fleet.leases.values())})
        self._check_rights(stream, listing)

    def _check_rights(self, stream: Stream, listing: list[Shard]) -> None:
        """Find out whether the shards may be read: at the first look at a stream, and while that is refused.

        A worker that holds no shard learns it as well, before it is needed.
        """
        if not listing or (self._checked_label == stream.label and not self._health.is_denied(stream.label)):
            return
        try:
            self._directory.check_rights(stream, listing[-1].id)
        except AccessDeniedError as error:
            self._health.denied(stream.label, error)
        except EventStoreError:
            return  # nobody knows: the next look asks again
        else:
            self._health.readable(stream.label)
        self._checked_label = stream.label

    def _remove_left_over(self, leases: Mapping[str, Lease], stream: Stream | None) -> None:
        """Remove leases of former streams that are read to their ends, or that nobody has taken since the last look.

        What a former stream still holds can be read for a day, so somebody carries it to its end. What nobody can read
        any more the sweep finds.
        """
        here = {None, stream.label if stream else None}
        former = {key: lease for key, lease in leases.items() if lease.stream_label not in here}
        idle = frozenset(key for key, lease in former.items() if lease.owner is None)
        self._remove([lease for key, lease in former.items() if lease.finished or key in idle & self._left_over])
        self._left_over = idle

    def _remove(self, leases: list[Lease]) -> None:
        """Remove leases that nobody needs; each conditional on what was seen."""
        self._table.remove_leases([lease for lease in leases if lease.owner is None or lease.finished])
