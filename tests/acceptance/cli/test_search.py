"""`eventstore search` as a process, on an index that the relay has filled."""

import pytest

from eventstore import AggregateRef, NewEvent
from tests.support.ports import nobody

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

DAY_MS = 1_699_920_000_000  # 2023-11-14
NOTES = ("Spring sale", "New supplier", "New spring range")


@pytest.fixture
def there(terminal):
    """A terminal whose index has typed copies of price and note."""
    return terminal.with_settings(RELAY_INDEX_PROMOTED='{"price": "double", "note": "text"}')


@pytest.fixture
def filled(there, corner):
    """Three events of ITEMs, a day apart, and one of an ORDER, all in the index."""
    store = corner.store()
    for number, note in enumerate(NOTES):
        event = NewEvent(
            "PRICED",
            {"price": 10 * number + 0.5, "currency": "EUR", "note": note, "n": number},
            {"correlation_id": f"request-{number}", "user": "ada"},
            timestamp_ms=DAY_MS + number * 86_400_000,
        )
        store.append(AggregateRef("ITEM", f"SKU-{number}"), [event], expected_version=0)
    store.append(AggregateRef("ORDER", "7"), [NewEvent("PLACED", {"n": 3}, timestamp_ms=DAY_MS)], expected_version=0)
    assert there.run("relay", "replay").code == 0


def test_conditions(there, filled):
    """
    Each option narrows the result down; newest first unless told otherwise.
    """
    asked = {
        "all": (["--until", "2024-01-01"], None),
        "types": (["--type", "PRICED", "--type", "NONE", "--oldest-first"], [0, 1, 2]),
        "aggregate type": (["--aggregate-type", "ORDER"], [3]),
        "aggregates": (["--aggregate", "SKU-1", "--aggregate", "SKU-2", "--from", "2023-11-15"], [2, 1]),
        "until": (["--until", "2023-11-15T00:00:00.001Z", "--type", "PRICED"], [1, 0]),
        "data": (["--data", "currency=EUR", "--data", "n=1", "--correlation-id", "request-1"], [1]),
        "metadata": (["--metadata", "user=ada", "-n", "1", "--range", "price=10.."], [2]),
        "text": (["--text", "note=spring new"], [2]),
        "range": (["--range", "price=0.5..20.5"], [1, 0]),
    }
    until_findable = there.run("eventstore", "search", "--count", "--json").document["data"]["index_lag"]
    assert (until_findable["owed"], until_findable["complete"]) == (0, True)

    found = there.run_all({name: ["eventstore", "search", "--json", *more] for name, (more, _) in asked.items()})

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(asked, 0)
    shown = {name: [event["data"]["n"] for event in finished.lines] for name, finished in found.items()}
    assert sorted(shown.pop("all")) == [0, 1, 2, 3]
    assert shown == {name: numbers for name, (_, numbers) in asked.items() if numbers is not None}
    for finished in found.values():
        assert finished.err.startswith("the index has everything that was committed; newest commit found: 20")


def test_counts_facets_and_a_table(there, filled, corner):
    """
    A count, values with their counts, and a table for people; what the index lacks is said.
    """
    corner.store().append(AggregateRef("ITEM", "SKU-9"), [NewEvent("PRICED", {"n": 9})], expected_version=0)
    found = there.run_all(
        {
            "count": ["eventstore", "search", "--count"],
            "count json": ["eventstore", "search", "--count", "--json", "--type", "PRICED"],
            "facet": ["eventstore", "search", "--facet", "event_type"],
            "facet json": ["eventstore", "search", "--facet", "day", "--json", "-n", "2"],
            "table": ["eventstore", "search", "--type", "PLACED"],
            "nothing": ["eventstore", "search", "--type", "NONE"],
        },
    )

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(found, 0)
    assert found["count"].out == "4 events\n"
    assert found["count"].err.startswith("the index lacks 1 commits, the oldest of them ")
    assert found["count json"].document["data"]["count"] == 3
    assert found["count json"].document["data"]["index_lag"]["owed"] == 1
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in found["facet"].out.splitlines()]
    assert [row for row in cells if row] == [["PRICED", "3"], ["PLACED", "1"]]
    facet = found["facet json"].document["data"]
    assert facet["counts"] == [{"value": "2023-11-16", "count": 1}, {"value": "2023-11-15", "count": 1}]
    assert facet["others"] == 2
    rows = found["table"].out.splitlines()
    assert [cell.strip() for cell in rows[3].split("│")[1:-1]] == ["7", "1", "2023-11-14 00:00:00", "PLACED", '{"n":3}']
    assert found["nothing"].out == ""
    assert found["nothing"].err.startswith("no such events\nthe index lacks 1 commits")


def test_what_cannot_be_asked(there, corner):
    """
    It ends with 2 and says which option; an index that does not answer with 3, in an envelope where one was asked for.
    """
    with nobody() as port:
        away = there.with_settings(RELAY_ELASTICSEARCH_URL=f"http://127.0.0.1:{port}")
        silent = away.run("eventstore", "search", "--count", "--json")
    unset = there.with_settings(RELAY_ELASTICSEARCH_URL=None).run("eventstore", "search")
    found = there.run_all(
        {
            "reversed": ["eventstore", "search", "--from", "2024-01-02", "--until", "2024-01-01"],
            "no time": ["eventstore", "search", "--from", "soon"],
            "not promoted": ["eventstore", "search", "--range", "weight=1..2"],
            "facet": ["eventstore", "search", "--facet", "colour", "--json"],
            "two questions": ["eventstore", "search", "--facet", "day", "--count"],
        },
    )

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(found, 2)
    assert "the range is reversed" in found["reversed"].error
    assert "Invalid value for '--from': 'soon' is not a time" in found["no time"].error
    assert found["not promoted"].error.startswith("promoted.weight: is not promoted (note, price)")
    assert found["facet"].document["diagnostics"] == [found["facet"].error]
    assert "give one of them" in found["two questions"].error
    assert (silent.code, silent.document["status"]) == (3, "error")
    assert (unset.code, "RELAY_ELASTICSEARCH_URL" in unset.error) == (2, True)
