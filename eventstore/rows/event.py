"""Encodes one event as a row of the events table, and decodes it."""

import zlib
from datetime import UTC, datetime
from functools import lru_cache

from eventstore.model import RecordedEvent
from eventstore.rows.item import INTEGER_MAX, LAYOUT, Item, ItemReader, is_text

_DAY_SECONDS = 86_400
_DAY_MS = 1_000 * _DAY_SECONDS

LAYOUT_KNOWN = 1
"""Highest layout of these rows that this release reads. Rows of layout 1 do not say it; later ones do."""


def encode(event: RecordedEvent, index_shards: int) -> dict[str, dict[str, str]]:
    """Return the row of an event.

    Each index key carries a write shard: a partition key with few values would be one hot partition, and a hot index
    partition throttles the table under it.
    """
    shard = write_shard(event.aggregate_id, event.sequence_number, index_shards)
    return {
        "aggregateId": {"S": event.aggregate_id},
        "sequenceNumber": {"N": str(event.sequence_number)},
        "aggregateType": {"S": event.aggregate_type},
        "eventType": {"S": event.type},
        "eventData": {"S": event.data_json},
        "metadata": {"S": event.metadata_json},
        "timestamp": {"N": str(event.timestamp_ms)},
        "version": {"N": str(event.schema_version)},
        "eventId": {"S": event.event_id},
        "commitId": {"S": event.commit_id},
        "commitFirst": {"N": str(event.commit_first)},
        "commitLast": {"N": str(event.commit_last)},
        "epoch": {"N": str(event.epoch)},
        "eventTypeShard": {"S": f"{event.type}#{shard}"},
        "aggregateTypeShard": {"S": f"{event.aggregate_type}#{shard}"},
        "dayShard": {"S": f"{day_of(event.timestamp_ms)}#{shard}"},
    }


def decode(item: Item, table: str) -> RecordedEvent:
    """Return the event of a row.

    Raises:
        NewerRowError: A later release wrote it.
        CorruptRowError: An attribute is missing or of another kind.
    """
    return _decode_sound(item) or _decode_closely(item, table)


def _decode_sound(item: Item) -> RecordedEvent | None:
    """Return the event of a row that is as nearly all are; None when it has to be looked at closely."""
    if LAYOUT in item:
        return None
    try:
        texts = (
            item["aggregateId"]["S"],
            item["aggregateType"]["S"],
            item["eventType"]["S"],
            item["eventData"]["S"],
            item["metadata"]["S"],
            item["eventId"]["S"],
            item["commitId"]["S"],
        )
        numbers = (
            int(item["sequenceNumber"]["N"]),
            int(item["version"]["N"]),
            int(item["timestamp"]["N"]),
            int(item["commitFirst"]["N"]),
            int(item["commitLast"]["N"]),
            int(item["epoch"]["N"]),
        )
        is_sound = is_text("".join(texts)) and numbers[0] > 0
    except (KeyError, TypeError, ValueError):
        return None
    if not is_sound or min(numbers) < -INTEGER_MAX or max(numbers) > INTEGER_MAX:
        return None
    aggregate_id, aggregate_type, type_, data_json, metadata_json, event_id, commit_id = texts
    number, version, timestamp_ms, commit_first, commit_last, epoch = numbers
    return RecordedEvent.of_row(
        aggregate_id=aggregate_id,
        aggregate_type=aggregate_type,
        sequence_number=number,
        type=type_,
        data_json=data_json,
        metadata_json=metadata_json,
        schema_version=version,
        timestamp_ms=timestamp_ms,
        event_id=event_id,
        commit_id=commit_id,
        commit_first=commit_first,
        commit_last=commit_last,
        epoch=epoch,
    )


def _decode_closely(item: Item, table: str) -> RecordedEvent:
    """Return the event of a row, or say what is wrong with it."""
    row = ItemReader(item, table)
    row.check_layout(LAYOUT_KNOWN)
    number = row.integer("sequenceNumber")
    if number < 1:
        raise row.corrupt("sequenceNumber", f"is {number}; sequence numbers count from 1")
    return RecordedEvent(
        aggregate_id=row.text("aggregateId"),
        aggregate_type=row.text("aggregateType"),
        sequence_number=number,
        type=row.text("eventType"),
        data_json=row.text("eventData"),
        metadata_json=row.text("metadata"),
        schema_version=row.integer("version"),
        timestamp_ms=row.integer("timestamp"),
        event_id=row.text("eventId"),
        commit_id=row.text("commitId"),
        commit_first=row.integer("commitFirst"),
        commit_last=row.integer("commitLast"),
        epoch=row.integer("epoch"),
    )


def write_shard(aggregate_id: str, sequence_number: int, index_shards: int) -> int:
    """Return the write shard of an event; events of one commit spread as well."""
    return zlib.crc32(f"{aggregate_id}/{sequence_number}".encode()) % index_shards


def day_of(timestamp_ms: int) -> str:
    """Return the UTC day of a timestamp, `YYYY-MM-DD`."""
    return _day(timestamp_ms // _DAY_MS)


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    """Return a UTC day by its number since 1970; most events are of today."""
    return f"{datetime.fromtimestamp(number * _DAY_SECONDS, UTC):%Y-%m-%d}"
