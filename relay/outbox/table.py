"""Which table stands under the outbox's name: made anew or restored, it is another one, and so is every row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from eventstore.backoff import Backoff
from eventstore.dynamodb.caller import Caller
from eventstore.dynamodb.table_names import TableNames
from eventstore.errors import TableMissingError
from eventstore.ports import DynamoClient, Runtime

_MARGIN_SECONDS = 2.0
"""A stream that was switched on with its table may be named by a moment slightly before the table's own."""


@dataclass(frozen=True, slots=True)
class SeenTable:
    """A table as it was at a look.

    Attributes:
        id: Its id, where the server tells it, and when it was made.
        made_at: When it was made, where the server tells it.
        label: Of its stream at that look; empty when it had none.
    """

    id: str
    made_at: datetime | None
    label: str


class OutboxTable:
    """Looks at the table, and notices when it is another one than at the last look. Any part may look.

    What is remembered of rows counts for rows of the same table alone. So whoever reads rows from the table, and not
    from a stream, which names its table, takes a `mark` before and asks `is_still` after.

    Args:
        client: For the table.
        tables: Their names.
        runtime: For a lock.
        backoff: How often a look is tried.
    """

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._client = client
        self._name = tables.outbox
        self._caller = Caller(client, runtime, backoff)
        self._lock = runtime.lock()
        self._on_other: Callable[[], None] = lambda: None
        self._table: SeenTable | None = None
        self._is_gone = False
        self._obsolete_up_to = ""
        self._changes = 0
        self._log = structlog.get_logger()

    def on_other(self, forget: Callable[[], None]) -> None:
        """Name who must forget what is known of rows when the table is another one than it was, or gone."""
        self._on_other = forget

    def mark(self) -> int:
        """Return what `is_still` compares with."""
        return self._changes

    def is_still(self, mark: int) -> bool:
        """Look; tell whether the table is the one of a mark.

        Raises:
            EventStoreError: DynamoDB did not answer, or there is no table.
        """
        self.look()
        return self._changes == mark

    def is_obsolete(self, label: str) -> bool:
        """Tell whether a stream was that of a former table, which is gone: what it still holds nobody is owed."""
        table = self._table
        made = _label_of(table.made_at) if table is not None and table.made_at is not None else ""
        return label <= self._obsolete_up_to or label < made

    def look(self) -> Mapping[str, Any]:
        """Return the table's description, after whoever must forget has forgotten.

        Raises:
            TableMissingError: There is none.
            EventStoreError: DynamoDB did not answer.
        """
        try:
            reply = self._caller.read(self._client.describe_table, needs="Table", TableName=self._name)
        except TableMissingError:
            self._note(None)
            raise
        table: Mapping[str, Any] = reply["Table"]
        made_at = table.get("CreationDateTime")
        self._note(
            SeenTable(
                f"{table.get('TableId', '')} {made_at or ''}",
                made_at if isinstance(made_at, datetime) else None,
                str(table.get("LatestStreamLabel", "")),
            )
        )
        return table

    def _note(self, table: SeenTable | None) -> None:
        with self._lock:
            former = self._table
            is_other = self._is_other(table)
            self._changes += is_other
        if is_other:
            self._log.warning(
                "outbox.replaced", former=former.id if former else None, table=table.id if table else None
            )
            self._on_other()

    def _is_other(self, table: SeenTable | None) -> bool:
        """Take a look; tell whether what is known of rows is void."""
        former, was_gone = self._table, self._is_gone
        if former is None:
            self._table = table
            return False
        if table is None:
            self._is_gone = True
            return not was_gone
        if table.made_at is not None and former.made_at is not None and table.made_at < former.made_at:
            return False  # a look that took its time
        self._table, self._is_gone = table, False
        if table.id != former.id:
            self._obsolete_up_to = max(self._obsolete_up_to, former.label)
            return True
        return was_gone


def _label_of(made_at: datetime) -> str:
    """Return the smallest label that a stream of a table can have; labels are times in UTC, as text."""
    return (made_at.astimezone(UTC) - timedelta(seconds=_MARGIN_SECONDS)).strftime("%Y-%m-%dT%H:%M:%S")
