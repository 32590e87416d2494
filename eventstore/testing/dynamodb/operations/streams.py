"""ListStreams, DescribeStream, GetShardIterator and GetRecords."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from eventstore.testing.dynamodb.engine import Engine, moment
from eventstore.testing.dynamodb.errors import ServiceError, validation
from eventstore.testing.dynamodb.faults.faults import Faults
from eventstore.testing.dynamodb.feed.feed import Feed, FeedRecord
from eventstore.testing.dynamodb.feed.iterators import ShardIterator
from eventstore.testing.dynamodb.feed.shard import StoredShard
from eventstore.testing.dynamodb.values import copy_item

LIST_MAX = 100
SHARDS_MAX = 100
RECORDS_MAX = 1000
PAGE_MAX_BYTES = 1024 * 1024
POSITION_MIN_CHARACTERS = 21
"""Sources: AWS, DynamoDB Streams API reference; a page of records has at most 1 MB."""

_INVALID = "One or more parameter values were invalid"
_SECOND_MS = 1000

Request = Mapping[str, Any]
Reply = dict[str, Any]


def _limit(request: Request, most: int) -> int:
    limit: int = request.get("Limit", most)
    if limit < 1:
        raise validation(f"Value '{limit}' at 'limit' failed to satisfy constraint: at least 1")
    if limit > most:
        raise validation(f"{_INVALID}: Limit cannot be greater than the maximum: {most}")
    return limit


def _page_limit(engine: Engine, limit: int) -> int:
    """Return how many entries a page of a listing may have, in the weather there is."""
    return limit if engine.faults is None else min(limit, engine.faults.chance.weather.page_items_max)


def list_streams(engine: Engine, request: Request) -> Reply:
    """Carry out ListStreams; closed streams are listed too."""
    limit = _page_limit(engine, _limit(request, LIST_MAX))
    start = request.get("ExclusiveStartStreamArn", "")
    name = request.get("TableName")
    feeds = [
        feed for arn, feed in sorted(engine.all_feeds().items()) if arn > start and name in {None, feed.table_name}
    ]
    reply: Reply = {
        "Streams": [
            {"StreamArn": feed.arn, "TableName": feed.table_name, "StreamLabel": feed.label} for feed in feeds[:limit]
        ]
    }
    if len(feeds) > limit:
        reply["LastEvaluatedStreamArn"] = feeds[limit - 1].arn
    return reply


def describe_stream(engine: Engine, request: Request) -> Reply:
    """Carry out DescribeStream, with the filter CHILD_SHARDS."""
    feed = engine.feed(request["StreamArn"])
    limit = _page_limit(engine, _limit(request, SHARDS_MAX))
    start = request.get("ExclusiveStartShardId", "")
    parent_id = _read_parent(request.get("ShardFilter"))
    faults = engine.faults
    if faults is not None:
        faults.sharding.trim(feed)
    shards = [
        shard for shard in feed.shards if shard.shard_id > start and parent_id in {None, shard.parent_id}
    ]  # fmt: skip
    if faults is not None:
        shards = faults.sharding.listed(shards)
        limit = faults.sharding.listing_limit(limit, len(shards))
    description: Reply = {
        "StreamArn": feed.arn,
        "StreamLabel": feed.label,
        "StreamStatus": "ENABLED" if feed.is_enabled else "DISABLED",
        "StreamViewType": feed.view_type,
        "CreationRequestDateTime": moment(feed.created_ms),
        "TableName": feed.table_name,
        "KeySchema": [
            {"AttributeName": name, "KeyType": kind}
            for name, kind in zip(feed.schema.names, ("HASH", "RANGE"), strict=False)
        ],
        "Shards": [_describe_shard(shard, faults) for shard in shards[:limit]],
    }
    if len(shards) > limit:
        description["LastEvaluatedShardId"] = shards[limit - 1].shard_id
    return {"StreamDescription": description}


def _read_parent(shard_filter: Mapping[str, Any] | None) -> str | None:
    if shard_filter is None:
        return None
    if shard_filter.get("Type") != "CHILD_SHARDS" or "ShardId" not in shard_filter:
        raise validation(f"{_INVALID}: ShardFilter has the Type CHILD_SHARDS and a ShardId")
    parent_id: str = shard_filter["ShardId"]
    return parent_id


def _describe_shard(shard: StoredShard[FeedRecord], faults: Faults | None) -> Reply:
    positions = {"StartingSequenceNumber": str(shard.starting_position)}
    is_shown_open = faults is not None and faults.sharding.is_shown_open(shard)
    if shard.ending_position is not None and not is_shown_open:
        positions["EndingSequenceNumber"] = str(shard.ending_position)
    description: Reply = {"ShardId": shard.shard_id, "SequenceNumberRange": positions}
    if shard.parent_id is not None:
        description["ParentShardId"] = shard.parent_id
    return description


def get_shard_iterator(engine: Engine, request: Request) -> Reply:
    """Carry out GetShardIterator."""
    feed = engine.feed(request["StreamArn"])
    if engine.faults is not None:
        engine.faults.sharding.trim(feed)
    shard = feed.shard(request["ShardId"])
    place = _place(shard, request["ShardIteratorType"], request.get("SequenceNumber"))
    return {"ShardIterator": ShardIterator(feed.arn, shard.shard_id, place, engine.now_ms()).text}


def _place(shard: StoredShard[FeedRecord], kind: str, text: str | None) -> int:
    if kind in {"TRIM_HORIZON", "LATEST"}:
        if text is not None:
            raise validation(f"{_INVALID}: SequenceNumber should not be passed for this iterator type")
        return shard.trimmed_count if kind == "TRIM_HORIZON" else shard.end
    if kind not in {"AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"}:
        raise validation(f"Value '{kind}' at 'shardIteratorType' failed to satisfy constraint")
    if text is None or not text.isdigit() or len(text) < POSITION_MIN_CHARACTERS:
        raise validation(f"{_INVALID}: Invalid SequenceNumber")
    position = int(text)
    end = shard.ending_position
    if position < shard.starting_position or (end is not None and position > end):
        raise validation(f"{_INVALID}: Invalid SequenceNumber, which does not lie in the shard")
    if shard.trimmed_position is not None and position <= shard.trimmed_position:
        raise _trimmed()
    return shard.place_at(position) if kind == "AT_SEQUENCE_NUMBER" else shard.place_after(position)


def _trimmed() -> ServiceError:
    detail = "The operation attempted to read past the oldest stream record in a shard"
    return ServiceError("TrimmedDataAccessException", detail)


def get_records(engine: Engine, request: Request) -> Reply:
    """Carry out GetRecords; a page that reaches the end of a closed shard has no NextShardIterator."""
    limit = _limit(request, RECORDS_MAX)
    iterator = ShardIterator.read(request["ShardIterator"])
    feed = engine.feed(iterator.stream_arn)
    faults = engine.faults
    if faults is not None:
        faults.sharding.check_iterator(iterator.issued_ms)
        faults.sharding.trim(feed)
    shard = feed.shard(iterator.shard_id)
    if iterator.place < shard.trimmed_count:
        raise _trimmed()
    if faults is not None:
        limit = faults.sharding.page_limit(limit, shard.end - iterator.place)
    records: list[Reply] = []
    size = 0
    for position, record in shard.read(iterator.place, limit):
        size += record.size_bytes
        if records and size > PAGE_MAX_BYTES:
            break
        records.append(_record(engine, feed, position, record))
    reply: Reply = {"Records": records}
    following = iterator.place + len(records)
    is_end = not shard.is_open and following == shard.end
    if not is_end or (faults is not None and faults.sharding.lingers(len(records))):
        reply["NextShardIterator"] = ShardIterator(feed.arn, shard.shard_id, following, engine.now_ms()).text
    return reply


def _record(engine: Engine, feed: Feed, position: int, record: FeedRecord) -> Reply:
    change: Reply = {
        "ApproximateCreationDateTime": _second(record.created_ms // _SECOND_MS),
        "Keys": copy_item(record.keys),
    }
    if record.new is not None:
        change["NewImage"] = copy_item(record.new.attributes)
    if record.old is not None:
        change["OldImage"] = copy_item(record.old.attributes)
    change["SequenceNumber"] = str(position)
    change["SizeBytes"] = record.size_bytes
    change["StreamViewType"] = feed.view_type
    return {
        "eventID": f"{feed.label}/{position}",
        "eventName": record.event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": engine.region,
        "dynamodb": change,
    }


@lru_cache(1024)
def _second(seconds: int) -> datetime:
    return moment(seconds * _SECOND_MS)
