"""A walk over the outbox that counts it, for commands, which run no sweep."""

from collections.abc import Collection

from relay import defaults
from relay.outbox.debt import Census, Survey
from relay.outbox.reader import OutboxReader


def take(reader: OutboxReader, names: Collection[str], rows_max: int) -> Survey:
    """Scan the outbox, at most `rows_max` rows of it, and count it.

    Args:
        reader: Of the outbox.
        names: Destinations in force.
        rows_max: Rows counted at most.

    Raises:
        TryLaterError: DynamoDB did not answer.
    """
    census, start = Census(names), None
    while True:  # bounded by rows_max
        page = reader.scan(start, min(defaults.OUTBOX_PAGE_ROWS, rows_max - census.rows))
        for row in page.rows:
            census.add(row)
        start = page.next_start
        if start is None or census.rows >= rows_max:
            return census.survey(complete=start is None)
