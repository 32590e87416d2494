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


def eligible(listing: Iterable[Shard], finished: Collection[ShardId], leased: Collection[ShardId]) -> list[Shard]:
    """Return the shards of a *complete* listing that need a lease now, in the listing's order.

    A shard is eligible when its parent is finished or no longer listed (trimmed, or never there). Parents come first
    for economy only: the order of events does not depend on it.

    Args:
        listing: All shards.
        finished: Those that are closed and dealt with.
        leased: Those that have a lease, finished or not, owned or not.
    """
    shards = list(listing)
    listed = {shard.id for shard in shards}
    return [
        shard
        for shard in shards
        if shard.id not in finished
        and shard.id not in leased
        and (shard.parent is None or shard.parent not in listed or shard.parent in finished)
    ]


def forgettable(
    finished: Collection[ShardId],
    leased: Collection[ShardId],
    listed: Collection[ShardId],
    missed_before: Collection[ShardId],
) -> list[ShardId]:
    """Return leased shards that complete listings no longer show: nothing can be read from them or refers to them.

    A finished one goes at once. One that is not finished may be so new that a listing is late with it, so that two
    listings in a row have to lack it; one from before it had a lease does not count, since there was nothing to lack.

    Args:
        finished: Those that are closed and dealt with.
        leased: Those that have a lease.
        listed: Those that the listing shows.
        missed_before: Those that had a lease at the listing before, and that it did not show.
    """
    return [
        shard_id
        for shard_id in leased
        if shard_id not in listed and (shard_id in finished or shard_id in missed_before)
    ]
