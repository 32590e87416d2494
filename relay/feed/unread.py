"""How old the oldest unread record of a shard is, which the feed trims first; asked without disturbing its readers."""

from dataclasses import dataclass
from typing import Any

from eventstore.dynamodb.caller import Caller
from eventstore.errors import EventStoreError, RequestRefusedError
from eventstore.ports import StreamsClient
from relay.feed.change import written_at_ms
from relay.feed.directory import Stream
from relay.leases.position import Position

RETENTION_SECONDS = 24 * 3600.0
"""How long the feed keeps a record before it trims it. Source: AWS, "Change data capture for DynamoDB Streams"."""

_EMPTY_PAGES_MAX = 5
"""How many pages are asked for: a page may be empty although records follow."""

_TRIMMED = "TrimmedDataAccessException"


@dataclass(frozen=True, slots=True)
class Unread:
    """What comes after a position in a shard.

    Attributes:
        oldest_at_ms: When the oldest unread record was written, by DynamoDB's clock; None when none was found.
        is_trimmed: The feed no longer has all of it: the sweep delivers what is missing.
    """

    oldest_at_ms: int | None
    is_trimmed: bool = False


def look(
    streams: StreamsClient,
    caller: Caller,
    stream: Stream,
    shard_id: str,
    after: Position | None,
) -> Unread | None:
    """Return what comes after a position; None when the feed does not tell."""
    place: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
    if after is not None:
        place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": str(after)}
    try:
        opened = caller.read(
            streams.get_shard_iterator,
            needs="ShardIterator",
            StreamArn=stream.arn,
            ShardId=shard_id,
            **place,
        )
        iterator: Any = opened["ShardIterator"]
        for _ in range(_EMPTY_PAGES_MAX):
            page = caller.read(streams.get_records, needs="Records", ShardIterator=iterator, Limit=1)
            if page["Records"]:
                at_ms = written_at_ms(page["Records"][0])
                return None if at_ms is None else Unread(at_ms)
            iterator = page.get("NextShardIterator")
            if iterator is None:
                break
        return Unread(None)
    except RequestRefusedError as error:
        if error.code != _TRIMMED:
            return None
        return Unread(None, is_trimmed=after is not None)  # at the horizon nothing was passed over
    except EventStoreError:
        return None  # a look that fails must not hide the rest of the picture
