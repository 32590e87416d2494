"""Release: the mark is removed, the row is stamped, and the relay takes it from there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller, Taken
from eventstore.dynamodb.table_names import TableNames
from eventstore.ports import DynamoClient, Runtime
from eventstore.rows.item import row_key
from relay.destination import BUS, CommitKey
from relay.operating.parked.mark import MARKS_AT_ONCE_MAX, Mark, MarkedRow
from relay.operating.parked.reader import MarkReader
from relay.operating.parked.selection import Selection
from relay.outbox.row import RowId
from relay.outbox.same_commit import same_commit


class ReleaseFate(StrEnum):
    """What became of marks that were to be removed."""

    RELEASED = "released"
    MARKED = "marked"
    """Nothing was done: it was only asked what would be released."""

    CHANGED = "changed"
    """They were changed by somebody else in the meantime; nothing was done."""


@dataclass(frozen=True, slots=True)
class Released:
    """One row whose marks were removed, or would be.

    Attributes:
        key: The row.
        marks: The marks.
        fate: What became of them.
        waits_up_to: Last number of the highest commit that waited behind it for the bus; the row's own when none did.
    """

    key: CommitKey
    marks: tuple[Mark, ...]
    fate: ReleaseFate
    waits_up_to: int

    @property
    def destinations(self) -> tuple[str, ...]:
        """The destinations they were for."""
        return tuple(mark.destination for mark in self.marks)


class Releaser:
    """Removes marks. Nothing is delivered here, so that there is no second deliverer to race with."""

    def __init__(
        self,
        client: DynamoClient,
        tables: TableNames,
        runtime: Runtime,
        backoff: Backoff,
    ) -> None:
        self._client = client
        self._table = tables.outbox
        self._runtime = runtime
        self._caller = Caller(client, runtime, backoff)
        self._reader = MarkReader(client, tables, runtime, backoff)

    def release(self, selection: Selection, *, dry_run: bool) -> Iterator[Released]:
        """Remove the marks that are meant, row by row, and yield what became of each.

        Raises:
            TryLaterError: DynamoDB did not answer. Release again: what is released is not met a second time.
            OutcomeUnknownError: The replies to a release were lost. Release again; one that has happened is not met.
        """
        for rows in self._reader.walk(selection.aggregate_id):
            for row in rows:
                marks = tuple(selection.of(row))
                if marks:
                    parked_for_bus = any(mark.destination == BUS for mark in marks)
                    up_to = self._reader.highest_owed_to_bus(*row.key) if parked_for_bus else row.last
                    fate = ReleaseFate.MARKED if dry_run else self._remove_all(row, marks)
                    yield Released(row.key, marks, fate, up_to)

    def _remove_all(self, row: MarkedRow, marks: Sequence[Mark]) -> ReleaseFate:
        starts = range(0, len(marks), MARKS_AT_ONCE_MAX)
        fates = {self._remove(row, marks[start : start + MARKS_AT_ONCE_MAX]) for start in starts}
        return ReleaseFate.CHANGED if ReleaseFate.CHANGED in fates else ReleaseFate.RELEASED

    def _remove(self, row: MarkedRow, marks: Sequence[Mark]) -> ReleaseFate:
        """Remove marks of a row on the condition that they are still those that were seen."""
        written = self._caller.write(
            self._client.update_item,
            what=f"the release of commit {row.key[0]} {row.key[1]}",
            if_unknown="release again: what is released is not met a second time",
            TableName=self._table,
            Key=row_key(*row.key),
            **_request(row, marks, self._runtime.now_ms()),
        )
        if isinstance(written, Taken):
            return ReleaseFate.RELEASED
        return ReleaseFate.RELEASED if written.maybe_ours and self._is_free(row.id, marks) else ReleaseFate.CHANGED

    def _is_free(self, released: RowId, marks: Sequence[Mark]) -> bool:
        """Tell whether a change whose reply was lost has happened: the marks are not there any more as they were."""
        row = self._reader.row(released.key)
        return (
            row is None
            or row.id != released
            or all(
                mark.destination not in row.marks or row.marks[mark.destination].stored != mark.stored for mark in marks
            )
        )


def _request(row: MarkedRow, marks: Sequence[Mark], now_ms: int) -> dict[str, Any]:
    """Return the update that removes marks; the stamp makes the change work for a relay that reads the feed."""
    places = {f"#mark{index}": mark.destination for index, mark in enumerate(marks)}
    stored = {f":mark{index}": dict(mark.stored) for index, mark in enumerate(marks)}
    ours, values = same_commit(row.id)
    return {
        "UpdateExpression": f"REMOVE {', '.join(f'parked.{place}' for place in places)} SET releasedAt = :now",
        "ConditionExpression": " AND ".join(
            [ours, *(f"parked.#mark{index} = :mark{index}" for index in range(len(marks)))]
        ),
        "ExpressionAttributeNames": places,
        "ExpressionAttributeValues": {**stored, **values, ":now": {"N": str(now_ms)}},
    }
