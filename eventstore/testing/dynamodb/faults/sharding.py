"""How shards end, how they are listed, and how pages of records come, in rough weather."""

from collections.abc import Sequence

from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.dynamodb.faults.chance import Chance
from eventstore.testing.dynamodb.faults.weather import ITERATOR_VALID_MS
from eventstore.testing.dynamodb.feed.feed import Feed, FeedRecord
from eventstore.testing.dynamodb.feed.shard import StoredShard


class Sharding:
    """Changes shards, and what readers are told of them.

    Args:
        chance: Decides.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance

    def change(self, feed: Feed, now_ms: int) -> None:
        """Split or rotate shards behind a commit."""
        open_ids = [shard.shard_id for shard in feed.shards if shard.is_open]
        if len(open_ids) < self._chance.weather.shards_open_max and self._chance.meets("split_shard"):
            feed.split(self._chance.one(open_ids), now_ms)
        elif self._chance.meets("rotate_shards"):
            if self._chance.coin():
                feed.rotate(now_ms)
            else:
                feed.split(self._chance.one(open_ids), now_ms, into=1)

    def follow_split(
        self, parent: StoredShard[FeedRecord], children: Sequence[StoredShard[FeedRecord]], now_ms: int
    ) -> None:
        """Choose how late listings tell of a split. No shard is listed before its parent."""
        weather = self._chance.weather
        for child in children:
            child.listed_ms = parent.listed_ms
            if self._chance.draws("list_late"):
                child.listed_ms = max(child.listed_ms, now_ms + self._chance.whole(1, weather.list_late_ms_max))
        if self._chance.draws("open_parent"):
            first_ms = min(child.listed_ms for child in children)
            parent.shown_open_until_ms = max(first_ms, now_ms) + self._chance.whole(1, weather.open_parent_ms_max)

    def listed(self, shards: Sequence[StoredShard[FeedRecord]]) -> list[StoredShard[FeedRecord]]:
        """Return the shards that a listing tells of."""
        now_ms = self._chance.now_ms()
        told = [shard for shard in shards if shard.listed_ms <= now_ms]
        if len(told) < len(shards):
            self._chance.count("list_late")
        return told

    def is_shown_open(self, shard: StoredShard[FeedRecord]) -> bool:
        """Tell whether a listing says that a closed shard is open."""
        if shard.is_open or shard.shown_open_until_ms <= self._chance.now_ms():
            return False
        self._chance.count("open_parent")
        return True

    def listing_limit(self, limit: int, there: int) -> int:
        """Return how many shards a page of a listing may have."""
        if min(limit, there) > 1 and self._chance.meets("short_listing"):
            return self._chance.whole(1, min(limit, there) - 1)
        return limit

    def trim(self, feed: Feed) -> None:
        """Remove what is too old, or leave it for now."""
        before_ms = self._chance.now_ms() - self._chance.weather.trim_after_ms
        if feed.has_older(before_ms) and self._chance.meets("trim"):
            feed.trim(before_ms)

    def check_iterator(self, issued_ms: int) -> None:
        """Refuse an iterator that has expired."""
        is_old = self._chance.now_ms() - issued_ms > ITERATOR_VALID_MS
        if (is_old and self._chance.meets("old_iterator")) or self._chance.meets("expire_iterator"):
            message = "The shard iterator has expired; iterators are valid for 15 minutes"
            raise ServiceError("ExpiredIteratorException", message)

    def page_limit(self, limit: int, there: int) -> int:
        """Return how many of the records that are there a page may have."""
        if there > 0 and self._chance.meets("empty_page"):
            return 0
        if min(there, limit) > 1 and self._chance.meets("short_feed_page"):
            return self._chance.whole(1, min(there, limit) - 1)
        return limit

    def lingers(self, record_count: int) -> bool:
        """Tell whether the page with a closed shard's last records has an iterator nevertheless."""
        return record_count > 0 and self._chance.meets("linger_at_end")
