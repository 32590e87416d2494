"""What the outbox owes, counted row by row."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from eventstore.outbox_row import OutboxRow
from relay.destination import BUS
from relay.feed.change import UnreadableRow
from relay.outbox_reader import OutboxReader
from relay.work import lacking

_PAGE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Survey:
    """The outbox at a glance.

    Attributes:
        rows: Commits in the outbox.
        owed_to_bus: Of them, how many the bus lacks and nobody must look at.
        owed_to_others_only: The bus has them, another destination lacks them.
        parked: A person must look.
        unreadable: Not even their range can be read; a person must look.
        oldest_committed_at_ms: When the oldest that is not parked was committed; None when there is none.
        complete: Whether all rows were counted.
    """

    rows: int = 0
    owed_to_bus: int = 0
    owed_to_others_only: int = 0
    parked: int = 0
    unreadable: int = 0
    oldest_committed_at_ms: int | None = None
    complete: bool = True


def count(survey: Survey, rows: Iterable[OutboxRow | UnreadableRow], names: Collection[str]) -> Survey:
    """Return a survey after some more rows."""
    for row in rows:
        survey = _count_one(survey, row, names)
    return survey


def _count_one(survey: Survey, row: OutboxRow | UnreadableRow, names: Collection[str]) -> Survey:
    survey = replace(survey, rows=survey.rows + 1)
    if isinstance(row, UnreadableRow):
        return replace(survey, unreadable=survey.unreadable + 1)
    if frozenset(row.parked) - row.delivered:
        survey = replace(survey, parked=survey.parked + 1)
    work = lacking(row, names)
    if BUS in work:
        survey = replace(survey, owed_to_bus=survey.owed_to_bus + 1)
    elif work:
        survey = replace(survey, owed_to_others_only=survey.owed_to_others_only + 1)
    if not work:
        return survey
    oldest = row.committed_at_ms if survey.oldest_committed_at_ms is None else survey.oldest_committed_at_ms
    return replace(survey, oldest_committed_at_ms=min(row.committed_at_ms, oldest))


def take(reader: OutboxReader, names: Collection[str], rows_max: int) -> Survey:
    """Scan the outbox, at most `rows_max` rows of it.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    survey, start = Survey(), None
    while True:  # bounded by rows_max
        page = reader.scan(start, min(_PAGE_ROWS, rows_max - survey.rows))
        survey = count(survey, page.rows, names)
        start = page.next_start
        if start is None or survey.rows >= rows_max:
            return replace(survey, complete=start is None)
