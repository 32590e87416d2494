"""What the index does, in memory and on Elasticsearch alike."""

import pytest

from relay.destination import Confirmed, Park
from relay.testing.commits import NEW_YEAR_2025_MS, chain, commit
from tests.support.delivering import deliver

JANUARY_ENDS_MS = 1_738_367_999_999


def test_what_was_delivered_is_found(index_world):
    """Every event is there once, under its id, with envelope, payload and metadata."""
    row = commit(
        "größe",
        4,
        aggregate_type="Parcel",
        event_type="Sent",
        data_json='{"weight":1.50,"to":{"city":"Köln"}}',
        metadata_json='{"user":"u"}',
        timestamp_ms=JANUARY_ENDS_MS,
    )

    report = deliver(index_world.index(), [[row], chain("a", 2, 1)], 10)
    index_world.reader.refresh()

    assert set(report.outcomes.values()) == {Confirmed()}
    assert index_world.reader.count() == 4
    assert list(index_world.reader.event_ids()) == ["a:1", "a:2", "a:3", "größe:4"]
    (found,) = index_world.reader.find_by_type("Sent", 10)
    assert (found.event_id, found.aggregate_id, found.aggregate_type) == ("größe:4", "größe", "Parcel")
    assert (found.sequence_number, found.event_type, found.timestamp_ms) == (4, "Sent", JANUARY_ENDS_MS)
    assert found.data == {"weight": 1.5, "to": {"city": "Köln"}}
    assert found.metadata == {"user": "u"}


def test_a_repeat_changes_nothing(index_world):
    """Delivering again, by the same process or another, counts as taken and stores nothing twice."""
    deliver(index_world.index(), [chain("a", 2)], 10)

    assert deliver(index_world.index(), [chain("a", 2, 1)], 10).outcomes == {
        ("a", 2): Confirmed(),
        ("a", 3): Confirmed(),
    }
    index_world.reader.refresh()
    assert index_world.reader.count() == 3


def test_each_month_has_its_index(index_world):
    """By the event's own time in UTC; those dated far away share one."""
    deliver(
        index_world.index(),
        [
            [commit("a", timestamp_ms=JANUARY_ENDS_MS)],
            [commit("b", timestamp_ms=JANUARY_ENDS_MS + 1)],
            [commit("c", timestamp_ms=0)],
            [commit("d", timestamp_ms=253_402_300_799_999)],
        ],
        10,
    )

    alias = index_world.names.alias
    assert index_world.indices() == [f"{alias}-2025.01", f"{alias}-2025.02", f"{alias}-beyond"]
    index_world.reader.refresh()
    assert index_world.reader.count() == 4


def test_the_latest_of_a_type(index_world):
    """Newest first, at most as many as asked for."""
    rows = [commit(f"a{minute}", timestamp_ms=NEW_YEAR_2025_MS + 60_000 * minute) for minute in (3, 1, 2)]
    deliver(index_world.index(), [[row] for row in rows] + [[commit("b", event_type="Paid")]], 10)
    index_world.reader.refresh()

    assert [found.event_id for found in index_world.reader.find_by_type("Placed", 2)] == ["a3:1", "a2:1"]
    assert index_world.reader.find_by_type("Unknown", 10) == []


@pytest.mark.parametrize("data", ["[1,2]", "17", '{"a":', '{"a":1}}'])
def test_a_document_that_cannot_be_taken(index_world, data):
    """Its commit is parked for the index; the commit above it and other aggregates are taken."""
    report = deliver(index_world.index(), [[commit("a", 1, data_json=data), commit("a", 2)], chain("b", 1)], 10)

    parked = report.outcomes[("a", 1)]
    assert isinstance(parked, Park)
    assert parked.error_class == "document_parsing_exception"
    assert "event 1 (a:1)" in parked.reason
    assert report.outcomes[("a", 2)] == Confirmed()
    assert report.outcomes[("b", 1)] == Confirmed()
    assert report.trouble is None


@pytest.mark.parametrize(
    "data",
    [
        "{}",
        '{\n  "lines": [\n    {"sku": "A-1"},\r\n    {"sku": "B-2"}\n  ]\n}',
        '{"a":' * 64 + "{}" + "}" * 64,
        '{"number":123456789012345678901234567890,"float":1E2,"minus":-0,"null":null,"text":"\\u0000 \\n"}',
        '{"long":"' + "x" * 40_000 + '"}',
        '{"a.b":{"c":1},"a":{"b":2}}',
    ],
    ids=["empty", "over several lines", "64 levels deep", "odd values", "a long text", "dots in names"],
)
def test_payloads_of_every_kind_are_taken(index_world, data):
    """What an append accepts, the index takes."""
    assert deliver(index_world.index(), [[commit("a", data_json=data)]], 10).outcomes == {("a", 1): Confirmed()}


def test_an_index_that_was_never_written(index_world):
    """Readers of an index that does not exist yet find nothing, and that is not an error."""
    index_world.reader.refresh()

    assert index_world.reader.count() == 0
    assert list(index_world.reader.event_ids()) == []
    assert list(index_world.reader.documents()) == []
    assert index_world.reader.find_by_type("Placed", 10) == []


def test_more_ids_than_a_page(index_world):
    """Ids are read over pages, each once."""
    chains = [chain(f"a{number:03}", *[1] * 25) for number in range(100)]
    deliver(index_world.index(), chains, 30)
    index_world.reader.refresh()

    ids = list(index_world.reader.event_ids())
    assert len(ids) == 2500
    assert len(set(ids)) == 2500


def test_documents_with_the_indices_they_are_in(index_world):
    """Each with its id, its index and all that it holds, in order of ids, over pages."""
    last = commit("z", data_json='{"price":1.50}', metadata_json='{"user":"u"}', timestamp_ms=JANUARY_ENDS_MS + 1)
    deliver(index_world.index(), [[last], *(chain(f"a{number:03}", 1) for number in range(120))], 30)
    index_world.reader.refresh()

    found = list(index_world.reader.documents())

    alias = index_world.names.alias
    assert [each.document_id for each in found] == [*(f"a{number:03}:1" for number in range(120)), "z:1"]
    assert {each.index for each in found[:-1]} == {f"{alias}-2025.01"}
    assert found[-1].index == f"{alias}-2025.02"
    assert found[-1].source == {
        "aggregate_id": "z",
        "aggregate_type": "Order",
        "sequence_number": 1,
        "event_type": "Placed",
        "event_id": "z:1",
        "commit_id": "z:1-1",
        "commit_first": 1,
        "commit_last": 1,
        "timestamp": JANUARY_ENDS_MS + 1,
        "schema_version": 1,
        "epoch": 0,
        "data": {"price": 1.5},
        "metadata": {"user": "u"},
    }


def test_idle_and_close_at_any_time(index_world):
    """Before, between and after deliveries both are harmless."""
    index = index_world.index()
    index.look(1.0)
    index.close()
    assert deliver(index, [chain("a", 1)], 10).trouble is None
    index.close()
    assert deliver(index, [chain("b", 1)], 10).trouble is None
