"""What a verification has found: a value for programs and a sentence for people. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    FAULT = "fault"
    """Something is not as the store promises; a person must look."""
    NOTE = "note"
    """Worth knowing, and allowed."""


class FindingKind(StrEnum):
    """What was found. Only the last two are notes."""

    CORRUPT_ROW = "corrupt_row"
    """A row of events, outbox or idempotency cannot be read."""
    HOLE = "hole"
    """Sequence numbers are missing."""
    BROKEN_COMMIT = "broken_commit"
    """A commit is not there as a whole, or its rows contradict each other."""
    TYPE_CHANGED = "type_changed"
    """Events of one aggregate have several aggregate types."""
    DUPLICATE_EVENT_ID = "duplicate_event_id"
    """Two events have one id: consumers and the index take the second for a repeat."""
    WRONG_INDEX_KEY = "wrong_index_key"
    """Reads by type or time cannot find the event."""
    OUTBOX_WITHOUT_EVENTS = "outbox_without_events"
    """An outbox row owes events that do not exist."""
    OUTBOX_DIFFERS = "outbox_differs"
    """An outbox row contradicts the events that it owes."""
    KEY_WITHOUT_COMMIT = "key_without_commit"
    """An idempotency key names a commit that does not exist: a repeat would be answered with a lie."""
    MORE = "more"
    """The aggregate has more findings than are listed."""
    TIME_BACKWARDS = "time_backwards"
    """A timestamp is older than the one before it."""
    EVENT_IDS_FORGOTTEN = "event_ids_forgotten"
    """There were more event ids than could be remembered."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        severity: Whether somebody must act.
        kind: What it is.
        aggregate_id: The aggregate; empty when it is about the whole store.
        number: The sequence number where it was seen; 0 when it has none.
        sentence: What is the matter, for a person.
    """

    severity: Severity
    kind: FindingKind
    aggregate_id: str
    number: int
    sentence: str


def fault(kind: FindingKind, aggregate_id: str, number: int, sentence: str) -> Finding:
    """Return a finding that a person must look at."""
    return Finding(Severity.FAULT, kind, aggregate_id, number, sentence)


def note(kind: FindingKind, aggregate_id: str, number: int, sentence: str) -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(Severity.NOTE, kind, aggregate_id, number, sentence)
