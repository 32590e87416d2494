"""Those who write rows of their own along with events: names that are reserved once, and counters.

The rows are looked at as they change: each change comes with the commit that asked for it, in one transaction.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from eventstore import ANY, AggregateRef, Append, EventStore, RowCheck, RowPut, RowUpdate
from eventstore.errors import OutcomeUnknownError, RowConditionError
from eventstore.model import AppendResult
from eventstore.payload.row_write import RowWrite
from eventstore.testing import InMemoryDynamoDB
from eventstore.testing.dynamodb.storage.items import Change
from tests.simulation.primitives import SimulatedRuntime
from tests.simulation.requests import new_events
from tests.simulation.visitors import Surroundings, Visitor
from tests.simulation.writers import AGGREGATE_TYPE

TABLE = "reservations"
NAMES = 12
COUNTERS = 2
EVENTS = "inventory_events"


def create_table(database: InMemoryDynamoDB) -> None:
    """Make the table, which is none of the store's: it outlives the store's own."""
    database.call(
        "CreateTable",
        {
            "TableName": TABLE,
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [{"AttributeName": "name", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}],
        },
    )


class Reserver(Visitor):
    """Reserves names and counts, one transaction a visit."""

    visits = (8, 12)
    writes = True

    def __init__(self, name: str, visits: int, around: Surroundings) -> None:
        super().__init__(name, visits, around)
        self._calls = 0

    def _visit(self, store: EventStore, _runtime: SimulatedRuntime) -> None:
        self._calls += 1
        draw, request = self._draw, f"{self.name}-{self._calls}"
        most = self._around.settings.aggregates
        ids = draw.sample(range(most), min(draw.choice((1, 1, 2)), most))
        count = len(ids)
        name, counter = f"name-{draw.randrange(NAMES)}", f"counter-{draw.randrange(COUNTERS)}"
        kind = draw.choice(("reserve", "count", "check", "both"))
        about: dict[str, str] = {}
        also: list[RowWrite] = []
        if kind in {"reserve", "both"}:
            about["reserves"] = name
            row = {"name": name, "holder": f"{request}.0"}
            also.append(RowPut(TABLE, row, "attribute_not_exists(#n)", names={"#n": "name"}))
        if kind in {"count", "both"}:
            about["counts"] = counter
            also.append(RowUpdate(TABLE, {"name": counter}, "ADD so_far :one", values={":one": 1}))
        if kind == "check":
            holds = "attribute_exists(#n)" if draw.random() < 0.5 else "attribute_not_exists(#n)"
            also.append(RowCheck(TABLE, {"name": name}, holds, names={"#n": "name"}, return_row=True))
        appends = [
            Append(
                AggregateRef(AGGREGATE_TYPE, f"item-{each}"),
                new_events(f"{request}.{place}", draw.choice((1, 2)), group=count, **(about if not place else {})),
                ANY,
                also=also if count > 1 and not place and draw.random() < 0.5 else (),
            )
            for place, each in enumerate(ids)
        ]
        beside = () if any(append.also for append in appends) else also
        before = _row(self._around.database, name)
        try:
            results = self._send(store, appends, beside)
        except RowConditionError as error:
            self._check_refused(also, error, before, name)
            for place in range(count):
                self._ledger.refuse(f"{request}.{place}")
            return
        except OutcomeUnknownError:
            return
        for place, result in enumerate(results):
            self._ledger.acknowledge(f"{request}.{place}", result)

    def _send(self, store: EventStore, appends: list[Append], also: Sequence[RowWrite]) -> list[AppendResult]:
        if len(appends) > 1:
            return store.append_many(appends, also=also)
        one = appends[0]
        return [store.append(one.aggregate, one.events, expected_version=one.expected_version, also=also)]

    def _check_refused(
        self, also: list[RowWrite], error: RowConditionError, before: Mapping[str, Any] | None, name: str
    ) -> None:
        """A condition that is said not to hold did not hold, some time during the call."""
        first, now = also[0], _row(self._around.database, name)
        if isinstance(first, RowUpdate):
            self._ledger.broken("a refused row is truly in the way", f"{error!r} of {first}")
            return
        must_be = isinstance(first, RowCheck) and first.condition.startswith("attribute_exists")
        could_hold = (before is not None) if must_be else (now is None)
        if could_hold or error.index or error.table != TABLE:
            self._ledger.broken("a refused row is truly in the way", f"{error!r} of {first}: {before}, then {now}")
        if isinstance(first, RowCheck) and not must_be and (error.row or {}).get("name") != name:
            self._ledger.broken("a refused row is shown", f"{error.row}, and there is {now}")


class Reservations:
    """Looks on at the rows that go along.

    Args:
        around: What visitors share.
    """

    def __init__(self, around: Surroundings) -> None:
        self._ledger = around.ledger
        self._checkers = around.checkers

    def watch(self, changes: Sequence[Change]) -> None:
        """Look at what one write has changed; a restore writes rows that nobody has asked for."""
        if self._checkers.is_blind:
            return
        rows = [change for change in changes if change.table.name == TABLE]
        said = [data for change in changes for data in _first_data(change) if "reserves" in data or "counts" in data]
        if not rows and not said:
            return
        wanted = sorted(data[what] for data in said for what in ("reserves", "counts") if what in data)
        written = sorted(str(change.key[0]) for change in rows)
        if wanted != written:
            self._ledger.broken("rows go along with their events", f"{written}, and the events say {wanted}")
        for change in rows:
            old = {} if change.old is None else change.old.attributes
            new = {} if change.new is None else change.new.attributes
            if "holder" in new and old:
                self._ledger.broken("a condition of a row is kept", f"{old} becomes {new}")
            if "so_far" in new and int(new["so_far"]["N"]) != int(old.get("so_far", {"N": "0"})["N"]) + 1:
                self._ledger.broken("rows go along with their events", f"{old} becomes {new}")


def _first_data(change: Change) -> list[Mapping[str, Any]]:
    """Return what the first event of a request says, when that is what was written."""
    if change.table.name != EVENTS or change.new is None or change.old is not None:
        return []
    data = json.loads(change.new.attributes["eventData"]["S"])
    return [data] if data.get("place") == 0 else []


def _row(database: InMemoryDynamoDB, name: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] = database.observer().get_item(TableName=TABLE, Key={"name": {"S": name}})
    return found.get("Item")
