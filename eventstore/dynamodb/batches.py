"""Many rows by one call: BatchGetItem and BatchWriteItem, with what DynamoDB leaves undone asked for again."""

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
        for _ in caller.attempts():
            request = {table: {"Keys": left, "ConsistentRead": True}}
            reply = caller.read(caller.client.batch_get_item, needs="Responses", RequestItems=request)
            rows = reply["Responses"].get(table, [])
            found += rows
            left = (reply.get("UnprocessedKeys") or {}).get(table, {}).get("Keys", [])
            if rows or not left:
                break
        else:
            raise _undone(caller, f"left {len(left)} rows of {table} unread")
    return found


def delete(caller: Caller, table: str, keys: Sequence[Item]) -> None:
    """Delete rows of a table without a condition; deleting again what is gone does no harm.

    Args:
        caller: Bounds of the calls; its attempts count those in a row after which nothing had gone.
        table: The table.
        keys: At most 25, all different.

    Raises:
        TryLaterError: Some rows may be left.
        SetUpError: As `Caller.read`.
    """
    left: list[Any] = [{"DeleteRequest": {"Key": key}} for key in keys]
    while left:  # each turn takes rows away, or raises
        for _ in caller.attempts():
            before = len(left)
            request = {table: left}
            # A whole reply names what is left undone, also when it is nothing.
            reply = caller.read(caller.client.batch_write_item, needs="UnprocessedItems", RequestItems=request)
            left = list(reply["UnprocessedItems"].get(table, []))
            if len(left) < before:
                break
        else:
            raise _undone(caller, f"left {len(left)} rows of {table} undeleted")


def _undone(caller: Caller, what: str) -> ThrottledError:
    return ThrottledError(f"DynamoDB {what}", retry_after_seconds=caller.backoff.cap_seconds)
