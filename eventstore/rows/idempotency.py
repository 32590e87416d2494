"""Encodes and decodes a caller's key as a row of the idempotency table; the digest of what it stands for. Pure."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from eventstore import jsontext
from eventstore.model import RecordedEvent
from eventstore.rows.item import Item, ItemReader


@dataclass(frozen=True, slots=True)
class KeyRow:
    """What was stored under a key.

    Attributes:
        aggregate_id: The key's scope.
        key: The caller's key.
        aggregate_type: The aggregate's type.
        commit_id: The commit that was stored.
        first: Sequence number of its first event.
        last: Sequence number of its last event.
        digest: Of its content; see `digest_of`.
        stored_at_ms: The writer's clock.
        epoch: The store's epoch.
        command: Fingerprint of the command that led to it; None where the caller gave none.
    """

    aggregate_id: str
    key: str
    aggregate_type: str
    commit_id: str
    first: int
    last: int
    digest: str
    stored_at_ms: int
    epoch: int
    command: str | None = None


def digest_of(events: Sequence[RecordedEvent]) -> str:
    """Return the digest of what events say: types, schema versions and payloads, in order.

    Ids, times and metadata are left out, since a repeat has others. The order of names inside a payload is left out as
    well: it is not content, and another process may build its dicts in another order.
    """
    return digest_of_content([[event.type, event.schema_version, exact(event.data_json)] for event in events])


def exact(text: str) -> Any:
    """Return the value of a JSON text, in which a number that a float would round is kept as it is written.

    Raises:
        ValueError: The text is not JSON, or nested more deeply than can be decoded.
    """
    return jsontext.decode_by(_EXACT, text)


def _number(text: str) -> float | msgspec.Raw:
    number = float(text)
    try:
        if repr(number) == text or Decimal(repr(number)) == Decimal(text):
            return number
    except InvalidOperation:  # an exponent of twenty digits
        pass
    return msgspec.Raw(text.encode())


_EXACT = msgspec.json.Decoder(float_hook=_number)


def digest_of_content(content: Sequence[object]) -> str:
    """Return the digest of plain JSON values, in order; see `digest_of`."""
    return hashlib.sha256(msgspec.json.encode(content, order="sorted")).hexdigest()


def row_of(events: Sequence[RecordedEvent], key: str, command: str | None, stored_at_ms: int) -> KeyRow:
    """Return the row that a commit leaves for its key."""
    last = events[-1]
    return KeyRow(
        aggregate_id=last.aggregate_id,
        key=key,
        aggregate_type=last.aggregate_type,
        commit_id=last.commit_id,
        first=events[0].sequence_number,
        last=last.sequence_number,
        digest=digest_of(events),
        stored_at_ms=stored_at_ms,
        epoch=last.epoch,
        command=command,
    )


def encode(row: KeyRow) -> dict[str, dict[str, str]]:
    """Return the item of a key."""
    command = {} if row.command is None else {"command": {"S": row.command}}
    return {
        **key_of(row.aggregate_id, row.key),
        **command,
        "aggregateType": {"S": row.aggregate_type},
        "commitId": {"S": row.commit_id},
        "firstSequence": {"N": str(row.first)},
        "lastSequence": {"N": str(row.last)},
        "digest": {"S": row.digest},
        "storedAt": {"N": str(row.stored_at_ms)},
        "epoch": {"N": str(row.epoch)},
    }


def decode(item: Item, table: str) -> KeyRow:
    """Return the key of an item.

    Raises:
        CorruptRowError: An attribute is missing or of another kind.
    """
    row = ItemReader(item, table)
    return KeyRow(
        aggregate_id=row.text("aggregateId"),
        key=row.text("key"),
        aggregate_type=row.text("aggregateType"),
        commit_id=row.text("commitId"),
        first=row.integer("firstSequence"),
        last=row.integer("lastSequence"),
        digest=row.text("digest"),
        stored_at_ms=row.integer("storedAt"),
        epoch=row.integer("epoch"),
        command=row.text_or_none("command"),
    )


def key_of(aggregate_id: str, key: str) -> dict[str, dict[str, str]]:
    """Return the key of a row as DynamoDB wants it."""
    return {"aggregateId": {"S": aggregate_id}, "key": {"S": key}}
