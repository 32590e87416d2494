"""The events of commits whose outbox rows do not embed them: read by key when they are needed, within bounds.

A commit is complete or it is not sent. Events that an outbox row carries itself came with the row and are no matter
here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb import batches, transact_get
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import CorruptRowError
from eventstore.limits import BATCH_GET_MAX_KEYS
from eventstore.model import RecordedEvent
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows import event as event_row
from eventstore.rows.item import item_size, row_key
from eventstore.rows.outbox import OutboxRow, with_events
from relay.destination import CommitKey


class EventReader:
    """Fills in the events of commits."""

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._table = tables.events
        self._caller = Caller(client, runtime, backoff)

    def complete(self, rows: Sequence[OutboxRow], bytes_max: int | None = None) -> list[OutboxRow]:
        """Return the commits with their events; one that is not whole comes back with a defect.

        Many are read together by BatchGetItem. It may answer from before a transaction is fully applied, so that a
        commit which looks incomplete is asked for once more by TransactGetItems, which decides.

        Args:
            rows: The commits; those that have their events, or a defect, come back as they are.
            bytes_max: Once this much was read, the commits that were not asked for come back without their events. The
                first commit is read in any case.

        Raises:
            TryLaterError: DynamoDB did not answer.
        """
        missing = [row for row in rows if row.events is None and row.defect is None]
        if not missing:
            return list(rows)
        keys = [(row.aggregate_id, number) for row in missing for number in _numbers(row)]
        found, asked = self._batch_get(keys, len(_numbers(missing[0])), bytes_max)
        filled: dict[CommitKey, OutboxRow] = {}
        for row in missing:
            asked -= len(_numbers(row))
            if asked < 0:
                break
            filled[row.key] = self._fill(row, found)
        return [filled.get(row.key, row) for row in rows]

    def _fill(self, row: OutboxRow, found: Mapping[CommitKey, Mapping[str, Any]]) -> OutboxRow:
        try:
            events = _assemble(row, found, self._table)
            if events is None:
                events = _assemble(row, self._transact_get(row), self._table)
        except CorruptRowError as error:
            return replace(row, defect=str(error))
        if events is None:
            return replace(row, defect=_missing(row))
        return with_events(row, events)

    def _transact_get(self, row: OutboxRow) -> dict[CommitKey, Mapping[str, Any]]:
        places = [(self._table, row_key(row.aggregate_id, number)) for number in _numbers(row)]
        return _by_key(item for item in transact_get.items(self._caller, places) if item is not None)

    def _batch_get(
        self, keys: list[CommitKey], least: int, bytes_max: int | None
    ) -> tuple[dict[CommitKey, Mapping[str, Any]], int]:
        """Return what is there of these keys, and how many of them were asked for: all, or `least` at the least."""
        found: dict[CommitKey, Mapping[str, Any]] = {}
        read_bytes = 0
        for start in range(0, len(keys), BATCH_GET_MAX_KEYS):
            if start >= least and bytes_max is not None and read_bytes >= bytes_max:
                return found, start
            # Each key once, or DynamoDB refuses: a broken row may claim the events of its neighbour.
            wanted = [row_key(*key) for key in dict.fromkeys(keys[start : start + BATCH_GET_MAX_KEYS])]
            more = _by_key(batches.get(self._caller, self._table, wanted))
            found.update(more)
            if bytes_max is not None:
                read_bytes += sum(map(item_size, more.values()))
        return found, len(keys)


def _assemble(
    row: OutboxRow,
    found: Mapping[CommitKey, Mapping[str, Any]],
    table: str,
) -> tuple[RecordedEvent, ...] | None:
    """Return a commit's events, or None when one is missing or belongs to another commit."""
    events = []
    for number in _numbers(row):
        item = found.get((row.aggregate_id, number))
        if item is None:
            return None
        event = event_row.decode(item, table)
        if event.commit_id != row.commit_id:
            return None
        events.append(event)
    return tuple(events)


def _missing(row: OutboxRow) -> str:
    copy = "" if row.copy_fault is None else f", and the copy in its outbox row is of no use: {row.copy_fault}"
    return f"not all of its events {row.first} to {row.last} are stored{copy}"


def _numbers(row: OutboxRow) -> range:
    return range(row.first, row.last + 1)


def _by_key(items: Iterable[Mapping[str, Any]]) -> dict[CommitKey, Mapping[str, Any]]:
    return {(item["aggregateId"]["S"], int(item["sequenceNumber"]["N"])): item for item in items}
