"""The state of one in-memory DynamoDB, and the two steps that change it: commit a change, open or close a feed.

The engine is plain state. It takes no lock, starts no thread and reads no clock but the one it is given; operations
(see `operations`) ask it for tables and feeds, decide, and commit.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from eventstore.testing.dynamodb.clock import WallClock
from eventstore.testing.dynamodb.errors import stream_not_found, table_not_found
from eventstore.testing.dynamodb.faults.faults import Faults
from eventstore.testing.dynamodb.feed.feed import Feed, Placing
from eventstore.testing.dynamodb.storage.items import Change, StoredItem
from eventstore.testing.dynamodb.storage.schema import Key
from eventstore.testing.dynamodb.table import Table
from eventstore.testing.dynamodb.tokens import Tokens

ACCOUNT = "000000000000"
TRIM_PAUSE_MS = 60_000


def moment(ms: int) -> datetime:
    """Return a time as botocore gives it: aware, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


class Engine:
    """All tables and feeds.

    Args:
        clock: Tells the time.
        region: Named in addresses and records.
        placing: How records enter feeds.
        shard_count: How many shards a feed starts with.
        feed_kept_ms: From which age on records, and feeds that are closed, are removed; None when never.

    Attributes:
        faults: What goes wrong; None while nothing ever does.
    """

    def __init__(
        self,
        clock: WallClock,
        *,
        region: str,
        placing: Placing,
        shard_count: int,
        feed_kept_ms: int | None = None,
    ) -> None:
        self.region = region
        self.tables: dict[str, Table] = {}
        self.feeds: dict[str, Feed] = {}
        self._tables_made = 0
        self.tokens = Tokens()
        self.faults: Faults | None = None
        self._clock = clock
        self._placing = placing
        self._shard_count = shard_count
        self._feed_kept_ms = feed_kept_ms
        self._trimmed_ms = 0

    def now_ms(self) -> int:
        """Return the time of day in milliseconds."""
        return self._clock.now_ms()

    def table(self, name: str) -> Table:
        """Return a table by name or address."""
        found = self.tables.get(name)
        if found is None:
            found = self.tables.get(name.rpartition(":table/")[2])
        if found is None:
            raise table_not_found(name)
        return found

    def feed(self, arn: str) -> Feed:
        """Return a feed by address; also a closed one."""
        found = self.all_feeds().get(arn)
        if found is None:
            raise stream_not_found(f"Stream: {arn}")
        return found

    def all_feeds(self) -> Mapping[str, Feed]:
        """Return all feeds by address, closed ones too."""
        self._trim_feeds()
        return self.feeds

    def table_arn(self, name: str) -> str:
        """Return the address of a table of this name."""
        return f"arn:aws:dynamodb:{self.region}:{ACCOUNT}:table/{name}"

    def next_table_id(self) -> str:
        """Return the id of a table that is made now; no other has it, also when it has the same name."""
        self._tables_made += 1
        return str(UUID(int=self._tables_made, version=4))

    def let_fail(self, faults: Faults) -> None:
        """Inject faults from now on."""
        self.faults = faults
        for feed in self.feeds.values():
            feed.after_split = faults.sharding.follow_split

    def see(self, table: Table, key: Key, *, consistent: bool) -> StoredItem | None:
        """Return an item as a plain read sees it."""
        return table.get(key) if self.faults is None else self.faults.hiding.get(table, key, consistent=consistent)

    def commit(
        self, changes: Sequence[Change], *, token: str | None = None, is_transaction: bool = False
    ) -> Sequence[Mapping[str, list[int]]]:
        """Carry out changes, all of them; return for each the sizes of the index writes it caused.

        The order of the changes is the order in which they reach the feeds, unless `Placing` decides otherwise.
        """
        self._trim_feeds()
        if self.faults is not None:
            return self.faults.commit(changes, token, is_transaction=is_transaction)
        written: list[Mapping[str, list[int]]] = []
        by_feed: defaultdict[str, list[Change]] = defaultdict(list)
        for change in changes:
            written.append(change.table.apply(change))
            if change.table.feed is not None:
                by_feed[change.table.feed.arn].append(change)
        if by_feed:
            now_ms = self.now_ms()
            for arn, offered in by_feed.items():
                self.feeds[arn].offer(offered, now_ms)
        return written

    def open_feed(self, table: Table, view_type: str) -> None:
        """Give a table a new feed."""
        self._trim_feeds()
        created_ms = self.now_ms()
        while (arn := self._feed_arn(table, created_ms)) in self.feeds:
            created_ms += 1  # a label is a time in milliseconds, and two feeds of one table differ in it
        table.feed = Feed(
            table_name=table.name,
            arn=arn,
            label=_label(created_ms),
            schema=table.schema,
            view_type=view_type,
            created_ms=created_ms,
            shard_count=self._shard_count,
            placing=self._placing,
        )
        if self.faults is not None:
            table.feed.after_split = self.faults.sharding.follow_split
        table.latest_feed = self.feeds[arn] = table.feed

    def close_feed(self, table: Table) -> None:
        """Close a table's feed; what it holds stays readable."""
        if table.feed is not None:
            if self.faults is not None:
                self.faults.close_feed()
            table.feed.disable(self.now_ms())
            table.feed = None

    def _trim_feeds(self) -> None:
        """Remove what is too old from the feeds; looked at once a minute."""
        if self._feed_kept_ms is None or (now_ms := self.now_ms()) - self._trimmed_ms < TRIM_PAUSE_MS:
            return
        self._trimmed_ms = now_ms
        before_ms = now_ms - self._feed_kept_ms
        for feed in self.feeds.values():
            feed.trim(before_ms)
        self.feeds = {arn: feed for arn, feed in self.feeds.items() if feed.is_enabled or feed.shards}

    def _feed_arn(self, table: Table, created_ms: int) -> str:
        return f"{table.arn}/stream/{_label(created_ms)}"


def _label(ms: int) -> str:
    return moment(ms).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}"
