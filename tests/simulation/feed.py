"""What goes wrong in the feed: records that come late or swapped, shards that split, rotate, are trimmed or replaced.

It also is where every change of the outbox is seen as it happens: `SimulatedFeed.place` tells the watcher.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from eventstore.testing.dynamodb.feed import Feed, FeedRecord
from eventstore.testing.dynamodb.values import KeyPart
from tests.simulation.chance import Chance

_ItemKey = tuple[KeyPart, ...]


class SimulatedFeed:
    """A `Placing`: holds records back and lets them in later; the records of one item keep their order.

    Args:
        chance: Decides.
        watcher: Told of the records of each commit, before anything else happens.
    """

    def __init__(self, chance: Chance, watcher: Callable[[Sequence[FeedRecord]], None]) -> None:
        self._chance = chance
        self._watcher = watcher
        self._late: deque[tuple[Feed, FeedRecord]] = deque()

    def place(self, feed: Feed, records: Sequence[FeedRecord]) -> None:
        """Let the records of one commit in, now or later."""
        self._watcher(records)
        if self._chance.strikes("feed.late_record"):
            self._late.extend((feed, record) for record in records)
            return
        held = {str(record.keys) for _, record in self._late}
        for record in records:
            if str(record.keys) in held:
                self._late.append((feed, record))
            else:
                feed.append(record)

    def let_in(self, *, everything: bool = False) -> None:
        """Let some of the late records in, in an order that AWS allows: each item's own."""
        draw = self._chance.stream("feed.late")
        count = len(self._late) if everything else draw.randint(0, len(self._late))
        if count > 1 and self._chance.strikes("feed.swapped_records"):
            self._late = deque(_shuffled(list(self._late), draw.random))
        for _ in range(count):
            feed, record = self._late.popleft()
            if feed.is_enabled:  # what a replaced stream still owed is lost, and the sweep finds it
                feed.append(record)


def _shuffled(late: list[tuple[Feed, FeedRecord]], uniform: Callable[[], float]) -> list[tuple[Feed, FeedRecord]]:
    """Return records in another order, those of one item in theirs."""
    by_item: dict[str, deque[tuple[Feed, FeedRecord]]] = {}
    for entry in late:
        by_item.setdefault(str(entry[1].keys), deque()).append(entry)
    order = sorted((uniform(), str(entry[1].keys)) for entry in late)
    return [by_item[item].popleft() for _, item in order]


def records_up_to(feed: Feed, shard_id: str, position: int | None) -> list[dict[str, Any]]:
    """Return the images of the new commits in a shard up to a position; of all of it for None."""
    shard = next((shard for shard in feed.shards if shard.shard_id == shard_id), None)
    if shard is None:
        return []  # trimmed; what it held is the sweep's business
    return [
        dict(record.new.attributes)
        for at, record in zip(shard._positions, shard._records, strict=True)
        if record.event_name == "INSERT" and record.new is not None and (position is None or at <= position)
    ]
