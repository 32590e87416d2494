"""Finds the outbox's stream and lists its shards, completely or not at all."""

from dataclasses import dataclass
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import EventStoreError, RequestRefusedError, SetUpError
from eventstore.ports import DynamoClient, Runtime, StreamsClient
from relay.feed.lineage import Shard, ShardId
from relay.outbox.table import OutboxTable

LISTING_PAGES_MAX = 100
"""Of up to 100 shards each; a day of four-hourly rotations over a thousand partitions stays below."""


_VIEWS = frozenset({"NEW_IMAGE", "NEW_AND_OLD_IMAGES"})


class NoFeedError(SetUpError):
    """The outbox has no stream that tells what was written: switch it on with NEW_IMAGE, or run `eventstore init`."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The outbox's stream as it is now.

    Attributes:
        arn: Its full name.
        label: What tells it from streams that the table had before.
    """

    arn: str
    label: str


@dataclass(frozen=True, slots=True)
class Children:
    """What the feed says of a closed shard's children.

    Attributes:
        shards: Those it shows; a listing may be some seconds late.
        are_all: No more can come: the stream is switched off, so a shard that ends has none.
    """

    shards: tuple[Shard, ...]
    are_all: bool


class FeedDirectory:
    """Looks the feed up.

    Attributes:
        table: The outbox's table, which it looks at first.
    """

    def __init__(
        self,
        client: DynamoClient,
        streams: StreamsClient,
        tables: TableNames,
        runtime: Runtime,
        backoff: Backoff,
    ) -> None:
        self._client = client
        self._streams = streams
        self._name = tables.outbox
        self._table_arn: str | None = None
        self._caller = Caller(client, runtime, backoff)
        self.table = OutboxTable(client, tables, runtime, backoff)

    def stream(self) -> Stream:
        """Return the stream the table has now; a replaced one has another label.

        Raises:
            NoFeedError: There is none.
            EventStoreError: DynamoDB did not answer, or the table is missing.
        """
        table = self.table.look()
        self._table_arn = table.get("TableArn")
        if not table.get("StreamSpecification", {}).get("StreamEnabled") or "LatestStreamArn" not in table:
            raise NoFeedError(f"table {self._name!r} has no stream: switch it on with the view NEW_IMAGE")
        view = table["StreamSpecification"].get("StreamViewType")
        if view not in _VIEWS:
            reason = f"table {self._name!r} has a stream with the view {view}, which does not tell what was written"
            raise NoFeedError(f"{reason}: switch it off, and on again with NEW_IMAGE")
        return Stream(str(table["LatestStreamArn"]), str(table["LatestStreamLabel"]))

    def named(self, label: str) -> Stream | None:
        """Return a stream of the table by its label, also one that is switched off; None before the first look."""
        arn = self._table_arn
        return None if arn is None else Stream(f"{arn}/stream/{label}", label)

    def check_rights(self, stream: Stream, shard: ShardId) -> None:
        """Read as little as can be of a shard, to learn whether that is allowed.

        Raises:
            AccessDeniedError: It is not.
            EventStoreError: Nobody knows; ask again.
        """
        place = {"StreamArn": stream.arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
        opened = self._caller.read(self._streams.get_shard_iterator, needs="ShardIterator", **place)
        self._caller.read(self._streams.get_records, needs="Records", ShardIterator=opened["ShardIterator"], Limit=1)

    def shards(self, stream: Stream) -> list[Shard]:
        """Return all shards of a stream; a listing is complete or an error.

        Raises:
            EventStoreError: A page of it could not be had.
        """
        return self._list(stream)[0]

    def children(self, stream: Stream, parent: ShardId) -> Children:
        """Return the children of a shard that has ended, as far as the feed shows them yet.

        Servers that know the filter CHILD_SHARDS answer with these alone, others with everything or not at all.

        Raises:
            EventStoreError: They could not be had.
        """
        try:
            listing, is_on = self._list(stream, ShardFilter={"Type": "CHILD_SHARDS", "ShardId": parent})
        except RequestRefusedError:
            listing, is_on = self._list(stream)
        return Children(tuple(shard for shard in listing if shard.parent == parent), are_all=not is_on)

    def _list(self, stream: Stream, **wanted: Any) -> tuple[list[Shard], bool]:
        """Return shards, and whether the stream is switched on."""
        request: dict[str, Any] = {"StreamArn": stream.arn, "Limit": 100, **wanted}
        shards: list[Shard] = []
        for _ in range(LISTING_PAGES_MAX):
            reply = self._caller.read(self._streams.describe_stream, needs="StreamDescription", **request)
            description = reply["StreamDescription"]
            shards.extend(Shard(shard["ShardId"], shard.get("ParentShardId")) for shard in description["Shards"])
            last = description.get("LastEvaluatedShardId")
            if not last:
                return shards, description.get("StreamStatus", "ENABLED") in {"ENABLED", "ENABLING"}
            request["ExclusiveStartShardId"] = last
        raise EventStoreError(f"the feed lists more than {LISTING_PAGES_MAX * 100} shards")
