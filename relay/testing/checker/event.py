"""An event as the events table has it, read from its row by hand: what every other view is held against."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

TIMESTAMP_MAX_MS = 253_402_300_799_999
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class TrueEvent:
    """An event as it is stored.

    Attributes:
        aggregate_id: Its aggregate.
        aggregate_type: The aggregate's type.
        sequence_number: Its place in the aggregate: 1, 2, 3 …
        event_id: Its id.
        type: What happened.
        schema_version: Version of its payload's schema.
        data_json: Its payload, JSON text as stored.
        metadata_json: About it, JSON text as stored.
        timestamp_ms: When it happened, milliseconds since 1970 UTC.
        commit_id: The append that stored it.
        commit_first: The first number of that.
        commit_last: The last number of that.
        epoch: The store's epoch then.
    """

    aggregate_id: str
    aggregate_type: str
    sequence_number: int
    event_id: str
    type: str
    schema_version: int
    data_json: str
    metadata_json: str
    timestamp_ms: int
    commit_id: str
    commit_first: int
    commit_last: int
    epoch: int

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "TrueEvent":
        """Return the event of a row.

        Args:
            row: As DynamoDB's low-level calls give it: `{"aggregateId": {"S": "order-17"}, …}`.

        Raises:
            ValueError: An attribute is missing or of another kind, or payload or metadata are no JSON objects.
        """
        return cls(
            aggregate_id=_text(row, "aggregateId"),
            aggregate_type=_text(row, "aggregateType"),
            sequence_number=_whole(row, "sequenceNumber"),
            event_id=_text(row, "eventId"),
            type=_text(row, "eventType"),
            schema_version=_whole(row, "version"),
            data_json=_json_object(row, "eventData"),
            metadata_json=_json_object(row, "metadata"),
            timestamp_ms=_time(row, "timestamp"),
            commit_id=_text(row, "commitId"),
            commit_first=_whole(row, "commitFirst"),
            commit_last=_whole(row, "commitLast"),
            epoch=_whole(row, "epoch"),
        )

    def __str__(self) -> str:
        return f"{self.aggregate_type} {self.aggregate_id} no. {self.sequence_number} ({self.event_id})"


def moment(timestamp_ms: int) -> str:
    """Return a time as `2025-01-31T23:59:59.007Z`."""
    seconds, milliseconds = divmod(timestamp_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def misplaced_keys(row: Mapping[str, Any], event: TrueEvent) -> list[str]:
    """Return the names of index keys that would not lead to a row; all have the number of the same write shard."""
    day = moment(event.timestamp_ms)[:10]
    wanted = {"eventTypeShard": event.type, "aggregateTypeShard": event.aggregate_type, "dayShard": day}
    found = {name: _SHARDED.fullmatch(str(row.get(name, {}).get("S", ""))) for name in wanted}
    wrong = [name for name, match in found.items() if match is None or match["value"] != wanted[name]]
    shards = {match["shard"] for match in found.values() if match is not None}
    return wrong or (list(wanted) if len(shards) > 1 else [])


_SHARDED = re.compile(r"(?P<value>.*)#(?P<shard>0|[1-9][0-9]*)", re.DOTALL)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name, {}).get("S")
    if not isinstance(value, str):
        raise ValueError(f"{name} is {row.get(name)!r}, not a text")  # noqa: TRY004 - what is wrong is the row
    return value


def _whole(row: Mapping[str, Any], name: str) -> int:
    value = row.get(name, {}).get("N")
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]+", value):
        raise ValueError(f"{name} is {row.get(name)!r}, not a whole number")
    return int(value)


def _time(row: Mapping[str, Any], name: str) -> int:
    value = _whole(row, name)
    if not 0 <= value <= TIMESTAMP_MAX_MS:
        raise ValueError(f"{name} is {value}, outside of the years 1970 to 9999")
    return value


def _json_object(row: Mapping[str, Any], name: str) -> str:
    text = _text(row, name)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{name} is no JSON text: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{name} is {text[:80]!r}, not a JSON object")  # noqa: TRY004 - as above
    return text
