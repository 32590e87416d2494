"""The invariants. To add one: look where its facts change, and call `ledger.broken` with the promise in a few words.

`watch`           at every write to DynamoDB, as it happens
`Ledger`          at every message, document and commit, as they are taken
`look_at_all`     now and then, and at the end, over everything that is stored
`is_drained`      when faults have stopped: nothing is left that could go
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from eventstore import EventStore
from eventstore.dynamodb.table_names import TableNames
from eventstore.model import RecordedEvent
from eventstore.testing.dynamodb.feed.feed import Feed
from eventstore.testing.dynamodb.storage.items import Change
from relay.delivery.settings import FlowSettings
from relay.testing.checker import TrueEvent
from tests.simulation.broker import SimulatedBroker
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.fleet import FleetWatch
from tests.simulation.ledger import CommitKey, Ledger, TrueCommit
from tests.simulation.scheduler import Scheduler

DESTINATIONS = ("bus", "index")
"""Those of every world; some have a file beside them."""

BROUGHT_FEW = 100
"""Commits that are brought along; no world has so many at a time."""

TORN = "torn-"
"""Begins the ids of aggregates whose rows no append has written; see `torn_rows`."""

OLD_CLASS = "marked by an older release"
"""Error class of marks that the weather makes: nobody has looked what is below them."""

_TABLES = TableNames()


class Checkers:
    """Look on while the product works."""

    def __init__(
        self,
        ledger: Ledger,
        passage: SimulatedPassage,
        fleet: FleetWatch,
        broker: SimulatedBroker,
        scheduler: Scheduler,
        flow: FlowSettings,
    ) -> None:
        self._ledger = ledger
        self._passage = passage
        self._fleet = fleet
        self._broker = broker
        self._scheduler = scheduler
        self._flow = flow
        self._outbox: dict[CommitKey, Mapping[str, Any]] = {}
        self._left_to_the_sweep: set[CommitKey] = set()
        self._ever_marked: set[str] = set()
        self.ever_parked: set[CommitKey] = set()
        self.message_max_bytes = 0
        self.all_destinations: tuple[str, ...] = DESTINATIONS
        self._in_force: frozenset[str] | None = None
        self.on_torn: Callable[[Change], None] = lambda _: None
        self.on_begin_anew: list[Callable[[Mapping[CommitKey, Mapping[str, Any]]], None]] = []
        ledger.on_held_up = self._leave_to_the_sweep
        self.is_blind = False
        """Rows are restored, and nobody has written them."""

    @property
    def destinations(self) -> frozenset[str]:
        """Those in force: what the workers last agreed on, as the relay table has it."""
        return frozenset(self.all_destinations) if self._in_force is None else self._in_force

    @property
    def rows(self) -> Mapping[CommitKey, Mapping[str, Any]]:
        """The rows of the outbox."""
        return self._outbox

    def watch(self, changes: Sequence[Change]) -> None:
        """Look at what one write has changed."""
        if self.is_blind:
            return
        dropped = _dropped(changes)
        outboxed = [change for change in changes if change.table.name == _TABLES.outbox]
        for change in [change for change in outboxed if str(change.key[0]).startswith(TORN)]:
            outboxed.remove(change)
            self.on_torn(change)
        commits = [found for change in outboxed for found in self._outboxed(change, dropped)]
        for commit in commits:
            if commit.group != len(commits):
                self._ledger.broken("appends to several aggregates are one", f"{len(commits)} of {commit.group} stored")
        for change in changes:
            if change.table.name == _TABLES.relay and change.key[0] == "fleet":
                self._fleet.written(
                    str(change.key[1]),
                    None if change.old is None else change.old.attributes,
                    None if change.new is None else change.new.attributes,
                )
                self._relayed(change)
                if change.key[1] == "settings" and change.new is not None:
                    self._in_force = frozenset(change.new.attributes["destinations"]["SS"])

    def _outboxed(self, change: Change, dropped: frozenset[str]) -> Iterator[TrueCommit]:
        """Look at the change of an outbox row; yield the commit that it brings."""
        aggregate_id, number = change.key
        key = (str(aggregate_id), int(str(number)))
        if change.old is not None:
            self._changed(key, change.old.attributes, change.new.attributes if change.new else None, dropped)
        if change.new is None:
            self._settled(key)
        elif change.old is None:
            row = change.new.attributes
            if key in self._ledger.commits or "commitId" not in row:  # no append writes such a row
                self._ledger.broken("a settled commit stays settled", f"the row {key} has come back to life")
            self._outbox[key] = row
            self._born(key)
            yield self._ledger.commit(row, self._events_of(row))
        else:
            self._outbox[key] = change.new.attributes
            if _parked(change.new.attributes):
                self.ever_parked.add(key)
            if "refused" in change.new.attributes:
                self._ever_marked.add(key[0])
            self._marked(key, change.new.attributes, _parked(change.old.attributes))

    @property
    def _process_name(self) -> str:
        return self._scheduler.current.process.name

    def _born(self, key: CommitKey) -> None:
        """Note a new row; one whose aggregate is held up, or has more owed than is kept, holds no checkpoint."""
        # Whoever starts reads of those below that are settled as well, and does not know it before it has asked.
        below = sum(other[0] == key[0] and other[1] < key[1] for other in self._ledger.commits)
        # Room for what is brought along is shared: where there is little of it, an aggregate may find room for one.
        brought = self._flow.brought_max if self._flow.brought_max > BROUGHT_FEW else 1
        if key[0] in self._ledger.held_up or below >= min(self._flow.kept_max, brought):
            self._left_to_the_sweep.add(key)

    def _leave_to_the_sweep(self, aggregate_id: str) -> None:
        self._left_to_the_sweep |= {key for key in self._outbox if key[0] == aggregate_id}

    def _relayed(self, change: Change) -> None:
        """Look at a lease whose checkpoint has moved: a lease row is the checkpoint of its shard."""
        row = change.new.attributes if change.new is not None else {}
        before = change.old.attributes if change.old is not None else {}
        moved = any(row.get(name) != before.get(name) for name in ("feedPosition", "state"))
        kind, _, rest = row.get("recordKey", {}).get("S", "").partition("#")
        label, _, shard_id = rest.partition("#")
        if kind == "lease" and shard_id and moved:
            self._checkpoint(label, shard_id, row)

    def look_at_all(self, store: EventStore) -> None:
        """Look whether what was stored can be read, once, in order and without a hole, and nothing else is there."""
        for aggregate_id, version in self._ledger.versions.items():
            events = store.load(aggregate_id)
            numbers = [event.sequence_number for event in events]
            if numbers != list(range(1, version + 1)):
                self._ledger.broken("what is acknowledged stays readable", f"{aggregate_id} reads {numbers}")
            for event in events:
                commit = self._ledger.by_number[aggregate_id, event.sequence_number]
                if not is_as_stored(event, commit.event(event.sequence_number)):
                    self._ledger.broken("history does not change", f"{aggregate_id} {event.sequence_number}: {event}")
        stored = self._count_events()
        if stored != sum(self._ledger.versions.values()):
            self._ledger.broken("nothing half is there", f"{stored} events are stored")

    def _count_events(self) -> int:
        request: dict[str, Any] = {"TableName": _TABLES.events, "Select": "COUNT", "ConsistentRead": True}
        counted = 0
        while True:  # to the table's end
            reply = self._passage.database.observer().scan(**request)
            counted += reply["Count"]
            if "LastEvaluatedKey" not in reply:
                return counted
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]

    def begin_anew(self, rows: Mapping[CommitKey, Mapping[str, Any]]) -> None:
        """Another generation of the tables begins, with these rows in the outbox, which no stream tells of."""
        self._outbox = dict(rows)
        self._left_to_the_sweep = set(rows)
        for begun in self.on_begin_anew:
            begun(rows)

    def is_drained(self) -> bool:
        """Tell whether the outbox owes nothing but what waits for a person, and keeps nothing that nobody waits for."""
        return not any(self._is_work(key, row) for key, row in self._outbox.items())

    def parked(self) -> list[CommitKey]:
        """Return the commits that are parked for some destination, in order."""
        return sorted(key for key, row in self._outbox.items() if _parked(row) - _delivered(row))

    def owed(self) -> list[CommitKey]:
        """Return the commits whose rows are there, in order."""
        return sorted(self._outbox)

    def is_owed(self, key: CommitKey, destinations: Collection[str]) -> bool:
        """Tell whether a commit's row is there and lacks one of some destinations."""
        return key in self._outbox and not _delivered(self._outbox[key]) >= set(destinations)

    def left(self) -> list[CommitKey]:
        """Return the commits that could go and did not."""
        return [key for key, row in self._outbox.items() if self._is_work(key, row)]

    def _is_work(self, key: CommitKey, row: Mapping[str, Any]) -> bool:
        done = _delivered(row) | _parked(row)
        if _delivered(row) >= self.destinations:
            return True  # it is complete, and somebody has to notice it
        return not done >= self.destinations - {"bus"} or not ("bus" in done or self._is_behind_parked(key))

    def _is_behind_parked(self, key: CommitKey) -> bool:
        return any(
            other[0] == key[0] and other[1] <= key[1] and "bus" in _parked(row) - _delivered(row)
            for other, row in self._outbox.items()
        )

    def _events_of(self, row: Mapping[str, Any]) -> list[Mapping[str, Any] | None]:
        table = self._passage.database._engine.table(_TABLES.events)
        numbers = range(int(row["firstSequence"]["N"]), int(row["sequenceNumber"]["N"]) + 1)
        found = (table.get((row["aggregateId"]["S"], Decimal(number))) for number in numbers)
        return [None if item is None else item.attributes for item in found]

    def _settled(self, key: CommitKey) -> None:
        self._outbox.pop(key, None)
        commit = self._ledger.commits[key]
        commit.is_settled = True
        for name in sorted(self.destinations):
            if not self._ledger.has(name, commit):
                self._ledger.broken("a settled commit was taken by every destination", f"{key} lacks the {name}")

    def _changed(
        self, key: CommitKey, old: Mapping[str, Any], new: Mapping[str, Any] | None, dropped: frozenset[str]
    ) -> None:
        """Look at what goes from a row, and by whose hand."""
        for name in dropped:
            if name not in _parked(old) - _delivered(old):
                self._ledger.broken("only what is parked is dropped", f"{key} for the {name}")
            self._ledger.drop(name, self._ledger.commits[key])
        if "bus" in _parked(old) - _delivered(old) and (new is None or "bus" not in _parked(new) - _delivered(new)):
            above = {other for other in self._outbox if other[0] == key[0] and other[1] >= key[1]}
            self._left_to_the_sweep |= above  # checkpoints have passed them while they waited
        if new is None:
            return
        if not _delivered(old) <= _delivered(new):
            self._ledger.broken("who has a commit is only added to", f"{key}: {_delivered(old)} to {_delivered(new)}")
        if _parked(old) - _parked(new) - _delivered(new) and not self._process_name.startswith("operator"):
            self._ledger.broken("only an operator removes a mark", f"{key} by {self._process_name}")

    def _marked(self, key: CommitKey, row: Mapping[str, Any], parked_before: set[str]) -> None:
        commit = self._ledger.commits[key]
        for name in _delivered(row):
            if not self._ledger.has(name, commit):
                self._ledger.broken("what is marked as delivered was taken", f"{key} by the {name}")
        parked = {name for name in _parked(row) - parked_before if not _is_old_mark(row, name)}
        if "index" in parked and not commit.is_poison:
            self._ledger.broken("only what can never be taken is parked", f"{key} for the index: {row['parked']}")
        if "bus" in parked and commit.body_bytes <= self.message_max_bytes:
            self._ledger.broken("only what can never be taken is parked", f"{key} for the bus: {row['parked']}")
        if "bus" in parked and self._ledger.taken.highest.get(key[0], 0) < commit.first - 1:
            self._ledger.broken("what is parked has nothing owed below it", f"{key}")

    def _checkpoint(self, label: str, shard_id: str, item: Mapping[str, Any]) -> None:
        """A checkpoint passes nothing that is owed to the bus and could go."""
        feed = next(feed for feed in self._passage.database._engine.feeds.values() if feed.label == label)
        finished = item.get("state", {}).get("S") == "finished"
        position = int(item["feedPosition"]["S"]) if "feedPosition" in item else None
        if finished and any(shard.shard_id == shard_id and shard.is_open for shard in feed.shards):
            self._ledger.broken("only a closed shard is finished", shard_id)
        if position is None and not finished:
            return
        for image in _new_commits(feed, shard_id, None if finished else position):
            key = (image["aggregateId"]["S"], int(image["sequenceNumber"]["N"]))
            row = self._outbox.get(key)
            if key in self._left_to_the_sweep:
                continue
            if row is None or row["commitId"] != image["commitId"]:  # settled, or of a former generation
                continue
            if "bus" in _delivered(row) or self._is_behind_parked(key):
                continue
            if (self._process_name, key[0]) in self._ledger.refused_by_bus or key[0] in self._ever_marked:
                self._left_to_the_sweep.add(key)  # this process may not have heard that the refusal is over
                continue
            if self._scheduler.seconds - self._ledger.commits[key].stored_at <= self._flow.overdue_seconds:
                self._ledger.broken("a checkpoint passes nothing that is owed", f"{key} in {shard_id}")
            self._left_to_the_sweep.add(key)  # the bus takes other things, and it is the sweep's by now


def _new_commits(feed: Feed, shard_id: str, position: int | None) -> list[Mapping[str, Any]]:
    """Return the images of the new commits in a shard up to a position; of all of it for None."""
    shard = next((shard for shard in feed.shards if shard.shard_id == shard_id), None)
    if shard is None:
        return []  # trimmed; what it held is the sweep's business
    return [
        record.new.attributes
        for at, record in zip(shard._positions, shard._records, strict=True)
        if record.event_name == "INSERT"
        and record.new is not None
        and (position is None or at <= position)
        and not record.new.attributes["aggregateId"]["S"].startswith(TORN)
    ]


def is_as_stored(read: RecordedEvent, stored: TrueEvent) -> bool:
    """Tell whether an event that was read is the one that was stored."""
    return stored == TrueEvent(
        aggregate_id=read.aggregate_id,
        aggregate_type=read.aggregate_type,
        sequence_number=read.sequence_number,
        event_id=read.event_id,
        type=read.type,
        schema_version=read.schema_version,
        data_json=read.data_json,
        metadata_json=read.metadata_json,
        timestamp_ms=read.timestamp_ms,
        commit_id=read.commit_id,
        commit_first=read.commit_first,
        commit_last=read.commit_last,
        epoch=read.epoch,
    )


def _delivered(row: Mapping[str, Any]) -> set[str]:
    return set(row.get("delivered", {}).get("SS", ()))


def _parked(row: Mapping[str, Any]) -> set[str]:
    return set(row.get("parked", {}).get("M", {}))


def _is_old_mark(row: Mapping[str, Any], name: str) -> bool:
    return bool(row["parked"]["M"][name]["M"]["errorClass"]["S"] == OLD_CLASS)


def _dropped(changes: Sequence[Change]) -> frozenset[str]:
    """Return the destinations for which one write drops a commit: it keeps an audit record that says so."""
    for change in changes:
        record = change.new.attributes if change.new is not None else {}
        if change.table.name == _TABLES.relay and record.get("verb", {}).get("S") == "drop":
            return frozenset(record["about"]["M"]["destinations"]["S"].split(", "))
    return frozenset()
