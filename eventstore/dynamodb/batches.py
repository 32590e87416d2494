"""Many rows by one call: BatchGetItem, with what DynamoDB leaves unread asked for again."""

from collections.abc import Sequence
from typing import Any

from eventstore.dynamodb.caller import Caller
from eventstore.errors import ThrottledError
from eventstore.rows.item import Item


def get(caller: Caller, table: str, keys: Sequence[Item]) -> list[Item]:
    """Return the rows of a table that are there, in no order, read consistently.

    Args:
        caller: Bounds of the calls; its attempts count those in a row that bring nothing.
        table: The table.
        keys: At most 100, all different. One reply holds 16 MB at most, and the rest is asked for again.

    Raises:
        TryLaterError: DynamoDB did not answer, or left rows unread at every attempt.
        SetUpError: As `Caller.read`.
    """
    found: list[Item] = []
    left: Sequence[Any] = keys
    while left:  # each turn brings rows, or raises
        for attempt in caller.attempts():
            caller.note_retry(attempt, "batch_get_item", "DynamoDB left rows unread")
            request = {table: {"Keys": left, "ConsistentRead": True}}
            reply = caller.read(caller.client.batch_get_item, needs="Responses", RequestItems=request)
            rows = reply["Responses"].get(table, [])
            found += rows
            left = (reply.get("UnprocessedKeys") or {}).get(table, {}).get("Keys", [])
            if rows or not left:
                break
        else:
            raise ThrottledError(
                f"DynamoDB left {len(left)} rows of {table} unread", retry_after_seconds=caller.backoff.cap_seconds
            )
    return found
