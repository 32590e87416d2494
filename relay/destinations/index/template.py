"""The index template: how documents are typed, and the alias that readers use. Every month's index is made from it."""

from typing import Any

from eventstore.payload.plain import DEPTH_MAX
from eventstore.search import fields
from eventstore.search.fields import FieldKind, PromotedType
from relay.destinations.index.settings import IndexSettings

VERSION = 2
"""Raised with every change of the template. An older relay leaves a newer template alone."""

PRIORITY = 200
"""Above Elasticsearch's own templates, which use up to 100, so that a stray pattern does not win."""

FLATTENED_DEPTH = DEPTH_MAX + 8
"""Elasticsearch refuses a deeper document (default 20); appends are checked against `DEPTH_MAX`."""


def template(settings: IndexSettings) -> dict[str, Any]:
    """Return the body of `PUT _index_template/<name>`."""
    return {
        "index_patterns": [settings.names.pattern],
        "priority": PRIORITY,
        "version": VERSION,
        "template": {
            "settings": {"index": {"number_of_shards": settings.shards, "number_of_replicas": settings.replicas}},
            "mappings": {"dynamic": False, "properties": _properties(settings)},
            "aliases": {settings.names.alias: {}},
        },
    }


def _properties(settings: IndexSettings) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _typed(field.kind) for name, field in fields.FIELDS.items()}
    if settings.promoted:
        properties[fields.PROMOTED] = {
            "dynamic": False,
            "properties": {path: _promoted(kind) for path, kind in settings.promoted.items()},
        }
    return properties


def _typed(kind: FieldKind) -> dict[str, Any]:
    match kind:
        case FieldKind.FLATTENED:
            return {"type": kind.value, "ignore_above": fields.KEYWORD_MAX_CHARACTERS, "depth_limit": FLATTENED_DEPTH}
        case FieldKind.DATE:
            return {"type": kind.value, "format": "epoch_millis"}
        case _:
            return {"type": kind.value}


def _promoted(kind: PromotedType) -> dict[str, Any]:
    if kind is PromotedType.TEXT:
        return {"type": "text"}
    return {"type": kind.value, "ignore_malformed": True}  # a copy that does not fit must not refuse the event
