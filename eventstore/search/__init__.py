"""Search over what the relay put into the index: a typed query builder, pages, counts, facets, and how fresh it is.

    from eventstore.search import SearchQuery, SearchOptions
    from eventstore.search.elasticsearch import ElasticsearchSearch

The client has a module of its own, which loads Elasticsearch's library.
"""

from eventstore.search.client import SearchCallError, SearchClient, SearchLostError, SearchStatusError
from eventstore.search.event_search import EventSearch, SearchPage
from eventstore.search.facets import FacetCount, Facets
from eventstore.search.fields import PromotedType
from eventstore.search.lag import IndexLag
from eventstore.search.options import SearchOptions
from eventstore.search.query import Between, Bound, Condition, OneOf, PromotedRange, PromotedWords, Scalar, SearchQuery

__all__ = [
    "Between",
    "Bound",
    "Condition",
    "EventSearch",
    "FacetCount",
    "Facets",
    "IndexLag",
    "OneOf",
    "PromotedRange",
    "PromotedType",
    "PromotedWords",
    "Scalar",
    "SearchCallError",
    "SearchClient",
    "SearchLostError",
    "SearchOptions",
    "SearchPage",
    "SearchQuery",
    "SearchStatusError",
]
