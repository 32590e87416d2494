"""Everything about one parked commit, before somebody decides what to do with it."""

from dataclasses import dataclass
from enum import StrEnum

from eventstore.backoff import Backoff
from eventstore.dynamodb.table_names import TableNames
from eventstore.model import RecordedEvent
from eventstore.ports import DynamoClient, Runtime
from relay.delivery.events import EventReader
from relay.destination import BUS, CommitKey
from relay.operating.parked.mark import MarkedRow
from relay.operating.parked.reader import MarkReader
from relay.outbox.reader import OutboxReader
from relay.outbox.row import Absent, Present, Unreadable

_BEGINS_NOWHERE = "the row does not say where it begins, so it cannot be put in order"


class Before(StrEnum):
    """What comes right before a commit."""

    NOTHING = "nothing"
    """It is its aggregate's first."""

    ON_BUS = "on the bus"
    OWED = "owed"
    """Still owed to the bus, so that the commit's turn has not come."""

    UNKNOWN = "unknown"
    """Nobody can say: the row does not say where it begins."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What there is to know.

    Attributes:
        row: The row, its marks included.
        commit_id: The append that stored it; None when the row does not say it.
        events: Its events; None when they cannot be had.
        defect: What is wrong with row or events, if anything.
        waiting: Commits of its aggregate above it that the bus lacks.
        before: What stands right below it.
    """

    row: MarkedRow
    commit_id: str | None
    events: tuple[RecordedEvent, ...] | None
    defect: str | None
    waiting: int
    before: Before


class Inspector:
    """Looks at parked commits. It changes nothing."""

    def __init__(self, client: DynamoClient, tables: TableNames, runtime: Runtime, backoff: Backoff) -> None:
        self._marks = MarkReader(client, tables, runtime, backoff)
        self._outbox = OutboxReader(client, tables, runtime, backoff)
        self._events = EventReader(client, tables, runtime, backoff)

    def lowest_marked(self, aggregate_id: str) -> CommitKey | None:
        """Return an aggregate's lowest commit that waits for a person; None when none does."""
        for rows in self._marks.walk(aggregate_id):
            for row in rows:
                if row.marks or row.blocks:
                    return row.key
        return None

    def inspect(self, key: CommitKey) -> Inspection | None:
        """Return what there is to know of a commit; None when it is not in the outbox.

        Raises:
            TryLaterError: DynamoDB did not answer.
        """
        marked = self._marks.row(key)
        answer = self._outbox.ask([key])[key]
        if marked is None or isinstance(answer, Absent):
            return None
        commit_id = events = None
        defect: str | None = _BEGINS_NOWHERE
        if isinstance(answer, Unreadable):
            defect = answer.reason or _BEGINS_NOWHERE
        elif isinstance(answer, Present):
            (whole,) = self._events.complete([answer.row])
            commit_id, events, defect = whole.commit_id, whole.events, whole.defect
        waiting = self._marks.count_owed_to_bus(*key) if marked.blocks else 0
        return Inspection(marked, commit_id, events, defect, waiting, self._before(marked))

    def _before(self, row: MarkedRow) -> Before:
        if row.first is None:
            return Before.UNKNOWN
        if row.first == 1:
            return Before.NOTHING
        below = (row.aggregate_id, row.first - 1)
        match self._outbox.ask([below])[below]:
            case Absent():
                return Before.ON_BUS
            case Present(row=lower) if BUS in lower.delivered:
                return Before.ON_BUS
            case _:
                return Before.OWED
