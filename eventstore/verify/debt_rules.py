"""What must hold between a commit's events and the rows that refer to it in outbox and idempotency. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.rows import event as event_row
from eventstore.rows.idempotency import KeyRow
from eventstore.rows.item import Item
from eventstore.rows.outbox import OutboxRow
from eventstore.verify.finding import Finding, FindingKind, fault


def judge_outbox(row: OutboxRow, items: Sequence[Item], table: str) -> Iterator[Finding]:
    """Yield what is wrong between an outbox row and the rows of its events.

    Args:
        row: The commit that is owed.
        items: Rows of the events table in the commit's range.
        table: Name of the events table.
    """
    there = {item["sequenceNumber"]["N"]: item for item in items}
    missing = [number for number in range(row.first, row.last + 1) if str(number) not in there]
    if missing:
        listed = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")  # noqa: PLR2004 - enough to look
        sentence = f"the outbox owes {row.first} to {row.last} of commit {row.commit_id}; these do not exist: {listed}"
        yield fault(FindingKind.OUTBOX_WITHOUT_EVENTS, row.aggregate_id, missing[0], sentence)
    embedded = {event.sequence_number: event for event in row.events or ()}
    for item in items:
        try:
            event = event_row.decode(item, table)
        except CorruptRowError:
            continue  # the history's own rules speak of it
        complaint = _difference(row, event, embedded)
        if complaint:
            yield fault(FindingKind.OUTBOX_DIFFERS, row.aggregate_id, event.sequence_number, f"the outbox {complaint}")
            return


def judge_key(row: KeyRow, item: Item | None) -> Iterator[Finding]:
    """Yield what is wrong between an idempotency row and its commit.

    Args:
        row: The key's row.
        item: The row of the commit's last event; None when it does not exist.
    """
    found = None if item is None else item.get("commitId", {}).get("S")
    if item is None:
        complaint = "which does not exist"
    elif found is None or found == row.commit_id:  # an unreadable commit id is the history's matter
        return
    else:
        complaint = f"and event {row.last} is of commit {found}"
    sentence = f"key {row.key!r} names commit {row.commit_id}, {row.first} to {row.last}, {complaint}"
    yield fault(FindingKind.KEY_WITHOUT_COMMIT, row.aggregate_id, row.last, sentence)


def _difference(row: OutboxRow, event: RecordedEvent, embedded: Mapping[int, RecordedEvent]) -> str:
    """Return how a row contradicts an event; empty when they agree."""
    if event.commit_id != row.commit_id:
        return f"owes it as of commit {row.commit_id}, and it is of {event.commit_id}"
    if (event.commit_first, event.commit_last) != (row.first, row.last):
        return f"owes {row.first} to {row.last}, and the commit is {event.commit_first} to {event.commit_last}"
    if event.aggregate_type != row.aggregate_type:
        return f"says {row.aggregate_type!r} for an event of type {event.aggregate_type!r}"
    copy = embedded.get(event.sequence_number)
    if copy is not None and _content(copy) != _content(event):
        return "carries another content than the event has"
    return ""


def _content(event: RecordedEvent) -> tuple[object, ...]:
    return (
        event.event_id,
        event.type,
        event.data_json,
        event.metadata_json,
        event.schema_version,
        event.timestamp_ms,
    )
