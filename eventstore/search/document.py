"""Encodes an event as a document of the index, and decodes it; payload and metadata stay as they were stored."""

from collections.abc import Collection, Mapping
from operator import attrgetter
from typing import Any

import msgspec

from eventstore import jsontext
from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.rows.item import Item
from eventstore.search import fields
from eventstore.search.fields import Field, FieldKind

_Scalar = str | int | float | bool


class _Form:
    """What of an event goes under which name: the table of fields, made ready for very many events."""

    def __init__(self, table: Mapping[str, Field]) -> None:
        names = [(name, Any) for name in table]
        self._document = msgspec.defstruct("Document", [*names, (fields.PROMOTED, Any, None)], omit_defaults=True)
        self._values_of = attrgetter(*(field.event for field in table.values()))
        self._bodies = tuple(place for place, field in enumerate(table.values()) if field.kind is FieldKind.FLATTENED)

    def of(self, event: RecordedEvent, promoted: dict[str, Any] | None) -> msgspec.Struct:
        """Return the document of an event; payload and metadata are raw JSON in it."""
        values = list(self._values_of(event))
        for place in self._bodies:
            values[place] = _one_line(values[place])
        return self._document(*values, promoted)


_form = _Form(fields.FIELDS)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(event: RecordedEvent, promoted: Collection[str] = ()) -> bytes:
    """Return the document of an event on one line; values at the promoted paths are copied into it once more."""
    return _encoder.encode(_form.of(event, _promoted(event, promoted) if promoted else None))


def row_of(source: bytes | msgspec.Raw, alias: str, document_id: str) -> Item:
    """Return the row of the events table that a document stands for.

    So every reader of rows, and every rule about them, serves documents as well. A field that is missing or of another
    kind is so in the row, and whoever decodes that names it.

    Raises:
        CorruptRowError: The document is not a JSON object at all.
    """
    try:
        found = _decoder.decode(source)
    except jsontext.FAULTS as error:
        raise CorruptRowError(
            alias, key=document_id, field="_source", reason=f"is not a JSON object: {error}"
        ) from error
    row: dict[str, Mapping[str, Any]] = {}
    for name, field in fields.FIELDS.items():
        if name in found:
            is_text = field.kind is FieldKind.FLATTENED
            try:
                row[field.row] = {"S": bytes(found[name]).decode()} if is_text else _attribute(found[name])
            except jsontext.FAULTS as error:
                raise CorruptRowError(alias, key=document_id, field=name, reason=f"cannot be read: {error}") from error
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
    except jsontext.FAULTS:
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
