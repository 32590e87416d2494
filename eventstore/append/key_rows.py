"""Rows of idempotency keys that conflict with an append: read where they were not returned, and compared with it."""

from collections.abc import Iterable, Mapping

from eventstore.append.commit import PreparedCommit
from eventstore.append.held_fields import without_defaults
from eventstore.append.transaction import Transaction
from eventstore.context import StoreContext
from eventstore.dynamodb import transact_get
from eventstore.errors import AggregateTypeError, CorruptRowError, IdempotencyConflictError
from eventstore.event_codec import RowDecoder
from eventstore.model import RecordedEvent
from eventstore.read import history
from eventstore.read.pages import Span
from eventstore.rows import idempotency
from eventstore.rows.idempotency import KeyRow, digest_of_content, exact
from eventstore.rows.item import Item, row_key


def complete(context: StoreContext, sent: Transaction, items: Mapping[int, Item]) -> dict[int, KeyRow]:
    """Return the rows of a transaction's keys, by index of the commit; absent where a key was never used.

    DynamoDB need not show all of them when it refuses a transaction, so those that it did not show are read, by a
    transactional read: a plain one may predate the commit that wrote them.

    Raises:
        CorruptRowError: A row cannot be read.
        TryLaterError: DynamoDB did not answer in time.
    """
    table = context.tables.idempotency
    found: dict[int, Item] = {index: item for index, item in items.items() if item}
    asked = [(index, each.key) for index, each in enumerate(sent.commits) if each.key and index not in found]
    if asked:
        places = [(table, idempotency.key_of(key.aggregate_id, key.key)) for _, key in asked]
        for (index, _), item in zip(asked, transact_get.items(context.caller, places), strict=True):
            if item is not None:
                found[index] = item
    return {index: idempotency.decode(item, table) for index, item in found.items()}


def check(context: StoreContext, sent: Transaction, rows: Mapping[int, KeyRow]) -> None:
    """Check that every key stands for what is appended now.

    Where the contents have another digest, the stored events are read, and what the program makes of both is compared:
    a field with a default may have been added since, or the schema version raised.

    Raises:
        AggregateTypeError: The id belongs to another type.
        IdempotencyConflictError: A key stands for other content or for another command, or only a part of the appends
            was stored before.
        CorruptRowError: The key's commit is not stored, or this program cannot read it.
        TryLaterError: DynamoDB did not answer in time.
    """
    for index, row in sorted(rows.items()):
        given = sent.commits[index]
        if row.aggregate_type != given.aggregate.type:
            raise AggregateTypeError(given.aggregate.id, expected=given.aggregate.type, actual=row.aggregate_type)
        check_command(row, _given(sent, index).command)
    conflicting = [
        index
        for index, row in sorted(rows.items())
        if row.digest != _given(sent, index).digest and not _means_the_same(context, sent.commits[index], row)
    ]
    if not conflicting and len(rows) < len(sent.commits):
        conflicting = sorted(rows)
    if conflicting:
        row, given_row = rows[conflicting[0]], _given(sent, conflicting[0])
        raise IdempotencyConflictError(
            row.aggregate_id,
            row.key,
            stored_commit_id=row.commit_id,
            stored_digest=row.digest,
            given_commit_id=given_row.commit_id,
            given_digest=given_row.digest,
        )


def check_command(row: KeyRow, given: str | None) -> None:
    """Check that a key was used for the same command, where both commands are known.

    Raises:
        IdempotencyConflictError: It stands for another one.
    """
    if row.command is not None and given is not None and row.command != given:
        raise IdempotencyConflictError(
            row.aggregate_id,
            row.key,
            stored_commit_id=row.commit_id,
            stored_digest=row.command,
            given_commit_id=None,
            given_digest=given,
        )


def _means_the_same(context: StoreContext, given: PreparedCommit, row: KeyRow) -> bool:
    """Tell whether the program takes what is stored under a key for what is given now."""
    decoder = context.decoder
    if isinstance(decoder, RowDecoder):
        return False  # it makes nothing of either but what is stored
    wait_readable(context, [row])
    stored = history.read(context, row.aggregate_id, Span(after=row.first - 1, until=row.last))
    source = context.tables.events
    now = [decoder.interpret(event, source) for event in given.events]
    return digest_of_content(_contents(stored)) == digest_of_content(_contents(now))


def _contents(events: Iterable[RecordedEvent]) -> list[object]:
    """Return what events say to the program, without what the defaults of its classes say as well."""
    return [[each.type, each.schema_version, without_defaults(exact(each.data_json), each.payload)] for each in events]


def wait_readable(context: StoreContext, rows: Iterable[KeyRow]) -> None:
    """Wait until the commits that keys stand for can be read: a key's row may show before the events beside it do.

    Raises:
        CorruptRowError: The key's commit is not stored; a restore has brought back the one without the other.
        TryLaterError: DynamoDB did not answer in time, or the commit is still being applied.
    """
    for row in rows:
        (item,) = transact_get.items(context.caller, [(context.tables.events, row_key(row.aggregate_id, row.last))])
        if item is None or item.get("commitId", {}).get("S") != row.commit_id:
            raise CorruptRowError(
                context.tables.idempotency,
                key=f"{row.aggregate_id} / {row.key}",
                field="commitId",
                reason=f"is {row.commit_id}, a commit that is not stored up to event {row.last}: `eventstore verify`"
                " finds such rows; remove it by hand, then append again",
            )


def left_over(context: StoreContext, item: Item, key: str) -> CorruptRowError:
    """Return the error for an outbox row whose events are gone."""
    return CorruptRowError(
        context.tables.outbox,
        key=key,
        field="commitId",
        reason=f"is {item.get('commitId', {}).get('S', '?')}, a commit whose events are not in {context.tables.events}:"
        " the row is a leftover; have `relay` deliver it, or remove it by hand",
    )


def _given(sent: Transaction, index: int) -> KeyRow:
    key = sent.commits[index].key
    assert key is not None, "a row was found for a key that was not given"
    return key
