"""An event as two lines of a bulk body: `create`, and the document of `eventstore.search.document`."""

import msgspec

from eventstore.model import RecordedEvent
from eventstore.search import document
from eventstore.validation import TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS
from relay.destination import Park
from relay.destinations.index_settings import IndexSettings


class _Create(msgspec.Struct, frozen=True):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")


class _Action(msgspec.Struct, frozen=True):
    create: _Create


_encoder = msgspec.json.Encoder()


def unindexable(event: RecordedEvent) -> Park | None:
    """Return why no document can be made of an event, None when one can. Appends allow only events that have one."""
    if TIMESTAMP_MIN_MS <= event.timestamp_ms <= TIMESTAMP_MAX_MS:
        return None
    return Park(
        f"event {event.sequence_number} ({event.event_id}) has timestamp {event.timestamp_ms}, outside of the years"
        " 1970 to 9999, so no month's index is its own",
        "unindexable",
    )


def encode(event: RecordedEvent, settings: IndexSettings) -> bytes:
    """Return the two lines in a bulk body of an event that is not `unindexable`: `create` and the document."""
    action = _encoder.encode(_Action(_Create(settings.names.index(event.timestamp_ms), event.event_id)))
    return b"%b\n%b\n" % (action, document.encode(event, settings.promoted))
