"""What has truly happened: commits, messages, documents. The first broken promise ends the run."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from eventstore.model import AppendResult
from relay.destinations.bus.broker import Message
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from relay.testing.checker import TrueEvent
from tests.simulation.content import document_faults, message_faults, stored_faults
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
        events: Its events, in order, as they were when it was stored.
        request: The writer's request that it came from.
        group: How many aggregates were appended to together with it.
        is_poison: The index can never take it.
        body_bytes: The size of its largest event's data.
        stored_at: When it was stored, in seconds of the simulation.
        is_settled: Its outbox row is gone.
        dropped: Destinations that never get it: an operator has decided so.
    """

    aggregate_id: str
    first: int
    last: int
    commit_id: str
    events: list[TrueEvent]
    request: str
    group: int
    is_poison: bool
    body_bytes: int
    stored_at: float
    is_settled: bool = False
    dropped: set[str] = field(default_factory=set)

    def event(self, number: int) -> TrueEvent:
        """Return the event of a number."""
        return self.events[number - self.first]


@dataclass(slots=True)
class Delivery:
    """What the destinations have taken.

    Attributes:
        highest: Per aggregate of the present store the highest number that every queue of the bus has that wants it.
        firsts: Every first taking by all of them, in order: aggregate as consumers know it, number, type.
        on_bus: Event ids that every queue has that wants them.
        indexed: Event ids that the index has.
        filed: Event ids that the file has.
    """

    highest: dict[str, int] = field(default_factory=dict)
    firsts: list[tuple[str, int, str]] = field(default_factory=list)
    on_bus: set[str] = field(default_factory=set)
    indexed: set[str] = field(default_factory=set)
    filed: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Moment:
    """What a store held at a moment, for a restore from a backup of then.

    Attributes:
        commits: Its commits.
        acknowledged: Requests that writers were told are stored.
        refused: Requests that writers were told are not.
    """

    commits: Mapping[CommitKey, TrueCommit]
    acknowledged: Mapping[CommitKey, str]
    refused: frozenset[str]


class Ledger:
    """Written by the simulated servers, never by the product.

    It is about the present generation of the tables. What was true of a former one is closed, and void where it was
    owed; its events are known, since some of them may still be on their way.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.generation = 1
        self._former: dict[str, tuple[int, TrueEvent]] = {}
        self.commits: dict[CommitKey, TrueCommit] = {}
        self.versions: dict[str, int] = {}
        self.by_number: dict[CommitKey, TrueCommit] = {}
        self.stored: dict[str, CommitKey] = {}
        self.acknowledged: dict[CommitKey, str] = {}
        self.refused: set[str] = set()
        self.taken = Delivery()
        self.held_up: set[str] = set()
        self.refused_by_bus: set[tuple[str, str]] = set()
        self.weighed_max_bytes = math.inf
        """A larger event is known by all workers to be too large, so nothing of its commit is sent."""
        self.on_commit: Callable[[TrueCommit], None] = lambda _: None
        self.on_held_up: Callable[[str], None] = lambda _: None

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
        events = [self._read(item) for item in whole]
        shared = (row["aggregateType"]["S"], int(row["epoch"]["N"]), first, last)
        faults = [fault for event in events for fault in stored_faults(event)]
        faults += [
            f"{event} in a commit of {shared}"
            for event in events
            if (event.aggregate_type, event.epoch, event.commit_first, event.commit_last) != shared
        ]
        if faults:
            self.broken("what is stored is what was written", f"{key}: {faults}")
        found = TrueCommit(
            aggregate_id,
            first,
            last,
            commit_id,
            events,
            request,
            data[0]["group"],
            any("poison" in each for each in data),
            max(len(item["eventData"]["S"]) for item in whole),
            self._scheduler.seconds,
        )
        self.on_commit(found)
        self._add(found)
        return found

    def _read(self, item: Mapping[str, Any]) -> TrueEvent:
        try:
            return TrueEvent.from_row(item)
        except ValueError as error:
            self.broken("what is stored can be read", f"{item}: {error}")
            raise

    def _add(self, commit: TrueCommit) -> None:
        key = (commit.aggregate_id, commit.last)
        self.commits[key] = commit
        self.stored[commit.request] = key
        self.versions[commit.aggregate_id] = max(commit.last, self.versions.get(commit.aggregate_id, 0))
        for number in range(commit.first, commit.last + 1):
            self.by_number[commit.aggregate_id, number] = commit

    def moment(self) -> Moment:
        """Return what the store holds now."""
        copies = {key: replace(commit, dropped=set(commit.dropped)) for key, commit in self.commits.items()}
        return Moment(copies, dict(self.acknowledged), frozenset(self.refused))

    def has_dropped_since(self, moment: Moment) -> bool:
        """Tell whether an operator has dropped something of what was there at a moment."""
        return any(self.commits[key].dropped != commit.dropped for key, commit in moment.commits.items())

    def begin_anew(self, moment: Moment | None) -> None:
        """Begin another generation of the tables: empty, or as the store was at a moment.

        What was restored and is on the bus is there still, under the same event ids.
        """
        events = (event for commit in self.commits.values() for event in commit.events)
        self._former |= {event.event_id: (self.generation, event) for event in events}
        self.generation += 1
        for known in (self.commits, self.versions, self.by_number, self.stored, self.acknowledged, self.taken.highest):
            known.clear()
        self.refused = set(moment.refused) if moment is not None else set()
        if moment is not None:
            self.acknowledged |= moment.acknowledged
            for commit in moment.commits.values():
                self._add(replace(commit, dropped=set(commit.dropped)))
            for aggregate_id in self.versions:
                self._find_highest(aggregate_id)

    def _find_highest(self, aggregate_id: str) -> None:
        """Find out how far the bus has the history of an aggregate without a hole."""
        for number in range(1, self.versions[aggregate_id] + 1):
            commit = self.by_number[aggregate_id, number]
            if "bus" not in commit.dropped and commit.event(number).event_id not in self.taken.on_bus:
                return
            self.taken.highest[aggregate_id] = number

    def present(self, aggregate_id: str, number: int, event_id: str) -> TrueEvent | None:
        """Return an event of the present generation; None when it is not one."""
        commit = self.by_number.get((aggregate_id, number))
        event = commit.event(number) if commit is not None else None
        return event if event is not None and event.event_id == event_id else None

    def known_as(self, message: Message) -> str:
        """Return what consumers know the aggregate of a message as: they begin anew with each generation."""
        aggregate_id, number = str(message.headers[AGGREGATE_ID]), int(message.headers[SEQUENCE_NUMBER])
        if self.present(aggregate_id, number, message.message_id) is not None:
            return f"{self.generation}/{aggregate_id}"
        return f"{self._former[message.message_id][0]}/{aggregate_id}"

    def stored_event(self, aggregate_id: str, number: int, event_id: str) -> TrueEvent:
        """Return an event of this generation or a former one; it breaks a promise when there is none."""
        event = self.present(aggregate_id, number, event_id)
        if event is not None:
            return event
        if event_id not in self._former:
            there = self.by_number.get((aggregate_id, number))
            self.broken("only what is stored is sent", f"{aggregate_id} {number} as {event_id}, there is {there}")
        return self._former[event_id][1]

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

    def see_message(self, message: Message) -> None:
        """Look at an event that has come to the bus, whichever of its queues take it."""
        aggregate_id, number = str(message.headers[AGGREGATE_ID]), int(message.headers[SEQUENCE_NUMBER])
        faults = message_faults(self.stored_event(aggregate_id, number, message.message_id), message)
        if faults:
            self.broken("what arrives is what was written", f"on the bus {aggregate_id} {number}: {faults}")
        highest = self.taken.highest.get(aggregate_id, 0)
        if self.present(aggregate_id, number, message.message_id) is None:
            return
        if self.by_number[aggregate_id, number].body_bytes > self.weighed_max_bytes:
            self.broken("nothing is sent of a commit that can never go", f"{aggregate_id} {number}")
        if number > highest + 1:
            self.broken("first deliveries are in order", f"{aggregate_id} {number} was taken after {highest}")

    def hold_up(self, aggregate_id: str) -> None:
        """Note that the bus has refused an aggregate's event, or has not answered for it for long."""
        self.refused_by_bus.add((self._scheduler.current.process.name, aggregate_id))
        if aggregate_id not in self.held_up:
            self.held_up.add(aggregate_id)
            self.on_held_up(aggregate_id)

    def see_document(self, action: Mapping[str, Any], document: Mapping[str, Any]) -> None:
        """Look at an event that has come to the index; `action` is the line before it, without its verb."""
        aggregate_id, number = document["aggregate_id"], document["sequence_number"]
        faults = document_faults(self.stored_event(aggregate_id, number, action["_id"]), action, document)
        if faults:
            self.broken("what arrives is what was written", f"in the index {aggregate_id} {number}: {faults}")

    def take_message(self, message: Message, known_as: str) -> None:
        """Note that every queue of the bus that wants an event has it."""
        self.taken.on_bus.add(message.message_id)
        aggregate_id, number = str(message.headers[AGGREGATE_ID]), int(message.headers[SEQUENCE_NUMBER])
        self.held_up.discard(aggregate_id)
        if self.present(aggregate_id, number, message.message_id) is None:
            return
        if number == self.taken.highest.get(aggregate_id, 0) + 1:
            self.taken.highest[aggregate_id] = number
            event_type = message.routing_key.partition(".")[2]
            self.taken.firsts.append((known_as, number, event_type))

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
        return all(event.event_id in self.taken.indexed for event in commit.events)

    def has(self, destination: str, commit: TrueCommit) -> bool:
        """Tell whether a destination has all of a commit, or never gets it."""
        if destination in commit.dropped:
            return True
        if destination == "file":
            return all(event.event_id in self.taken.filed for event in commit.events)
        return self.on_bus(commit) if destination == "bus" else self.on_index(commit)
