"""The index template: how documents are typed, and the alias that readers use. Every month's index is made from it."""

from typing import Any

from eventstore import jsontext
from eventstore.search.fields import KEYWORD_MAX_CHARACTERS, PromotedType
from relay.destinations.index.settings import IndexSettings

VERSION = 2
"""Raised with every change of the template. An older relay leaves a newer template alone."""

PRIORITY = 200
"""Above Elasticsearch's own templates, which use up to 100, so that a stray pattern does not win."""

FLATTENED_DEPTH = jsontext.DEPTH_MAX + 8
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
    keyword, number = {"type": "keyword"}, {"type": "long"}
    flattened = {"type": "flattened", "ignore_above": KEYWORD_MAX_CHARACTERS, "depth_limit": FLATTENED_DEPTH}
    properties: dict[str, Any] = {
        "aggregate_id": keyword,
        "aggregate_type": keyword,
        "sequence_number": number,
        "event_type": keyword,
        "event_id": keyword,
        "commit_id": keyword,
        "commit_first": number,
        "commit_last": number,
        "timestamp": {"type": "date", "format": "epoch_millis"},
        "schema_version": {"type": "integer"},
        "epoch": number,
        "data": flattened,
        "metadata": flattened,
    }
    if settings.promoted:
        properties["promoted"] = {
            "dynamic": False,
            "properties": {path: _promoted(kind) for path, kind in settings.promoted.items()},
        }
    return properties


def _promoted(kind: PromotedType) -> dict[str, Any]:
    if kind is PromotedType.TEXT:
        return {"type": "text"}
    return {"type": kind.value, "ignore_malformed": True}  # a copy that does not fit must not refuse the event
