"""Whole tables, and one partition of a table, row by row; a page of at most 1 MB in memory."""

from collections.abc import Callable, Iterator
from typing import Any

from eventstore.context import StoreContext
from eventstore.rows.item import Item


def rows(
    context: StoreContext,
    table: str,
    aggregate_id: str | None = None,
    *,
    consistent: bool = True,
    each_page: Callable[[int], None] = lambda _: None,
) -> Iterator[Item]:
    """Yield a table's rows, or those of one aggregate; rows of one aggregate come together, in order of their key.

    Args:
        context: The store.
        table: Name of the table.
        aggregate_id: Only rows of this aggregate, by a Query; None for all, by a Scan.
        consistent: Whether the newest rows must be seen; twice the price.
        each_page: Told how many rows a page had, after these were dealt with.

    Raises:
        TryLaterError: DynamoDB did not answer in time.
    """
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": consistent}
    operation = context.client.scan
    if aggregate_id is not None:
        operation = context.client.query
        request["KeyConditionExpression"] = "aggregateId = :id"
        request["ExpressionAttributeValues"] = {":id": {"S": aggregate_id}}
    for reply in context.caller.pages(operation, request, needs="Items"):
        yield from reply["Items"]
        each_page(len(reply["Items"]))


def count(context: StoreContext, table: str) -> int:
    """Return how many rows a table has, by an eventually consistent Scan that brings no rows over the wire."""
    request: dict[str, Any] = {"TableName": table, "Select": "COUNT"}
    return sum(int(reply["Count"]) for reply in context.caller.pages(context.client.scan, request, needs="Count"))
