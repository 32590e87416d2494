"""The fields of a document in one table, from which writer, reader, template and the index in memory derive. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

TIMESTAMP = "timestamp"
EVENT_ID = "event_id"
EVENT_TYPE = "event_type"
AGGREGATE_TYPE = "aggregate_type"
AGGREGATE_ID = "aggregate_id"
SEQUENCE_NUMBER = "sequence_number"
COMMIT_ID = "commit_id"
DATA = "data"
METADATA = "metadata"
PROMOTED = "promoted"
UNPROMOTED = "unpromoted"
"""Paths at which a value has no typed copy, since it does not fit."""
CORRELATION_ID = "metadata.correlation_id"


class FieldKind(StrEnum):
    """How the index holds a field."""

    KEYWORD = "keyword"
    """Text, found whole."""
    LONG = "long"
    INTEGER = "integer"
    DATE = "date"
    """Milliseconds since 1970-01-01 UTC."""
    FLATTENED = "flattened"
    """A JSON object; each of its leaves is found as a keyword, by its path."""

    @property
    def is_number(self) -> bool:
        """Whether values are whole numbers."""
        return self in (FieldKind.LONG, FieldKind.INTEGER, FieldKind.DATE)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a document.

    Attributes:
        kind: How the index holds it.
        row: The attribute of the events table that it stands for.
        event: The attribute of `RecordedEvent` that it is taken from.
    """

    kind: FieldKind
    row: str
    event: str


FIELDS: Mapping[str, Field] = {
    AGGREGATE_ID: Field(FieldKind.KEYWORD, "aggregateId", "aggregate_id"),
    AGGREGATE_TYPE: Field(FieldKind.KEYWORD, "aggregateType", "aggregate_type"),
    SEQUENCE_NUMBER: Field(FieldKind.LONG, "sequenceNumber", "sequence_number"),
    EVENT_TYPE: Field(FieldKind.KEYWORD, "eventType", "type"),
    EVENT_ID: Field(FieldKind.KEYWORD, "eventId", "event_id"),
    COMMIT_ID: Field(FieldKind.KEYWORD, "commitId", "commit_id"),
    "commit_first": Field(FieldKind.LONG, "commitFirst", "commit_first"),
    "commit_last": Field(FieldKind.LONG, "commitLast", "commit_last"),
    TIMESTAMP: Field(FieldKind.DATE, "timestamp", "timestamp_ms"),
    "schema_version": Field(FieldKind.INTEGER, "version", "schema_version"),
    "epoch": Field(FieldKind.LONG, "epoch", "epoch"),
    DATA: Field(FieldKind.FLATTENED, "eventData", "data_json"),
    METADATA: Field(FieldKind.FLATTENED, "metadata", "metadata_json"),
}
"""By name, in the order in which a document has them. `promoted`, when there is any, comes after them; its fields are
those of the settings. Whoever adds a field raises the version of the index template."""

KEYWORD_MAX_CHARACTERS = 1024
"""Longer payload values are kept but not findable: nobody looks for them whole, and a term has at most 32,766 bytes."""

PREFIX_PATTERN = r"[a-z0-9][a-z0-9_-]{0,63}"
"""What the first part of index names may be."""

PROMOTED_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
"""What the path of a promoted field may be."""


class PromotedType(StrEnum):
    """Type of the typed copy of a payload field."""

    LONG = "long"
    DOUBLE = "double"
    DATE = "date"
    TEXT = "text"


def alias_of(prefix: str) -> str:
    """Return the alias that readers search; the index template puts every month under it."""
    return f"{prefix}-events"


def kind_of(name: str) -> FieldKind | None:
    """Return how the index holds a field; None when documents have none of that name."""
    field = FIELDS.get(name)
    return None if field is None else field.kind


def named(kind: FieldKind) -> tuple[str, ...]:
    """Return the names of all fields of a kind."""
    return tuple(name for name, field in FIELDS.items() if field.kind is kind)
