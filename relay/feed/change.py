"""What a change record means to the relay: a commit to look at, a row it cannot read, or nothing. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from eventstore.rows.outbox import OutboxRow
from relay.leases.position import Position
from relay.outbox.row import UnreadableRow, of_row


def of_record(record: Mapping[str, Any], table: str) -> OutboxRow | UnreadableRow | None:
    """Return what a change record of the outbox asks for. It raises nothing, whatever the record holds.

    An INSERT is a new commit. A MODIFY matters when an operator has released the row (`releasedAt`); every other
    record, such as a settled row's removal, only moves the position.

    A row keeps `releasedAt`, so each later change of it, a note or the mark of a refusal, brings it again. That does no
    harm: it brings its mark along, so nothing is tried any sooner, and marks come as seldom as attempts. What follows a
    note is the row's end.
    """
    image = fields_of(record).get("NewImage")
    if not isinstance(image, Mapping):
        return None
    name = record.get("eventName")
    if name == "INSERT" or (name == "MODIFY" and "releasedAt" in image):
        return of_row(image, table)
    return None


def fields_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what DynamoDB says of a change; empty when a record lacks it."""
    fields = record.get("dynamodb")
    return fields if isinstance(fields, Mapping) else {}


def position_of(record: Mapping[str, Any]) -> Position | None:
    """Return the place of a record in its shard; None when it does not say it."""
    text = fields_of(record).get("SequenceNumber")
    try:
        return Position.parse(text) if isinstance(text, str) else None
    except ValueError:
        return None


def written_at_ms(record: Mapping[str, Any]) -> int | None:
    """Return when a record was written, by DynamoDB's clock, to the second; None when it does not say it."""
    at = fields_of(record).get("ApproximateCreationDateTime")
    try:
        return int(at.timestamp() * 1000) if isinstance(at, datetime) else None
    except (ValueError, OverflowError, OSError):
        return None
