"""Brings one state up to date: from memory or a snapshot where there is one, and from the events after it."""

from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from eventstore.context import StoreContext
from eventstore.read import history
from eventstore.read.pages import Span
from eventstore.repository.cache import CachedState, StateCache
from eventstore.repository.folding import Fold, Folded, fold
from eventstore.repository.policy import CachePolicy, SnapshotMark, SnapshotPolicy, snapshot_due
from eventstore.repository.snapshots import Snapshots
from eventstore.repository.state_codec import StateCodec
from eventstore.repository.stats import RepositoryCounters, RepositoryStats

S = TypeVar("S")

Origin = Literal["events", "snapshot", "cache"]
"""What a state was made of, besides the events above it."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    """A state, and how it was loaded.

    Attributes:
        state: The state; the initial one for an aggregate without events.
        version: Sequence number of the last event in it, 0 for none. Append with it as `expected_version`.
        origin: What the events were added to: nothing, a snapshot, or a state in memory.
        events_read: How many events were read and folded in.
    """

    state: S
    version: int
    origin: Origin
    events_read: int


@dataclass(frozen=True, slots=True)
class Base(Generic[S]):
    """Where a load starts from."""

    state: S
    version: int
    origin: Origin
    mark: SnapshotMark


class StateLoader(Generic[S]):
    """Loads states of one fold. Threads may share it."""

    def __init__(
        self,
        context: StoreContext,
        rule: Fold[S],
        codec: StateCodec[S],
        snapshots: SnapshotPolicy,
        cache: CachePolicy,
    ) -> None:
        runtime = context.runtime
        self.tally = RepositoryCounters(runtime.lock())
        self._context = context
        self._rule = rule
        self._policy = snapshots
        self._cache_policy = cache
        self._cache: StateCache[S] = StateCache(cache.size, runtime.lock())
        self._snapshots: Snapshots[S] = Snapshots(context, rule.stamp, codec, self.tally)

    def load(self, aggregate_id: str, key: str, *, max_staleness_seconds: float | None = None) -> Loaded[S]:
        """Return the state of an aggregate.

        Args:
            aggregate_id: Whose events.
            key: Under which the state is kept.
            max_staleness_seconds: How old a state in memory may be that answers without a request; None as the policy
                says.
        """
        self.tally.add("loads")
        asked_at = self._context.runtime.monotonic()
        entry = self._cache.get(key, self._context.record.epoch)
        if entry is not None:
            self.tally.add("cache_hits")
            policy = self._cache_policy.max_staleness_seconds
            bound = policy if max_staleness_seconds is None else max_staleness_seconds
            if bound > 0 and asked_at - entry.read_at <= bound:
                self.tally.add("answered_from_memory")
                return Loaded(entry.state, entry.version, "cache", 0)
            base = Base(entry.state, entry.version, "cache", entry.mark)
        else:
            base = self._from_snapshot(key)
        if base.origin == "snapshot":
            self.tally.add("snapshot_hits")
        folded = self._add_events(aggregate_id, base)
        mark = self._keep_snapshot(key, folded, base.mark)
        if folded.version:
            epoch = self._context.record.epoch
            self._cache.put(key, CachedState(folded.state, folded.version, epoch, asked_at, mark))
        return Loaded(folded.state, folded.version, base.origin, folded.events)

    def keep(self, key: str, before: int, folded: Folded[S], asked_at: float) -> None:
        """Keep in memory what an append has led to, so that the next load has nothing to read of it.

        Args:
            key: Under which the state is kept.
            before: The version that the append began with.
            folded: The state after it.
            asked_at: When it was sent, by the monotonic clock.
        """
        epoch = self._context.record.epoch
        entry = CachedState(folded.state, folded.version, epoch, asked_at, SnapshotMark())
        self._cache.advance(key, before, entry)

    def load_anew(self, aggregate_id: str, key: str) -> Loaded[S]:
        """Return the state from the events alone, and forget what was in memory."""
        self._cache.drop(key)
        return self.load_as_of(aggregate_id, key, None, None)

    def load_as_of(self, aggregate_id: str, key: str, sequence: int | None, at_ms: int | None) -> Loaded[S]:
        """Return the state as it was; nothing of it is kept.

        A snapshot helps with a sequence number above it. With a time the events decide, from the first one on: a
        snapshot does not say how late its events were.
        """
        self.tally.add("loads")
        base = self._nothing()
        if sequence is not None and at_ms is None:
            snapshot = self._from_snapshot(key)
            base = snapshot if snapshot.version <= sequence else base
        if base.origin == "snapshot":
            self.tally.add("snapshot_hits")
        folded = self._add_events(aggregate_id, base, sequence, at_ms)
        return Loaded(folded.state, folded.version, base.origin, folded.events)

    def stats(self) -> RepositoryStats:
        """Return what was counted."""
        return self.tally.stats()

    def _nothing(self) -> Base[S]:
        return Base(self._rule.start(), 0, "events", SnapshotMark())

    def _from_snapshot(self, key: str) -> Base[S]:
        found = self._snapshots.read(key) if self._policy.reads else None
        if found is None:
            return self._nothing()
        return Base(found.state, found.version, "snapshot", SnapshotMark(found.version, found.taken_at_ms))

    def _add_events(
        self,
        aggregate_id: str,
        base: Base[S],
        until: int | None = None,
        until_ms: int | None = None,
    ) -> Folded[S]:
        span = Span(after=base.version, until=until)
        events = history.read(self._context, aggregate_id, span)  # a row that cannot be read is never passed over here
        folded = fold(self._rule, Folded(base.state, base.version), events, until_ms)
        self.tally.add("events_read", folded.events)
        return folded

    def _keep_snapshot(self, key: str, folded: Folded[S], mark: SnapshotMark) -> SnapshotMark:
        """Write a snapshot when one is due; return the mark from which the next one is counted.

        After an attempt that did not succeed the count starts again as well: a table that refuses, or a state that is
        too large, is not asked again at every load.
        """
        now_ms = self._context.runtime.now_ms()
        if not snapshot_due(self._policy, folded.version, mark, now_ms):
            return mark
        self._snapshots.write(key, folded.state, folded.version)
        return SnapshotMark(folded.version, now_ms)
