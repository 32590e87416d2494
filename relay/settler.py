"""Settles what destinations have taken: complete rows go in batches, the others are marked one by one."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

import structlog

from eventstore.outbox_row import OutboxRow
from relay.destination import CommitKey, Park
from relay.outbox_writer import OutboxWriter
from relay.work import is_settled

_NOTHING: Mapping[CommitKey, frozenset[str]] = MappingProxyType({})


class Settler:
    """Turns facts (a destination has a commit) into the outbox's state. Facts may be told twice."""

    def __init__(self, writer: OutboxWriter, destinations: Collection[str]) -> None:
        self._writer = writer
        self._destinations = frozenset(destinations)
        self._log = structlog.get_logger()

    def settle_complete(self, rows: Iterable[OutboxRow]) -> list[CommitKey]:
        """Delete the rows that every destination has, and return their keys.

        Raises:
            TryLaterError: Some may be left; they are delivered again at worst.
        """
        complete = [row.key for row in rows if is_settled(row.delivered, self._destinations)]
        if complete:
            self._writer.delete(complete)
        return complete

    def mark(
        self,
        delivered: Mapping[CommitKey, frozenset[str]],
        recorded: Mapping[CommitKey, frozenset[str]] = _NOTHING,
    ) -> int:
        """Note who has the commits that some destination still lacks; return how many were complete after all.

        Args:
            delivered: Per commit the destinations to note.
            recorded: Per commit the destinations that are noted already; where both together are complete, the row
                goes without another note.

        Raises:
            TryLaterError: Some marks may be missing; those commits are delivered again at worst.
        """
        complete = []
        for key, names in delivered.items():
            if is_settled(names | recorded.get(key, frozenset()), self._destinations):
                complete.append(key)
                continue
            now = self._writer.add_delivered(key, names)
            if now is not None and is_settled(now, self._destinations):  # we saw the set complete, so the row is ours
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
        self._log.error(
            "commit.parked",
            aggregate_id=key[0],
            last=key[1],
            destination=destination,
            reason=verdict.reason,
            error_class=verdict.error_class,
        )
        return True
