"""What has truly happened: commits, messages, documents. The first broken promise ends the run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from eventstore.model import AppendResult
from tests.simulation.scheduler import Scheduler

CommitKey = tuple[str, int]


class Violation(Exception):  # noqa: N818 - it is what was found, not what went wrong here
    """A promise was broken.

    Attributes:
        promise: Which one, in a few words that stay the same.
    """

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(f"{promise}: {detail}")
        self.promise = promise


@dataclass(slots=True)
class TrueCommit:
    """A commit as DynamoDB has it.

    Attributes:
        aggregate_id: Its aggregate.
        first: Its first number.
        last: Its last number.
        commit_id: Its id.
        event_ids: Of its events, in order.
        request: The writer's request that it came from.
        types: Event types, in order.
        group: How many aggregates were appended to together with it.
        is_poison: The index can never take it.
        body_bytes: The size of its largest event's data.
        is_settled: Its outbox row is gone.
        dropped: Destinations that never get it: an operator has decided so.
    """

    aggregate_id: str
    first: int
    last: int
    commit_id: str
    event_ids: list[str]
    request: str
    types: list[str]
    group: int
    is_poison: bool
    body_bytes: int
    is_settled: bool = False
    dropped: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Delivery:
    """What the bus and the index have taken.

    Attributes:
        highest: Per aggregate the highest number the bus has.
        firsts: Every first taking by the bus, in order: aggregate, number, type.
        indexed: Event ids that the index has.
    """

    highest: dict[str, int] = field(default_factory=dict)
    firsts: list[tuple[str, int, str]] = field(default_factory=list)
    indexed: set[str] = field(default_factory=set)


class Ledger:
    """Written by the simulated servers, never by the product."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.commits: dict[CommitKey, TrueCommit] = {}
        self.versions: dict[str, int] = {}
        self.by_number: dict[CommitKey, TrueCommit] = {}
        self.stored: dict[str, CommitKey] = {}
        self.acknowledged: dict[CommitKey, str] = {}
        self.refused: set[str] = set()
        self.taken = Delivery()

    def broken(self, promise: str, detail: str) -> None:
        """End the run: a promise was broken. Does not return."""
        self._scheduler.fail(Violation(promise, detail))

    def commit(self, row: Mapping[str, Any], items: list[Mapping[str, Any] | None]) -> TrueCommit:
        """Note a commit whose outbox row has just appeared; `items` are the event rows that belong to it."""
        aggregate_id, last = row["aggregateId"]["S"], int(row["sequenceNumber"]["N"])
        first, key = int(row["firstSequence"]["N"]), (row["aggregateId"]["S"], int(row["sequenceNumber"]["N"]))
        if first != self.versions.get(aggregate_id, 0) + 1:
            self.broken("numbers have no holes", f"{key} begins at {first} after {self.versions.get(aggregate_id, 0)}")
        if any(item is None for item in items):
            self.broken("a commit is whole", f"{key} lacks events from {first} on")
        whole = [item for item in items if item is not None]
        data = [json.loads(item["eventData"]["S"]) for item in whole]
        request, commit_id = data[0]["request"], row["commitId"]["S"]
        if [each["place"] for each in data] != list(range(data[0]["of"])) or {each["request"] for each in data} != {
            request
        }:
            self.broken("a commit is whole", f"{key} holds {data}")
        if {item["commitId"]["S"] for item in whole} != {commit_id}:
            self.broken("a commit is whole", f"events of {key} belong to other commits")
        if request in self.stored:
            self.broken("a request is stored once", f"{request} as {self.stored[request]} and as {key}")
        if request in self.refused:
            self.broken("what was refused is not stored", f"{request} as {key}")
        found = TrueCommit(
            aggregate_id,
            first,
            last,
            commit_id,
            [item["eventId"]["S"] for item in whole],
            request,
            [item["eventType"]["S"] for item in whole],
            data[0]["group"],
            any("poison" in each for each in data),
            max(len(item["eventData"]["S"]) for item in whole),
        )
        self.commits[key] = found
        self.stored[request] = key
        self.versions[aggregate_id] = last
        for number in range(first, last + 1):
            self.by_number[aggregate_id, number] = found
        return found

    def acknowledge(self, request: str, result: AppendResult) -> None:
        """Note that a writer was told that its request is stored."""
        key = (result.aggregate.id, result.version)
        commit = self.commits.get(key)
        if commit is None or commit.request != request or commit.commit_id != result.commit_id:
            self.broken("what is acknowledged is stored", f"{request} as {key} and there is {commit}")
            return
        if commit.first != result.first_sequence:
            self.broken(
                "what is acknowledged is stored", f"{key} begins at {commit.first}, not {result.first_sequence}"
            )
        self.acknowledged[key] = request

    def refuse(self, request: str) -> None:
        """Note that a writer was told that its request is not stored."""
        if request in self.stored:
            self.broken("what was refused is not stored", f"{request} as {self.stored[request]}")
        self.refused.add(request)

    def take_message(self, aggregate_id: str, number: int, event_id: str, event_type: str) -> None:
        """Note that the bus has taken an event."""
        commit = self.by_number.get((aggregate_id, number))
        if commit is None or commit.event_ids[number - commit.first] != event_id:
            self.broken("only what is stored is sent", f"{aggregate_id} {number} as {event_id}, there is {commit}")
            return
        highest = self.taken.highest.get(aggregate_id, 0)
        if number > highest + 1:
            self.broken("first deliveries are in order", f"{aggregate_id} {number} was taken after {highest}")
        if number == highest + 1:
            self.taken.highest[aggregate_id] = number
            self.taken.firsts.append((aggregate_id, number, event_type))

    def drop(self, destination: str, commit: TrueCommit) -> None:
        """Note that an operator has dropped a commit: the destination never gets it, and the bus passes over it."""
        commit.dropped.add(destination)
        if destination == "bus":
            highest = self.taken.highest.get(commit.aggregate_id, 0)
            if highest < commit.first - 1:
                self.broken("a drop leaves nothing owed below it", f"{commit.aggregate_id} {commit.last} at {highest}")
            self.taken.highest[commit.aggregate_id] = max(highest, commit.last)

    def on_bus(self, commit: TrueCommit) -> bool:
        """Tell whether the bus has all of a commit."""
        return self.taken.highest.get(commit.aggregate_id, 0) >= commit.last

    def on_index(self, commit: TrueCommit) -> bool:
        """Tell whether the index has all of a commit."""
        return all(event_id in self.taken.indexed for event_id in commit.event_ids)

    def has(self, destination: str, commit: TrueCommit) -> bool:
        """Tell whether a destination has all of a commit, or never gets it."""
        if destination in commit.dropped:
            return True
        return self.on_bus(commit) if destination == "bus" else self.on_index(commit)
