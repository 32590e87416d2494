"""Encodes a folded state as a row of the snapshots table, and decodes it. Pure."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eventstore import limits
from eventstore.errors import CorruptRowError
from eventstore.rows.item import Item, ItemReader


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folded state at rest.

    Attributes:
        key: Whose state, as `aggregate_key`, `projection_key` or `read_model_key` makes it.
        version: Sequence number of the last event in it.
        fold: Stamp of the fold that made it.
        epoch: The store's epoch when it was made.
        taken_at_ms: The writer's clock.
        state: The state as text.
    """

    key: str
    version: int
    fold: str
    epoch: int
    taken_at_ms: int
    state: str


PUT_CONDITION = (
    "attribute_not_exists(aggregateId) OR attribute_not_exists(sequenceNumber) OR epoch < :epoch"
    " OR (epoch = :epoch AND (sequenceNumber < :version OR (sequenceNumber = :version AND fold <> :fold)))"
)
"""A snapshot replaces none that is newer: of a later epoch, or of a later event within the same one."""


def put_request(snapshot: Snapshot, table: str) -> dict[str, Any]:
    """Return the arguments of PutItem."""
    return {
        "TableName": table,
        "Item": encode(snapshot),
        "ConditionExpression": PUT_CONDITION,
        "ExpressionAttributeValues": {
            ":epoch": {"N": str(snapshot.epoch)},
            ":version": {"N": str(snapshot.version)},
            ":fold": {"S": snapshot.fold},
        },
    }


def encode(snapshot: Snapshot) -> dict[str, dict[str, str]]:
    """Return a snapshot's row."""
    return {
        "aggregateId": {"S": snapshot.key},
        "sequenceNumber": {"N": str(snapshot.version)},
        "fold": {"S": snapshot.fold},
        "epoch": {"N": str(snapshot.epoch)},
        "takenAt": {"N": str(snapshot.taken_at_ms)},
        "state": {"S": snapshot.state},
    }


def decode(item: Item, table: str) -> Snapshot:
    """Return the snapshot of a row.

    Raises:
        CorruptRowError: An attribute is missing or of another kind.
    """
    row = ItemReader(item, table)
    return Snapshot(
        key=row.text("aggregateId"),
        version=row.integer("sequenceNumber"),
        fold=row.text("fold"),
        epoch=row.integer("epoch"),
        taken_at_ms=row.integer("takenAt"),
        state=row.text("state"),
    )


def usable(item: Mapping[str, Any], table: str, *, fold: str, epoch: int) -> Snapshot | None:
    """Return the snapshot of a row if this fold in this epoch may use it; None otherwise, also for a broken row."""
    try:
        snapshot = decode(item, table)
    except CorruptRowError:
        return None
    return snapshot if snapshot.fold == fold and snapshot.epoch == epoch and snapshot.version > 0 else None


_AGGREGATE, _PROJECTION, _READ_MODEL = "aggregate/", "projection/", "read-model/"


def aggregate_key(aggregate_id: str) -> str:
    """Return the key of an aggregate's state: its id, unless that looks like a key of another kind."""
    if aggregate_id.startswith((_AGGREGATE, _PROJECTION, _READ_MODEL)):
        return _bounded(_AGGREGATE, aggregate_id)
    return aggregate_id


def projection_key(name: str, aggregate_id: str) -> str:
    """Return the key of a projection's state; the name has no `/`."""
    return _bounded(_PROJECTION, f"{name}/{aggregate_id}")


def read_model_key(name: str, version: int) -> str:
    """Return the key of a read model's row. Each version has its own, so that two can be fed side by side."""
    return _bounded(_READ_MODEL, f"{name}@{version}")


def _bounded(kind: str, rest: str) -> str:
    """Return a key; a digest, which holds no `/` or `@`, stands for what would be too long."""
    if len((kind + rest).encode()) <= limits.PARTITION_KEY_MAX_BYTES:
        return kind + rest
    return kind + hashlib.sha256((kind + rest).encode()).hexdigest()


SWAP_CONDITION = "attribute_not_exists(aggregateId) OR fold <> :fold OR epoch < :epoch OR sequenceNumber = :replaces"
"""A read model's row is replaced by who wrote it last, or by another fold or a later epoch."""


def swap_request(snapshot: Snapshot, table: str, *, replaces: int) -> dict[str, Any]:
    """Return the arguments of PutItem that replace the row with that version, and no other."""
    return {
        "TableName": table,
        "Item": encode(snapshot),
        "ConditionExpression": SWAP_CONDITION,
        "ExpressionAttributeValues": {
            ":epoch": {"N": str(snapshot.epoch)},
            ":replaces": {"N": str(replaces)},
            ":fold": {"S": snapshot.fold},
        },
    }
