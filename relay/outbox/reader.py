"""What the outbox says of commits, read in the ways that can be trusted.

Whether a row is there is asked by TransactGetItems alone: GetItem, Query and BatchGetItem may answer from before a
transaction that is still being applied. Source: AWS, "Isolation levels" in "DynamoDB transactions: how it works".
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eventstore import limits
from eventstore.backoff import Backoff
from eventstore.dynamodb import calls
from eventstore.dynamodb.errors import (
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
    RefusedError,
    TransactionCancelledError,
)
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import ThrottledError
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import row_key
from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS, CommitKey
from relay.outbox.row import Absent, Answer, Present, Unreadable, UnreadableRow, of_row

_TOO_MUCH = "ValidationError"
"""Reason of a cancelled TransactGetItems that time does not heal. Source: AWS, API reference of TransactGetItems."""

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
        self._runtime = runtime
        self._backoff = backoff

    def ask(self, keys: Iterable[CommitKey]) -> dict[CommitKey, Answer]:
        """Say of each row whether it is there, and what it holds."""
        ordered = list(keys)
        answers: dict[CommitKey, Answer] = {}
        for start in range(0, len(ordered), limits.TRANSACTION_MAX_ACTIONS):
            answers.update(self._ask_together(ordered[start : start + limits.TRANSACTION_MAX_ACTIONS]))
        return answers

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
            "FilterExpression": "NOT contains(delivered, :bus)",  # rows that only another destination lacks may be many
            "ExpressionAttributeValues": {
                ":id": {"S": aggregate_id},
                ":lowest": {"N": str(above + 1)},
                ":highest": {"N": str(below - 1)},
                ":bus": {"S": BUS},
            },
            "ConsistentRead": True,
            "Limit": max(limit, _EARLIER_ROWS_MIN),
        }
        while True:  # as many pages as the aggregate has rows; each moves on
            reply = calls.read(self._runtime, self._backoff, self._client.query, needs="Items", **request)
            readable = (of_row(item, self._table) for item in reply["Items"])
            rows.extend(row for row in readable if isinstance(row, OutboxRow))
            more = "LastEvaluatedKey" in reply
            if not more or len(rows) >= limit:
                return rows[:limit], more or len(rows) > limit
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def scan(self, start: Mapping[str, Any] | None, limit: int) -> ScanPage:
        """Return the next stretch of the outbox, at most `limit` rows."""
        request: dict[str, Any] = {"TableName": self._table, "Limit": limit, "ConsistentRead": True}
        if start is not None:
            request["ExclusiveStartKey"] = start
        reply = calls.read(self._runtime, self._backoff, self._client.scan, needs="Items", **request)
        rows = tuple(of_row(item, self._table) for item in reply["Items"])
        return ScanPage(rows, reply.get("LastEvaluatedKey"))

    def rows_of(self, aggregate_id: str, start: Mapping[str, Any] | None, limit: int) -> ScanPage:
        """Return the next stretch of one aggregate's rows, at most `limit`, in order."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "aggregateId = :id",
            "ExpressionAttributeValues": {":id": {"S": aggregate_id}},
            "ConsistentRead": True,
            "Limit": limit,
        }
        if start is not None:
            request["ExclusiveStartKey"] = start
        reply = calls.read(self._runtime, self._backoff, self._client.query, needs="Items", **request)
        return ScanPage(tuple(of_row(item, self._table) for item in reply["Items"]), reply.get("LastEvaluatedKey"))

    def walk(self, aggregate_id: str | None, limit: int) -> Iterator[tuple[OutboxRow | UnreadableRow, ...]]:
        """Yield all rows, or those of one aggregate, in stretches of at most `limit`."""
        start: Mapping[str, Any] | None = None
        while True:  # as many stretches as there are; each moves on
            page = self.scan(start, limit) if aggregate_id is None else self.rows_of(aggregate_id, start, limit)
            yield page.rows
            start = page.next_start
            if start is None:
                return

    def _ask_together(self, keys: list[CommitKey]) -> dict[CommitKey, Answer]:
        """Ask for up to 100 rows in one transaction; keys in conflict are asked for again alone.

        A transaction may also be refused because its rows are together larger than 4 MB; halves of it are not.
        """
        answers: dict[CommitKey, Answer] = {}
        left = keys
        for attempt in range(1, self._backoff.attempts_max + 1):
            try:
                answers.update(self._transact_get(left))
            except TransactionCancelledError as error:
                if len(left) > 1 and any(reason.code == _TOO_MUCH for reason in error.reasons):
                    return {**answers, **self._ask_halves(left)}
                left, calm = _split(left, error)
                if calm:
                    answers.update(self._ask_together(calm))
            except (NotAppliedError, OutcomeLostError):
                pass  # nothing was learned; only a successful answer counts
            except RefusedError as error:
                if len(left) == 1:
                    raise calls.public_error(error, table=self._table) from error
                return {**answers, **self._ask_halves(left)}
            except DynamoError as error:
                raise calls.public_error(error, table=self._table) from error
            else:
                return answers
            self._runtime.sleep(self._backoff.delay_seconds(attempt, self._runtime.uniform()))
        raise ThrottledError(
            f"DynamoDB did not say what became of {len(left)} outbox rows",
            retry_after_seconds=self._backoff.cap_seconds,
        )

    def _ask_halves(self, keys: list[CommitKey]) -> dict[CommitKey, Answer]:
        middle = len(keys) // 2
        return {**self._ask_together(keys[:middle]), **self._ask_together(keys[middle:])}

    def _transact_get(self, keys: list[CommitKey]) -> dict[CommitKey, Answer]:
        reply = calls.call(
            self._client.transact_get_items,
            TransactItems=[{"Get": {"TableName": self._table, "Key": row_key(*key)}} for key in keys],
        )
        responses = reply.get("Responses")
        if responses is None or len(responses) != len(keys):
            raise OutcomeLostError("the reply does not answer every key")
        return {key: self._answer(response.get("Item")) for key, response in zip(keys, responses, strict=True)}

    def _answer(self, item: Mapping[str, Any] | None) -> Answer:
        if not item:
            return Absent()
        row = of_row(item, self._table)
        return Present(row) if isinstance(row, OutboxRow) else Unreadable()


def _split(keys: list[CommitKey], error: TransactionCancelledError) -> tuple[list[CommitKey], list[CommitKey]]:
    """Return the keys that were in conflict, and the others when there are any to be asked for on their own."""
    hit = [key for key, reason in zip(keys, error.reasons, strict=False) if reason.code != "None"]
    if not hit or len(hit) == len(keys):
        return keys, []
    conflicting = set(hit)
    return hit, [key for key in keys if key not in conflicting]
