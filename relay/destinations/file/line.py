"""An event as a line of a file: CloudEvents 1.0 in structured mode, JSON, with the event's data as it was stored."""

import msgspec

from eventstore import jsontext
from eventstore.model import RecordedEvent
from relay.destination import Park
from relay.destinations import cloud_event

LINE_START = b'{"specversion":"1.0","id":"'
"""What every line begins with."""

_encoder = msgspec.json.Encoder()
_raw_decoder = msgspec.json.Decoder(msgspec.Raw)


def unwritable(event: RecordedEvent) -> Park | None:
    """Return why an event has no line, None when it has one. Appends allow only events that have."""
    try:
        _raw_decoder.decode(event.data_json)
    except jsontext.FAULTS as error:
        return Park(f"{cloud_event.where(event)} has data that is not JSON: {error}", "not_json")
    return cloud_event.indescribable(event)


def encode(event: RecordedEvent, source: str) -> bytes:
    """Return the line, with its line end, of an event that is not `unwritable`; `source` names the store."""
    attributes: dict[str, object] = {
        **cloud_event.attributes(event, source),
        "datacontenttype": "application/json",
        "data": msgspec.Raw(_one_line(event.data_json).encode()),
    }
    return _encoder.encode(attributes) + b"\n"


def _one_line(text: str) -> str:
    """Return JSON text without line ends: outside of strings they are only space, and within they are written out."""
    return text.replace("\r", " ").replace("\n", " ")
