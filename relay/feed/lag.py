"""How far the feed's readers are behind, over all shards."""

from eventstore.ports import Runtime


class FeedLag:
    """Per shard: now minus the time of the last record read; 0 where a shard is read to its end. Shared by parts."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = runtime.lock()
        self._newest_at_ms: dict[str, int | None] = {}

    def note(self, shard_id: str, newest_at_ms: int | None, *, at_end: bool) -> None:
        """Remember how far a shard was read; `at_end` when there was nothing more to read."""
        with self._lock:
            if at_end:
                self._newest_at_ms[shard_id] = None
            elif newest_at_ms is not None:
                self._newest_at_ms[shard_id] = newest_at_ms

    def forget(self, shard_id: str) -> None:
        """Leave a shard out that is no longer read."""
        with self._lock:
            self._newest_at_ms.pop(shard_id, None)

    def by_shard(self) -> dict[str, float]:
        """Return the lag of each shard that is read, in seconds."""
        with self._lock:
            newest_at_ms = dict(self._newest_at_ms)
        now_ms = self._runtime.now_ms()
        return {
            shard_id: 0.0 if newest is None else max(0.0, (now_ms - newest) / 1000)
            for shard_id, newest in newest_at_ms.items()
        }

    def seconds(self) -> float:
        """Return the worst lag of the shards that are read."""
        return max(self.by_shard().values(), default=0.0)
