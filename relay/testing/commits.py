"""Commits as a destination gets them, for tests of destinations."""

from eventstore.model import RecordedEvent
from eventstore.rows.outbox import OutboxRow

NEW_YEAR_2025_MS = 1_735_689_600_000


def commit(
    aggregate_id: str,
    first: int = 1,
    events: int = 1,
    *,
    aggregate_type: str = "Order",
    event_type: str = "Placed",
    data_json: str = '{"quantity":1}',
    metadata_json: str = "{}",
    timestamp_ms: int = NEW_YEAR_2025_MS,
    epoch: int = 0,
) -> OutboxRow:
    """Return a commit of that many similar events; event 3 of `order-1` has the id `order-1:3`, as does its commit."""
    last = first + events - 1
    recorded = tuple(
        RecordedEvent(
            aggregate_id=aggregate_id,
            aggregate_type=aggregate_type,
            sequence_number=number,
            type=event_type,
            data_json=data_json,
            metadata_json=metadata_json,
            schema_version=1,
            timestamp_ms=timestamp_ms,
            event_id=f"{aggregate_id}:{number}",
            commit_id=f"{aggregate_id}:{first}-{last}",
            commit_first=first,
            commit_last=last,
            epoch=epoch,
        )
        for number in range(first, last + 1)
    )
    return OutboxRow(
        aggregate_id=aggregate_id,
        aggregate_type=aggregate_type,
        commit_id=f"{aggregate_id}:{first}-{last}",
        first=first,
        last=last,
        committed_at_ms=timestamp_ms,
        epoch=epoch,
        events=recorded,
        delivered=frozenset(),
        parked={},
    )


def chain(aggregate_id: str, *sizes: int) -> list[OutboxRow]:
    """Return commits of one aggregate, one after the other: `chain("order-1", 1, 3)` holds events 1 and 2 to 4."""
    commits = []
    first = 1
    for size in sizes:
        commits.append(commit(aggregate_id, first, size))
        first += size
    return commits
