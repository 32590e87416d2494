"""The shard consumers of one worker: one for each shard whose lease it holds."""

from collections.abc import Callable, Mapping

import structlog

from relay.feed.directory import Stream
from relay.feed.discovery import Discovery
from relay.feed.shard_consumer import ShardConsumer, ShardState
from relay.leases.held import HeldLease
from relay.leases.keeper import Keeper

OpenShard = Callable[[HeldLease, Stream, Callable[[], None]], ShardConsumer]
"""Makes a shard consumer: the shard's lease, the stream it belongs to, and what to call at its end."""


class ShardConsumers:
    """Opens a consumer for each lease, and stops it when another worker wants its shard. Touched by one part alone.

    Never more than `shards_max` at a time, those that have not quite ended included, which bounds the threads.
    """

    def __init__(self, *, keeper: Keeper, discovery: Discovery, open_shard: OpenShard, shards_max: int) -> None:
        self._keeper = keeper
        self._discovery = discovery
        self._open_shard = open_shard
        self._shards_max = shards_max
        self._consumers: Mapping[str, ShardConsumer] = {}  # replaced, never changed: a report looks at it
        self._waiting = 0
        self._log = structlog.get_logger()

    @property
    def all(self) -> list[ShardConsumer]:
        """All consumers, those that are about to end included."""
        return list(self._consumers.values())

    @property
    def reading(self) -> list[ShardConsumer]:
        """The shard consumers that have not ended, in no order."""
        return [consumer for consumer in self._consumers.values() if consumer.state is ShardState.READING]

    def tend(self) -> None:
        """Let the consumers follow the leases. Makes no calls, so it takes no time."""
        held = self._keeper.held()
        self._consumers = {key: consumer for key, consumer in self._consumers.items() if not consumer.is_ended()}
        for key, lease in held.items():
            if lease.shard_id is None:
                continue  # the sweep's
            consumer = self._consumers.get(key)
            if consumer is None:
                self._open(key, lease)
            elif lease.is_wanted():
                consumer.stop()
        self._say_what_waits(held)

    def stop(self) -> None:
        """Stop every consumer."""
        for consumer in self._consumers.values():
            consumer.stop()

    def _open(self, key: str, lease: HeldLease) -> None:
        if lease.is_fenced() or len(self._consumers) >= self._shards_max:
            return
        assert lease.stream_label is not None, "only the sweep's lease has no stream"
        newest, stream = self._discovery.stream, self._discovery.stream_of(lease.stream_label)
        if stream is None:
            return
        if newest is not None and stream.label > newest.label:  # of a table that this worker has not noticed yet
            self._discovery.hurry()
            return
        consumer = self._open_shard(lease, stream, self._discovery.hurry)
        self._consumers = {**self._consumers, key: consumer}
        consumer.start()
        after = None if lease.position is None else str(lease.position)
        self._log.info("shard.opened", shard=consumer.shard_id, after=after, term=lease.term)

    def _say_what_waits(self, held: Mapping[str, HeldLease]) -> None:
        """Say when shards wait that no worker has room for, and again when their number changes."""
        waiting = self._keeper.waiting_shards()
        if waiting and waiting != self._waiting:
            held_shards = sum(1 for lease in held.values() if lease.shard_id is not None)
            advice = f"raise RELAY_SHARDS_MAX ({self._shards_max} now), or start another worker"
            self._log.warning("shards.waiting", held=held_shards, waiting=waiting, advice=advice)
        self._waiting = waiting
