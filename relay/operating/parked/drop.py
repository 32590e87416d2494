"""Drop: a commit counts as delivered where it is parked, with a record of who decided it and why."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller, Refused, Taken
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import EventStoreError, ThrottledError
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import row_key
from relay.destination import BUS, CommitKey
from relay.operating import audit_trail
from relay.operating.audit_trail import AuditRecord
from relay.operating.parked.mark import MARKS_AT_ONCE_MAX, Mark, MarkedRow
from relay.operating.parked.reader import MarkReader
from relay.outbox.has_it import TEXTS, has_it
from relay.outbox.insisting import InsistingWriter
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Absent, Present, RowId, is_settled
from relay.outbox.same_commit import same_commit

_MEANWHILE_MAX = 3
"""Times that the row may change between the look and the transaction, such as by the index taking the commit."""


class DropRefusedError(EventStoreError):
    """A commit is not dropped, for the reason that the message gives; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What a drop did.

    Attributes:
        record: Of the audit.
        settled: Whether the row went, since nothing was owed any more.
    """

    record: AuditRecord
    settled: bool


class Dropper:
    """Drops parked commits, one at a time."""

    def __init__(
        self,
        client: DynamoClient,
        tables: TableNames,
        runtime: Runtime,
        backoff: Backoff,
        destinations: Collection[str],
    ) -> None:
        """Make a dropper; `destinations` are all of those that a commit is owed to."""
        self._client = client
        self._tables = tables
        self._runtime = runtime
        self._backoff = backoff
        self._caller = Caller(client, runtime, backoff)
        self._destinations = frozenset(destinations)
        self._marks = MarkReader(client, tables, runtime, backoff)
        self._outbox = OutboxReader(client, tables, runtime, backoff)
        self._writer = InsistingWriter(client, tables, runtime, backoff)

    def find(self, key: CommitKey, destination: str | None) -> tuple[MarkedRow, tuple[Mark, ...]]:
        """Return the row and the marks that a drop is about, having checked that it may be dropped.

        Raises:
            DropRefusedError: It is not parked, or its turn has not come.
            TryLaterError: DynamoDB did not answer.
        """
        row = self._marks.row(key)
        if row is None:
            raise DropRefusedError(f"{_name(key)} is not in the outbox: every destination has it, or there is none")
        if row.layout_fault is not None:
            raise DropRefusedError(f"{_name(key)} cannot be read: {row.layout_fault}")
        marks = tuple(mark for mark in row.marks.values() if destination in (None, mark.destination))
        if not marks:
            where = "" if destination is None else f" for {destination}"
            raise DropRefusedError(f"{_name(key)} is not parked{where}: `relay parked list` shows what is")
        if len(marks) > MARKS_AT_ONCE_MAX:
            raise DropRefusedError(f"{_name(key)} is parked for {len(marks)} destinations: name one with --destination")
        if any(mark.destination == BUS for mark in marks):
            self._check_turn(row)
        return row, marks

    def drop(self, owed: RowId, marks: Sequence[Mark], by: str, reason: str) -> Dropped:
        """Count a parked commit as delivered, on the condition that its marks are still those that were seen.

        Raises:
            DropRefusedError: A mark was changed meanwhile; look again.
            TryLaterError: It was not dropped. Drop again.
            OutcomeUnknownError: It has been dropped or not. Drop again: it is not done twice, and says so.
        """
        names = frozenset(mark.destination for mark in marks)
        about = {
            "aggregate": owed.aggregate_id,
            "last": str(owed.last),
            "destinations": ", ".join(sorted(names)),
            "error class": ", ".join(sorted({mark.error_class for mark in marks})),
            "mark": "; ".join(mark.reason for mark in marks)[: audit_trail.REASON_MAX_CHARACTERS],
        }
        for _ in range(_MEANWHILE_MAX):
            row = self._marks.row(owed.key)
            if row is None or row.id != owed or any(row.marks.get(mark.destination) != mark for mark in marks):
                raise DropRefusedError(
                    f"{_name(owed.key)}: the mark was changed in the meantime, by a release, another drop or a delivery"
                )
            if BUS in names:
                self._check_turn(row)
            settled = is_settled(row.delivered | names, self._destinations)
            commit = {"first": str(row.first or "?"), "type": row.aggregate_type}
            record = audit_trail.new_record(self._runtime, "drop", by, reason, {**about, **commit})
            if self._write(row, marks, record, settled=settled):
                return Dropped(record, settled or self._settle_if_complete(owed))
        raise ThrottledError(
            f"{_name(owed.key)} changed at every attempt", retry_after_seconds=self._backoff.cap_seconds
        )

    def _check_turn(self, row: MarkedRow) -> None:
        """Refuse while an earlier commit could still arrive after the gap that a drop makes."""
        if row.first is None:
            raise DropRefusedError(f"{_name(row.key)} does not say where it begins, so what is below it is unknown")
        if row.first == 1:
            return
        before = (row.aggregate_id, row.first - 1)
        match self._outbox.ask([before])[before]:
            case Absent():
                return
            case Present(row=lower) if BUS in lower.delivered:
                return
            case _:
                raise DropRefusedError(
                    f"{_name(row.key)} cannot be dropped yet: the commit before it, {_name(before)}, is still owed to"
                    " the bus and would arrive after the gap; deliver or drop that one first",
                )

    def _write(self, row: MarkedRow, marks: Sequence[Mark], record: AuditRecord, *, settled: bool) -> bool:
        """Send the one transaction until it is decided; False when the row was changed meanwhile, by somebody else."""
        actions = [_change(self._tables.outbox, row, marks, self._destinations, settled=settled)]
        if row.first is not None and row.first > 1 and any(mark.destination == BUS for mark in marks):
            actions.append(_turn_check(self._tables.outbox, (row.aggregate_id, row.first - 1)))
        actions.append({"Put": {"TableName": self._tables.relay, "Item": audit_trail.encode(record)}})
        written = self._caller.write(
            self._client.transact_write_items,
            what=f"the drop of {_name(row.key)}",
            if_unknown="drop it again: it is not done twice",
            TransactItems=actions,
            ClientRequestToken=record.record_id,  # so that a repeat after a lost reply is the same deed
        )
        if isinstance(written, Refused) and written.maybe_ours:
            return self._is_recorded(record)  # an attempt before this one may have made the change that is in the way
        return isinstance(written, Taken)

    def _is_recorded(self, record: AuditRecord) -> bool:
        key = {name: audit_trail.encode(record)[name] for name in ("recordType", "recordKey")}
        found = self._caller.read(self._client.get_item, TableName=self._tables.relay, Key=key, ConsistentRead=True)
        return "Item" in found

    def _settle_if_complete(self, owed: RowId) -> bool:
        """Delete the row when another destination took the commit at the same moment; the sweep would, later.

        The drop has happened: an error here must not make it look as if it had not.
        """
        try:
            row = self._marks.row(owed.key)
            if row is None or row.id != owed:
                return True
            if not is_settled(row.delivered, self._destinations):
                return False
            self._writer.delete([row.id])
        except EventStoreError:
            return False
        return True


def _change(
    table: str,
    row: MarkedRow,
    marks: Sequence[Mark],
    destinations: Collection[str],
    *,
    settled: bool,
) -> dict[str, Any]:
    """Return the change of the row: it goes when nothing is owed any more, else the mark becomes a delivery."""
    names = {f"#mark{index}": mark.destination for index, mark in enumerate(marks)}
    lacking = {f":lacks{index}": {"S": mark.destination} for index, mark in enumerate(marks)}
    values: dict[str, Mapping[str, Any]] = {f":mark{index}": dict(mark.stored) for index, mark in enumerate(marks)}
    ours, of_commit = same_commit(row.id)
    values |= {**of_commit, **lacking, **TEXTS}
    conditions = [
        ours,
        *(f"parked.#mark{index} = :mark{index}" for index in range(len(marks))),
        *(f"NOT {has_it(name)}" for name in lacking),  # who has it needs no drop, whatever its mark says
    ]
    action: dict[str, Any] = {
        "TableName": table,
        "Key": row_key(*row.key),
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }
    if settled:
        others = sorted(frozenset(destinations) - {mark.destination for mark in marks})
        for index, name in enumerate(others):
            values[f":other{index}"] = {"S": name}
            conditions.append(has_it(f":other{index}"))
        return {"Delete": {**action, "ConditionExpression": " AND ".join(conditions)}}
    values[":dropped"] = {"SS": sorted(mark.destination for mark in marks)}
    removed = ", ".join(f"parked.{name}" for name in names)
    return {
        "Update": {
            **action,
            "UpdateExpression": f"REMOVE {removed} ADD delivered :dropped",
            "ConditionExpression": " AND ".join(conditions),
        },
    }


def _turn_check(table: str, before: CommitKey) -> dict[str, Any]:
    return {
        "ConditionCheck": {
            "TableName": table,
            "Key": row_key(*before),
            "ConditionExpression": f"attribute_not_exists(aggregateId) OR {has_it(':bus')}",
            "ExpressionAttributeValues": {":bus": {"S": BUS}, **TEXTS},
        },
    }


def _name(key: CommitKey) -> str:
    return f"commit {key[0]} {key[1]}"
