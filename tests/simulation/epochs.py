"""The store's epoch, raised at any moment as a restore raises it, while writers of the former one are at work.

Writers read the epoch when they open the store, and say it on all that they write for as long as it is open. So what a
commit says is what was in force at some moment since its writer opened the store: a writer that opened it before the
epoch was raised may come late with the former one, and whoever opens it afterwards may not.
"""

from collections.abc import Sequence

from eventstore.dynamodb.table_names import TableNames
from eventstore.testing.dynamodb.storage.items import Change
from tests.simulation.chance import Chance
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.ledger import Ledger
from tests.simulation.scheduler import Process, Scheduler

RECORD_KEY = {"recordType": {"S": "store"}, "recordKey": {"S": "settings"}}
PROMISE = "a writer says the epoch in force"

_TABLES = TableNames()


class Epochs:
    """Raises the epoch, and looks at what writers say of it.

    Args:
        chance: Tells when.
        ledger: Told of a broken promise.
        scheduler: Tells who is at work.
        passage: For the store record.
    """

    def __init__(self, chance: Chance, ledger: Ledger, scheduler: Scheduler, passage: SimulatedPassage) -> None:
        self._chance = chance
        self._ledger = ledger
        self._scheduler = scheduler
        self._passage = passage
        self._in_force = 1
        self._opened_in: dict[Process, int] = {}

    @property
    def in_force(self) -> int:
        """The store's epoch now."""
        return self._in_force

    def look(self) -> None:
        """Raise it, now and then."""
        if self._chance.strikes("weather.raise_epoch"):
            self._passage.database.observer().update_item(
                TableName=_TABLES.relay,
                Key=RECORD_KEY,
                UpdateExpression="SET epoch = epoch + :one",
                ConditionExpression="attribute_exists(epoch)",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )

    def watch(self, changes: Sequence[Change]) -> None:
        """Look at what one write has changed."""
        for change in changes:
            row = change.new.attributes if change.new is not None else {}
            if change.table.name == _TABLES.relay and change.key[0] == "store" and "epoch" in row:
                self._in_force = int(row["epoch"]["N"])
            elif change.table.name == _TABLES.outbox and change.old is None and "N" in row.get("epoch", {}):
                self._committed(int(row["epoch"]["N"]))

    def opens(self) -> None:
        """Note that the current process opens the store."""
        self._opened_in.setdefault(self._scheduler.current.process, self._in_force)

    def _committed(self, epoch: int) -> None:
        """Look at the epoch of a commit of the current process, unless the world itself restores or writes it."""
        opened_in = self._opened_in.get(self._scheduler.current.process)
        if opened_in is not None and not min(opened_in, self._in_force) <= epoch <= self._in_force:
            self._ledger.broken(PROMISE, f"{epoch}; opened in {opened_in}, by now it is {self._in_force}")
