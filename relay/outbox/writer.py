"""Changes of outbox rows, each on the condition that the row is still that of the commit that was meant.

A row that is deleted or marked by its key alone may be another commit's: tables are remade and restored under their
names, while a relay still has work of the former ones in its hands. Marking never brings a row back.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from eventstore import limits
from eventstore.backoff import Backoff
from eventstore.dynamodb import statements
from eventstore.dynamodb.caller import Caller, Operation, Taken
from eventstore.dynamodb.errors import (
    ConditionFailedError,
    DynamoError,
    NotAppliedError,
    OutcomeLostError,
)
from eventstore.dynamodb.statements import Outcome, WriteStatement
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows import refused
from eventstore.rows.item import row_key
from eventstore.rows.refused import REFUSED, RefusedMark
from relay.destination import Park
from relay.outbox.has_it import TEXTS, has_it
from relay.outbox.row import RowId
from relay.outbox.same_commit import same_commit
from relay.outbox.written import Done, Foreign, Later, Written

_THIS = '"aggregateId" = ? AND "sequenceNumber" = ? AND "commitId" = ?'


class OutboxWriter:
    """Changes outbox rows. Every change can be repeated without harm.

    Args:
        client: The DynamoDB client.
        tables: Their names.
        runtime: Clock and waiting.
        backoff: Bound of the attempts at a mark that parks; `delete`, `note` and `mark_refused` make one.
    """

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._table = tables.outbox
        self._runtime = runtime
        self._caller = Caller(client, runtime, backoff)
        # A table's name has letters, digits, and `_-.`; what rows say goes in as parameters.
        self._delete_text = f'DELETE FROM "{self._table}" WHERE {_THIS}'  # noqa: S608 - as above
        adds = 'SET "delivered" = set_add("delivered", ?)'
        self._note_text = f'UPDATE "{self._table}" {adds} WHERE {_THIS} RETURNING ALL NEW *'

    def delete(self, rows: Sequence[RowId]) -> dict[RowId, Written]:
        """Make one attempt at deleting rows of commits that every destination has, up to 25 in a call.

        Returns:
            What became of each: `Done` when it is gone, also when it was before; `Foreign` when another commit's row
            stands there; `Later`. Once a whole call has failed, no further one is made, and the others get its answer.

        Raises:
            TableMissingError: The table does not exist.
            AccessDeniedError: Credentials are missing, wrong, or not allowed to do this.
            RequestRefusedError: A defect. In all three cases some of the rows may be gone.
        """
        return self._each(rows, self._deletion, self._delete_nameless, _deleted)

    def note(self, notes: Mapping[RowId, Collection[str]]) -> dict[RowId, Written]:
        """Make one attempt at noting which destinations have commits, up to 25 in a call.

        Args:
            notes: Per row the destinations to add, one at least.

        Returns:
            What became of each: `Done` with all destinations that the row names by now; `Foreign` when the row is gone
            or is another commit's; `Later`. Once a whole call has failed, no further one is made, as above.

        Raises:
            As `delete`.
        """
        return self._each(
            tuple(notes),
            lambda row: self._addition(row, notes[row]),
            lambda row: self._note_nameless(row, notes[row]),
            _noted,
        )

    def park(self, row: RowId, name: str, verdict: Park) -> Done | None:
        """Mark a commit as waiting for a person, for one destination that does not have it.

        Returns:
            What the row says by now of who has the commit; None when the row is gone or another commit's, the
            destination has it, or it is parked already.

        Raises:
            TryLaterError: The mark may be missing; the same refusal will park it the next time.
        """
        now = {"N": str(self._runtime.now_ms())}
        mark = {
            "M": {
                "reason": {"S": verdict.reason},
                "errorClass": {"S": verdict.error_class},
                "attempts": {"N": "1"},
                "firstFailedAt": now,
                "lastFailedAt": now,
            },
        }
        ours, values = same_commit(row)
        lacks = f"{ours} AND NOT {has_it(':name')}"
        # A mark that equals ours to the millisecond is ours: the reply of the attempt before was lost.
        given = {**values, ":name": {"S": name}, **TEXTS}
        first = self._update(
            row,
            UpdateExpression="SET parked = :map",
            # What is not a map was written by somebody else, and would be in the way of every mark for ever.
            ConditionExpression=f"{lacks} AND (attribute_not_exists(parked) OR NOT attribute_type(parked, :kind)"
            " OR parked = :map)",
            ExpressionAttributeValues={**given, ":map": {"M": {name: mark}}, ":kind": {"S": "M"}},
        )
        if first is not None:
            return first
        return self._update(
            row,
            UpdateExpression="SET parked.#name = :mark",
            ConditionExpression=f"{lacks} AND attribute_exists(parked)"
            " AND (attribute_not_exists(parked.#name) OR parked.#name = :mark)",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={**given, ":mark": mark},
        )

    def mark_refused(self, row: RowId, name: str, mark: RefusedMark) -> Written:
        """Make one attempt at marking a commit that a destination does not take for now; it replaces an earlier mark.

        Returns:
            `Done` when the mark is there; `Foreign` when the row is gone or another commit's, or the destination has
            the commit; `Later`.

        Raises:
            As `delete`.
        """
        ours, values = same_commit(row)
        try:
            outcome = self._once(
                self._client.update_item,
                row,
                # The whole map: only the bus is ever marked, and what is not a map would be in the way for ever.
                UpdateExpression=f"SET {REFUSED} = :map",
                ConditionExpression=f"{ours} AND NOT {has_it(':name')}",
                ExpressionAttributeValues={
                    **values,
                    **TEXTS,
                    ":name": {"S": name},
                    ":map": refused.encode({name: mark}),
                },
            )
        except (NotAppliedError, OutcomeLostError) as error:
            return _later(error)
        return _refused(outcome) if isinstance(outcome, DynamoError) else Done()

    def _each(
        self,
        rows: Sequence[RowId],
        statement: Callable[[RowId], WriteStatement],
        nameless: Callable[[RowId], Outcome],
        answer: Callable[[Outcome], Written],
    ) -> dict[RowId, Written]:
        written: dict[RowId, Written] = {}
        try:
            for call in calls_of(row for row in rows if row.commit_id is not None):
                outcomes = statements.execute(self._caller, self._table, [statement(row) for row in call])
                written.update(zip(call, map(answer, outcomes), strict=True))
            for row in rows:
                if row.commit_id is None and row not in written:
                    written[row] = answer(nameless(row))
        except (NotAppliedError, OutcomeLostError) as error:
            return {row: written.get(row) or _later(error) for row in rows}
        return written

    def _deletion(self, row: RowId) -> WriteStatement:
        return WriteStatement(self._delete_text, _place(row))

    def _addition(self, row: RowId, names: Collection[str]) -> WriteStatement:
        return WriteStatement(self._note_text, ({"SS": sorted(names)}, *_place(row)))

    def _delete_nameless(self, row: RowId) -> Outcome:
        ours, values = same_commit(row)
        return self._once(
            self._client.delete_item,
            row,
            ConditionExpression=f"attribute_not_exists(aggregateId) OR ({ours})",
            ExpressionAttributeValues=values,
        )

    def _note_nameless(self, row: RowId, names: Collection[str]) -> Outcome:
        ours, values = same_commit(row)
        return self._once(
            self._client.update_item,
            row,
            UpdateExpression="ADD delivered :names",
            ConditionExpression=ours,
            ExpressionAttributeValues={**values, ":names": {"SS": sorted(names)}},
            ReturnValues="ALL_NEW",
        )

    def _once(self, operation: Operation, row: RowId, **request: Any) -> Outcome:
        """Make one attempt at a write of a single row, with the answers that a statement has."""
        place: dict[str, Any] = {"TableName": self._table, "Key": row_key(*row.key)}
        try:
            reply = self._caller.once(operation, **place, **request)
        except ConditionFailedError as error:
            return error
        except (NotAppliedError, OutcomeLostError):
            raise
        except DynamoError as error:
            raise self._caller.public(error, place) from error
        attributes: Mapping[str, Any] = reply.get("Attributes", {})
        return attributes

    def _update(self, row: RowId, **request: Any) -> Done | None:
        """Make a conditional update until it is decided; None when its condition does not hold."""
        written = self._caller.write(
            self._client.update_item,
            what=f"the mark on commit {row.aggregate_id} {row.last}",
            is_repeatable=True,
            TableName=self._table,
            Key=row_key(*row.key),
            ReturnValues="ALL_NEW",
            **request,
        )
        if not isinstance(written, Taken):
            return None
        delivered = written.reply.get("Attributes", {}).get("delivered", {}).get("SS", ())
        return Done(frozenset(name for name in delivered if isinstance(name, str)))


def calls_of(rows: Iterator[RowId]) -> Iterator[list[RowId]]:
    """Cut rows into calls, each row once: at most 25 in one, and no two under one key, which DynamoDB refuses."""
    layers: list[list[RowId]] = []
    depths: dict[tuple[str, int], int] = {}
    for row in dict.fromkeys(rows):
        depth = depths.get(row.key, 0)
        depths[row.key] = depth + 1
        if depth == len(layers):
            layers.append([])
        layers[depth].append(row)
    for layer in layers:
        for start in range(0, len(layer), limits.BATCH_MAX_STATEMENTS):
            yield layer[start : start + limits.BATCH_MAX_STATEMENTS]


def _place(row: RowId) -> tuple[Mapping[str, Any], ...]:
    return {"S": row.aggregate_id}, {"N": str(row.last)}, {"S": str(row.commit_id)}


def _deleted(outcome: Outcome) -> Written:
    return _refused(outcome) if isinstance(outcome, DynamoError) else Done()


def _noted(outcome: Outcome) -> Written:
    if isinstance(outcome, DynamoError):
        return _refused(outcome)
    names = outcome.get("delivered", {}).get("SS")
    if names is None:  # the row was asked for, and has the set: we have just added to it
        return _later(OutcomeLostError("the reply does not show the row"))
    return Done(frozenset(names))


def _refused(error: DynamoError) -> Written:
    return Foreign() if isinstance(error, ConditionFailedError) else _later(error)


def _later(error: DynamoError) -> Later:
    return Later(str(error), isinstance(error, NotAppliedError) and error.is_throttle, error)
