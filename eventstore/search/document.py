"""Encodes an event as a document of the index, and decodes it; payload and metadata stay as they were stored."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

import msgspec

from eventstore import jsontext
from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.rows.item import Item
from eventstore.search import fields
from eventstore.search.fields import Field, FieldKind
from eventstore.search.promotion import NO_COPIES, Copies


class _Form:
    """What of an event goes under which name: the table of fields, made ready for very many events."""

    def __init__(self, table: Mapping[str, Field]) -> None:
        names = [(name, Any) for name in table]
        more = [(fields.PROMOTED, Any, None), (fields.UNPROMOTED, Any, ())]
        self._document = msgspec.defstruct("Document", [*names, *more], omit_defaults=True)
        self._values_of = attrgetter(*(field.event for field in table.values()))
        self._bodies = tuple(place for place, field in enumerate(table.values()) if field.kind is FieldKind.FLATTENED)

    def of(self, event: RecordedEvent, copies: Copies) -> msgspec.Struct:
        """Return the document of an event; payload and metadata are raw JSON in it."""
        values = list(self._values_of(event))
        for place in self._bodies:
            values[place] = _one_line(values[place])
        return self._document(*values, copies.values, copies.left_out)


_form = _Form(fields.FIELDS)
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


def encode(event: RecordedEvent, copies: Copies = NO_COPIES) -> bytes:
    """Return the document of an event on one line, with its typed copies."""
    return _encoder.encode(_form.of(event, copies))


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
