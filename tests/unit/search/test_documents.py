"""Events as documents of the index, and back: names, values, lines."""

import json
from dataclasses import replace
from typing import Any

import pytest

from eventstore.errors import CorruptRowError
from eventstore.model import RecordedEvent
from eventstore.rows import event as event_row
from eventstore.search import document, facets
from eventstore.search.client import SearchStatusError
from eventstore.search.facets import Aggregation, FacetCount, Facets
from eventstore.search.fields import (
    FIELDS,
    KEYWORD_MAX_CHARACTERS,
    PROMOTED_PATH,
    FieldKind,
    PromotedType,
    alias_of,
    kind_of,
    named,
)
from eventstore.search.promotion import Copies

EVENT = RecordedEvent(
    "item-1", "ITEM", 3, "COUNTED", '{"n":1.50}', '{"user":"ann"}', 2, 7, "event-3", "commit-1", 3, 4, 5
)
DOCUMENT = (
    b'{"aggregate_id":"item-1","aggregate_type":"ITEM","sequence_number":3,"event_type":"COUNTED","event_id":"event-3",'
    b'"commit_id":"commit-1","commit_first":3,"commit_last":4,"timestamp":7,"schema_version":2,"epoch":5,'
    b'"data":{"n":1.50},"metadata":{"user":"ann"}'
)


def test_an_event_is_a_document_under_these_names() -> None:
    """
    Digits are kept; typed copies come last, when there are any.
    """
    assert document.encode(EVENT) == DOCUMENT + b"}"
    copies = Copies({"n": 1.5}, ("price",))
    assert document.encode(EVENT, copies) == DOCUMENT + b',"promoted":{"n":1.5},"unpromoted":["price"]}'


def test_a_document_is_one_line() -> None:
    """
    Whatever stands between the tokens of a payload.
    """
    event = replace(EVENT, data_json='{\n"n":\n1.50}', metadata_json="{\n}")

    assert b"\n" not in document.encode(event)
    assert json.loads(document.encode(event))["data"] == {"n": 1.5}


def test_a_document_is_read_as_the_row_it_stands_for() -> None:
    """
    By the same decoder as a row of the table.
    """
    row = document.row_of(document.encode(EVENT, Copies({"n": 1.5}, ())), "shop-events", "event-3")

    assert event_row.decode(row, "shop-events") == EVENT
    assert sorted(row) == sorted(field.row for field in FIELDS.values())


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        ("null", {"NULL": None}),
        ("true", {"BOOL": True}),
        ('"x"', {"S": "x"}),
        ("7", {"N": "7"}),
        ("1.5", {"N": "1.5"}),
        ("[1]", {"L": [1]}),
        ('{"a":1}', {"M": {"a": 1}}),
    ],
)
def test_a_value_of_any_kind_has_a_place_in_the_row(value: str, attribute: Any) -> None:
    """
    Whoever decodes the row says that it is of the wrong one; what is missing is missing.
    """
    source = f'{{"aggregate_id":{value},"more":1}}'.encode()

    assert document.row_of(source, "shop-events", "event-3") == {"aggregateId": attribute}


@pytest.mark.parametrize(
    ("source", "field"), [(b"[]", "_source"), (b"{", "_source"), (b'{"epoch":1e999999999999}', "epoch")]
)
def test_what_is_no_document_is_named(source: bytes, field: str) -> None:
    """
    By its index, its id, and the field.
    """
    with pytest.raises(CorruptRowError) as caught:
        document.row_of(source, "shop-events", "event-3")

    assert (caught.value.table, caught.value.key, caught.value.field) == ("shop-events", "event-3", field)


# Fields


def test_fields_have_these_kinds() -> None:
    """
    The index is made from them.
    """
    assert {kind: named(kind) for kind in FieldKind} == {
        "keyword": ("aggregate_id", "aggregate_type", "event_type", "event_id", "commit_id"),
        "long": ("sequence_number", "commit_first", "commit_last", "epoch"),
        "integer": ("schema_version",),
        "date": ("timestamp",),
        "flattened": ("data", "metadata"),
    }
    assert [kind.is_number for kind in FieldKind] == [False, True, True, True, False]
    assert (kind_of("epoch"), kind_of("promoted")) == (FieldKind.LONG, None)
    assert [str(each) for each in PromotedType] == ["long", "double", "date", "text"]
    assert (alias_of("shop"), KEYWORD_MAX_CHARACTERS) == ("shop-events", 1024)


@pytest.mark.parametrize(
    ("path", "is_path"),
    [
        ("a", True),
        ("_a.B9", True),
        ("a.b.c", True),
        ("", False),
        ("9", False),
        ("a.", False),
        ("a..b", False),
        ("a-b", False),
    ],
)
def test_paths_of_promoted_fields(path: str, is_path: bool) -> None:  # noqa: FBT001 - a case
    """
    Names of letters, digits and _, with dots between them.
    """
    assert bool(PROMOTED_PATH.fullmatch(path)) is is_path


# Facets


def aggregation(*counts: tuple[Any, int], others: int = 0, bound: int = 0) -> Aggregation:
    buckets = [facets._Bucket(key, count) for key, count in counts]
    return Aggregation(buckets, others, bound)


def test_counts_of_a_field_are_asked_for_the_most_frequent_first() -> None:
    """
    Of days all of them, the newest first.
    """
    for by in ("event_type", "aggregate_type", "data.colour", "metadata.user.name"):
        order = [{"_count": "desc"}, {"_key": "asc"}]
        assert facets.request(by, 7) == {"facet": {"terms": {"field": by, "size": 7, "order": order}}}
    assert facets.request("day", 7) == {
        "facet": {
            "date_histogram": {
                "field": "timestamp",
                "calendar_interval": "day",
                "format": "yyyy-MM-dd",
                "min_doc_count": 1,
                "order": {"_key": "desc"},
            }
        }
    }


@pytest.mark.parametrize("by", ["event_id", "data", "data.", "data..", "epoch.x", "data.a\0b", "", 7, None, ["data.a"]])
def test_what_cannot_be_counted_by(by: Any) -> None:
    """
    It is named.
    """
    with pytest.raises(ValueError, match="give event_type") as caught:
        facets.request(by, 7)

    assert getattr(caught.value, "field", None) == "by"


def test_counts_are_read_with_what_they_leave_out() -> None:
    """
    Of days what is beyond the size; a bound that is unknown is none.
    """
    found = aggregation(("a", 3), (2, 1), others=5, bound=2)
    assert facets.read(found, "event_type", 1) == Facets((FacetCount("a", 3), FacetCount("2", 1)), 5, 2)
    assert facets.read(aggregation(bound=-1), "event_type", 1) == Facets((), 0, 0)
    days = Aggregation([facets._Bucket(day, day, f"2025-01-0{day}") for day in (3, 2, 1)], 9, 9)
    assert facets.read(days, "day", 1) == Facets((FacetCount("2025-01-03", 3),), 3, 0)
    assert facets.read(None, "day", 1) == Facets((), 0, 0)
    assert Aggregation([]) == Aggregation([], 0, 0)


def test_a_refusal_says_why() -> None:
    """
    In Elasticsearch's words.
    """
    error = SearchStatusError(400, "parsing_exception", "no such query")

    assert (error.status, error.kind, error.reason) == (400, "parsing_exception", "no such query")
    assert str(error) == "parsing_exception: no such query (status 400)"
