"""What a reader must see by now, from what was stored when: the times are written by hand from AWS's own words.

A transaction is readable once its reply is delivered, or after a while; an eventually consistent read is older by up to
a second, and an index by some seconds more. What is younger than that a reader may see or not.
"""

from collections.abc import Iterator
from math import inf

from eventstore.model import RecordedEvent
from relay.testing.checker import TrueEvent
from tests.simulation.ledger import Ledger, TrueCommit
from tests.simulation.scheduler import Scheduler

STALE_SECONDS = 1.0
INDEX_SECONDS = 3.0
"""The bounds of the in-memory DynamoDB's own weather."""

Place = tuple[int, str, int]
"""Timestamp, aggregate, number: the one order of reads over many aggregates."""

EVENTUAL = STALE_SECONDS
INDEXED = STALE_SECONDS + INDEX_SECONDS


class Sight:
    """Says what must be seen.

    Args:
        ledger: What was stored.
        scheduler: Tells the time.
        hide_seconds: How long a transaction whose reply got lost may be invisible.
    """

    def __init__(self, ledger: Ledger, scheduler: Scheduler, hide_seconds: float) -> None:
        self._ledger = ledger
        self._scheduler = scheduler
        self._hide_seconds = hide_seconds
        self._restored_at = 0.0
        self.calm_since = inf
        """When the storm was over."""

    def begin_anew(self) -> None:
        """Another generation of the tables begins: what it holds was stored now."""
        self._restored_at = self._scheduler.seconds

    def seen_from(self, commit: TrueCommit, late: float = 0.0) -> float:
        """Return from when a commit is seen, whoever asks.

        Args:
            commit: The commit.
            late: How much later than a consistent read: 0, `EVENTUAL` or `INDEXED`.
        """
        stored = max(commit.stored_at, self._restored_at) if late else commit.stored_at
        return stored + self._hide_seconds + late

    def is_seen(self, commit: TrueCommit, late: float = 0.0, ago: float = 0.0) -> bool:
        """Tell whether a read that began some seconds ago must see a commit."""
        acknowledged = not late and not ago and (commit.aggregate_id, commit.last) in self._ledger.acknowledged
        return acknowledged or self.seen_from(commit, late) <= self._scheduler.seconds - ago

    def version(self, aggregate_id: str, late: float = 0.0, ago: float = 0.0) -> int:
        """Return the version that a read of an aggregate must see at least."""
        version = self._ledger.versions.get(aggregate_id, 0)
        while version:
            commit = self._ledger.by_number[aggregate_id, version]
            if self.is_seen(commit, late, ago):
                return version
            version = commit.first - 1
        return 0

    def versions(self, late: float = 0.0) -> dict[str, int]:
        """Return the same for each aggregate."""
        return {aggregate_id: self.version(aggregate_id, late) for aggregate_id in self._ledger.versions}

    def indexed(self) -> dict[Place, TrueEvent]:
        """Return the events that a read of an index must find, by their places."""
        seen = (commit for commit in self._ledger.commits.values() if self.is_seen(commit, INDEXED))
        return {place_of(event): event for commit in seen for event in commit.events}

    def events(self) -> Iterator[TrueEvent]:
        """Yield all events that are stored."""
        for commit in self._ledger.commits.values():
            yield from commit.events

    def true(self, event: RecordedEvent) -> TrueEvent | None:
        """Return what is stored under an event's aggregate and number; None when nothing is."""
        commit = self._ledger.by_number.get((event.aggregate_id, event.sequence_number))
        return None if commit is None else commit.event(event.sequence_number)

    def check_content(self, event: RecordedEvent) -> None:
        """Check that an event that was read is the one that was stored, in its stored form."""
        stored = event.stored
        read = TrueEvent(
            event.aggregate_id,
            event.aggregate_type,
            event.sequence_number,
            event.event_id,
            stored.type,
            stored.schema_version,
            stored.data_json,
            event.metadata_json,
            event.timestamp_ms,
            event.commit_id,
            event.commit_first,
            event.commit_last,
            event.epoch,
        )
        if read != self.true(event):
            self._ledger.broken("what is read is what was written", f"{read}, and there is {self.true(event)}")

    def is_end(self, aggregate_id: str, version: int) -> bool:
        """Tell whether an aggregate had this version at some time: a commit ends there, or it is 0."""
        if not version:
            return True
        commit = self._ledger.by_number.get((aggregate_id, version))
        return commit is not None and commit.last == version


def place_of(event: TrueEvent) -> Place:
    """Return where an event stands."""
    return event.timestamp_ms, event.aggregate_id, event.sequence_number
