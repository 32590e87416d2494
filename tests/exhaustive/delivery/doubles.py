"""What stands behind the parts of delivery here: a bus that answers when it is told to, and an outbox in a dict."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eventstore.model import RecordedEvent
from eventstore.rows.outbox import OutboxRow
from eventstore.rows.refused import RefusedMark
from relay.delivery.aggregate import Turn
from relay.destination import BUS, BusNews, CommitKey, Park
from relay.outbox.row import Absent, Answer, Present, RowId
from relay.outbox.written import Done, Foreign, Later, Written


class HandBus:
    """A bus whose answers a step gives.

    Attributes:
        on_send: Told of each event that is sent.
        unanswered: In the order in which they were sent.
    """

    name = BUS
    is_open = True

    def __init__(self, window: int, on_send: Callable[[Turn], None]) -> None:
        self.window = window
        self.on_send = on_send
        self.unanswered: list[Turn] = []

    def unsendable(self, _row: OutboxRow) -> None:
        return None

    def send(self, _event: RecordedEvent, turn: Turn) -> bool:
        if any(turn.aggregate.id == each.aggregate.id for each in self.unanswered):
            return False
        self.on_send(turn)
        self.unanswered.append(turn)
        return True

    def listen(self, _seconds: float) -> BusNews[Turn]:
        return BusNews()

    def wake(self) -> None:
        pass

    def drop(self) -> list[Turn]:
        unanswered, self.unanswered = self.unanswered, []
        return unanswered


@dataclass(slots=True)
class Outbox:
    """The rows, and which table they are in.

    Attributes:
        rows: By key.
        generation: How often the table was made anew.
    """

    rows: dict[CommitKey, OutboxRow] = field(default_factory=dict)
    generation: int = 0

    def seen(self) -> "Outbox":
        """Return what a reader sees now."""
        return Outbox(dict(self.rows), self.generation)


class HandReader:
    """Answers from what the outbox was at some moment."""

    def __init__(self, seen: Outbox) -> None:
        self._seen = seen

    def ask_once(self, keys: Collection[CommitKey], _whole: Collection[CommitKey]) -> dict[CommitKey, Answer]:
        rows = self._seen.rows
        return {key: Present(rows[key]) if key in rows else Absent() for key in keys}

    def earlier(self, aggregate_id: str, above: int, below: int, limit: int) -> tuple[list[OutboxRow], bool]:
        rows = [
            row
            for key, row in sorted(self._seen.rows.items())
            if key[0] == aggregate_id and above < row.last < below and BUS not in row.delivered
        ]
        return rows[:limit], len(rows) > limit


@dataclass(slots=True)
class HandTable:
    """Tells whether what was read is of the table that is there now, as `OutboxTable` does."""

    outbox: Outbox
    asked_of: int
    on_other: Callable[[], None]

    def mark(self) -> int:
        return self.asked_of

    def is_still(self, mark: int) -> bool:
        if self.outbox.generation != mark:
            self.on_other()
        return self.outbox.generation == mark


class HandWriter:
    """Writes each row on the condition that it is still that commit's, and tells of it as a step wants.

    Attributes:
        is_heard: Whether the writer hears what became of it.
    """

    def __init__(self, outbox: Outbox, on_delete: Callable[[OutboxRow], None]) -> None:
        self._outbox = outbox
        self._on_delete = on_delete
        self.is_heard = True

    def delete(self, rows: Sequence[RowId]) -> dict[RowId, Written]:
        return {row: self._told(self._delete(row)) for row in rows}

    def note(self, notes: Mapping[RowId, Collection[str]]) -> dict[RowId, Written]:
        return {row: self._told(self._note(row, names)) for row, names in notes.items()}

    def mark_refused(self, row: RowId, name: str, mark: RefusedMark) -> Written:
        there = self._outbox.rows.get(row.key)
        if there is None or there.commit_id != row.commit_id or name in there.delivered:
            return self._told(Foreign())
        self._outbox.rows[row.key] = replace(there, refused={name: mark})
        return self._told(Done())

    def park(self, row: RowId, name: str, verdict: Park) -> Done | None:
        raise AssertionError(f"nothing is parked here: {row} for {name}, {verdict}")

    def _delete(self, row: RowId) -> Written:
        there = self._outbox.rows.get(row.key)
        if there is None:
            return Done()
        if there.commit_id != row.commit_id:
            return Foreign()
        self._on_delete(self._outbox.rows.pop(row.key))
        return Done()

    def _note(self, row: RowId, names: Collection[str]) -> Written:
        there = self._outbox.rows.get(row.key)
        if there is None or there.commit_id != row.commit_id:
            return Foreign()
        there = self._outbox.rows[row.key] = replace(there, delivered=there.delivered | frozenset(names))
        return Done(there.delivered)

    def _told(self, answer: Written) -> Written:
        return answer if self.is_heard else Later("the reply was lost")
