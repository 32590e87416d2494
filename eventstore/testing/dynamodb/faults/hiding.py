"""Which writes a read does not see yet: of transactions that are being applied, and of eventually consistent reads.

AWS promises, and this keeps: each item is read as it was before the transaction or after it, never between
(serializable, item by item); several items of a transaction may be read some before and some after it (read-committed);
a consistent read that begins after the reply sees everything; TransactGetItems sees all or nothing. Source: AWS,
"Amazon DynamoDB Transactions: How it works", isolation levels.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from eventstore.testing.dynamodb.errors import ServiceError, transaction_cancelled
from eventstore.testing.dynamodb.faults.chance import Chance
from eventstore.testing.dynamodb.storage.items import Change, StoredItem
from eventstore.testing.dynamodb.storage.rows import Rows
from eventstore.testing.dynamodb.storage.schema import Key

if TYPE_CHECKING:
    from eventstore.testing.dynamodb.table import Table


@dataclass(slots=True, eq=False)
class Flight:
    """A transaction that is decided, and not yet readable in all its items."""

    token: str | None
    places: list[tuple["Table", Key]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class EarlierItem:
    """An item as it was before a write, which reads still see; `flight` when consistent ones do too."""

    item: StoredItem | None
    flight: Flight | None


class Hiding:
    """Hides writes, for a while.

    Args:
        chance: Decides which, and for how long.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._ends: list[tuple[int, int, dict[Key, EarlierItem], Key, EarlierItem]] = []
        self._number = 0
        self._flights: dict[str, Flight] = {}
        self._opened: Flight | None = None

    def hide(self, changes: Sequence[Change], now_ms: int, token: str | None, *, is_transaction: bool) -> list[int]:
        """Choose what reads do not see at once; return when consistent reads see each change at the latest."""
        weather = self._chance.weather
        flying = [place for place, change in enumerate(changes) if not change.is_none]
        flight: Flight | None = None
        hidden: frozenset[int] = frozenset()
        if is_transaction and flying and self._chance.draws("hide_transaction"):
            flight = self._opened = Flight(token)
            hidden = frozenset(flying[place] for place in self._chance.some(len(flying)))
            if token is not None:
                self._flights[token] = flight
        readable_ms = []
        for place, change in enumerate(changes):
            until_ms = now_ms
            if flight is not None and place in hidden:
                until_ms += self._chance.whole(1, weather.hide_ms_max)
                flight.places.append((change.table, change.key))
                self._keep(change.table.unapplied, change, until_ms, flight)
                self._keep(change.table.stale, change, until_ms, flight)
            elif not change.is_none and self._chance.draws("stale_read"):
                self._keep(change.table.stale, change, now_ms + self._chance.whole(1, weather.stale_ms_max), None)
            readable_ms.append(until_ms)
        return readable_ms

    def _keep(self, among: dict[Key, EarlierItem], change: Change, until_ms: int, flight: Flight | None) -> None:
        if change.key in among:  # the older one goes on to be seen, until its own end
            return
        self._number += 1
        before = among[change.key] = EarlierItem(change.old, flight)
        heappush(self._ends, (until_ms, self._number, among, change.key, before))

    def expire(self, now_ms: int | None) -> None:
        """Let everybody see what is due by now; everything when no time is given."""
        while self._ends and (now_ms is None or self._ends[0][0] <= now_ms):
            _, _, among, key, before = heappop(self._ends)
            if among.get(key) is before:
                del among[key]
            flight = before.flight
            if flight is not None and flight.token is not None and not self._is_flying(flight):
                self._flights.pop(flight.token, None)

    @staticmethod
    def _is_flying(flight: Flight) -> bool:
        befores = (table.unapplied.get(key) for table, key in flight.places)
        return any(before is not None and before.flight is flight for before in befores)

    def take_opened(self) -> Flight | None:
        """Return the transaction that the call has left in flight, if any; who delivers its reply lands it."""
        opened, self._opened = self._opened, None
        return opened

    def land(self, flight: Flight) -> None:
        """Let consistent reads see a transaction whole."""
        for table, key in flight.places:
            before = table.unapplied.get(key)
            if before is not None and before.flight is flight:
                del table.unapplied[key]
        if flight.token is not None:
            self._flights.pop(flight.token, None)

    def refuse_token(self, token: str) -> None:
        """Refuse the repeat of a transaction that is still being applied."""
        if token in self._flights:
            self._chance.count("hide_transaction")
            message = "The transaction with the given request token is already in progress."
            raise ServiceError("TransactionInProgressException", message, members={"Message": message})

    def read_whole(self, places: Sequence[tuple["Table", Key]]) -> None:
        """Let TransactGetItems see all of every transaction that it meets, or refuse it."""
        met = [table.unapplied.get(key) for table, key in places]
        if not any(met):
            return
        self._chance.count("hide_transaction")
        if self._chance.coin():
            raise transaction_cancelled([{"Code": "None"} if one is None else CONFLICT for one in met])
        for one in met:
            if one is not None and one.flight is not None:
                self.land(one.flight)

    def get(self, table: "Table", key: Key, *, consistent: bool) -> StoredItem | None:
        """Return an item as a plain read sees it."""
        before = None if consistent else table.stale.get(key)
        if before is None:
            before = table.unapplied.get(key)
        if before is None:
            return table.get(key)
        self._count(before)
        return before.item

    def _count(self, before: EarlierItem) -> None:
        self._chance.count("stale_read" if before.flight is None else "hide_transaction")

    @contextmanager
    def seen(self, table: "Table", partition: object, *, consistent: bool) -> Iterator[None]:
        """Let a table have the items that a plain read sees, of one partition or of all (None), within the block."""
        hidden = dict(table.unapplied) if consistent else {**table.unapplied, **table.stale}
        kept = {key: table.get(key) for key in hidden if partition is None or key[0] == partition}
        for key in kept:
            self._count(hidden[key])
            _set(table.rows, key, hidden[key].item)
        try:
            yield
        finally:
            for key, item in kept.items():
                _set(table.rows, key, item)


CONFLICT: dict[str, Any] = {
    "Code": "TransactionConflict",
    "Message": "Transaction is ongoing for the item",
}


def _set(rows: Rows, key: Key, item: StoredItem | None) -> None:
    if item is not None:
        rows.put(*key, item)
    elif rows.get(*key) is not None:
        rows.remove(*key)
