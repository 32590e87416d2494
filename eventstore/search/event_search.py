"""Search: events by type, by a typed query, page by page; counts, facets, and how fresh it all is."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from eventstore import jsontext
from eventstore.backoff import Deadline
from eventstore.context import StoreContext
from eventstore.errors import CorruptRowError, InvalidInputError, SetUpError
from eventstore.event_codec import EventDecoder, OnCorrupt, RowDecoder, decode_rows
from eventstore.model import RecordedEvent
from eventstore.payload import moments
from eventstore.ports import Runtime
from eventstore.rows.item import Item
from eventstore.search import calls, document, dsl, facets, fields, lag, page_token
from eventstore.search.client import SearchCallError, SearchClient, SearchLostError
from eventstore.search.facets import Aggregation, Facets
from eventstore.search.lag import IndexLag
from eventstore.search.options import SearchOptions
from eventstore.search.page_token import SearchPlace
from eventstore.search.query import SearchQuery
from eventstore.system import SystemRuntime

T = TypeVar("T")

LIMIT_MAX = 10_000
"""Elasticsearch's default of `index.max_result_window`: most events in one reply."""

FACETS_MAX = 10_000
PAGE_SIZE_DEFAULT = 200
LAG_ROWS_MAX_DEFAULT = 5_000


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some events of a query's result.

    Attributes:
        events: The events, in the query's order.
        token: Where the next page begins; None behind the last.
    """

    events: tuple[RecordedEvent, ...]
    token: str | None


class _Hit(msgspec.Struct):
    id: str = msgspec.field(name="_id")
    source: msgspec.Raw = msgspec.field(name="_source", default=msgspec.Raw(b"null"))
    sort: list[Any] = []


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Reply(msgspec.Struct):
    hits: _Hits
    pit_id: str | None = None
    aggregations: dict[str, Aggregation] = {}


_NOTHING = _Reply(_Hits([]))
_CLOSE_SECONDS_MAX = 1.0
"""The events are there by then; a caller should not wait long for what only tidies up."""


class EventSearch:
    """Searches what the relay put into the index; threads may share one.

    What is found is as fresh as the index: see `index_lag`. Answers are an error, or complete as far as the alias shows
    the store's indices, which `index_lag` checks; an index that does not exist yet has no events.

    Args:
        client: `eventstore.search.elasticsearch.ElasticsearchSearch`, or the one in memory.
        options: Where to look, what is promoted, and bounds.
        runtime: Clock, waiting and randomness; the store's, else the machine's own when left out.
        context: Of the store the events are from: its clock, its reading of event types, its outbox for `index_lag`.
            `EventStore.search` gives it. Without one, events come as they were stored.
    """

    def __init__(
        self,
        client: SearchClient,
        options: SearchOptions | None = None,
        *,
        runtime: Runtime | None = None,
        context: StoreContext | None = None,
    ) -> None:
        self._client = client
        self._options = options or SearchOptions()
        self._runtime = runtime or (SystemRuntime() if context is None else context.runtime)
        self._decoder: EventDecoder = RowDecoder() if context is None else context.decoder
        self._context = context

    def find_events_by_type(
        self,
        event_type: str,
        from_: int | datetime = 0,
        limit: int = 100,
        *,
        on_corrupt: OnCorrupt = None,
    ) -> list[RecordedEvent]:
        """Return the first events of a type from a time on, oldest first.

        Args:
            event_type: The type.
            from_: Inclusive: milliseconds since 1970 UTC, or a `datetime` with a zone.
            limit: Maximum number, 1 to 10,000.
            on_corrupt: Told of each document that cannot be read, which is passed over; None raises instead.

        Raises:
            As `find`.
        """
        from_ms = moments.to_ms(from_, "from_")
        query = SearchQuery().event_type(event_type).between(from_ms=from_ms).oldest_first()
        return self.find(query, limit, on_corrupt=on_corrupt)

    def find(self, query: SearchQuery, limit: int = 100, *, on_corrupt: OnCorrupt = None) -> list[RecordedEvent]:
        """Return the first events of a query, at most `limit` (1 to 10,000), by one request.

        Raises:
            InvalidInputError: The query cannot be asked; it names the field. Nothing was sent.
            SearchUnreachableError: The index did not answer; asking again is safe.
            SearchRefusedError: The index refuses; an operator must act.
            AccessDeniedError: Check the credentials.
            CorruptRowError: A document cannot be read.
        """
        _check_bounds("limit", limit, LIMIT_MAX)
        body = {**self._body(query), "size": limit}
        reply = self._ask(self._deadline(), self._searching(self._options.alias, body), _NOTHING)
        return list(self._decoded(reply.hits.hits, on_corrupt))

    def events(
        self,
        query: SearchQuery,
        *,
        limit: int | None = None,
        page_size: int = PAGE_SIZE_DEFAULT,
        on_corrupt: OnCorrupt = None,
    ) -> Iterator[RecordedEvent]:
        """Read all events of a query lazily, a page in memory at a time, from one view of one moment.

        The view is released when the iteration ends, also by an error or when the iterator is closed or forgotten.

        Args:
            query: What is searched for.
            limit: Maximum number; None for all.
            page_size: Events per request, 1 to 10,000.
            on_corrupt: As in `find`.

        Raises:
            SearchExpiredError: More than `keep_alive_seconds` passed between two pages.
            As `find`.
        """
        if limit is not None:
            _check_bounds("limit", limit, None)
        _check_bounds("page_size", page_size, LIMIT_MAX)
        body = self._body(query)
        return self._iterate(body, limit, page_size, on_corrupt)

    def page(
        self,
        query: SearchQuery,
        *,
        size: int = PAGE_SIZE_DEFAULT,
        token: str | None = None,
        new_view: bool = False,
        on_corrupt: OnCorrupt = None,
    ) -> SearchPage:
        """Return one page of a query's result, and where the next one begins.

        All pages are of the view that the first one opened, which is kept for `keep_alive_seconds` after each page and
        released after the last; release it earlier with `abandon`.

        Args:
            query: What is searched for; the same for all pages of one result.
            size: Events per page, 1 to 10,000; may differ from page to page.
            token: The token of the page before; None for the first.
            new_view: Go on behind the token in a new view, which also shows events that were indexed meanwhile.
            on_corrupt: As in `find`.

        Raises:
            InvalidTokenError: The token is of another query, or none.
            SearchExpiredError: The view is gone; begin again, or go on with `new_view`.
            As `find`.
        """
        _check_bounds("size", size, LIMIT_MAX)
        body = self._body(query)
        fingerprint = dsl.fingerprint(query, self._options.promoted, self._options.alias)
        place = None if token is None else page_token.decode(token, fingerprint)
        view = None if place is None or new_view else place.view
        deadline = self._deadline()
        if view is None:
            view = self._open_view(deadline)
        if view is None:
            return SearchPage((), None)
        reply = self._in_view(deadline, view, {**body, "size": size}, None if place is None else _after(place))
        hits, view = reply.hits.hits, reply.pit_id or view
        if len(hits) < size:
            self._close_view(view, deadline)
            return SearchPage(tuple(self._decoded(hits, on_corrupt)), None)
        following = page_token.encode(_place(view, hits[-1]), fingerprint)
        return SearchPage(tuple(self._decoded(hits, on_corrupt)), following)

    def abandon(self, token: str) -> None:
        """Let the view behind a token go at once; left alone it goes by itself after `keep_alive_seconds`.

        One that is gone already is not an error.

        Raises:
            InvalidTokenError: It is not a token.
        """
        view = page_token.decode(token, None).view
        if view is not None:
            self._close_view(view, self._deadline())

    def count(self, query: SearchQuery) -> int:
        """Return how many events a query meets.

        Raises:
            As `find`.
        """
        body = {"query": dsl.body(query, self._options.promoted)}
        return self._ask(self._deadline(), lambda within: self._client.count(self._options.alias, body, within), 0)

    def facets(self, query: SearchQuery, by: str, size: int = 20) -> Facets:
        """Return how often each value occurs among the events of a query.

        Args:
            query: What is searched for.
            by: `event_type`, `aggregate_type`, `day` (UTC), or a field: `data.<path>`, `metadata.<path>`.
            size: Maximum number of values, 1 to 10,000.

        Raises:
            As `find`.
        """
        _check_bounds("size", size, FACETS_MAX)
        body = {"query": dsl.body(query, self._options.promoted), "aggs": facets.request(by, size), "size": 0}
        reply = self._ask(self._deadline(), self._searching(self._options.alias, body), _NOTHING)
        return facets.read(reply.aggregations.get(facets.NAME), by, size)

    def raw(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send a search body as it is and return the reply, decoded; for what the query builder does not cover.

        Args:
            body: In Elasticsearch's Query DSL, plain JSON. One with a `pit` is of that view, others of the alias.

        Returns:
            Elasticsearch's reply; one without hits when there is no index yet.

        Raises:
            InvalidInputError: The body is not a dict.
            NotJsonError: The body is not plain JSON.
            SearchRefusedError: Elasticsearch does not understand it; the message holds its words.
            As `find`.
        """
        if not isinstance(body, Mapping):
            raise InvalidInputError("body", f"is a {type(body).__name__}; give a dict")
        jsontext.encode(dict(body), "body")
        alias = None if "pit" in body else self._options.alias
        nothing: Mapping[str, Any] = {"hits": {"total": {"value": 0, "relation": "eq"}, "hits": []}}

        def search(within_seconds: float) -> Mapping[str, Any]:
            reply = self._client.search(alias, body, within_seconds)
            try:
                decoded: Mapping[str, Any] = jsontext.decode(reply)
            except ValueError as error:
                raise SearchLostError(f"a reply cannot be read: {error}") from error
            return decoded

        return self._ask(self._deadline(), search, nothing)

    def refresh(self) -> None:
        """Make everything that was delivered searchable now. It costs the cluster; for tests, and to read own writes.

        Raises:
            As `find`.
        """
        self._ask(self._deadline(), lambda within: self._client.refresh(self._options.alias, within), None)

    def index_lag(self, *, rows_max: int = LAG_ROWS_MAX_DEFAULT) -> IndexLag:
        """Return how fresh a search is: what the outbox still owes to the index, and how soon new documents are found.

        Args:
            rows_max: Most rows of the outbox that are looked at, by consistent reads: half a read unit per KiB or
                so. When all is well the outbox holds next to nothing.

        Raises:
            SetUpError: This search was made without a store; use `EventStore.search`.
            TryLaterError: DynamoDB or the index did not answer.
        """
        _check_bounds("rows_max", rows_max, None)
        if self._context is None:
            raise SetUpError("index_lag looks at a store's outbox: make this search with EventStore.search")
        deadline, alias = self._deadline(), self._options.alias
        body = {"size": 1, "sort": [{fields.COMMIT_ID: "desc"}], "_source": False, "track_total_hits": False}
        newest = self._ask(deadline, self._searching(alias, body), _NOTHING).hits.hits
        nothing: Mapping[str, str | None] = {}
        intervals = self._ask(deadline, lambda within: self._client.refresh_intervals(alias, within), nothing)
        unseen: Mapping[str, str] = self._ask(deadline, lambda within: self._client.hidden(alias, within), {})
        debt = lag.debt(self._context, rows_max)
        age_ms = 0 if debt.oldest_ms is None else max(0, self._runtime.now_ms() - debt.oldest_ms)
        return IndexLag(
            lag_seconds=age_ms / 1000,
            oldest_owed_ms=debt.oldest_ms,
            owed=debt.owed,
            parked=debt.parked,
            unreadable=debt.unreadable,
            complete=debt.complete and not unseen,
            newest_indexed_ms=lag.committed_ms(str(newest[0].sort[0])) if newest else None,
            refresh_seconds=lag.refresh_seconds(intervals),
            unseen=unseen,
        )

    def _iterate(
        self,
        body: Mapping[str, Any],
        limit: int | None,
        page_size: int,
        on_corrupt: OnCorrupt,
    ) -> Iterator[RecordedEvent]:
        view = self._open_view(self._deadline())
        if view is None:
            return
        try:
            left, after = limit, None
            while left is None or left > 0:
                size = page_size if left is None else min(page_size, left)
                reply = self._in_view(self._deadline(), view, {**body, "size": size}, after)
                hits, view = reply.hits.hits, reply.pit_id or view
                yield from self._decoded(hits, on_corrupt)
                if len(hits) < size:
                    return
                after = _after(_place(view, hits[-1]))
                left = None if left is None else left - len(hits)
        finally:
            self._close_view(view, self._deadline())

    def _body(self, query: SearchQuery) -> dict[str, Any]:
        return {
            "query": dsl.body(query, self._options.promoted),
            "sort": dsl.sort(query),
            "track_total_hits": False,
        }

    def _in_view(self, deadline: Deadline, view: str, body: Mapping[str, Any], after: list[Any] | None) -> _Reply:
        pit = {"id": view, "keep_alive": f"{self._options.keep_alive_seconds}s"}
        whole = {**body, "pit": pit} if after is None else {**body, "pit": pit, "search_after": after}
        return self._ask(deadline, self._searching(None, whole), _NOTHING)

    def _deadline(self) -> Deadline:
        """Return the end of a call that begins now."""
        return Deadline(self._runtime, self._options.timeout_seconds)

    def _searching(self, alias: str | None, body: Mapping[str, Any]) -> Callable[[float], _Reply]:
        """Return what sends a search body, given the seconds it may take."""

        def search(within_seconds: float) -> _Reply:
            reply = self._client.search(alias, body, within_seconds)
            try:
                found = msgspec.json.decode(reply, type=_Reply)
            except jsontext.FAULTS as error:
                raise SearchLostError(f"a reply cannot be read: {error}") from error
            if any(len(hit.sort) < len(body.get("sort", ())) for hit in found.hits.hits):
                raise SearchLostError("a reply does not say where its events stand in the order")
            return found

        return search

    def _open_view(self, deadline: Deadline) -> str | None:
        keep, alias = self._options.keep_alive_seconds, self._options.alias
        return self._ask(deadline, lambda within: self._client.open_view(alias, keep, within), None)

    def _close_view(self, view: str, deadline: Deadline) -> None:
        """Release a view by one attempt, if there is time: it goes by itself, and nobody should wait for that."""
        within = min(_CLOSE_SECONDS_MAX, deadline.left_seconds())
        if within > 0:
            with contextlib.suppress(SearchCallError):
                self._client.close_view(view, within)

    def _ask(self, deadline: Deadline, operation: Callable[[float], T], nothing: T) -> T:
        try:
            return calls.ask(self._runtime, self._options.backoff, deadline, operation)
        except calls.IndexAbsentError:
            return nothing

    def _decoded(self, hits: Iterable[_Hit], on_corrupt: OnCorrupt) -> Iterator[RecordedEvent]:
        return decode_rows(self._decoder, self._rows(hits, on_corrupt), self._options.alias, on_corrupt)

    def _rows(self, hits: Iterable[_Hit], on_corrupt: OnCorrupt) -> Iterator[Item]:
        for hit in hits:
            try:
                row = document.row_of(hit.source, self._options.alias, hit.id)
            except CorruptRowError as error:
                if on_corrupt is None:
                    raise
                on_corrupt(error)
                continue
            yield row


def _place(view: str, hit: _Hit) -> SearchPlace:
    return SearchPlace(view, *hit.sort[:2])


def _after(place: SearchPlace) -> list[Any]:
    return [place.timestamp_ms, place.event_id]


def _check_bounds(name: str, value: int, most: int | None) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1 or (most is not None and value > most):
        raise InvalidInputError(
            name, f"is {value!r}; it is 1 or more" if most is None else f"is {value!r}; it is 1 to {most:,}"
        )
