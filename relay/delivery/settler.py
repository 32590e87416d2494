"""Settles what destinations have taken: complete rows are deleted, the others are marked, both in batches."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import structlog

from eventstore.rows.outbox import OutboxRow
from relay import metrics
from relay.destination import Park
from relay.metrics import SILENT, Meter
from relay.outbox.insisting import InsistingWriter
from relay.outbox.row import RowId, is_settled, row_id
from relay.outbox.written import Done

_NOTHING: Mapping[RowId, frozenset[str]] = MappingProxyType({})


class Settler:
    """Turns facts (a destination has a commit) into the outbox's state. Facts may be reported twice."""

    def __init__(self, writer: InsistingWriter, destinations: Collection[str], meter: Meter = SILENT) -> None:
        self._writer = writer
        self._meter = meter
        self._destinations = frozenset(destinations)
        self._log = structlog.get_logger()

    def settle_complete(self, rows: Iterable[OutboxRow], *, may_delete: bool = True) -> list[RowId]:
        """Delete the rows that every destination has, and return which these are.

        Args:
            rows: Commits of a page.
            may_delete: False for whoever is not certain of the lease, and so not of the destinations in force: the
                fact is noted, and the sweep deletes the row if it is complete.

        Raises:
            TryLaterError: Some may be left; they are delivered again at worst.
        """
        # Each once: a page may show a row twice.
        complete = list(dict.fromkeys(row_id(row) for row in rows if is_settled(row.delivered, self._destinations)))
        if may_delete:
            self._writer.delete(complete)
        else:
            self._writer.note(dict.fromkeys(complete, self._destinations))
        return complete

    def mark(
        self,
        delivered: Mapping[RowId, frozenset[str]],
        recorded: Mapping[RowId, frozenset[str]] = _NOTHING,
        *,
        may_delete: bool = True,
    ) -> int:
        """Note who has the commits that some destination still lacks; return how many were complete after all.

        Args:
            delivered: Per commit the destinations to note.
            recorded: Per commit the destinations that are noted already; where both together are complete, the row
                goes without another note.
            may_delete: As in `settle_complete`.

        Raises:
            TryLaterError: Some marks may be missing; those commits are delivered again at worst.
        """
        complete = [
            row
            for row, names in delivered.items()
            if may_delete and is_settled(names | recorded.get(row, frozenset()), self._destinations)
        ]
        settled = frozenset(complete)
        now = self._writer.note({row: names for row, names in delivered.items() if row not in settled})
        for row, answer in now.items():
            seen = answer.delivered if isinstance(answer, Done) else None
            if may_delete and seen is not None and is_settled(seen, self._destinations):  # so it is ours to delete
                complete.append(row)
        self._writer.delete(complete)
        return len(complete)

    def park(self, row: RowId, destination: str, verdict: Park) -> bool:
        """Park a commit for one destination and say so, once; a person must look.

        Raises:
            TryLaterError: The mark may be missing; the same refusal parks it the next time.
        """
        if not self._writer.park(row, destination, verdict):
            return False
        self._meter.count(metrics.PARKED, destination)
        self._log.error(
            "commit.parked",
            aggregate_id=row.aggregate_id,
            last=row.last,
            destination=destination,
            reason=verdict.reason,
            error_class=verdict.error_class,
        )
        return True
