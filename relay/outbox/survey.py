"""What the outbox owes, counted row by row."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from eventstore.rows.outbox import OutboxRow
from relay.destination import BUS
from relay.outbox.reader import OutboxReader
from relay.outbox.row import UnreadableRow, is_settled, lacking

_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Survey:
    """The outbox at a glance.

    Attributes:
        rows: Commits in the outbox.
        owed: By destination, how many commits it lacks that are not parked for it.
        owed_to_others_only: The bus has them, another destination lacks them.
        parked: By destination, how many commits wait for a person.
        parked_rows: Commits that are parked for one destination or more.
        unreadable: Not even their range can be read; a person must look.
        complete_rows: Every destination has them; the sweep deletes them.
        oldest_committed_at_ms: When the oldest that is owed and not parked was committed; None when there is none.
        complete: Whether all rows were counted.
    """

    rows: int = 0
    owed: Mapping[str, int] = field(default_factory=dict)
    owed_to_others_only: int = 0
    parked: Mapping[str, int] = field(default_factory=dict)
    parked_rows: int = 0
    unreadable: int = 0
    complete_rows: int = 0
    oldest_committed_at_ms: int | None = None
    complete: bool = True

    @property
    def owed_to_bus(self) -> int:
        """Commits that the bus lacks and that are not parked for it."""
        return self.owed.get(BUS, 0)


def count(survey: Survey, rows: Iterable[OutboxRow | UnreadableRow], names: Collection[str]) -> Survey:
    """Return a survey after some more rows."""
    owed = dict.fromkeys(sorted(names), 0) | dict(survey.owed)
    parked = dict(survey.parked)
    survey = replace(survey, owed=owed, parked=parked)
    for row in rows:
        survey = replace(survey, rows=survey.rows + 1)
        if isinstance(row, UnreadableRow):
            survey = replace(survey, unreadable=survey.unreadable + 1)
        else:
            survey = _count_one(survey, row, names, owed, parked)
    return survey


def _count_one(
    survey: Survey,
    row: OutboxRow,
    names: Collection[str],
    owed: dict[str, int],
    parked: dict[str, int],
) -> Survey:
    marked = frozenset(row.parked) - row.delivered
    for name in marked:
        parked[name] = parked.get(name, 0) + 1
    if marked:
        survey = replace(survey, parked_rows=survey.parked_rows + 1)
    if is_settled(row.delivered, names):
        return replace(survey, complete_rows=survey.complete_rows + 1)
    work = lacking(row, names)
    for name in work:
        owed[name] += 1
    if not work:
        return survey
    if BUS in row.delivered:
        survey = replace(survey, owed_to_others_only=survey.owed_to_others_only + 1)
    if row.committed_at_ms == 0:  # a broken row does not say when
        return survey
    oldest = row.committed_at_ms if survey.oldest_committed_at_ms is None else survey.oldest_committed_at_ms
    return replace(survey, oldest_committed_at_ms=min(row.committed_at_ms, oldest))


def take(reader: OutboxReader, names: Collection[str], rows_max: int) -> Survey:
    """Scan the outbox, at most `rows_max` rows of it.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    survey, start = count(Survey(), (), names), None
    while True:  # bounded by rows_max
        page = reader.scan(start, min(_PAGE_ROWS, rows_max - survey.rows))
        survey = count(survey, page.rows, names)
        start = page.next_start
        if start is None or survey.rows >= rows_max:
            return replace(survey, complete=start is None)
