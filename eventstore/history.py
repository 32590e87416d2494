"""One aggregate's events, read page by page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eventstore import dynamo, event_row, limits
from eventstore.backoff import Backoff
from eventstore.errors import InvalidInputError
from eventstore.model import RecordedEvent
from eventstore.ports import DynamoClient, Runtime
from eventstore.table_names import TableNames


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one aggregate's history.

    Attributes:
        after: Only greater sequence numbers.
        until: Only up to this sequence number; None for the end.
        backwards: Newest first.
        limit: At most so many events; None for all.
        consistent: Whether the newest events must be seen.
    """

    after: int = 0
    until: int | None = None
    backwards: bool = False
    limit: int | None = None
    consistent: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.after < 0:
            raise InvalidInputError("after", f"is {self.after}; sequence numbers count from 1")
        if self.until is not None and self.until < self.after:
            raise InvalidInputError("until", f"is {self.until}, below after={self.after}: the range is reversed")
        if self.limit is not None and self.limit < 1:
            raise InvalidInputError("limit", f"is {self.limit}; ask for at least one event")


def read(
    client: DynamoClient,
    tables: TableNames,
    aggregate_id: str,
    span: Span,
    runtime: Runtime,
    backoff: Backoff,
) -> Iterator[RecordedEvent]:
    """Yield the events of a span; a page is asked for when the one before it is used up."""
    if span.until is not None and span.until <= span.after:
        return
    left = span.limit
    request = _request(tables, aggregate_id, span)
    while True:
        if left is not None:
            request["Limit"] = left
        reply = dynamo.read(runtime, backoff, client.query, needs="Items", **request)
        for item in reply["Items"]:
            yield event_row.decode(item, tables.events)
        if left is not None:
            left -= len(reply["Items"])
        if "LastEvaluatedKey" not in reply or left == 0:
            return
        request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]


def _request(tables: TableNames, aggregate_id: str, span: Span) -> dict[str, Any]:
    until = limits.SEQUENCE_NUMBER_MAX if span.until is None else span.until
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
