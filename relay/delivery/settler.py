"""Settles what destinations have taken: complete rows go in batches, the others are marked one by one."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import structlog

from eventstore.rows.outbox import OutboxRow
from relay import metrics
from relay.destination import CommitKey, Park
from relay.metrics import SILENT, Meter
from relay.outbox.row import is_settled
from relay.outbox.writer import OutboxWriter

_NOTHING: Mapping[CommitKey, frozenset[str]] = MappingProxyType({})


class Settler:
    """Turns facts (a destination has a commit) into the outbox's state. Facts may be reported twice."""

    def __init__(self, writer: OutboxWriter, destinations: Collection[str], meter: Meter = SILENT) -> None:
        self._writer = writer
        self._meter = meter
        self._destinations = frozenset(destinations)
        self._log = structlog.get_logger()

    def settle_complete(self, rows: Iterable[OutboxRow], *, may_delete: bool = True) -> list[CommitKey]:
        """Delete the rows that every destination has, and return their keys.

        Args:
            rows: Commits of a page.
            may_delete: False for whoever is not certain of the lease, and so not of the destinations in force: the
                fact is noted, and the sweep deletes the row if it is complete.

        Raises:
            TryLaterError: Some may be left; they are delivered again at worst.
        """
        complete = list(dict.fromkeys(row.key for row in rows if is_settled(row.delivered, self._destinations)))
        if may_delete and complete:  # each key once: a page may show a row twice
            self._writer.delete(complete)
        for key in () if may_delete else complete:
            self._writer.add_delivered(key, self._destinations)
        return complete

    def mark(
        self,
        delivered: Mapping[CommitKey, frozenset[str]],
        recorded: Mapping[CommitKey, frozenset[str]] = _NOTHING,
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
        complete = []
        for key, names in delivered.items():
            if may_delete and is_settled(names | recorded.get(key, frozenset()), self._destinations):
                complete.append(key)
                continue
            now = self._writer.add_delivered(key, names)
            if may_delete and now is not None and is_settled(now, self._destinations):  # we saw it complete: it is ours
                complete.append(key)
        if complete:
            self._writer.delete(complete)
        return len(complete)

    def park(self, key: CommitKey, destination: str, verdict: Park) -> bool:
        """Park a commit for one destination and say so, once; a person must look.

        Raises:
            TryLaterError: The mark may be missing; the same refusal parks it the next time.
        """
        if not self._writer.park(key, destination, verdict):
            return False
        self._meter.count(metrics.PARKED, destination)
        self._log.error(
            "commit.parked",
            aggregate_id=key[0],
            last=key[1],
            destination=destination,
            reason=verdict.reason,
            error_class=verdict.error_class,
        )
        return True
