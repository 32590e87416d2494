"""Checks the arguments of an append, one by one and together, before anything is sent."""

import re
from collections.abc import Mapping, Sequence

from eventstore import limits
from eventstore.errors import InvalidInputError, LimitExceededError
from eventstore.expectation import NO_EVENTS, Expectation
from eventstore.model import AggregateRef, Append, NewEvent
from eventstore.payload import moments
from eventstore.payload.plain import scalar

_NAME = re.compile(r"[A-Za-z0-9_-]+")
SECONDS_MAX = 86_400
TIMESTAMP_MIN_MS = 0
TIMESTAMP_MAX_MS = 253_402_300_799_999  # 9999-12-31, the last day that the day key and index names can say


def check_append(append: Append, field: str = "") -> None:
    """Check an append, except its events.

    Args:
        append: What the caller gave.
        field: Its path in the caller's arguments, such as `appends[1].`.

    Raises:
        InvalidInputError: Names the field and what to change.
    """
    check_aggregate(append.aggregate, f"{field}aggregate")
    _check_expectation(append.expected_version, f"{field}expected_version")
    if append.idempotency_key is not None:
        check_text_key(append.idempotency_key, f"{field}idempotency_key", limits.SORT_KEY_MAX_BYTES)
    if append.command_fingerprint is not None:
        check_fingerprint(append.command_fingerprint, append.idempotency_key, f"{field}command_fingerprint")
    events: object = append.events
    if isinstance(events, str | bytes) or not isinstance(events, Sequence):
        raise InvalidInputError(f"{field}events", f"is a {type(events).__name__}; give a list of events")
    most = limits.COMMIT_MAX_EVENTS - (append.idempotency_key is not None) - len(append.also)
    if not append.events:
        raise InvalidInputError(f"{field}events", f"is empty; an append stores 1 to {most} events")
    if len(append.events) > most:
        raise LimitExceededError(f"{field}events", limit=most, actual=len(append.events), unit="events")


def check_fingerprint(fingerprint: str, key: str | None, field: str = "command_fingerprint") -> None:
    """Check the fingerprint of a command.

    Raises:
        InvalidInputError: It is not 1 to 1,024 bytes of UTF-8, or there is no key that it could belong to.
    """
    check_text_key(fingerprint, field, limits.SORT_KEY_MAX_BYTES)
    if key is None:
        raise InvalidInputError(field, "is given without an idempotency_key, with which it would be kept")


def check_events(aggregate: AggregateRef, events: Sequence[NewEvent], field: str = "") -> None:
    """Check what can be checked of events without encoding them.

    Raises:
        InvalidInputError: Names the field and what to change.
    """
    for index, event in enumerate(events):
        check_event(aggregate, event, f"{field}events[{index}]")


def check_seconds(seconds: float, field: str) -> None:
    """Check a length of time: seconds, more than 0.

    Raises:
        InvalidInputError: It is none.
    """
    given: object = seconds
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= SECONDS_MAX:
        raise InvalidInputError(field, f"is {given!r}; give seconds, more than 0 and at most {SECONDS_MAX:,}")


def _check_expectation(expected: object, field: str) -> None:
    if isinstance(expected, Expectation):
        return
    if isinstance(expected, bool) or not isinstance(expected, int):
        raise InvalidInputError(
            field, "is not an expectation: give a count of events, 0 for a new aggregate, EXISTS or ANY"
        )
    if not 0 <= expected <= limits.SEQUENCE_NUMBER_MAX:
        raise InvalidInputError(field, f"is {expected}, not 0 to {limits.SEQUENCE_NUMBER_MAX}")


def check_aggregate(aggregate: AggregateRef, field: str = "aggregate") -> None:
    """Check an aggregate's type and id.

    Raises:
        InvalidInputError: Names the field and what to change.
    """
    given: object = aggregate
    if not isinstance(given, AggregateRef):
        raise InvalidInputError(field, f"is a {type(given).__name__}; give an AggregateRef")
    _check_name(aggregate.type, f"{field}.type")
    check_aggregate_id(aggregate.id, f"{field}.id")


def check_named(aggregate: AggregateRef | str) -> AggregateRef | str:
    """Check an aggregate that is named by its id, with or without its type; return it, its id plain text.

    Raises:
        InvalidInputError: Names the field and what to change.
    """
    if isinstance(aggregate, AggregateRef):
        check_aggregate(aggregate)
        return aggregate
    return check_aggregate_id(aggregate)


def check_aggregate_id(aggregate_id: str, field: str = "aggregate.id") -> str:
    """Check an aggregate's id; return it as plain text.

    Raises:
        InvalidInputError: It is empty, too long, or no UTF-8.
    """
    return check_text_key(aggregate_id, field, limits.PARTITION_KEY_MAX_BYTES)


def check_text_key(text: str, field: str, bytes_max: int) -> str:
    """Check a text that becomes part of a key; return it as plain text.

    Raises:
        InvalidInputError: It is empty, too long, or no UTF-8.
    """
    given: object = scalar(text)
    if not isinstance(given, str) or not given:
        raise InvalidInputError(field, "is empty or not text")
    try:
        size = len(given.encode())
    except UnicodeEncodeError as error:
        raise InvalidInputError(field, "holds half of a surrogate pair") from error
    if size > bytes_max:
        raise LimitExceededError(field, limit=bytes_max, actual=size, unit="bytes")
    return given


def check_event(aggregate: AggregateRef, event: NewEvent, field: str) -> None:
    """Check what can be checked of one event without encoding it.

    Raises:
        InvalidInputError: Names the field and what to change.
    """
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
    check_schema_version(event.schema_version, f"{field}.schema_version")
    timestamp = event.timestamp_ms
    if timestamp is None:
        return
    timestamp = moments.to_ms(timestamp, f"{field}.timestamp_ms")
    if not TIMESTAMP_MIN_MS <= timestamp <= TIMESTAMP_MAX_MS:
        raise InvalidInputError(f"{field}.timestamp_ms", f"is {timestamp}, outside of the years 1970 to 9999")


def check_schema_version(version: int, field: str) -> None:
    """Check a schema version.

    Raises:
        InvalidInputError: It is not a whole number from 1 to what the search index can hold.
    """
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise InvalidInputError(field, f"is {version!r}; schema versions count from 1")
    if version > limits.SCHEMA_VERSION_MAX:
        raise InvalidInputError(field, f"is above {limits.SCHEMA_VERSION_MAX:,}; schema versions count from 1")


def _check_name(name: str, field: str) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInputError(field, f"is {name!r}; letters, digits, _ and - only, since it becomes a routing key")


def check_together(appends: Sequence[Append]) -> None:
    """Check the appends of one transaction against each other.

    Raises:
        InvalidInputError: It is empty, one is not an `Append`, an aggregate is there twice, or only some have keys.
        LimitExceededError: They come to more than 100 actions.
    """
    given: object = appends
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise InvalidInputError("appends", f"is a {type(given).__name__}; give a list of Append")
    if not appends:
        raise InvalidInputError("appends", "is empty; give at least one Append")
    seen: dict[str, int] = {}
    for index, append in enumerate(appends):
        check_is_append(append, f"appends[{index}]")
        aggregate_id = getattr(append.aggregate, "id", None)
        if isinstance(aggregate_id, str) and seen.setdefault(aggregate_id, index) != index:
            raise InvalidInputError(
                f"appends[{index}].aggregate.id",
                f"is {aggregate_id!r}, as in appends[{seen[aggregate_id]}]: put the events of one aggregate together",
            )
    keyed = sum(append.idempotency_key is not None for append in appends)
    if keyed not in (0, len(appends)):
        missing = next(index for index, append in enumerate(appends) if append.idempotency_key is None)
        raise InvalidInputError(
            f"appends[{missing}].idempotency_key",
            "is missing while others have one: a repeat could not be answered for this append; give all or none a key",
        )


def check_size(appends: Sequence[Append], beside: int = 0, field: str = "appends") -> None:
    """Check that checked appends fit into one transaction.

    Args:
        appends: Together with the rows that belong to one of them.
        beside: Further actions, which belong to none of them.
        field: What to name.

    Raises:
        LimitExceededError: They come to more than 100 actions.
    """
    actions = sum(actions_of(append) for append in appends) + beside
    if actions > limits.TRANSACTION_MAX_ACTIONS:
        raise LimitExceededError(field, limit=limits.TRANSACTION_MAX_ACTIONS, actual=actions, unit="actions")


def actions_of(append: Append) -> int:
    """Return the maximum number of actions of an append: events, outbox row, check, the key's row, and rows beside."""
    checks = append.expected_version != NO_EVENTS  # of EXISTS and ANY only the table knows; count what they may need
    return len(append.events) + 1 + checks + (append.idempotency_key is not None) + len(append.also)


def check_is_append(append: object, field: str) -> None:
    """Check that a caller gave an `Append`.

    Raises:
        InvalidInputError: It is something else.
    """
    if not isinstance(append, Append):
        raise InvalidInputError(field, f"is a {type(append).__name__}; give an Append")
