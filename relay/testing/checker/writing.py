"""What writers meant and what they were told, held against what is stored."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from relay.testing.checker.broken import BrokenPromise
from relay.testing.checker.comparison import Discrepancy, discrepancies
from relay.testing.checker.event import TrueEvent
from relay.testing.checker.promise import Promise


class MeantEvent(Protocol):
    """An event as its writer means it; `eventstore.NewEvent` is one, with a payload of plain JSON."""

    @property
    def type(self) -> str:
        """What happened."""
        ...

    @property
    def data(self) -> Mapping[str, Any]:
        """The payload."""
        ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """About it."""
        ...

    @property
    def schema_version(self) -> int:
        """Version of the payload's schema."""
        ...

    @property
    def timestamp_ms(self) -> Any:
        """When it happened, milliseconds since 1970 UTC; None when the store may say so."""
        ...


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the writer of a commit was told when it was stored.

    Attributes:
        commit_id: The commit's id.
        first: Its first number.
        last: Its last number.
    """

    commit_id: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class WrittenCommit:
    """A commit as its writer means it, and what the writer was told.

    Attributes:
        aggregate_id: The aggregate.
        aggregate_type: The aggregate's type.
        events: Its events, oldest first.
        acknowledged: That it is stored, and as what; None when the writer was not told so.
        is_refused: The writer was told that it is not stored. Without either the writer does not know.
    """

    aggregate_id: str
    aggregate_type: str
    events: Sequence[MeantEvent]
    acknowledged: Acknowledged | None = None
    is_refused: bool = False

    def __str__(self) -> str:
        return f"{self.aggregate_type} {self.aggregate_id}: {', '.join(event.type for event in self.events)}"


def meant_discrepancies(event: TrueEvent, meant: MeantEvent) -> list[Discrepancy]:
    """Return what of a stored event is not what its writer meant."""
    wanted: dict[str, Any] = {
        "type": meant.type,
        "schema_version": meant.schema_version,
        "data": meant.data,
        "metadata": meant.metadata,
    }
    found: dict[str, Any] = {
        "type": event.type,
        "schema_version": event.schema_version,
        "data": json.loads(event.data_json),
        "metadata": json.loads(event.metadata_json),
    }
    if meant.timestamp_ms is not None:
        wanted["timestamp_ms"], found["timestamp_ms"] = meant.timestamp_ms, event.timestamp_ms
    return discrepancies(wanted, found)


class WritersView:
    """Finds the writer of each stored event: by the commit that was acknowledged, else by what the event says."""

    def __init__(self) -> None:
        self._acknowledged: dict[str, WrittenCommit] = {}
        self._by_aggregate: defaultdict[str, list[WrittenCommit]] = defaultdict(list)
        self._seen: Counter[str] = Counter()
        self._unclaimed: defaultdict[str, list[TrueEvent]] = defaultdict(list)

    def written(self, commit: WrittenCommit) -> Iterator[BrokenPromise]:
        """Learn of a commit that a writer has tried to store, once; yield what is wrong with what it was told."""
        self._by_aggregate[commit.aggregate_id].append(commit)
        told = commit.acknowledged
        if told is None:
            return
        if told.commit_id in self._acknowledged:
            other = self._acknowledged[told.commit_id]
            yield BrokenPromise(Promise.ACKNOWLEDGED, str(commit), f"has the commit id of another one: {other}")
        elif told.last - told.first + 1 != len(commit.events):
            spans = f"acknowledged as {told.first} to {told.last}"
            yield BrokenPromise(Promise.ACKNOWLEDGED, str(commit), spans)
        self._acknowledged.setdefault(told.commit_id, commit)

    def take(self, event: TrueEvent) -> Iterator[BrokenPromise]:
        """Take an event that is stored; yield what of it is not what its writer meant."""
        if not self._by_aggregate:
            return  # nobody told what was written
        commit = self._acknowledged.get(event.commit_id)
        if commit is None or commit.acknowledged is None:
            self._unclaimed[event.commit_id].append(event)
            return
        told = commit.acknowledged
        place = event.sequence_number - told.first
        says = (event.aggregate_id, event.aggregate_type, event.commit_first, event.commit_last)
        if says != (commit.aggregate_id, commit.aggregate_type, told.first, told.last) or not (
            0 <= place < len(commit.events)
        ):
            where = f"of {event.aggregate_type} {event.aggregate_id} {event.commit_first} to {event.commit_last}"
            yield BrokenPromise(Promise.ACKNOWLEDGED, str(event), f"{where}, acknowledged was {told} of {commit}")
            return
        self._seen[event.commit_id] += 1
        faults = meant_discrepancies(event, commit.events[place])
        if faults:
            yield BrokenPromise(Promise.AS_WRITTEN, str(event), "; ".join(map(str, faults)))

    def end(self) -> Iterator[BrokenPromise]:
        """Yield what only all events together show: what is acknowledged and not there, what is there unasked."""
        for commit_id, commit in self._acknowledged.items():
            if self._seen[commit_id] < len(commit.events):
                there = f"{self._seen[commit_id]} of its events are stored as commit {commit_id}"
                yield BrokenPromise(Promise.ACKNOWLEDGED, str(commit), there)
        claimed: set[int] = set()
        for events in self._unclaimed.values():
            yield from self._find_writer(sorted(events, key=lambda event: event.sequence_number), claimed)

    def _find_writer(self, events: list[TrueEvent], claimed: set[int]) -> Iterator[BrokenPromise]:
        """Let a commit that nobody was told of be that of a writer who does not know, if there is such a one."""
        same = [commit for commit in self._by_aggregate.get(events[0].aggregate_id, ()) if _is_of(events, commit)]
        for commit in same:
            if commit.acknowledged is None and not commit.is_refused and id(commit) not in claimed:
                claimed.add(id(commit))
                return
        where = f"{events[0]} and {len(events) - 1} more of commit {events[0].commit_id}"
        if not same:
            yield BrokenPromise(Promise.ONLY_WRITTEN, where, "nobody has written that")
        elif any(commit.acknowledged is not None or id(commit) in claimed for commit in same):
            yield BrokenPromise(Promise.STORED_ONCE, where, f"is stored under another commit id too: {same[0]}")
        else:
            yield BrokenPromise(Promise.REFUSED, where, f"its writer was told that it is not stored: {same[0]}")


def _is_of(events: list[TrueEvent], commit: WrittenCommit) -> bool:
    """Tell whether a stored commit is what a writer meant."""
    return (
        len(events) == len(commit.events)
        and events[0].aggregate_type == commit.aggregate_type
        and not any(meant_discrepancies(event, meant) for event, meant in zip(events, commit.events, strict=True))
    )
