"""An event as a document of the index: a typed envelope, payload and metadata embedded as they were stored."""

from collections.abc import Mapping
from typing import Any

import msgspec

from eventstore.model import RecordedEvent
from eventstore.validation import TIMESTAMP_MAX_MS, TIMESTAMP_MIN_MS
from relay.destination import Park
from relay.destinations.index_settings import IndexSettings

_Scalar = str | int | float | bool


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """The document; its fields are those of `relay.destinations.template`."""

    aggregate_id: str
    aggregate_type: str
    sequence_number: int
    event_type: str
    event_id: str
    commit_id: str
    timestamp: int
    schema_version: int
    epoch: int
    data: msgspec.Raw
    metadata: msgspec.Raw
    promoted: dict[str, Any] | None = None


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
    document = _encoder.encode(
        Document(
            aggregate_id=event.aggregate_id,
            aggregate_type=event.aggregate_type,
            sequence_number=event.sequence_number,
            event_type=event.type,
            event_id=event.event_id,
            commit_id=event.commit_id,
            timestamp=event.timestamp_ms,
            schema_version=event.schema_version,
            epoch=event.epoch,
            data=_one_line(event.data_json),
            metadata=_one_line(event.metadata_json),
            promoted=_promoted(event, settings) if settings.promoted else None,
        ),
    )
    return b"%b\n%b\n" % (action, document)


def _one_line(text: str) -> msgspec.Raw:
    """Return JSON text for a line of a bulk body: within JSON a bare line end can only be space between tokens."""
    return msgspec.Raw(text.replace("\n", " ").encode())


def _promoted(event: RecordedEvent, settings: IndexSettings) -> dict[str, Any] | None:
    """Return the typed copies, keyed by their whole path; values that are objects or null have none."""
    try:
        data = event.data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # the index will refuse the payload itself, with a better reason
    copies = {path: value for path in settings.promoted if (value := _pick(data, path.split("."))) is not None}
    return copies or None


def _pick(data: object, path: list[str]) -> _Scalar | list[_Scalar] | None:
    for name in path:
        if not isinstance(data, Mapping):
            return None
        data = data.get(name)
    if isinstance(data, _Scalar):
        return data
    if isinstance(data, list):
        return [value for value in data if isinstance(value, _Scalar)] or None
    return None
