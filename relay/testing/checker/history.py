"""Looks whether what is stored is a history: numbers 1, 2, 3 …, whole commits, ids that are given once."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from relay.testing.checker.broken import BrokenPromise
from relay.testing.checker.event import TrueEvent
from relay.testing.checker.promise import Promise

COMMIT_MAX_EVENTS = 100
"""Actions of a DynamoDB transaction, which a commit is."""


@dataclass(slots=True)
class _StoredCommit:
    """What the rows of one commit say.

    Attributes:
        aggregate_id: Its aggregate.
        first: Its first number.
        last: Its last number.
        epoch: The store's epoch.
        seen: The numbers that are there, a bit for each.
    """

    aggregate_id: str
    first: int
    last: int
    epoch: int
    seen: int = 0

    def __str__(self) -> str:
        return f"{self.aggregate_id} {self.first} to {self.last}"

    @property
    def size(self) -> int:
        """How many events it should have."""
        return self.last - self.first + 1


class StoredHistory:
    """Takes events in any order, and keeps their ids and what their commits are like, but not the events.

    Attributes:
        events: Events taken.
    """

    def __init__(self) -> None:
        self.events = 0
        self._ids: set[str] = set()
        self._commits: dict[str, _StoredCommit] = {}
        self._types: dict[str, str] = {}

    @property
    def commits(self) -> int:
        """How many commits the events are of."""
        return len(self._commits)

    def is_new(self, event: TrueEvent) -> bool:
        """Tell whether no event of this id has been taken."""
        return event.event_id not in self._ids

    def take(self, event: TrueEvent) -> Iterator[BrokenPromise]:
        """Take an event that is stored; yield what it breaks."""
        self.events += 1
        if event.event_id in self._ids:
            yield BrokenPromise(Promise.ID_ONCE, str(event), "another event has the same id")
        self._ids.add(event.event_id)
        known = self._types.setdefault(event.aggregate_id, event.aggregate_type)
        if known != event.aggregate_type:
            yield BrokenPromise(Promise.ONE_TYPE, str(event), f"other events of this id are of type {known}")
        yield from self._take_into_commit(event)

    def end(self) -> Iterator[BrokenPromise]:
        """Yield what only all events together show: commits that are not whole, holes, epochs that go back."""
        by_aggregate: defaultdict[str, list[_StoredCommit]] = defaultdict(list)
        for commit_id, commit in self._commits.items():
            by_aggregate[commit.aggregate_id].append(commit)
            if commit.seen.bit_count() != commit.size:
                there = f"{commit.seen.bit_count()} of {commit.size} events are there"
                yield BrokenPromise(Promise.WHOLE_COMMITS, f"{commit} ({commit_id})", there)
        for commits in by_aggregate.values():
            yield from _gaps(sorted(commits, key=lambda commit: (commit.first, commit.last)))

    def _take_into_commit(self, event: TrueEvent) -> Iterator[BrokenPromise]:
        says = (event.aggregate_id, event.commit_first, event.commit_last, event.epoch)
        if not self._is_in_bounds(event):
            spans = f"is not in its commit, {event.commit_first} to {event.commit_last}"
            yield BrokenPromise(Promise.WHOLE_COMMITS, str(event), spans)
            return
        commit = self._commits.setdefault(event.commit_id, _StoredCommit(*says))
        if says != (commit.aggregate_id, commit.first, commit.last, commit.epoch):
            others = (
                f"is of {event.commit_first} to {event.commit_last} in epoch {event.epoch}, others of its commit of"
            )
            yield BrokenPromise(Promise.WHOLE_COMMITS, str(event), f"{others} {commit} in epoch {commit.epoch}")
            return
        bit = 1 << (event.sequence_number - commit.first)
        if commit.seen & bit:
            yield BrokenPromise(Promise.NUMBER_ONCE, str(event), "another event of its commit has the same number")
        commit.seen |= bit

    def _is_in_bounds(self, event: TrueEvent) -> bool:
        is_within = 1 <= event.commit_first <= event.sequence_number <= event.commit_last
        return is_within and event.commit_last - event.commit_first < COMMIT_MAX_EVENTS


def _gaps(commits: list[_StoredCommit]) -> Iterator[BrokenPromise]:
    """Yield holes, overlaps and epochs that go back, of the commits of one aggregate in the order of their numbers."""
    above, epoch = 1, 0
    for commit in commits:
        if commit.first > above:
            hole = f"{above} to {commit.first - 1} are not there"
            yield BrokenPromise(Promise.NO_HOLES, str(commit), hole)
        if commit.first < above:
            yield BrokenPromise(Promise.NUMBER_ONCE, str(commit), "another commit has some of these numbers")
        if commit.epoch < epoch:
            yield BrokenPromise(Promise.EPOCHS_RISE, str(commit), f"is of epoch {commit.epoch}, after epoch {epoch}")
        above, epoch = max(above, commit.last + 1), max(epoch, commit.epoch)
