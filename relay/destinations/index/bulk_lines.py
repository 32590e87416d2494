"""An event as two lines of a bulk body: `create`, and the document of `eventstore.search.document`."""

from collections.abc import Iterator

import msgspec

from eventstore.model import RecordedEvent
from eventstore.search import document, fields
from eventstore.validation import TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS
from relay.destination import Park
from relay.destinations.index.settings import IndexSettings

ID_MAX_BYTES = 512
"""Longest `_id`; a request with a longer one is refused as a whole. Source: Elasticsearch, "_id field"."""

INTEGER_MAX = 2**63 - 1
"""What a field of type `long` holds; a larger number looks like a mapping that is not ours."""


class _Create(msgspec.Struct, frozen=True):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")


class _Action(msgspec.Struct, frozen=True):
    create: _Create


_encoder = msgspec.json.Encoder()


def unindexable(event: RecordedEvent) -> Park | None:
    """Return why no document can be made of an event, None when one can. Appends allow only events that have one."""
    if not TIMESTAMP_MIN_MS <= event.timestamp_ms <= TIMESTAMP_MAX_MS:
        return _park(
            event, f"timestamp {event.timestamp_ms}, outside of the years 1970 to 9999, so no month's index is its own"
        )
    if not 1 <= len(event.event_id.encode()) <= ID_MAX_BYTES:
        return _park(event, f"an id of no or more than {ID_MAX_BYTES} bytes")
    if any(abs(number) > INTEGER_MAX for number in _numbers(event)):
        return _park(event, "a number beyond 64 bits")
    return None


def _numbers(event: RecordedEvent) -> Iterator[int]:
    for field in fields.FIELDS.values():
        if field.kind.is_number:
            yield getattr(event, field.event)


def _park(event: RecordedEvent, what: str) -> Park:
    return Park(f"event {event.sequence_number} ({event.event_id[:ID_MAX_BYTES]}) has {what}", "unindexable")


def unencodable(event: RecordedEvent, error: Exception) -> Park:
    """Return why the encoder gave an event up."""
    return _park(event, f"content that cannot be encoded ({type(error).__name__}: {str(error)[:200]})")


def encode(event: RecordedEvent, settings: IndexSettings) -> bytes:
    """Return the two lines in a bulk body of an event that is not `unindexable`: `create` and the document."""
    action = _encoder.encode(_Action(_Create(settings.names.index(event.timestamp_ms), event.event_id)))
    return b"%b\n%b\n" % (action, document.encode(event, settings.promoted))
