"""Tables that are removed and made anew under their names: empty, or as they were at an earlier moment.

A restore writes rows while the stream is off, and may raise the epoch. Writers and operators are gone before, and begin
anew after it; workers go on, and have to notice. It strikes at any moment, or right when a commit is half sent, or when
a process has just read a confirm and has noted nothing yet.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol
from unittest.mock import patch

from eventstore.dynamodb import tables
from eventstore.dynamodb.table_names import TableNames
from relay.delivery.flow import Flow
from relay.destinations.bus.broker import Message
from relay.destinations.bus.message import AGGREGATE_ID, SEQUENCE_NUMBER
from tests.simulation import chance as chances
from tests.simulation.broker import SimulatedBroker
from tests.simulation.chance import Chance
from tests.simulation.checkers import TORN, Checkers
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.fleet import FleetWatch
from tests.simulation.ledger import CommitKey, Ledger, Moment
from tests.simulation.looking import followed
from tests.simulation.processes import Processes
from tests.simulation.scheduler import Scheduler

GENERATIONS_MAX = 3
BACKUP = 0.2
"""Chance per look that a backup is taken, instead of the one before."""

GAPS = (0.0, 0.0, 0.5, 5.0)
"""How long there are no tables, in seconds."""

_MOMENTS = ("at once", "half sent", "confirmed")
_NAMES = TableNames()
_RESTORED = (_NAMES.events, _NAMES.outbox, _NAMES.idempotency)
_RECORD = {"recordType": {"S": "store"}, "recordKey": {"S": "settings"}}
_STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}


@dataclass(frozen=True, slots=True)
class Backup:
    """The rows of a moment, and what was true then.

    Attributes:
        rows: Per table.
        moment: What the store held.
    """

    rows: Mapping[str, Sequence[Mapping[str, Any]]]
    moment: Moment


class BeginsAnew(Protocol):
    """Whoever has more to do in another generation."""

    def begin_anew(self) -> None:
        """Begin."""
        ...


class Generations:
    """Lets the tables be made anew.

    Args:
        writers: Have more to do afterwards.
        opened: Told when there are tables again.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        *,
        ledger: Ledger,
        checkers: Checkers,
        fleet: FleetWatch,
        passage: SimulatedPassage,
        broker: SimulatedBroker,
        processes: Processes,
        writers: Sequence[BeginsAnew],
        opened: Callable[[], None],
    ) -> None:
        self._scheduler = scheduler
        self._chance = chance
        self._draw = chance.stream("generations")
        self._ledger = ledger
        self._checkers = checkers
        self._fleet = fleet
        self._passage = passage
        self._broker = broker
        self._processes = processes
        self._writers = writers
        self._opened = opened
        self._record: Mapping[str, Any] = {}
        self._backup: Backup | None = None
        self._epoch = 1
        self._back_at: float | None = None
        self._from: Backup | None = None
        self._snapshots: Sequence[Mapping[str, Any]] = ()
        self._armed: str | None = None
        broker.on_taken = self._taken
        broker.on_confirmed = self._confirmed

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on within the block: a process may notice late that the tables are others, and begins again then."""
        repeats = self._broker.repeats

        def voided(_flow: Flow, _none: None) -> None:
            repeats.forget(self._scheduler.current.process)

        with patch.object(Flow, "void", followed(Flow.void, voided)):
            yield

    @property
    def are_there(self) -> bool:
        """Tell whether there are tables."""
        return self._back_at is None

    def look(self) -> None:
        """Let tables go or come, now and then."""
        if not chances.TABLES_ARE_REMADE:
            return
        if self._back_at is not None:
            if self._back_at <= self._scheduler.seconds:
                self._create()
            return
        if self._draw.random() < BACKUP:
            self._backup = self._take_backup()
        if self._armed is not None or self._ledger.generation >= GENERATIONS_MAX:
            return
        if self._chance.strikes("weather.remake_tables"):
            self._arm(None)
        elif self._backup is not None and self._chance.strikes("weather.restore_tables"):
            self._arm(self._backup)

    def clear_up(self) -> None:
        """Have tables."""
        self._armed = None
        if self._back_at is not None:
            self._create()

    def _arm(self, backup: Backup | None) -> None:
        """Choose the moment: this one, or the next one at which something is under way."""
        self._from = backup
        self._armed = self._draw.choice(_MOMENTS)
        if self._armed == "at once":
            self._strike(self._draw.choice(GAPS))

    def _taken(self, message: Message) -> None:
        number = int(message.headers[SEQUENCE_NUMBER])
        event = self._ledger.present(str(message.headers[AGGREGATE_ID]), number, message.message_id)
        if self._armed == "half sent" and event is not None and number < event.commit_last:
            self._strike(0.0)

    def _confirmed(self) -> None:
        if self._armed == "confirmed":
            self._strike(0.0)

    def _strike(self, gap_seconds: float) -> None:
        self._armed = None
        if self._from is not None and self._ledger.has_dropped_since(self._from.moment):
            return  # what is dropped is neither on the bus nor to come, so nobody could say what is in order
        self._delete()
        if gap_seconds:
            self._back_at = self._scheduler.seconds + gap_seconds
        else:
            self._create()

    def _delete(self) -> None:
        self._processes.crash_clients()
        place = {"TableName": _NAMES.relay, "Key": _RECORD}
        self._record = self._passage.database.observer().get_item(**place)["Item"]
        self._snapshots = self._scan(_NAMES.snapshots)
        with self._passage.direct():
            for request in _requests():
                self._passage.database.call("DeleteTable", {"TableName": request["TableName"]})
        self._checkers.begin_anew({})
        self._fleet.begin_anew()

    def _create(self) -> None:
        backup, self._back_at = self._from, None
        before = int(self._record["epoch"]["N"])
        self._epoch = before + self._draw.randint(0, 1) if backup is not None else 1
        database = self._passage.database
        with self._passage.direct():
            for request in _requests():
                database.call("CreateTable", request)
            self._checkers.is_blind = True
            record = {**self._record, "epoch": {"N": str(self._epoch)}}
            database.observer().put_item(TableName=_NAMES.relay, Item=record)
            if backup is not None:
                self._restore(backup)
                if self._epoch > before:
                    self._keep_snapshots()
            self._checkers.is_blind = False
        rows = backup.rows[_NAMES.outbox] if backup is not None else ()
        self._checkers.begin_anew({_key(row): row for row in rows})
        self._fleet.begin_anew()
        self._broker.begin_anew()
        self._ledger.begin_anew(backup.moment if backup is not None else None)
        self._backup = None
        for writer in self._writers:
            writer.begin_anew()
        self._opened()

    def _restore(self, backup: Backup) -> None:
        """Write the rows of a backup while the stream is off."""
        database = self._passage.database
        off = {"StreamSpecification": {"StreamEnabled": False}}
        database.call("UpdateTable", {"TableName": _NAMES.outbox, **off})
        for table, rows in backup.rows.items():
            for row in rows:
                database.observer().put_item(TableName=table, Item=row)
        database.call("UpdateTable", {"TableName": _NAMES.outbox, "StreamSpecification": _STREAM})

    def _keep_snapshots(self) -> None:
        """Have the snapshots that were there: newer ones than the store, but of an epoch before it was raised."""
        for row in self._snapshots:
            self._passage.database.observer().put_item(TableName=_NAMES.snapshots, Item=row)

    def _take_backup(self) -> Backup:
        rows = {table: self._scan(table) for table in _RESTORED}
        return Backup(rows, self._ledger.moment())

    def _scan(self, table: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        request: dict[str, Any] = {"TableName": table, "ConsistentRead": True}
        while True:
            reply = self._passage.database.observer().scan(**request)
            found += [row for row in reply["Items"] if not row.get("aggregateId", {}).get("S", "").startswith(TORN)]
            if "LastEvaluatedKey" not in reply:
                return found
            request["ExclusiveStartKey"] = reply["LastEvaluatedKey"]


@cache
def _requests() -> Sequence[dict[str, Any]]:
    return tables.create_requests(tables.load_template(), _NAMES)


def _key(row: Mapping[str, Any]) -> CommitKey:
    return row["aggregateId"]["S"], int(row["sequenceNumber"]["N"])
