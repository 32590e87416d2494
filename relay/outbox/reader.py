"""What the outbox says of commits, read in the ways that can be trusted.

Whether a row is there is asked by TransactGetItems alone: GetItem, Query and BatchGetItem may answer from before a
transaction that is still being applied. Source: AWS, "Isolation levels" in "DynamoDB transactions: how it works".
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb import transact_get
from eventstore.dynamodb.caller import Caller, Operation
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import row_key
from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS, CommitKey
from relay.outbox.has_it import TEXTS, has_it
from relay.outbox.row import Absent, Answer, Present, Unreadable, UnreadableRow, of_row

_EARLIER_ROWS_MIN = 100
"""Rows that one query looks at, at least: of those it looks at, only the ones owed to the bus come."""


@dataclass(frozen=True, slots=True)
class ScanPage:
    """A stretch of the outbox.

    Attributes:
        rows: Its rows, in no order.
        next_start: Where the next stretch begins; None at the end of the table.
    """

    rows: tuple[OutboxRow | UnreadableRow, ...]
    next_start: Mapping[str, Any] | None


class OutboxReader:
    """Reads the outbox. Every call tries again within a bound, then raises an error of `eventstore.errors`."""

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._table = tables.outbox
        self._caller = Caller(client, runtime, backoff)

    def ask(self, keys: Iterable[CommitKey]) -> dict[CommitKey, Answer]:
        """Say of each row whether it is there, and what it holds."""
        ordered = list(keys)
        rows = transact_get.items(self._caller, [(self._table, row_key(*key)) for key in ordered])
        return {key: self._answer(row) for key, row in zip(ordered, rows, strict=True)}

    def ask_once(self, keys: Sequence[CommitKey], whole: Collection[CommitKey] = ()) -> dict[CommitKey, Answer]:
        """Make one attempt at asking for rows, at most 100; those in conflict with a write are left out.

        Args:
            keys: Of the rows.
            whole: Those of them whose events the caller has: they are not read again.

        Raises:
            EventStoreError: As `transact_get.items_once`; nothing is known.
        """
        rows = transact_get.items_once(self._caller, [(self._table, row_key(*key)) for key in keys])
        return {
            keys[index]: self._answer(_without_events(row) if row and keys[index] in whole else row)
            for index, row in rows.items()
        }

    def earlier(self, aggregate_id: str, above: int, below: int, limit: int) -> tuple[list[OutboxRow], bool]:
        """Return an aggregate's commits owed to the bus, lowest first, and whether there are more.

        Only a row that is there counts here; one that is missing from the answer is asked about.

        Args:
            aggregate_id: The aggregate.
            above: Commits that end at this number or lower are left out.
            below: Commits that end at this number or higher are left out.
            limit: Most commits to return.
        """
        if above + 1 >= below:
            return [], False
        rows: list[OutboxRow] = []
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "aggregateId = :id AND sequenceNumber BETWEEN :lowest AND :highest",
            "FilterExpression": f"NOT {has_it(':bus')}",  # rows that only another destination lacks may be many
            "ExpressionAttributeValues": {
                ":id": {"S": aggregate_id},
                ":lowest": {"N": str(above + 1)},
                ":highest": {"N": str(below - 1)},
                ":bus": {"S": BUS},
                **TEXTS,
            },
            "ConsistentRead": True,
            "Limit": max(limit, _EARLIER_ROWS_MIN),
        }
        for reply in self._caller.pages(self._client.query, request, needs="Items"):
            readable = (of_row(item, self._table) for item in reply["Items"])
            rows.extend(row for row in readable if isinstance(row, OutboxRow))
            if len(rows) >= limit:
                return rows[:limit], "LastEvaluatedKey" in reply or len(rows) > limit
        return rows, False

    def scan(self, start: Mapping[str, Any] | None, limit: int) -> ScanPage:
        """Return the next stretch of the outbox, at most `limit` rows."""
        request: dict[str, Any] = {"TableName": self._table, "Limit": limit, "ConsistentRead": True}
        if start is not None:
            request["ExclusiveStartKey"] = start
        reply = self._caller.read(self._client.scan, needs="Items", **request)
        return ScanPage(self._rows(reply), reply.get("LastEvaluatedKey"))

    def walk(self, aggregate_id: str | None, limit: int) -> Iterator[tuple[OutboxRow | UnreadableRow, ...]]:
        """Yield all rows, or those of one aggregate in order, in stretches of at most `limit`."""
        operation: Operation = self._client.scan
        request: dict[str, Any] = {"TableName": self._table, "ConsistentRead": True, "Limit": limit}
        if aggregate_id is not None:
            operation = self._client.query
            request["KeyConditionExpression"] = "aggregateId = :id"
            request["ExpressionAttributeValues"] = {":id": {"S": aggregate_id}}
        for reply in self._caller.pages(operation, request, needs="Items"):
            yield self._rows(reply)

    def _rows(self, reply: Mapping[str, Any]) -> tuple[OutboxRow | UnreadableRow, ...]:
        return tuple(of_row(item, self._table) for item in reply["Items"])

    def _answer(self, item: Mapping[str, Any] | None) -> Answer:
        if not item:
            return Absent()
        row = of_row(item, self._table)
        return Present(row) if isinstance(row, OutboxRow) else Unreadable(row.reason, row.is_newer)


def _without_events(item: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in item.items() if name != "events"}
