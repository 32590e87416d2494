"""What the tables hold, read from the tables themselves, for a checker."""

from collections.abc import Iterator
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime


def event_rows(client: DynamoClient, tables: TableNames, runtime: Runtime) -> Iterator[dict[str, Any]]:
    """Yield every row of the events table, as the low-level calls give it.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    yield from _scan(client, runtime, {"TableName": tables.events})


def owed(client: DynamoClient, tables: TableNames, runtime: Runtime) -> Iterator[tuple[str, int]]:
    """Yield aggregate and last number of every commit that is owed.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    keys = {"TableName": tables.outbox, "ProjectionExpression": "aggregateId, sequenceNumber"}
    for row in _scan(client, runtime, keys):
        yield row["aggregateId"]["S"], int(row["sequenceNumber"]["N"])


def _scan(client: DynamoClient, runtime: Runtime, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    consistent = {**request, "ConsistentRead": True}
    for reply in Caller(client, runtime, Backoff()).pages(client.scan, consistent, needs="Items"):
        yield from reply["Items"]
