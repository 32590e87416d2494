"""One table says what fields a document has; whoever writes, types, finds or reads a document follows it."""

import json

import pytest

from eventstore import NewEvent
from eventstore.search import document, fields
from eventstore.search.fields import Field, FieldKind
from eventstore.testing.builders import recorded
from eventstore.testing.search import InMemorySearch
from relay.destinations.index.bulk_lines import unindexable
from relay.destinations.index.settings import IndexSettings
from relay.destinations.index.template import template
from relay.testing.index import InMemoryIndex

EVENT = recorded(NewEvent("PLACED", {"sku": "A"}))


def add(monkeypatch: pytest.MonkeyPatch, name: str, field: Field) -> None:
    """Add a field to the table."""
    monkeypatch.setattr(fields, "FIELDS", {**fields.FIELDS, name: field})
    monkeypatch.setattr(document, "_form", document._Form(fields.FIELDS))


def properties() -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = template(IndexSettings())["template"]["mappings"]["properties"]
    return found


def test_document_template_and_rows_have_the_fields_of_the_table() -> None:
    """
    None is left out, none is there besides.
    """
    source = document.encode(EVENT)

    assert list(json.loads(source)) == list(properties()) == list(fields.FIELDS)
    assert list(document.row_of(source, "alias", "id")) == [field.row for field in fields.FIELDS.values()]


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        (FieldKind.KEYWORD, {"type": "keyword"}),
        (FieldKind.LONG, {"type": "long"}),
        (FieldKind.INTEGER, {"type": "integer"}),
        (FieldKind.DATE, {"type": "date", "format": "epoch_millis"}),
        (FieldKind.FLATTENED, {"type": "flattened", "ignore_above": 1024, "depth_limit": 72}),
    ],
)
def test_a_field_that_is_added_is_typed_by_its_kind(
    monkeypatch: pytest.MonkeyPatch, kind: FieldKind, typed: dict[str, object]
) -> None:
    """
    The template takes it from the table.
    """
    add(monkeypatch, "added", Field(kind, "added", "event_id"))

    assert properties()["added"] == typed


def test_a_text_that_is_added_is_written_found_and_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Document, search in memory, and the row that a reader decodes.
    """
    add(monkeypatch, "twin", Field(FieldKind.KEYWORD, "twinOf", "event_id"))
    source = document.encode(EVENT)
    search = InMemorySearch()
    search.add([EVENT])

    assert json.loads(source)["twin"] == EVENT.event_id
    assert document.row_of(source, "alias", "id")["twinOf"] == {"S": EVENT.event_id}
    assert len(ids(search, "twin", EVENT.event_id)) == 1
    assert ids(search, "twin", "another") == []


def test_a_number_that_is_added_is_sorted_by_and_kept_within_64_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    As every number is, so that an index of type `long` never refuses it.
    """
    add(monkeypatch, "length", Field(FieldKind.LONG, "length", "data_size"))
    source = document.encode(Sized(EVENT, 7))  # type: ignore[arg-type]
    search = InMemorySearch()
    search.put_document("a", source)
    search.put_document("b", document.encode(Sized(EVENT, 30)))  # type: ignore[arg-type]
    body = {"query": {"match_all": {}}, "sort": [{"length": "desc"}], "track_total_hits": True}
    hits = json.loads(search.search("inventory-events", body, 1.0))["hits"]["hits"]

    assert [hit["_id"] for hit in hits] == ["b", "a"]
    assert document.row_of(source, "alias", "id")["length"] == {"N": "7"}
    assert unindexable(Sized(EVENT, 7)) is None  # type: ignore[arg-type]
    assert unindexable(Sized(EVENT, 2**63)) is not None  # type: ignore[arg-type]


def test_an_object_that_is_added_is_asked_for_by_the_index_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It refuses what Elasticsearch refuses: a flattened field that is no object. Leaves of one are found by path.
    """
    add(monkeypatch, "copy", Field(FieldKind.FLATTENED, "copy", "data_json"))
    search = InMemorySearch()
    search.add([EVENT])
    index = InMemoryIndex()
    document_of = json.loads(document.encode(EVENT))
    action = b'{"create":{"_index":"i","_id":"e"}}'
    (taken,) = index.bulk(b"%b\n%b\n" % (action, json.dumps(document_of).encode()), 1.0)
    (refused,) = index.bulk(b"%b\n%b\n" % (action, json.dumps({**document_of, "copy": 1}).encode()), 1.0)

    assert len(ids(search, "copy.sku", "A")) == 1
    assert (taken.status, refused.status) == (201, 400)


class Sized:
    """An event with one attribute more."""

    def __init__(self, event: object, data_size: int) -> None:
        self._event = event
        self.data_size = data_size

    def __getattr__(self, name: str) -> object:
        return getattr(self._event, name)


def ids(search: InMemorySearch, field: str, value: str) -> list[str]:
    """Return the ids of what is found by a field."""
    body = {"query": {"term": {field: value}}, "sort": [{"timestamp": "desc"}], "track_total_hits": True}
    return [hit["_id"] for hit in json.loads(search.search("inventory-events", body, 1.0))["hits"]["hits"]]
