"""A search index in memory: the part of Elasticsearch's Query DSL that `eventstore.search` speaks, views, faults.

What it knows not it refuses as Elasticsearch refuses nonsense, so that a test never passes by being ignored. Words and
typed values are read as Elasticsearch reads them (`search_words`, `eventstore.search.typed_values`).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from eventstore.dynamodb.table_names import PREFIX_DEFAULT
from eventstore.model import RecordedEvent
from eventstore.ports import Runtime
from eventstore.search import document, fields, promotion, typed_values
from eventstore.search.client import SearchCallError, SearchStatusError
from eventstore.search.fields import FieldKind, PromotedType, alias_of
from eventstore.search.typed_values import NumberText
from eventstore.system import SystemRuntime
from eventstore.testing.search_words import words

_DAY_MS = 86_400_000


@dataclass(slots=True)
class _View:
    documents: tuple["_Document", ...]
    expires: float


@dataclass(frozen=True, slots=True)
class _Document:
    id: str
    source: bytes
    content: Mapping[str, Any]


class InMemorySearch:
    """A `SearchClient` over documents in this process; safe for several threads.

        search = InMemorySearch()
        search.add(store.load("item-1"))
        found = store.search(search).find_events_by_type("PRICE_CHANGED")

    Args:
        promoted: Payload path → type, as in `SearchOptions.promoted`.
        prefix: First part of the index names, as in `SearchOptions.prefix`.
        runtime: Clock of the views, and where its lock comes from; the machine's own when left out.
        documents: Where documents come from that were not given to `add`: those of `relay.testing.InMemoryIndex`.
    """

    def __init__(
        self,
        promoted: Mapping[str, PromotedType] | None = None,
        *,
        prefix: str = PREFIX_DEFAULT,
        runtime: Runtime | None = None,
        documents: Callable[[], Iterable[tuple[str, bytes]]] | None = None,
    ) -> None:
        self.calls = 0
        self._promoted = dict(promoted or {})
        self._alias = alias_of(prefix)
        self._runtime = runtime or SystemRuntime()
        self._lock = self._runtime.lock()
        self._own: dict[str, bytes] = {}
        self._others = documents
        self._views: dict[str, _View] = {}
        self._opened = 0
        self._faults: list[SearchCallError] = []
        self._interval: str | None = None
        self._hidden: dict[str, str] = {}

    def add(self, events: Iterable[RecordedEvent]) -> None:
        """Index events, as the relay would; one that is there already stays as it is."""
        encoded = [
            (event.event_id, document.encode(event, promotion.copies(event, self._promoted))) for event in events
        ]
        with self._lock:
            for event_id, source in encoded:
                self._own.setdefault(event_id, source)

    def put_document(self, document_id: str, source: bytes) -> None:
        """Store a document as it is, however broken."""
        with self._lock:
            self._own[document_id] = source

    def fail_next(self, *errors: SearchCallError) -> None:
        """Raise these, one per call, instead of answering."""
        with self._lock:
            self._faults.extend(errors)

    def expire_views(self) -> None:
        """Expire all views, as a restart does."""
        with self._lock:
            self._views.clear()

    @property
    def open_views(self) -> int:
        """How many views are open."""
        with self._lock:
            return len(self._views)

    def set_refresh_interval(self, text: str | None) -> None:
        """Report this refresh interval; documents are searchable at once all the same."""
        with self._lock:
            self._interval = text

    def search(self, alias: str | None, body: Mapping[str, Any], timeout_seconds: float) -> bytes:
        """See `SearchClient.search`."""
        self._begin(timeout_seconds)
        _only(body, "query", "sort", "size", "track_total_hits", "_source", "pit", "search_after", "aggs")
        pit = body.get("pit")
        if pit is not None:
            assert alias is None, "a body with a view names no index"
            documents = self._of_view(pit)
        else:
            assert alias is not None, "a body without a view is of an index"
            documents = tuple(self._all(alias))
        met = [each for each in documents if self._meets(each, body.get("query", {"match_all": {}}))]
        reply: dict[str, Any] = {"hits": {"hits": self._hits(met, body)}}
        if body.get("track_total_hits") is not False:
            reply["hits"]["total"] = {"value": len(met), "relation": "eq"}
        if pit is not None:
            reply["pit_id"] = pit["id"]
        if "aggs" in body:
            reply["aggregations"] = {name: self._aggregate(met, each) for name, each in body["aggs"].items()}
        return msgspec.json.encode(reply)

    def count(self, alias: str, body: Mapping[str, Any], timeout_seconds: float) -> int:
        """See `SearchClient.count`."""
        self._begin(timeout_seconds)
        _only(body, "query")
        return sum(self._meets(each, body["query"]) for each in self._all(alias))

    def open_view(self, alias: str, keep_alive_seconds: int, timeout_seconds: float) -> str:
        """See `SearchClient.open_view`."""
        self._begin(timeout_seconds)
        documents = tuple(self._all(alias))
        with self._lock:
            self._opened += 1
            name = f"view-{self._opened}"
            self._views[name] = _View(documents, self._runtime.monotonic() + keep_alive_seconds)
        return name

    def close_view(self, view: str, timeout_seconds: float) -> None:
        """See `SearchClient.close_view`."""
        self._begin(timeout_seconds)
        with self._lock:
            self._views.pop(view, None)

    def refresh(self, alias: str, timeout_seconds: float) -> None:
        """See `SearchClient.refresh`; documents are found at once."""
        self._begin(timeout_seconds)
        self._all(alias)

    def refresh_intervals(self, alias: str, timeout_seconds: float) -> Mapping[str, str | None]:
        """See `SearchClient.refresh_intervals`."""
        self._begin(timeout_seconds)
        self._all(alias)
        return {f"{self._alias}-in-memory": self._interval}

    def hidden(self, alias: str, timeout_seconds: float) -> Mapping[str, str]:
        """See `SearchClient.hidden`."""
        self._begin(timeout_seconds)
        with self._lock:
            return dict(self._hidden) if alias == self._alias else {}

    def hide(self, index: str, why: str) -> None:
        """Report that the alias does not show this index, for a reason."""
        with self._lock:
            self._hidden[index] = why

    def close(self) -> None:
        """See `SearchClient.close`."""

    def _begin(self, timeout_seconds: float) -> None:
        assert timeout_seconds > 0, "a call without a time-out"
        with self._lock:
            self.calls += 1
            if self._faults:
                raise self._faults.pop(0)

    def _all(self, alias: str) -> list[_Document]:
        with self._lock:
            own = list(self._own.items())
        others = [] if self._others is None else list(self._others())
        if alias != self._alias or not (own or others):
            raise SearchStatusError(404, "index_not_found_exception", f"no such index [{alias}]")
        return [_Document(name, source, _parse(source)) for name, source in (*others, *own)]

    def _of_view(self, pit: Mapping[str, Any]) -> tuple[_Document, ...]:
        now = self._runtime.monotonic()
        with self._lock:
            view = self._views.get(pit["id"])
            if view is None or view.expires < now:
                self._views.pop(pit["id"], None)
                raise SearchStatusError(404, "search_context_missing_exception", "No search context found")
            view.expires = now + int(pit["keep_alive"].removesuffix("s"))
            return view.documents

    def _hits(self, met: list[_Document], body: Mapping[str, Any]) -> list[dict[str, Any]]:
        order = [next(iter(each.items())) for each in body.get("sort", ())]
        for field, direction in reversed(order):  # a stable sort by each, the weightiest last
            met = sorted(met, key=lambda each: _sort_key(each, field), reverse=direction == "desc")
        if "search_after" in body:
            met = [each for each in met if _is_after(each, order, body["search_after"])]
        shown = met[: body.get("size", 10)]
        return [
            {
                "_id": each.id,
                "sort": [_sort_key(each, field) for field, _ in order],
                **({} if body.get("_source") is False else {"_source": msgspec.Raw(each.source)}),
            }
            for each in shown
        ]

    def _meets(self, each: _Document, query: Mapping[str, Any]) -> bool:
        ((kind, content),) = query.items()
        match kind, content:
            case "match_all", _:
                return True
            case "bool", {"filter": list(clauses), **rest} if not rest:
                return all(self._meets(each, clause) for clause in clauses)
            case "term", dict():
                ((field, value),) = content.items()
                return value in self._terms(each, field)
            case "terms", dict():
                ((field, values),) = content.items()
                return not self._terms(each, field).isdisjoint(values)
            case "range", dict():
                ((field, ends),) = content.items()
                return any(_within(value, ends) for value in self._ordered(each, field))
            case "match", dict():
                ((field, wanted),) = content.items()
                _only(wanted, "query", "operator")
                sought = words(wanted["query"])  # without any, nothing is found
                return bool(sought) and any(sought <= words(text) for text in self._texts(each, field))
            case _:
                raise _unknown(f"[{kind}] query")

    def _terms(self, each: _Document, field: str) -> set[str]:
        if field == fields.UNPROMOTED:
            return set(each.content.get(field, ()))
        if fields.kind_of(field) is FieldKind.KEYWORD:
            value = each.content.get(field)
            return {value} if isinstance(value, str) else set()
        root, _, path = field.partition(".")
        if fields.kind_of(root) is FieldKind.FLATTENED and path:
            leaves = _leaves(each.content.get(root), "")
            return {value for name, value in leaves if name == path and _is_findable(value)}
        raise _unknown(f"terms of the field [{field}]")

    def _ordered(self, each: _Document, field: str) -> Iterator[float]:
        if _is_number(field):
            yield int(each.content[field])
            return
        path = field.removeprefix(f"{fields.PROMOTED}.")
        kind = self._promoted.get(path)
        if kind is None or path == field or kind is PromotedType.TEXT:
            raise _unknown(f"ranges of the field [{field}]")
        for value in self._copies(each, path):
            number = typed_values.read(value, kind)
            if number is not None:
                yield number

    def _texts(self, each: _Document, field: str) -> Iterator[str]:
        path = field.removeprefix(f"{fields.PROMOTED}.")
        if self._promoted.get(path) is not PromotedType.TEXT or path == field:
            raise _unknown(f"words of the field [{field}]")
        for value in self._copies(each, path):
            if not isinstance(value, bool):
                yield value
            else:
                yield "true" if value else "false"

    def _copies(self, each: _Document, path: str) -> list[Any]:
        copies = each.content.get(fields.PROMOTED, {}).get(path)
        if copies is None:
            return []
        return copies if isinstance(copies, list) else [copies]

    def _aggregate(self, met: list[_Document], wanted: Mapping[str, Any]) -> dict[str, Any]:
        counts: dict[Any, int] = {}
        match wanted:
            case {"terms": {"field": field, "size": size}}:
                for each in met:
                    for value in self._terms(each, field):
                        counts[value] = counts.get(value, 0) + 1
                ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
                return {
                    "doc_count_error_upper_bound": 0,
                    "sum_other_doc_count": sum(count for _, count in ranked[size:]),
                    "buckets": [{"key": str(value), "doc_count": count} for value, count in ranked[:size]],
                }
            case {"date_histogram": {"field": fields.TIMESTAMP, "calendar_interval": "day"}}:
                for each in met:
                    day = int(each.content[fields.TIMESTAMP]) // _DAY_MS
                    counts[day] = counts.get(day, 0) + 1
                return {
                    "buckets": [
                        {"key": day * _DAY_MS, "key_as_string": _day_text(day), "doc_count": count}
                        for day, count in sorted(counts.items(), reverse=True)
                    ],
                }
            case _:
                raise _unknown(f"aggregation {sorted(wanted)}")


def _parse(source: bytes) -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(source, parse_float=NumberText, parse_int=NumberText)
    return content


def _only(body: Mapping[str, Any], *known: str) -> None:
    for name in body:
        if name not in known:
            raise _unknown(f"key [{name}]")


def _unknown(what: str) -> SearchStatusError:
    return SearchStatusError(400, "parsing_exception", f"the in-memory search does not support {what}")


def _sort_key(each: _Document, field: str) -> Any:
    value = each.content[field]
    return int(value) if _is_number(field) else value


def _is_number(field: str) -> bool:
    kind = fields.kind_of(field)
    return kind is not None and kind.is_number


def _is_after(each: _Document, order: list[tuple[str, str]], after: list[Any]) -> bool:
    for (field, direction), limit in zip(order, after, strict=True):
        value = _sort_key(each, field)
        if value != limit:
            return bool(value < limit) if direction == "desc" else bool(value > limit)
    return False


def _leaves(value: Any, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves(inner, f"{path}.{name}" if path else name)
        case list():
            for inner in value:
                yield from _leaves(inner, path)
        case bool():
            yield path, "true" if value else "false"
        case str():
            yield path, value


def _day_text(day: int) -> str:
    """Return a day, counted from 1970-01-01 UTC, as `YYYY-MM-DD`."""
    return datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%d")


def _within(value: float, ends: Mapping[str, Any]) -> bool:
    _only(ends, "gte", "lt", "format")
    return value >= ends.get("gte", value) and ("lt" not in ends or value < ends["lt"])


def _is_findable(text: str) -> bool:
    """Tell whether a value is short enough to be indexed; Elasticsearch counts as Java does."""
    if text.isascii():
        return len(text) <= fields.KEYWORD_MAX_CHARACTERS
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 <= fields.KEYWORD_MAX_CHARACTERS
