"""What the tables say was stored, read from the tables themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime


@dataclass(frozen=True, slots=True)
class Truth:
    """What is stored and what is owed.

    Attributes:
        event_ids: Of all events in the history.
        commits: Distinct commits in the history.
        outbox_left: Rows in the outbox.
    """

    event_ids: frozenset[str]
    commits: int
    outbox_left: int


def read(client: DynamoClient, tables: TableNames, runtime: Runtime) -> Truth:
    """Read the whole history and the whole outbox.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    event_ids: set[str] = set()
    commit_ids: set[str] = set()
    for item in _scan(client, runtime, tables.events, "eventId, commitId"):
        event_ids.add(item["eventId"]["S"])
        commit_ids.add(item["commitId"]["S"])
    return Truth(frozenset(event_ids), len(commit_ids), outbox_rows(client, tables, runtime))


def outbox_rows(client: DynamoClient, tables: TableNames, runtime: Runtime) -> int:
    """Return how many rows are in the outbox.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    return sum(1 for _ in _scan(client, runtime, tables.outbox, "aggregateId"))


def _scan(client: DynamoClient, runtime: Runtime, table: str, projection: str) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {"TableName": table, "ConsistentRead": True, "ProjectionExpression": projection}
    for reply in Caller(client, runtime, Backoff()).pages(client.scan, request, needs="Items"):
        yield from reply["Items"]
