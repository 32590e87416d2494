"""A reader of the search index, independent of the relay's own client: what a search user sees."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from elastic_transport import TransportError
from elasticsearch import ApiError, Elasticsearch

from eventstore.search import fields
from relay.destinations.index.client import IndexLostError, IndexRefusedError
from relay.destinations.index.elasticsearch import addresses_of, connect
from relay.destinations.resource_names import Names
from relay.testing.checker import IndexedDocument
from relay.testing.received import FoundEvent

PAGE = 1000
"""Ids read at once."""

DOCUMENTS_PAGE = 100
"""Documents read at once; each may have 400 KB."""

KEEP_ALIVE = "1m"

HITS_MAX = 10_000
"""Elasticsearch's default of `index.max_result_window`."""


class IndexReader(Protocol):
    """Searches over everything that was indexed."""

    def refresh(self) -> None:
        """Make what was stored searchable."""
        ...

    def count(self) -> int:
        """Return how many events are there."""
        ...

    def event_ids(self) -> Iterator[str]:
        """Yield the id of every event, in order of ids."""
        ...

    def documents(self) -> Iterator[IndexedDocument]:
        """Yield every document, in order of ids; one that is in two indices twice."""
        ...

    def find_by_type(self, event_type: str, limit: int) -> list[FoundEvent]:
        """Return the latest events of a type, newest first, at most `limit`."""
        ...


class ElasticsearchReader:
    """An `IndexReader` on Elasticsearch 8; it reads by the alias alone.

    Args:
        urls: `http://host:port`, several with commas between.
        names: Index names of the store.
        timeout_seconds: Longest wait for each call.
    """

    def __init__(self, urls: str, names: Names | None = None, *, timeout_seconds: float = 10.0) -> None:
        self._alias = (names or Names()).alias
        self._client: Elasticsearch = connect(urls).options(request_timeout=timeout_seconds)

    def refresh(self) -> None:
        """See `IndexReader.refresh`.

        Raises:
            IndexLostError: No usable answer came.
            IndexRefusedError: The index refuses; for an index that does not exist yet nothing is raised.
        """
        self._call("POST", f"/{self._alias}/_refresh", None)

    def count(self) -> int:
        """See `IndexReader.count`; errors as in `refresh`."""
        return int(self._call("POST", f"/{self._alias}/_count", {"query": {"match_all": {}}}).get("count", 0))

    def event_ids(self) -> Iterator[str]:
        """See `IndexReader.event_ids`; a view of one moment, read page by page. Errors as in `refresh`."""
        yield from (hit["_id"] for hit in self._hits(PAGE, with_source=False))

    def documents(self) -> Iterator[IndexedDocument]:
        """See `IndexReader.documents`; a view of one moment, read page by page. Errors as in `refresh`."""
        for hit in self._hits(DOCUMENTS_PAGE, with_source=True):
            yield IndexedDocument(hit["_id"], hit["_index"], hit["_source"])

    def _hits(self, page: int, *, with_source: bool) -> Iterator[dict[str, Any]]:
        opened = self._call("POST", f"/{self._alias}/_pit?keep_alive={KEEP_ALIVE}", None)
        if "id" not in opened:
            return
        view = opened["id"]
        try:
            after: list[Any] | None = None
            while True:
                query = {
                    "pit": {"id": view, "keep_alive": KEEP_ALIVE},
                    "sort": [{fields.EVENT_ID: "asc"}],
                    "size": page,
                    "_source": with_source,
                    "track_total_hits": False,
                }
                if after is not None:
                    query["search_after"] = after
                reply = self._call("POST", "/_search", query)
                view = reply.get("pit_id", view)
                hits = reply["hits"]["hits"]
                yield from hits
                if len(hits) < page:
                    return
                after = hits[-1]["sort"]
        finally:
            self._call("DELETE", "/_pit", {"id": view})

    def find_by_type(self, event_type: str, limit: int) -> list[FoundEvent]:
        """See `IndexReader.find_by_type`; `limit` is at most 10,000. Errors as in `refresh`."""
        assert 1 <= limit <= HITS_MAX, f"limit is {limit}, not 1 to {HITS_MAX}"
        reply = self._call(
            "POST",
            f"/{self._alias}/_search",
            {
                "query": {"bool": {"filter": [{"term": {fields.EVENT_TYPE: event_type}}]}},
                "sort": [{fields.TIMESTAMP: "desc"}, {fields.EVENT_ID: "desc"}],
                "size": limit,
            },
        )
        return [FoundEvent.from_document(hit["_source"]) for hit in reply.get("hits", {}).get("hits", ())]

    def close(self) -> None:
        """Release connections."""
        self._client.close()

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        headers = {"accept": "application/json", "content-type": "application/json"}
        try:
            reply = self._client.perform_request(method, path, headers=headers, body=body)
        except ApiError as error:
            if error.status_code == 404 and "index_not_found_exception" in str(error.body):  # noqa: PLR2004 - HTTP
                return {}  # nothing was indexed yet, so there is no index and no alias
            raise IndexRefusedError(error.status_code, str(error.message)) from error
        except (TransportError, OSError) as error:
            where = addresses_of(self._client)
            raise IndexLostError(f"Elasticsearch at {where} does not answer {method} {path}: {error}") from error
        return dict(reply.body)
