"""Deletes rows only while the destinations in force are those that were seen: for who works without a lease."""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore import limits
from eventstore.backoff import Backoff
from eventstore.dynamodb.errors import DynamoError, NotAppliedError, OutcomeLostError, TransactionCancelledError
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import row_key
from relay.outbox.row import RowId
from relay.outbox.same_commit import same_commit
from relay.outbox.writer import OutboxWriter
from relay.outbox.written import Done, Foreign, Later, Written

_ROWS_MAX = limits.TRANSACTION_MAX_ACTIONS - 1
_REFUSED = "ConditionalCheckFailed"


class GuardedWriter(OutboxWriter):
    """An `OutboxWriter` whose deletions are transactions with a check of what is in force.

    A worker that holds a lease knows which destinations a commit must reach: nobody changes them while it lives. An
    operator's replay has none, and a destination may come into force while it runs. A deletion costs twice the write
    units that it costs otherwise, and those of the check.

    Args:
        client: The DynamoDB client.
        tables: Their names.
        runtime: Clock and waiting.
        backoff: As `OutboxWriter`.
        check: The `ConditionCheck` of a transaction that holds while what is in force is what was seen.
    """

    def __init__(
        self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff, check: Mapping[str, Any]
    ) -> None:
        super().__init__(client, tables, runtime, backoff)
        self._check = check
        self._fault: str | None = None

    @property
    def fault(self) -> str | None:
        """Why nothing may be deleted any more; None while it may."""
        return self._fault

    def delete(self, rows: Sequence[RowId]) -> dict[RowId, Written]:
        """Make one attempt at deleting rows, up to 99 in a transaction; see `OutboxWriter.delete`.

        Once the check has failed nothing is deleted any more, and every answer is `Later`: what is known of the rows is
        noted instead.
        """
        written: dict[RowId, Written] = {}
        unique = list({row.key: row for row in rows}.values())  # a transaction takes a key once
        for start in range(0, len(unique), _ROWS_MAX):
            written.update(self._delete_together(unique[start : start + _ROWS_MAX]))
        return {row: written.get(row) or Later("another row under this key goes first") for row in rows}

    def _delete_together(self, rows: Sequence[RowId]) -> dict[RowId, Written]:
        actions = [{"ConditionCheck": dict(self._check)}, *({"Delete": self._deletion_of(row)} for row in rows)]
        request: dict[str, Any] = {"TransactItems": actions}
        try:
            self._caller.once(self._client.transact_write_items, **request)
        except TransactionCancelledError as error:
            return self._answers(rows, error)
        except (NotAppliedError, OutcomeLostError) as error:
            return dict.fromkeys(rows, Later(str(error), cause=error))
        except DynamoError as error:
            raise self._caller.public(error, request) from error
        return dict.fromkeys(rows, Done())

    def _deletion_of(self, row: RowId) -> dict[str, Any]:
        ours, values = same_commit(row)
        return {
            "TableName": self._table,
            "Key": row_key(*row.key),
            "ConditionExpression": f"attribute_not_exists(aggregateId) OR ({ours})",
            "ExpressionAttributeValues": dict(values),
        }

    def _answers(self, rows: Sequence[RowId], error: TransactionCancelledError) -> dict[RowId, Written]:
        codes = [reason.code for reason in error.reasons]
        if codes[:1] == [_REFUSED]:
            self._fault = "the destinations in force have changed since the replay began: run it again"
        later = Later(self._fault or str(error), cause=error)
        return {
            row: Foreign() if code == _REFUSED else later
            for row, code in zip(rows, codes[1:] or [""] * len(rows), strict=True)
        }
