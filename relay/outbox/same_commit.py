"""The condition of every change of an outbox row: it is still the row of the commit that was meant. Pure."""

from collections.abc import Mapping
from typing import Any

from relay.outbox.row import NO_COMMIT_ID, RowId


def same_commit(row: RowId) -> tuple[str, Mapping[str, Any]]:
    """Return a condition and its values, whose names are `:commit` and `:text`; a row that is not there fails it.

    A row that does not say whose it is, is met by a condition of its own: there is a row, and it says it no more than
    before.
    """
    if row.commit_id is not None:
        return "commitId = :commit", {":commit": {"S": row.commit_id}}
    return (
        "attribute_exists(aggregateId) AND (NOT attribute_type(commitId, :text) OR commitId = :commit)",
        {":text": {"S": "S"}, ":commit": {"S": NO_COMMIT_ID}},
    )
