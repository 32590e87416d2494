"""The rows of one aggregate as a Query gives them, page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eventstore import limits
from eventstore.context import StoreContext
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import InvalidInputError
from eventstore.rows.item import Item


@dataclass(frozen=True, slots=True)
class Span:
    """A range of one aggregate's history.

    Attributes:
        after: Only greater sequence numbers.
        until: Only up to this sequence number; None for the end.
        backwards: Newest first.
        limit: Maximum number of events; None for all.
        consistent: Whether the newest events must be seen.
    """

    after: int = 0
    until: int | None = None
    backwards: bool = False
    limit: int | None = None
    consistent: bool = True

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        for field in ("after", "until", "limit"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int | None) or (field == "after" and value is None):
                raise InvalidInputError(field, f"is {value!r}; give a whole number")
        if self.after < 0:
            raise InvalidInputError("after", f"is {self.after}; sequence numbers count from 1")
        if self.until is not None and self.until < self.after:
            raise InvalidInputError("until", f"is {self.until}, below after={self.after}: the range is reversed")
        if self.limit is not None and self.limit < 1:
            raise InvalidInputError("limit", f"is {self.limit}; ask for at least one event")


def pages(context: StoreContext, aggregate_id: str, span: Span) -> Iterator[list[Item]]:
    """Yield the rows of a span as they are stored, a page of at most 1 MB at a time."""
    if span.after >= (limits.SEQUENCE_NUMBER_MAX if span.until is None else span.until):
        return
    left = span.limit
    request = _request(context.tables, aggregate_id, span)
    if left is not None:
        request["Limit"] = min(left, limits.QUERY_MAX_ROWS)
    for reply in context.caller.pages(context.client.query, request, needs="Items"):
        yield reply["Items"]
        if left is not None:
            left -= len(reply["Items"])
            if left == 0:
                return
            request["Limit"] = min(left, limits.QUERY_MAX_ROWS)


def _request(tables: TableNames, aggregate_id: str, span: Span) -> dict[str, Any]:
    until = limits.SEQUENCE_NUMBER_MAX if span.until is None else min(span.until, limits.SEQUENCE_NUMBER_MAX)
    return {
        "TableName": tables.events,
        "KeyConditionExpression": "aggregateId = :id AND sequenceNumber BETWEEN :from AND :until",
        "ExpressionAttributeValues": {
            ":id": {"S": aggregate_id},
            ":from": {"N": str(span.after + 1)},
            ":until": {"N": str(until)},
        },
        "ScanIndexForward": not span.backwards,
        "ConsistentRead": span.consistent,
    }
