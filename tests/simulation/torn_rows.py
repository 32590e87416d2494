"""Rows that no append of this release wrote: of a later layout, of a foreign writer, of a restore that broke off.

Each has an aggregate of its own. What cannot be read stays as it is and holds up what is above it; what says where it
stands is parked for the bus. Either way the rest of the store goes on, and commands say each of them.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from eventstore.dynamodb.table_names import TableNames
from eventstore.testing.dynamodb.storage.items import Change
from tests.simulation.chance import Chance
from tests.simulation.checkers import TORN, Checkers
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.ledger import Ledger
from tests.simulation.meanwhile import RowKey, RowWatch, marks
from tests.simulation.scheduler import START_MS, Scheduler

ROWS_MAX = 3
"""So many are there at a time."""

PARKED_SECONDS = 120.0
"""In the calm such a row is parked by then; the sweep may be the first to see it."""

DEEP = 20_000
_TABLES = TableNames()

UNREADABLE: dict[str, Mapping[str, Any]] = {
    "a later layout": {"layout": {"N": "9"}},
    "a layout that is text": {"layout": {"S": "two"}},
    "no first number": {"firstSequence": None},
    "a first number above the last": {"firstSequence": {"N": "9"}},
    "a number that is no whole one": {"sequenceNumber": {"N": "1.5"}},
}
"""Kinds of which not even the range can be read; an attribute that is None is left out."""

DEFECTIVE: dict[str, Mapping[str, Any]] = {
    "no commit id": {"commitId": None},
    "no type": {"aggregateType": None},
    "an epoch that is text": {"epoch": {"S": "one"}},
    "a time that is a map": {"committedAt": {"M": {"at": {"N": "1"}}}},
    "delivered to a list": {"delivered": {"L": [{"S": "index"}]}},
    "marks that are text": {"parked": {"S": "for the bus"}},
    "a copy nested deeply": {"events": {"S": "[" * DEEP}},
    "a copy that is a number": {"events": {"N": "7"}},
    "events that are nowhere": {},
}
"""Kinds that say where they stand, and can never be delivered."""

KINDS = (*UNREADABLE, *DEFECTIVE)


class TornRows:
    """Writes them, and looks on at what becomes of them.

    Attributes:
        kinds: What is wrong with each row that is there.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Chance,
        *,
        ledger: Ledger,
        checkers: Checkers,
        passage: SimulatedPassage,
        rows: RowWatch,
    ) -> None:
        self._scheduler = scheduler
        self._draw = chance.stream("torn rows")
        self._ledger = ledger
        self._passage = passage
        self._rows = rows
        self._count = 0
        self._adding = ""
        self.kinds: dict[RowKey, str] = {}
        checkers.on_torn = self._changed

    def begin_anew(self) -> None:
        """The tables are others."""
        self.kinds.clear()

    def add(self, kind: str | None = None) -> None:
        """Write one more, unless there are enough."""
        if len(self.kinds) >= ROWS_MAX and kind is None:
            return
        kind = kind or self._draw.choice(KINDS)
        self._count += 1
        now_ms = START_MS + self._scheduler.now_us // 1000
        commit_id = str(UUID(int=now_ms << 80 | 7 << 76 | 2 << 62 | self._count))
        item: dict[str, Any] = {
            "aggregateId": {"S": f"{TORN}{self._count}"},
            "sequenceNumber": {"N": "1"},
            "firstSequence": {"N": "1"},
            "aggregateType": {"S": "ITEM"},
            "commitId": {"S": commit_id},
            "committedAt": {"N": str(now_ms)},
            "epoch": {"N": "1"},
        }
        changed = UNREADABLE.get(kind, DEFECTIVE.get(kind, {}))
        item = {name: value for name, value in (item | dict(changed)).items() if value is not None}
        self._adding = kind
        self._passage.database.observer().put_item(TableName=_TABLES.outbox, Item=item)

    def are(self, kinds: Mapping[str, Any]) -> set[RowKey]:
        """Return the rows that are of some kinds."""
        return {key for key, kind in self.kinds.items() if kind in kinds}

    def unparked(self) -> list[str]:
        """Return what should be parked for the bus and is not."""
        return sorted(
            f"{key[0]} ({self.kinds[key]})" for key in self.are(DEFECTIVE) if "bus" not in marks(self._rows.row(key))
        )

    def _changed(self, change: Change) -> None:
        if change.old is None:
            self.kinds[change.key] = self._adding
            return
        kind, process = self.kinds[change.key], self._scheduler.current.process.name
        if kind in UNREADABLE:
            self._ledger.broken("what cannot be read is left as it is", f"{change.key} ({kind}) by {process}")
        if change.new is None:
            self._ledger.broken("what can never be delivered is not settled", f"{change.key} ({kind}) by {process}")
