"""What an append's arguments must be, checked before anything is sent."""

import re
from collections.abc import Mapping, Sequence

from eventstore import limits
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.model import AggregateRef, NewEvent

_NAME = re.compile(r"[A-Za-z0-9_-]+")
TIMESTAMP_MIN_MS = 0
TIMESTAMP_MAX_MS = 253_402_300_799_999  # 9999-12-31, the last day that the day key and index names can say


def check_append(aggregate: AggregateRef, events: Sequence[NewEvent], expected_version: int) -> None:
    """Check what can be seen without encoding anything.

    Raises:
        InvalidInputError: Names the field and what to change.
    """
    check_aggregate(aggregate)
    if isinstance(expected_version, bool) or not isinstance(expected_version, int):
        raise InvalidInputError("expected_version", "is a count of events: 0 for a new aggregate, else a whole number")
    if not 0 <= expected_version <= limits.SEQUENCE_NUMBER_MAX:
        raise InvalidInputError("expected_version", f"is {expected_version}, not 0 to {limits.SEQUENCE_NUMBER_MAX}")
    if not events:
        raise InvalidInputError("events", "is empty; an append stores 1 to 98 events")
    if len(events) > limits.COMMIT_MAX_EVENTS:
        raise LimitExceededError("events", limit=limits.COMMIT_MAX_EVENTS, actual=len(events), unit="events")
    for index, event in enumerate(events):
        _check_event(aggregate, event, f"events[{index}]")


def check_aggregate(aggregate: AggregateRef) -> None:
    """Check an aggregate's type and id.

    Raises:
        InvalidInputError: Names the field and what to change.
    """
    _check_name(aggregate.type, "aggregate.type")
    check_aggregate_id(aggregate.id)


def check_aggregate_id(aggregate_id: str) -> None:
    """Check an aggregate's id.

    Raises:
        InvalidInputError: It is empty, too long, or no UTF-8.
    """
    if not isinstance(aggregate_id, str) or not aggregate_id:
        raise InvalidInputError("aggregate.id", "is empty or no text")
    try:
        size = len(aggregate_id.encode())
    except UnicodeEncodeError as error:
        raise InvalidInputError("aggregate.id", "holds half of a surrogate pair") from error
    if size > limits.PARTITION_KEY_MAX_BYTES:
        raise LimitExceededError("aggregate.id", limit=limits.PARTITION_KEY_MAX_BYTES, actual=size, unit="bytes")


def _check_event(aggregate: AggregateRef, event: NewEvent, field: str) -> None:
    _check_name(event.type, f"{field}.type")
    routing_key_bytes = len(aggregate.type) + 1 + len(event.type)
    if routing_key_bytes > limits.ROUTING_KEY_MAX_BYTES:
        raise LimitExceededError(
            f"{field}.type",
            limit=limits.ROUTING_KEY_MAX_BYTES,
            actual=routing_key_bytes,
            unit="bytes",
        )
    for name, value in (("data", event.data), ("metadata", event.metadata)):
        if not isinstance(value, Mapping):
            raise InvalidInputError(f"{field}.{name}", f"is a {type(value).__name__}; give a dict")
    if isinstance(event.schema_version, bool) or not isinstance(event.schema_version, int) or event.schema_version < 1:
        raise InvalidInputError(f"{field}.schema_version", f"is {event.schema_version!r}; it counts from 1")
    timestamp = event.timestamp_ms
    if timestamp is None:
        return
    if isinstance(timestamp, bool) or not isinstance(timestamp, int):
        raise InvalidInputError(f"{field}.timestamp_ms", "is whole milliseconds since 1970-01-01 UTC")
    if not TIMESTAMP_MIN_MS <= timestamp <= TIMESTAMP_MAX_MS:
        raise InvalidInputError(f"{field}.timestamp_ms", f"is {timestamp}, outside of the years 1970 to 9999")


def _check_name(name: str, field: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(field, f"is {name!r}; letters, digits, _ and - only, since it becomes a routing key")
