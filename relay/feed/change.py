"""What a change record means to the relay: a commit to look at, a row it cannot read, or nothing. Pure."""

from collections.abc import Mapping
from typing import Any

from eventstore.rows.outbox import OutboxRow
from relay.outbox.row import UnreadableRow, of_row


def of_record(record: Mapping[str, Any], table: str) -> OutboxRow | UnreadableRow | None:
    """Return what a change record of the outbox asks for.

    An INSERT is a new commit. A MODIFY matters when an operator has released the row (`releasedAt`); every other
    record, such as a settled row's removal, only moves the position.
    """
    image = record["dynamodb"].get("NewImage")
    if image is None:
        return None
    name = record["eventName"]
    if name == "INSERT" or (name == "MODIFY" and "releasedAt" in image):
        return of_row(image, table)
    return None
