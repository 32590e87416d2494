"""What was true while an operator looked: all that each row of the outbox was between a command's begin and its end.

A command's word about the outbox is compared with that. What held at every moment it must say; what held at no moment
it must not. In a quiet world the two are one, and its word is exact.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from eventstore.dynamodb.table_names import TableNames
from eventstore.testing.dynamodb.storage.items import Change
from tests.simulation.dynamo import SimulatedPassage
from tests.simulation.scheduler import Process, Scheduler

Row = Mapping[str, Any]
RowKey = tuple[str, Any]
"""As DynamoDB has it: aggregate and number."""

Holds = Callable[[RowKey, Row], bool]

_TABLES = TableNames()


class Meanwhile:
    """One look, from its begin on.

    Attributes:
        states: Per row all that it was, oldest first; None where it was not there.
        was_paused: Whether delivery was paused, each time it changed.
        gone: Rows that went, each with the process that deleted it.
        unmarked: Rows from which a mark went, with the process, the destination, and whether that has it now.
    """

    def __init__(self, rows: Mapping[RowKey, Sequence[Row | None]], *, is_paused: bool, began: float) -> None:
        self.states: dict[RowKey, list[Row | None]] = {key: list(states) for key, states in rows.items()}
        self.was_paused = [is_paused]
        self.gone: list[tuple[RowKey, Process]] = []
        self.unmarked: list[tuple[RowKey, Process, str, bool]] = []
        self.began = began
        self.is_void = False

    def sure(self, holds: Holds) -> set[RowKey]:
        """Return the rows of which something held all the time."""
        return {
            key
            for key, states in self.states.items()
            if all(state is not None and holds(key, state) for state in states)
        }

    def possible(self, holds: Holds) -> set[RowKey]:
        """Return the rows of which something held at some time."""
        return {
            key
            for key, states in self.states.items()
            if any(state is not None and holds(key, state) for state in states)
        }


class RowWatch:
    """Looks on at the outbox, and at whether delivery is paused, for all that look at the same time."""

    def __init__(self, passage: SimulatedPassage, scheduler: Scheduler) -> None:
        self._passage = passage
        self._scheduler = scheduler
        self._open: list[Meanwhile] = []
        self._is_paused = False
        self._rows: dict[RowKey, Row] = {}
        self._changed_at: dict[RowKey, float] = {}

    def begin_anew(self, rows: Mapping[tuple[str, int], Row]) -> None:
        """Another generation of the tables begins, with these rows: what is looked at meanwhile is void."""
        for each in self._open:
            each.is_void = True
        self._rows = {(aggregate_id, Decimal(number)): row for (aggregate_id, number), row in rows.items()}
        self._changed_at = dict.fromkeys(self._rows, self._scheduler.seconds)
        self._is_paused = False

    def watch(self, changes: Sequence[Change]) -> None:
        """Note what one write has changed."""
        for change in changes:
            if change.table.name == _TABLES.relay and change.key == ("fleet", "pause"):
                self._is_paused = change.new is not None
                for each in self._open:
                    each.was_paused.append(self._is_paused)
            elif change.table.name == _TABLES.outbox:
                self._note(change)

    def seconds_unchanged(self, key: RowKey) -> float:
        """Return for how long a row has been what it is."""
        return self._scheduler.seconds - self._changed_at.get(key, 0.0)

    def row(self, key: RowKey) -> Row:
        """Return a row as it is; an empty one when it is not there."""
        return self._rows.get(key, {})

    def is_hiding(self) -> bool:
        """Tell whether the weather may hide transactions that are being applied."""
        return self._passage.database.weather.hide_transaction > 0

    @property
    def is_paused(self) -> bool:
        """Whether delivery is paused."""
        return self._is_paused

    @contextmanager
    def looking(self) -> Iterator[Meanwhile]:
        """Give what is true from now on until the block ends."""
        states: dict[RowKey, list[Row | None]] = {key: [row] for key, row in self._rows.items()}
        for key, earlier in self._passage.database._engine.table(
            _TABLES.outbox
        ).unapplied.items():  # reads may still see it as it was
            before = None if earlier.item is None else earlier.item.attributes
            states[key] = [before, *states.get(key, [None])]
        seen = Meanwhile(states, is_paused=self._is_paused, began=self._scheduler.seconds)
        self._open.append(seen)
        try:
            yield seen
        finally:
            self._open.remove(seen)

    def _note(self, change: Change) -> None:
        old = None if change.old is None else change.old.attributes
        new = None if change.new is None else change.new.attributes
        self._changed_at[change.key] = self._scheduler.seconds
        if new is None:
            self._rows.pop(change.key, None)
        else:
            self._rows[change.key] = new
        process = self._scheduler.current.process
        for each in self._open:
            each.states.setdefault(change.key, [old]).append(new)
            if new is None:
                each.gone.append((change.key, process))
            for name in marks(old or {}) - delivered(old or {}) - marks(new or {}):
                each.unmarked.append((change.key, process, name, new is None or name in delivered(new)))


def delivered(row: Row) -> set[str]:
    """Return who has a row's commit."""
    return set(row.get("delivered", {}).get("SS", ()))


def marks(row: Row) -> set[str]:
    """Return for whom a row's commit is parked."""
    return set(row.get("parked", {}).get("M", {}))
