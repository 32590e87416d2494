"""A query in Elasticsearch's DSL, checked against the promoted fields; nothing is sent from here."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, assert_never

from eventstore import jsontext
from eventstore.errors import InvalidInputError
from eventstore.payload import moments
from eventstore.search import fields
from eventstore.search.fields import PromotedType
from eventstore.search.query import (
    LONG_MAX,
    LONG_MIN,
    Between,
    Condition,
    OneOf,
    PromotedRange,
    PromotedWords,
    SearchQuery,
)

Promoted = Mapping[str, PromotedType]


def body(query: SearchQuery, promoted: Promoted) -> dict[str, Any]:
    """Return the `query` of a search body.

    Raises:
        InvalidInputError: A promoted field is unknown or of a type that cannot be searched so; it is named.
    """
    if not query.conditions:
        return {"match_all": {}}
    return {"bool": {"filter": [_clause(condition, promoted) for condition in query.conditions]}}


def sort(query: SearchQuery) -> list[dict[str, str]]:
    """Return the `sort` of a search body: by time, then by id, so that every event has one place."""
    order = "asc" if query.ascending else "desc"
    return [{fields.TIMESTAMP: order}, {fields.EVENT_ID: order}]


def fingerprint(query: SearchQuery, promoted: Promoted, alias: str) -> str:
    """Return a text that is equal for equal queries of one index, and only for these."""
    text = jsontext.encode([alias, body(query, promoted), sort(query)], "query")
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _clause(condition: Condition, promoted: Promoted) -> dict[str, Any]:
    match condition:
        case OneOf(field, (value,)):
            return {"term": {field: value}}
        case OneOf(field, values):
            return {"terms": {field: list(values)}}
        case Between(from_ms, until_ms):
            return {"range": {fields.TIMESTAMP: _ends(from_ms, until_ms) | {"format": "epoch_millis"}}}
        case PromotedRange(path, at_least, below):
            return _promoted_range(path, at_least, below, promoted)
        case PromotedWords(path, words):
            if _kind(path, promoted) is not PromotedType.TEXT:
                reason = f"is promoted as {promoted[path].value}, which has no words; use promoted_range"
                raise InvalidInputError(f"promoted.{path}", reason)
            return {"match": {f"{fields.PROMOTED}.{path}": {"query": words, "operator": "and"}}}
        case _:
            assert_never(condition)


def _promoted_range(
    path: str,
    at_least: float | str | None,
    below: float | str | None,
    promoted: Promoted,
) -> dict[str, Any]:
    field, kind = f"promoted.{path}", _kind(path, promoted)
    if kind is PromotedType.TEXT:
        raise InvalidInputError(field, "is promoted as text, which has no ranges; use promoted_text")
    low = _typed(at_least, kind, f"{field}.at_least")
    high = _typed(below, kind, f"{field}.below")
    if low is not None and high is not None and high <= low:
        raise InvalidInputError(f"{field}.below", f"is {below}, not above at_least={at_least}: the range is reversed")
    ends = _ends(low, high)
    if kind is PromotedType.DATE:
        ends["format"] = "epoch_millis"  # else 2025 would be taken for a year
    return {"range": {f"{fields.PROMOTED}.{path}": ends}}


def _kind(path: str, promoted: Promoted) -> PromotedType:
    kind = promoted.get(path)
    if kind is None:
        known = ", ".join(sorted(promoted)) or "none is"
        reason = f"is not promoted ({known}): promote it with RELAY_INDEX_PROMOTED, or search it as a keyword with data"
        raise InvalidInputError(f"promoted.{path}", reason)
    return kind


def _typed(value: float | str | None, kind: PromotedType, field: str) -> int | float | None:
    if value is None:
        return None
    if isinstance(value, str):
        if kind is not PromotedType.DATE:
            raise InvalidInputError(field, f"is text, and the field is promoted as {kind.value}; give a number")
        return _iso_ms(value, field)
    if kind is PromotedType.DOUBLE:
        return value
    if not isinstance(value, int):
        raise InvalidInputError(field, f"is {value}, and the field is promoted as {kind.value}; give a whole number")
    if not LONG_MIN <= value <= LONG_MAX:
        raise InvalidInputError(field, f"is {value}, more than 64 bits; leave the end open instead")
    return value


def _iso_ms(text: str, field: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInputError(field, f"is {text!r}; give ISO 8601, such as 2025-01-31T12:00:00Z") from error
    return moments.to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC), field)  # as Elasticsearch takes it


def _ends(at_least: float | None, below: float | None) -> dict[str, Any]:
    return {name: value for name, value in (("gte", at_least), ("lt", below)) if value is not None}
