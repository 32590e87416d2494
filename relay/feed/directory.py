"""Finds the outbox's stream and lists its shards, completely or not at all."""

from dataclasses import dataclass
from typing import Any

from eventstore import dynamo
from eventstore.backoff import Backoff
from eventstore.errors import EventStoreError, SetUpError
from eventstore.ports import DynamoClient, Runtime, StreamsClient
from eventstore.table_names import TableNames
from relay.feed.lineage import Shard

LISTING_PAGES_MAX = 100
"""Of up to 100 shards each; a day of four-hourly rotations over a thousand partitions stays below."""


class NoFeedError(SetUpError):
    """The outbox has no stream, or it was switched off: switch it on with NEW_IMAGE, or run `eventstore init`."""


@dataclass(frozen=True, slots=True)
class Stream:
    """The outbox's stream as it is now.

    Attributes:
        arn: Its full name.
        label: What tells it from streams that the table had before.
    """

    arn: str
    label: str


class FeedDirectory:
    """Looks the feed up."""

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
        self._table = tables.outbox
        self._runtime = runtime
        self._backoff = backoff

    def stream(self) -> Stream:
        """Return the stream the table has now; a replaced one has another label.

        Raises:
            NoFeedError: There is none.
            EventStoreError: DynamoDB did not answer, or the table is missing.
        """
        reply = dynamo.read(
            self._runtime,
            self._backoff,
            self._client.describe_table,
            needs="Table",
            TableName=self._table,
        )
        table = reply["Table"]
        if not table.get("StreamSpecification", {}).get("StreamEnabled") or "LatestStreamArn" not in table:
            raise NoFeedError(f"table {self._table!r} has no stream: switch it on with the view NEW_IMAGE")
        return Stream(str(table["LatestStreamArn"]), str(table["LatestStreamLabel"]))

    def shards(self, stream: Stream) -> list[Shard]:
        """Return all shards of a stream; a listing is complete or an error.

        Raises:
            EventStoreError: A page of it could not be had.
        """
        request: dict[str, Any] = {"StreamArn": stream.arn, "Limit": 100}
        shards: list[Shard] = []
        for _ in range(LISTING_PAGES_MAX):
            reply = dynamo.read(
                self._runtime,
                self._backoff,
                self._streams.describe_stream,
                needs="StreamDescription",
                **request,
            )
            description = reply["StreamDescription"]
            shards.extend(Shard(shard["ShardId"], shard.get("ParentShardId")) for shard in description["Shards"])
            last = description.get("LastEvaluatedShardId")
            if not last:
                return shards
            request["ExclusiveStartShardId"] = last
        raise EventStoreError(f"the feed lists more than {LISTING_PAGES_MAX * 100} shards")
