"""What the fields of a document are called, and how a promoted field is typed: said once, for writer and reader."""

import re
from enum import StrEnum

TIMESTAMP = "timestamp"
EVENT_ID = "event_id"
EVENT_TYPE = "event_type"
AGGREGATE_TYPE = "aggregate_type"
AGGREGATE_ID = "aggregate_id"
COMMIT_ID = "commit_id"
DATA = "data"
METADATA = "metadata"
PROMOTED = "promoted"
CORRELATION_ID = "metadata.correlation_id"

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
    """Return where readers look; the index template puts every month under it."""
    return f"{prefix}-events"
