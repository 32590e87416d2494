"""What became of each commit while its events are answered one by one, in any order."""

from collections.abc import Iterable

from eventstore.rows.outbox import OutboxRow
from relay.destination import CommitKey, Confirmed, Outcome, Park, Retry


class Tally:
    """Counts each commit's events; a commit is confirmed when all of them are."""

    def __init__(self, commits: Iterable[OutboxRow]) -> None:
        self._owed: dict[CommitKey, int] = {}
        self._worst: dict[CommitKey, Park | Retry] = {}
        for row in commits:
            assert row.events, f"commit {row.key} came without its events"
            assert row.key not in self._owed, f"commit {row.key} was handed over twice"
            self._owed[row.key] = len(row.events)

    def done(self, key: CommitKey) -> None:
        """Note that one more event of a commit is taken."""
        assert self._owed[key] > 0, f"more answers than events for commit {key}"
        self._owed[key] -= 1

    def failed(self, key: CommitKey, outcome: Park | Retry) -> None:
        """Note that an event was not taken.

        Retry outweighs Park: a commit is parked when nothing but the events that can never be taken is missing.
        """
        known = self._worst.get(key)
        if known is None or (isinstance(known, Park) and isinstance(outcome, Retry)):
            self._worst[key] = outcome

    def outcomes(self, unsent: str) -> dict[CommitKey, Outcome]:
        """Return every commit's outcome; `unsent` is the reason for those with events that nobody asked about."""
        return {
            key: self._worst.get(key) or (Retry(unsent) if owed else Confirmed()) for key, owed in self._owed.items()
        }
