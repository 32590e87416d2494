"""Search over what the relay put into the index: a typed query builder, pages, counts, facets, and how fresh it is.

    from eventstore.search import SearchQuery, SearchOptions
    from eventstore.search.elasticsearch import ElasticsearchSearch

The client has a module of its own, which loads Elasticsearch's library.
"""

from eventstore.search.client import SearchClient
from eventstore.search.event_search import EventSearch, SearchPage
from eventstore.search.facets import FacetCount, Facets
from eventstore.search.fields import PromotedType
from eventstore.search.lag import IndexLag
from eventstore.search.options import SearchOptions
from eventstore.search.query import SearchQuery

__all__ = [
    "EventSearch",
    "FacetCount",
    "Facets",
    "IndexLag",
    "PromotedType",
    "SearchClient",
    "SearchOptions",
    "SearchPage",
    "SearchQuery",
]
