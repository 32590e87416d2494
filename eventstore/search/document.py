"""An event as a document of the index, there and back; payload and metadata are embedded as they were stored."""

from collections.abc import Collection, Mapping
from typing import Any

import msgspec

from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.rows.item import Item

_Scalar = str | int | float | bool

_TEXTS = {
    "aggregate_id": "aggregateId",
    "aggregate_type": "aggregateType",
    "event_type": "eventType",
    "event_id": "eventId",
    "commit_id": "commitId",
}
_NUMBERS = {
    "sequence_number": "sequenceNumber",
    "timestamp": "timestamp",
    "schema_version": "version",
    "commit_first": "commitFirst",
    "commit_last": "commitLast",
    "epoch": "epoch",
}
_BODIES = {"data": "eventData", "metadata": "metadata"}


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """The document; its fields are typed by the index template of the relay."""

    aggregate_id: str
    aggregate_type: str
    sequence_number: int
    event_type: str
    event_id: str
    commit_id: str
    commit_first: int
    commit_last: int
    timestamp: int
    schema_version: int
    epoch: int
    data: msgspec.Raw
    metadata: msgspec.Raw
    promoted: dict[str, Any] | None = None


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(event: RecordedEvent, promoted: Collection[str] = ()) -> bytes:
    """Return the document of an event on one line; values at the promoted paths are copied into it once more."""
    return _encoder.encode(
        Document(
            aggregate_id=event.aggregate_id,
            aggregate_type=event.aggregate_type,
            sequence_number=event.sequence_number,
            event_type=event.type,
            event_id=event.event_id,
            commit_id=event.commit_id,
            commit_first=event.commit_first,
            commit_last=event.commit_last,
            timestamp=event.timestamp_ms,
            schema_version=event.schema_version,
            epoch=event.epoch,
            data=_one_line(event.data_json),
            metadata=_one_line(event.metadata_json),
            promoted=_promoted(event, promoted) if promoted else None,
        ),
    )


def row_of(source: bytes | msgspec.Raw, alias: str, document_id: str) -> Item:
    """Return the row of the events table that a document stands for.

    So every reader of rows, and every rule about them, serves documents as well. A field that is missing or of another
    kind is so in the row, and whoever decodes that names it.

    Raises:
        CorruptRowError: The document is no JSON object at all.
    """
    try:
        fields = _decoder.decode(source)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CorruptRowError(alias, key=document_id, field="_source", reason=f"is no JSON object: {error}") from error
    row: dict[str, Mapping[str, Any]] = {}
    for names in (_TEXTS, _NUMBERS):
        for name, attribute in names.items():
            if name in fields:
                row[attribute] = _attribute(fields[name])
    for name, attribute in _BODIES.items():
        if name in fields:
            row[attribute] = {"S": bytes(fields[name]).decode()}
    return row


def _attribute(raw: msgspec.Raw) -> Mapping[str, Any]:
    value = msgspec.json.decode(raw)
    match value:
        case bool() | None:
            return {"NULL" if value is None else "BOOL": value}
        case str():
            return {"S": value}
        case int() | float():
            return {"N": str(value)}
        case _:
            return {"L" if isinstance(value, list) else "M": value}


def _one_line(text: str) -> msgspec.Raw:
    """Return JSON text for a line of a bulk body: within JSON a bare line end can only be space between tokens."""
    return msgspec.Raw(text.replace("\n", " ").encode())


def _promoted(event: RecordedEvent, paths: Collection[str]) -> dict[str, Any] | None:
    """Return the typed copies, keyed by their whole path; values that are objects or null have none."""
    try:
        data = event.data
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # the index will refuse the payload itself, with a better reason
    copies = {path: value for path in paths if (value := _pick(data, path.split("."))) is not None}
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
