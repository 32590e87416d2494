"""An event as a document, and the template that types it."""

import json
from dataclasses import replace

import pytest

from relay.destinations.index import bulk_lines
from relay.destinations.index.settings import IndexSettings, PromotedType
from relay.destinations.index.template import merged, template
from relay.destinations.resource_names import Names
from relay.testing.commits import commit


def lines(settings: IndexSettings, **event) -> tuple[bytes, bytes]:
    row = commit("order-1", 3, **event)
    assert row.events is not None
    first, second, rest = bulk_lines.encode(row.events[0], settings).lines.split(b"\n")
    assert rest == b""
    return first, second


def test_the_whole_document():
    """Action and document, byte for byte; payload and metadata as they were stored."""
    action, source = lines(
        IndexSettings(),
        data_json='{"price":12.50,"name":"é"}',
        metadata_json='{"user":"u"}',
        timestamp_ms=1_738_367_999_999,
        epoch=2,
    )

    assert action == b'{"create":{"_index":"inventory-events-2025.01","_id":"order-1:3"}}'
    assert source.decode() == (
        '{"aggregate_id":"order-1","aggregate_type":"Order","sequence_number":3,"event_type":"Placed",'
        '"event_id":"order-1:3","commit_id":"order-1:3-3","commit_first":3,"commit_last":3,'
        '"timestamp":1738367999999,"schema_version":1,"epoch":2,'
        '"data":{"price":12.50,"name":"é"},"metadata":{"user":"u"}}'
    )


@pytest.mark.parametrize(
    ("timestamp_ms", "index"),
    [
        (0, "inventory-events-beyond"),
        (631_151_999_999, "inventory-events-beyond"),
        (631_152_000_000, "inventory-events-1990.01"),
        (1_738_367_999_999, "inventory-events-2025.01"),
        (1_738_368_000_000, "inventory-events-2025.02"),
        (4_102_444_799_999, "inventory-events-2099.12"),
        (4_102_444_800_000, "inventory-events-beyond"),
        (253_402_300_799_999, "inventory-events-beyond"),
    ],
)
def test_the_month_is_the_events_own(timestamp_ms, index):
    """By its time in UTC, never by that of delivery; events dated far away share one index, instead of one each."""
    assert Names().index(timestamp_ms) == index


def test_a_payload_with_line_ends_stays_one_line():
    """JSON text stored over several lines would break a bulk body into wrong lines."""
    _, source = lines(IndexSettings(), data_json='{\n "a": "x\\ny",\r\n "b": 1\n}')

    assert json.loads(source)["data"] == {"a": "x\ny", "b": 1}


PROMOTED = IndexSettings(
    promoted={"price": PromotedType.DOUBLE, "lines.sku": PromotedType.TEXT, "note.text": PromotedType.TEXT},
)


def test_promoted_fields_are_copied():
    """Values at the promoted paths are copied under their whole path."""
    _, source = lines(PROMOTED, data_json='{"price":12.5,"note":{"text":"hello"},"other":1}')

    assert json.loads(source)["promoted"] == {"price": 12.5, "note.text": "hello"}


@pytest.mark.parametrize(
    "data",
    ['{"other":1}', '{"price":null}', '{"note":"text"}', "not json"],
)
def test_what_is_not_there_is_not_promoted(data):
    """Nulls and absent values have no copy; the event is indexed without."""
    _, source = lines(PROMOTED, data_json=data)

    assert b"promoted" not in source


@pytest.mark.parametrize("data", ['{"price":{"amount":1}}', '{"price":[{}]}', '{"price":true}', '{"price":"12,50"}'])
def test_what_does_not_fit_is_named(data):
    """Objects and values of another type have no copy, and the document says so."""
    row = commit("order-1", 3, data_json=data)
    assert row.events is not None

    encoded = bulk_lines.encode(row.events[0], PROMOTED)

    document = json.loads(encoded.lines.splitlines()[1])
    assert "promoted" not in document
    assert document["unpromoted"] == ["price"]
    assert encoded.unpromoted == ("price",)


def test_a_list_of_values_is_promoted():
    """Lists of plain values are what the index takes for several values."""
    _, source = lines(PROMOTED, data_json='{"price":[1,2.5,{}]}')

    assert json.loads(source)["promoted"] == {"price": [1, 2.5]}
    assert json.loads(source)["unpromoted"] == ["price"]


def test_the_template():
    """The template types the envelope, flattens the rest, refuses to grow, and carries the alias."""
    body = template(IndexSettings(names=Names("shop"), replicas=0, promoted={"price": PromotedType.DOUBLE}))

    assert body["index_patterns"] == ["shop-events-*"]
    assert body["priority"] == 204
    assert body["version"] == 3
    assert body["template"]["aliases"] == {"shop-events": {}}
    assert body["template"]["settings"] == {"index": {"number_of_shards": 1, "number_of_replicas": 0}}
    mappings = body["template"]["mappings"]
    assert mappings["dynamic"] is False
    assert mappings["properties"]["timestamp"] == {"type": "date", "format": "epoch_millis"}
    assert mappings["properties"]["data"] == {"type": "flattened", "ignore_above": 1024, "depth_limit": 72}
    assert mappings["properties"]["promoted"] == {
        "dynamic": False,
        "properties": {"price": {"type": "double", "ignore_malformed": True, "coerce": False}},
    }


def test_the_template_of_a_longer_prefix_wins_where_both_meet():
    """`x-events-*` also meets the indices of the prefix `x-events`; two of one priority would be refused."""
    short, long = (template(IndexSettings(names=Names(prefix))) for prefix in ("x", "x-events"))

    assert long["priority"] > short["priority"]
    assert Names("x").is_index("x-events-2025.01")
    assert Names("x").is_index("x-events-beyond")
    assert not Names("x").is_index("x-events-events-2025.01")
    assert not Names("x").is_index("x-events-events-beyond")
    assert not Names("x").is_index("x-events-2025")


THEIRS = {
    "index_patterns": ["shop-*"],
    "priority": 7,
    "version": 2,
    "composed_of": ["their-settings"],
    "_meta": {"owner": "ops"},
    "template": {
        "settings": {
            "index": {
                "number_of_shards": "3",
                "refresh_interval": "30s",
                "codec": "best_compression",
                "lifecycle": {"name": "year"},
            },
            "index.routing.allocation.total_shards_per_node": "2",
        },
        "mappings": {
            "_source": {"enabled": True},
            "dynamic": True,
            "properties": {"timestamp": {"type": "keyword"}, "theirs": {"type": "keyword"}},
        },
        "aliases": {"everything": {}},
    },
}


def test_what_operators_added_to_the_template_stays():
    """And what is ours is ours again: patterns, priority, version, shards and replicas, fields and alias."""
    wanted = template(IndexSettings(names=Names("shop"), replicas=0))

    made = merged(wanted, THEIRS)

    assert made == {
        "index_patterns": ["shop-events-*"],
        "priority": 204,
        "version": 3,
        "composed_of": ["their-settings"],
        "_meta": {"owner": "ops"},
        "template": {
            "settings": {
                "index": {
                    "number_of_shards": 1,
                    "number_of_replicas": 0,
                    "refresh_interval": "30s",
                    "codec": "best_compression",
                    "lifecycle": {"name": "year"},
                    "routing": {"allocation": {"total_shards_per_node": "2"}},
                },
            },
            "mappings": {
                "_source": {"enabled": True},
                "dynamic": False,
                "properties": {"theirs": {"type": "keyword"}, **wanted["template"]["mappings"]["properties"]},
            },
            "aliases": {"everything": {}, "shop-events": {}},
        },
    }
    assert merged(wanted, {"template": None}) == wanted


def test_every_field_of_a_document_is_typed():
    """With `dynamic: false` a field that the template forgets could not be found."""
    _, source = lines(PROMOTED, data_json='{"price":[1,true]}')

    assert set(json.loads(source)) == set(template(PROMOTED)["template"]["mappings"]["properties"])


@pytest.mark.parametrize("prefix", ["", "Inventory", "a.b", "-a", "a" * 65, "a b"])
def test_a_prefix_that_elasticsearch_would_refuse(prefix):
    """Index names are checked before anything is sent."""
    with pytest.raises(ValueError, match="lower-case letters"):
        Names(prefix)


def test_all_faults_of_the_settings_in_one_message():
    """A person fixes them at once rather than one by one."""
    with pytest.raises(
        ValueError, match=r"batch_max_bytes is 0.*batch_max_events is 0.*'a b' is not a path.*within 'x'"
    ):
        IndexSettings(
            batch_max_bytes=0,
            batch_max_events=0,
            promoted={"a b": PromotedType.LONG, "x": PromotedType.LONG, "x.y": PromotedType.LONG},
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"event_id": "x" * 513}, "an id of no or more than 512 bytes"),
        ({"event_id": ""}, "an id of no or more than 512 bytes"),
        ({"epoch": 2**63}, "epoch 9223372036854775808: its field in the index holds 64 bits"),
        ({"schema_version": 2**31}, "schema_version 2147483648: its field in the index holds 32 bits"),
        ({"schema_version": -(2**63)}, "schema_version -9223372036854775808"),
        ({"sequence_number": 10**38 - 1}, f"sequence_number {10**38 - 1}"),
        ({"sequence_number": 10**100}, "sequence_number more than 40 digits"),
    ],
)
def test_what_the_index_would_hold_against_the_whole_request_or_mapping_is_parked(change, words):
    """A bulk request with a longer id is refused as a whole; a number that is no long looks like another mapping."""
    row = commit("order-1", 3)
    assert row.events is not None

    fault = bulk_lines.unindexable(replace(row.events[0], **change))

    assert fault is not None
    assert fault.error_class == "unindexable"
    assert words in fault.reason
    assert len(fault.reason) < 700


def test_ids_and_numbers_at_their_limits_are_indexed():
    """As long as the index takes them."""
    row = commit("order-1", 3)
    assert row.events is not None
    event = replace(row.events[0], event_id="x" * 512, epoch=2**63 - 1, schema_version=2**31 - 1)

    assert bulk_lines.unindexable(event) is None


def test_the_whole_template() -> None:
    """
    As it is put; a typed copy that does not fit neither refuses its event nor is bent.
    """
    promoted = {
        "at": PromotedType.DATE,
        "note": PromotedType.TEXT,
        "count": PromotedType.LONG,
        "price.amount": PromotedType.DOUBLE,
    }
    made = template(IndexSettings(names=Names("shop"), promoted=promoted, shards=3, replicas=2))

    properties = made["template"]["mappings"]["properties"]
    assert made["index_patterns"] == ["shop-events-*"]
    assert made["template"]["settings"] == {"index": {"number_of_shards": 3, "number_of_replicas": 2}}
    assert made["template"]["aliases"] == {"shop-events": {}}
    assert made["template"]["mappings"]["dynamic"] is False
    assert properties["promoted"] == {
        "dynamic": False,
        "properties": {
            "at": {"type": "date", "ignore_malformed": True},
            "note": {"type": "text"},
            "count": {"type": "long", "ignore_malformed": True, "coerce": False},
            "price.amount": {"type": "double", "ignore_malformed": True, "coerce": False},
        },
    }
    assert properties["unpromoted"] == {"type": "keyword"}
    assert properties["aggregate_id"] == {"type": "keyword"}
    assert properties["schema_version"] == {"type": "integer"}
    assert properties["timestamp"] == {"type": "date", "format": "epoch_millis"}
    assert properties["data"] == {"type": "flattened", "ignore_above": 1024, "depth_limit": 72}
    plain = template(IndexSettings(names=Names("shop")))["template"]["mappings"]["properties"]
    assert "promoted" not in plain
    assert "unpromoted" not in plain


def test_what_operators_added_to_a_stored_template_is_kept() -> None:
    """
    Where ours does not speak of it.
    """
    wanted = template(IndexSettings(names=Names("shop")))
    theirs = {
        "composed_of": ["more"],
        "_meta": {"by": "ann"},
        "allow_auto_create": True,
        "ignore_missing_component_templates": ["more"],
        "version": 1,
        "data_stream": {},
    }

    made = merged(wanted, theirs)

    kept = ("composed_of", "_meta", "allow_auto_create", "ignore_missing_component_templates")
    assert {name: made[name] for name in kept} == {name: theirs[name] for name in kept}
    assert made["version"] == wanted["version"]
    assert "data_stream" not in made
