"""An event as two lines of a bulk body: `create`, and the document of `eventstore.search.document`."""

from dataclasses import dataclass

import msgspec

from eventstore.model import RecordedEvent
from eventstore.search import document, fields, promotion
from eventstore.search.fields import FieldKind
from eventstore.validation import TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS
from relay.destination import Park
from relay.destinations.index.settings import IndexSettings

ID_MAX_BYTES = 512
"""Longest `_id`; a request with a longer one is refused as a whole. Source: Elasticsearch, "_id field"."""

NUMBER_MAX = {FieldKind.INTEGER: 2**31 - 1, FieldKind.LONG: 2**63 - 1, FieldKind.DATE: 2**63 - 1}
"""What a field holds by its kind; the index's refusal of a larger number would look like a mapping that is not ours."""


class _Create(msgspec.Struct, frozen=True):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")


class _Action(msgspec.Struct, frozen=True):
    create: _Create


_encoder = msgspec.json.Encoder()
_DIGITS_TOLD = 40


@dataclass(frozen=True, slots=True)
class EncodedEvent:
    """An event as it goes into a bulk body.

    Attributes:
        lines: `create` and the document.
        index: Where it goes.
        unpromoted: Promoted paths at which a value has no typed copy, since it does not fit.
    """

    lines: bytes
    index: str
    unpromoted: tuple[str, ...] = ()


def unindexable(event: RecordedEvent) -> Park | None:
    """Return why no document can be made of an event, None when one can. Appends allow only events that have one."""
    if not TIMESTAMP_MIN_MS <= event.timestamp_ms <= TIMESTAMP_MAX_MS:
        return _park(
            event, f"timestamp {event.timestamp_ms}, outside of the years 1970 to 9999, so no month's index is its own"
        )
    if not 1 <= len(event.event_id.encode()) <= ID_MAX_BYTES:
        return _park(event, f"an id of no or more than {ID_MAX_BYTES} bytes")
    for name, field in fields.FIELDS.items():
        if not field.kind.is_number:
            continue
        number = getattr(event, field.event)
        if abs(number) > NUMBER_MAX[field.kind]:
            told = str(number) if abs(number) < 10**_DIGITS_TOLD else f"more than {_DIGITS_TOLD} digits"
            bits = NUMBER_MAX[field.kind].bit_length() + 1
            return _park(event, f"{name} {told}: its field in the index holds {bits} bits")
    return None


def _park(event: RecordedEvent, what: str) -> Park:
    return Park(f"event {event.sequence_number} ({event.event_id[:ID_MAX_BYTES]}) has {what}", "unindexable")


def unencodable(event: RecordedEvent, error: Exception) -> Park:
    """Return why the encoder gave an event up."""
    return _park(event, f"content that cannot be encoded ({type(error).__name__}: {str(error)[:200]})")


def encode(event: RecordedEvent, settings: IndexSettings) -> EncodedEvent:
    """Return the two lines in a bulk body of an event that is not `unindexable`: `create` and the document."""
    index = settings.names.index(event.timestamp_ms)
    action = _encoder.encode(_Action(_Create(index, event.event_id)))
    copies = promotion.copies(event, settings.promoted)
    return EncodedEvent(b"%b\n%b\n" % (action, document.encode(event, copies)), index, copies.left_out)
