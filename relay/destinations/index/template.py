"""The index template: how documents are typed, and the alias that readers use. Every month's index is made from it."""

from collections.abc import Mapping
from typing import Any

from eventstore.payload.plain import DEPTH_MAX
from eventstore.search import fields
from eventstore.search.fields import FieldKind, PromotedType
from relay.destinations.index.settings import IndexSettings

VERSION = 3
"""Raised with every change of the template. An older relay leaves a newer template alone."""

PRIORITY = 200
"""Above Elasticsearch's own templates, which use up to 100, so that a stray pattern does not win.

The length of the prefix comes on top: `x-events-*` also meets the indices of the prefix `x-events`, whose template must
win there, and two of the same priority are refused.
"""

FLATTENED_DEPTH = DEPTH_MAX + 8
"""Elasticsearch refuses a deeper document (default 20); appends are checked against `DEPTH_MAX`."""


def template(settings: IndexSettings) -> dict[str, Any]:
    """Return the body of `PUT _index_template/<name>`."""
    return {
        "index_patterns": [settings.names.pattern],
        "priority": PRIORITY + len(settings.names.prefix),
        "version": VERSION,
        "template": {
            "settings": {"index": {"number_of_shards": settings.shards, "number_of_replicas": settings.replicas}},
            "mappings": {"dynamic": False, "properties": _properties(settings)},
            "aliases": {settings.names.alias: {}},
        },
    }


_KEPT = ("composed_of", "_meta", "allow_auto_create", "ignore_missing_component_templates")
"""Parts of a stored template that are not ours, and that a new one may have."""

_OURS = frozenset({*fields.FIELDS, fields.PROMOTED, fields.UNPROMOTED})


def merged(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the template to store: ours, with what operators added to the stored one.

    Theirs are settings that ours does not speak of, such as `refresh_interval`, codec and lifecycle policy, further
    aliases, fields of other names, component templates and `_meta`.

    Args:
        wanted: Our template.
        found: The stored one, as Elasticsearch tells it.
    """
    there, here = found.get("template") or {}, wanted["template"]
    mappings = there.get("mappings") or {}
    others = {name: field for name, field in mappings.get("properties", {}).items() if name not in _OURS}
    return {
        **{name: found[name] for name in _KEPT if name in found},
        **wanted,
        "template": {
            "settings": _over(_levels(there.get("settings") or {}), here["settings"]),
            "mappings": {**mappings, **here["mappings"], "properties": {**others, **here["mappings"]["properties"]}},
            "aliases": {**(there.get("aliases") or {}), **here["aliases"]},
        },
    }


def _levels(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dots in their names as levels, below `index`."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = _levels(value) if isinstance(value, Mapping) else value
        first, _, rest = name.partition(".")
        found = _over(found, {first: _levels({rest: inner}) if rest else inner})
    return found


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, the second's word where both speak of the same."""
    both = {
        name: _over(below[name], value)
        for name, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(name), Mapping)
    }
    return {**below, **above, **both}


def _properties(settings: IndexSettings) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _typed(field.kind) for name, field in fields.FIELDS.items()}
    if settings.promoted:
        properties[fields.PROMOTED] = {
            "dynamic": False,
            "properties": {path: _promoted(kind) for path, kind in settings.promoted.items()},
        }
        properties[fields.UNPROMOTED] = {"type": "keyword"}
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
    # What does not fit has no copy; should one come all the same, it must neither refuse the event nor be bent.
    exact = {} if kind is PromotedType.DATE else {"coerce": False}
    return {"type": kind.value, "ignore_malformed": True, **exact}
