"""Complete commits: what the rows of one aggregate, in order, say about their commits. Pure."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from eventstore.model import RecordedEvent
from eventstore.verify.finding import Finding, FindingKind, fault

_REPORTED_MAX = 8
"""Commits remembered as said: rows of two commits can alternate, those of many hardly."""


@dataclass(slots=True)
class _Open:
    """A commit of which rows have been seen, and more are to come."""

    commit_id: str
    first: int
    last: int
    seen_to: int
    reported: bool


class CommitRules:
    """Follows one aggregate's rows; each broken commit is reported once, whatever is wrong with it."""

    def __init__(self, aggregate_id: str) -> None:
        self._aggregate_id = aggregate_id
        self._open: _Open | None = None
        self._unreadable_from: int | None = None
        self._reported: deque[str] = deque(maxlen=_REPORTED_MAX)

    def take(self, event: RecordedEvent) -> Iterator[Finding]:
        """Take the next row."""
        if self._open is not None and event.commit_id != self._open.commit_id:
            yield from self.end()
        unreadable_from, self._unreadable_from = self._unreadable_from, None
        if self._open is None:
            first = event.commit_first
            benefit_of_doubt = unreadable_from is not None and unreadable_from <= first
            seen_to = (event.sequence_number if benefit_of_doubt else first) - 1
            reported = event.commit_id in self._reported
            self._open = _Open(event.commit_id, first, event.commit_last, seen_to, reported)
        yield from self._judge(self._open, event)
        self._open.seen_to = event.sequence_number
        if event.sequence_number >= self._open.last:
            self._open = None

    def take_unreadable(self, number: int) -> None:
        """Take a row that does not name its commit: it counts as part of the surrounding one."""
        if self._open is None:
            if self._unreadable_from is None:
                self._unreadable_from = number
            return
        if number == self._open.seen_to + 1:
            self._open.seen_to = number
        if number >= self._open.last:
            self._open = None

    def end(self) -> Iterator[Finding]:
        """Take the end of the open commit's rows."""
        if self._open is not None and not self._open.reported:
            yield self._broken(self._open, self._open.seen_to, f"ends with {self._open.seen_to}")
        self._open = None

    def _judge(self, commit: _Open, event: RecordedEvent) -> Iterator[Finding]:
        if commit.reported:
            return
        number = event.sequence_number
        if not event.commit_first <= number <= event.commit_last:
            complaint = f"holds {number}"
        elif (event.commit_first, event.commit_last) != (commit.first, commit.last):
            complaint = f"is {event.commit_first} to {event.commit_last} according to {number}"
        elif number != commit.seen_to + 1:
            complaint = f"lacks {commit.seen_to + 1} to {number - 1}"
        else:
            return
        commit.reported = True
        yield self._broken(commit, number, complaint)

    def _broken(self, commit: _Open, number: int, complaint: str) -> Finding:
        self._reported.append(commit.commit_id)
        sentence = f"commit {commit.commit_id} is {commit.first} to {commit.last} by its rows, and {complaint}"
        return fault(FindingKind.BROKEN_COMMIT, self._aggregate_id, number, sentence)
