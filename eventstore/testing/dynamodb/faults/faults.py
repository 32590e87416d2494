"""All faults of one in-memory DynamoDB, and the one place where a commit meets them.

    Faults      the parts below together
    chance      `Chance`: draws faults from a seed, and counts
    journey     `Journey`: what befalls a call on its way
    statements  what befalls the statements of a batch one by one
    hiding      `Hiding`: which writes a read does not see yet
    lateness    `Late`: what follows a commit late - records of the feed, changes of an index
    sharding    `Sharding`: how shards end, and how they are listed and read

A new fault is a field of `Weather` with its sentence, and a line that asks `chance.meets("its_name")` where it shows.
Everything here happens while the database's lock is held.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from random import Random

from eventstore.testing.dynamodb.clock import WallClock
from eventstore.testing.dynamodb.faults.chance import Chance
from eventstore.testing.dynamodb.faults.hiding import Hiding
from eventstore.testing.dynamodb.faults.journey import Journey
from eventstore.testing.dynamodb.faults.lateness import Late
from eventstore.testing.dynamodb.faults.sharding import Sharding
from eventstore.testing.dynamodb.faults.weather import Weather
from eventstore.testing.dynamodb.feed.feed import Feed, FeedRecord
from eventstore.testing.dynamodb.storage.items import Change


class Faults:
    """The faults of one database.

    Args:
        weather: How often, and within which bounds.
        random: Decides.
        clock: Tells the time.
    """

    def __init__(self, weather: Weather, random: Random, clock: WallClock) -> None:
        self.chance = Chance(weather, random, clock)
        self.journey = Journey(self.chance)
        self.hiding = Hiding(self.chance)
        self.late = Late()
        self.sharding = Sharding(self.chance)

    def catch_up(self) -> None:
        """Apply what is due by now."""
        now_ms = self.chance.now_ms()
        self.hiding.expire(now_ms)
        self.late.release(now_ms)

    def commit(
        self, changes: Sequence[Change], token: str | None, *, is_transaction: bool
    ) -> list[dict[str, list[int]]]:
        """Carry out changes; what follows from them - reads, indexes, records - may see them late.

        No record enters the feed, and no index follows, before the item is readable: a consistent read that comes
        after the record sees what the record tells.
        """
        now_ms = self.chance.now_ms()
        readable_ms = self.hiding.hide(changes, now_ms, token, is_transaction=is_transaction)
        written = []
        offered: defaultdict[Feed, list[tuple[int, Change]]] = defaultdict(list)
        for change, visible_ms in zip(changes, readable_ms, strict=True):
            written.append(self._apply(change, now_ms, visible_ms))
            if change.table.feed is not None and not change.is_none:
                offered[change.table.feed].append((visible_ms, change))
        for feed, due in offered.items():
            self._offer(feed, due, now_ms)
        return written

    def _apply(self, change: Change, now_ms: int, visible_ms: int) -> dict[str, list[int]]:
        table = change.table
        if change.old is change.new:
            return {}
        table.store(change)
        written: dict[str, list[int]] = {}
        for index in table.indexes.values():
            sizes = index.write_sizes(change)
            if not sizes:
                continue
            written[index.name] = sizes
            if index.is_local:  # it can be read consistently, so it is never behind its table
                index.apply(change)
                continue
            due_ms = visible_ms
            if self.chance.meets("delay_index"):
                due_ms += self.chance.whole(1, self.chance.weather.index_delay_ms_max)
            self.late.follow((table.arn, index.name, change.key), due_ms, now_ms, partial(index.apply, change))
        return written

    def _offer(self, feed: Feed, due: Sequence[tuple[int, Change]], now_ms: int) -> None:
        at_once: list[FeedRecord] = []
        for visible_ms, change in due:
            (record,) = feed.records([change], now_ms)
            about, due_ms = (feed.arn, change.key), visible_ms
            if self.chance.meets("hold_record"):
                due_ms += self.chance.whole(1, self.chance.weather.hold_ms_max)
            if due_ms <= now_ms and not self.late.is_waiting(about):
                at_once.append(record)
            else:
                self.late.follow(about, due_ms, now_ms, partial(feed.place, [record]))
        if len(at_once) > 1 and self.chance.meets("swap_records"):
            at_once = self.chance.shuffled(at_once)
        if at_once:
            feed.place(at_once)
        self.sharding.change(feed, now_ms)

    def close_feed(self) -> None:
        """Apply everything that is late, before a feed is closed or a table deleted; and it is readable by then."""
        self.hiding.expire(None)
        self.late.release(None)
