"""Which shards of the feed to read now: roots first, a child when its parent is done. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

ShardId = str


@dataclass(frozen=True, slots=True)
class Shard:
    """A shard as a listing shows it.

    Attributes:
        id: DynamoDB's name for it.
        parent: The shard it was split from, if any.
    """

    id: ShardId
    parent: ShardId | None


def eligible(listing: Iterable[Shard], finished: Collection[ShardId], reading: Collection[ShardId]) -> list[Shard]:
    """Return the shards of a *complete* listing that may be opened now, in the listing's order.

    A shard is eligible when its parent is finished or no longer listed (trimmed, or never there). Parents come first
    for economy only: the order of events does not depend on it.
    """
    shards = list(listing)
    listed = {shard.id for shard in shards}
    return [
        shard
        for shard in shards
        if shard.id not in finished
        and shard.id not in reading
        and (shard.parent is None or shard.parent not in listed or shard.parent in finished)
    ]


def forgettable(finished: Collection[ShardId], listing: Iterable[Shard]) -> list[ShardId]:
    """Return finished shards that a complete listing no longer shows: nothing can point at them any more."""
    listed = {shard.id for shard in listing}
    return [shard_id for shard_id in finished if shard_id not in listed]
