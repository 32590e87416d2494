"""The invariants. To add one: look where its facts change, and call `ledger.broken` with the promise in a few words.

`watch_outbox`    at every change of an outbox row, as it happens
`watch_call`      at every call of DynamoDB, right after its effect
`Ledger`          at every message, document and commit, as they are taken
`look_at_all`     now and then, and at the end, over everything that is stored
`is_drained`      when faults have stopped: nothing is left that could go
"""

from collections.abc import Mapping, Sequence
from typing import Any

from eventstore import EventStore
from eventstore.table_names import TableNames
from eventstore.testing.dynamodb.feed import FeedRecord
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.feed import records_up_to
from tests.simulation.ledger import CommitKey, Ledger, TrueCommit

DESTINATIONS = ("bus", "index")
_TABLES = TableNames()


class Checkers:
    """Look on while the product works."""

    def __init__(self, ledger: Ledger, passage: SimulatedPassage, message_max_bytes: int) -> None:
        self._ledger = ledger
        self._passage = passage
        self._message_max_bytes = message_max_bytes
        self._outbox: dict[CommitKey, Mapping[str, Any]] = {}

    def watch_outbox(self, records: Sequence[FeedRecord]) -> None:
        """Look at the changes of outbox rows that one call has made."""
        commits: list[TrueCommit] = []
        for record in records:
            key = (record.keys["aggregateId"]["S"], int(record.keys["sequenceNumber"]["N"]))
            if record.new is None:
                self._settled(key)
            elif record.event_name == "INSERT":
                row = record.new.attributes
                if key in self._ledger.commits:
                    self._ledger.broken("a settled commit stays settled", f"the row {key} has come back to life")
                self._outbox[key] = row
                commits.append(self._ledger.commit(row, self._events_of(row)))
            else:
                self._outbox[key] = record.new.attributes
                self._marked(key, record.new.attributes)
        for commit in commits:
            if commit.group != len(commits):
                self._ledger.broken("appends to several aggregates are one", f"{len(commits)} of {commit.group} stored")

    def watch_call(self, operation: str, request: Mapping[str, Any]) -> None:
        """Look at a call that has had its effect."""
        if operation == "PutItem" and request["TableName"] == _TABLES.relay:
            kind, _, label = request["Item"]["recordType"]["S"].partition("#")
            if kind == "checkpoint":
                self._checkpoint(label, request["Item"])

    def look_at_all(self, store: EventStore) -> None:
        """Look whether what was stored can be read, once, in order and without a hole, and nothing else is there."""
        with self._passage.direct():
            for aggregate_id, version in self._ledger.versions.items():
                events = store.load(aggregate_id)
                numbers = [event.sequence_number for event in events]
                if numbers != list(range(1, version + 1)):
                    self._ledger.broken("what is acknowledged stays readable", f"{aggregate_id} reads {numbers}")
                for event in events:
                    commit = self._ledger.by_number[aggregate_id, event.sequence_number]
                    if commit.event_ids[event.sequence_number - commit.first] != event.event_id:
                        self._ledger.broken("history does not change", f"{aggregate_id} {event.sequence_number}")
            reply = self._passage.database.call(
                "Scan", {"TableName": _TABLES.events, "Select": "COUNT", "ConsistentRead": True}
            )
            if reply["Count"] != sum(self._ledger.versions.values()):
                self._ledger.broken("nothing half is there", f"{reply['Count']} events are stored")

    def is_drained(self) -> bool:
        """Tell whether the outbox owes nothing but what waits for a person."""
        return not any(self._is_work(key, row) for key, row in self._outbox.items())

    def left(self) -> list[CommitKey]:
        """Return the commits that could go and did not."""
        return [key for key, row in self._outbox.items() if self._is_work(key, row)]

    def _is_work(self, key: CommitKey, row: Mapping[str, Any]) -> bool:
        done = _delivered(row) | _parked(row)
        return not done >= {"index"} or not ("bus" in done or self._is_behind_parked(key))

    def _is_behind_parked(self, key: CommitKey) -> bool:
        return any(
            other[0] == key[0] and other[1] <= key[1] and "bus" in _parked(row) - _delivered(row)
            for other, row in self._outbox.items()
        )

    def _events_of(self, row: Mapping[str, Any]) -> list[Mapping[str, Any] | None]:
        aggregate_id, last = row["aggregateId"], int(row["sequenceNumber"]["N"])
        with self._passage.direct():
            return [
                self._passage.database.call(
                    "GetItem",
                    {
                        "TableName": _TABLES.events,
                        "ConsistentRead": True,
                        "Key": {"aggregateId": aggregate_id, "sequenceNumber": {"N": str(number)}},
                    },
                ).get("Item")
                for number in range(int(row["firstSequence"]["N"]), last + 1)
            ]

    def _settled(self, key: CommitKey) -> None:
        self._outbox.pop(key, None)
        commit = self._ledger.commits[key]
        commit.is_settled = True
        for name in DESTINATIONS:
            if not self._ledger.has(name, commit):
                self._ledger.broken("a settled commit was taken by every destination", f"{key} lacks the {name}")

    def _marked(self, key: CommitKey, row: Mapping[str, Any]) -> None:
        commit = self._ledger.commits[key]
        for name in _delivered(row):
            if not self._ledger.has(name, commit):
                self._ledger.broken("what is marked as delivered was taken", f"{key} by the {name}")
        parked = _parked(row)
        if "index" in parked and not commit.is_poison:
            self._ledger.broken("only what can never be taken is parked", f"{key} for the index: {row['parked']}")
        if "bus" in parked and commit.body_bytes <= self._message_max_bytes:
            self._ledger.broken("only what can never be taken is parked", f"{key} for the bus: {row['parked']}")
        if "bus" in parked and self._ledger.taken.highest.get(key[0], 0) < commit.first - 1:
            self._ledger.broken("what is parked has nothing owed below it", f"{key}")

    def _checkpoint(self, label: str, item: Mapping[str, Any]) -> None:
        """A checkpoint passes nothing that is owed to the bus and could go."""
        feed = next(feed for feed in self._passage.database._engine.feeds.values() if feed.label == label)
        shard_id, finished = item["recordKey"]["S"], item["state"]["S"] == "finished"
        position = int(item["feedPosition"]["S"]) if "feedPosition" in item else None
        if finished and any(shard.shard_id == shard_id and shard.is_open for shard in feed.shards):
            self._ledger.broken("only a closed shard is finished", shard_id)
        if position is None and not finished:
            return
        for image in records_up_to(feed, shard_id, None if finished else position):
            key = (image["aggregateId"]["S"], int(image["sequenceNumber"]["N"]))
            row = self._outbox.get(key)
            if row is not None and "bus" not in _delivered(row) and not self._is_behind_parked(key):
                self._ledger.broken("a checkpoint passes nothing that is owed", f"{key} in {shard_id}")


def _delivered(row: Mapping[str, Any]) -> set[str]:
    return set(row.get("delivered", {}).get("SS", ()))


def _parked(row: Mapping[str, Any]) -> set[str]:
    return set(row.get("parked", {}).get("M", {}))
