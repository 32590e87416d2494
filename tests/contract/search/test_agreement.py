"""Both sides of the index mean the same: what the relay writes and types, and what the library asks for."""

from eventstore.search import SearchOptions, SearchQuery, dsl, fields, lag
from relay.destination import INDEX
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.template import template
from relay.destinations.resource_names import Names
from tests.contract.search.conftest import PROMOTED

TYPES = template(IndexSettings(promoted=PROMOTED))["template"]["mappings"]["properties"]


def test_the_template_types_the_documents_fields():
    """Every field of a document has a type, and nothing else has."""
    assert set(TYPES) == {*fields.FIELDS, fields.PROMOTED, fields.UNPROMOTED}


def test_fields_are_of_the_kind_that_is_asked_for():
    """Terms need keywords, times a date, payload and metadata one flattened field each."""
    for name in (fields.EVENT_TYPE, fields.AGGREGATE_TYPE, fields.AGGREGATE_ID, fields.EVENT_ID, fields.COMMIT_ID):
        assert TYPES[name] == {"type": "keyword"}
    assert TYPES[fields.TIMESTAMP] == {"type": "date", "format": "epoch_millis"}
    for name in (fields.DATA, fields.METADATA):
        assert (TYPES[name]["type"], TYPES[name]["ignore_above"]) == ("flattened", fields.KEYWORD_MAX_CHARACTERS)


def test_promoted_fields_are_where_they_are_looked_for():
    """A range of the library's names a field of the template."""
    query = SearchQuery().promoted_range("stock.count", 1)

    assert dsl.body(query, PROMOTED) == {"bool": {"filter": [{"range": {"promoted.stock.count": {"gte": 1}}}]}}
    assert TYPES["promoted"]["properties"]["stock.count"]["type"] == "long"


def test_both_look_at_the_same_alias():
    """Whatever the prefix; and without one, it is the same."""
    assert SearchOptions(prefix="shop").alias == Names("shop").alias == "shop-events"
    assert SearchOptions().alias == Names().alias == "inventory-events"


def test_both_call_the_destination_the_same():
    """The lag counts what outbox rows say of the destination that the relay calls so."""
    assert lag.DESTINATION == INDEX
