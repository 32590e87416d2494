"""Reads marked rows of the outbox, without their events, page by page."""

from collections.abc import Iterator, Mapping
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb import transact_get
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import LAYOUT, row_key
from relay.destination import BUS, CommitKey
from relay.operating.parked.mark import MarkedRow, read
from relay.outbox.has_it import TEXTS, has_it
from relay.outbox.row import number_of

PAGE_ROWS = 500

_FIELDS = (
    "aggregateId, sequenceNumber, firstSequence, aggregateType, committedAt, commitId, delivered, parked, releasedAt,"
    " #layout"
)
_FIELD_NAMES = {"#layout": LAYOUT}  # a reserved word of DynamoDB or not: its own name does not matter


class MarkReader:
    """Reads rows with their marks. Every call tries again within a bound, then raises an `EventStoreError`."""

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._table = tables.outbox
        self._caller = Caller(client, runtime, backoff)

    def walk(self, aggregate_id: str | None = None) -> Iterator[list[MarkedRow]]:
        """Yield all rows of the outbox, or of one aggregate, in lists: an aggregate's rows together, in order."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ProjectionExpression": _FIELDS,
            "ExpressionAttributeNames": _FIELD_NAMES,
            "ConsistentRead": True,
            "Limit": PAGE_ROWS,
        }
        operation = self._client.scan
        if aggregate_id is not None:
            operation = self._client.query
            request["KeyConditionExpression"] = "aggregateId = :id"
            request["ExpressionAttributeValues"] = {":id": {"S": aggregate_id}}
        for reply in self._caller.pages(operation, request, needs="Items"):
            yield [read(item, self._table) for item in reply["Items"]]

    def highest_owed_to_bus(self, aggregate_id: str, at_least: int) -> int:
        """Return the last number of an aggregate's highest commit that the bus lacks, or `at_least`."""
        request = self._owed_to_bus_above(aggregate_id, at_least)
        request |= {"ProjectionExpression": "sequenceNumber", "ScanIndexForward": False, "Limit": PAGE_ROWS}
        for reply in self._caller.pages(self._client.query, request, needs="Items"):
            if reply["Items"]:
                return number_of(reply["Items"][0])
        return at_least

    def count_owed_to_bus(self, aggregate_id: str, above: int) -> int:
        """Return how many of an aggregate's commits above a number the bus lacks."""
        request = self._owed_to_bus_above(aggregate_id, above) | {"Select": "COUNT"}
        return sum(int(reply["Count"]) for reply in self._caller.pages(self._client.query, request, needs="Count"))

    def _owed_to_bus_above(self, aggregate_id: str, number: int) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "KeyConditionExpression": "aggregateId = :id AND sequenceNumber > :number",
            "FilterExpression": f"NOT {has_it(':bus')}",
            "ExpressionAttributeValues": {
                ":id": {"S": aggregate_id},
                ":number": {"N": str(number)},
                ":bus": {"S": BUS},
                **TEXTS,
            },
            "ConsistentRead": True,
        }

    def row(self, key: CommitKey) -> MarkedRow | None:
        """Return one row as it is now, None when there is none: asked in a transaction, which decides."""
        item = self.item(key)
        return None if item is None else read(item, self._table)

    def item(self, key: CommitKey) -> Mapping[str, Any] | None:
        """Return one row as it is stored, None when there is none."""
        (item,) = transact_get.items(self._caller, [(self._table, row_key(*key))])
        return item
