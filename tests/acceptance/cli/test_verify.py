"""`eventstore verify` and `eventstore stats` as processes."""

import pytest

from eventstore import AggregateRef, NewEvent

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

DAY_MS = 1_699_920_000_000  # 2023-11-14


@pytest.fixture
def stored(corner):
    """Three events of SKU-1 on two days, the clock turned back at the last, and one of SKU-2 today."""
    events = [NewEvent("A", {"n": n}, timestamp_ms=DAY_MS + at) for n, at in ((1, 0), (2, 86_400_000), (3, 1000))]
    store = corner.store()
    store.append(AggregateRef("ITEM", "SKU-1"), events, expected_version=0)
    store.append(AggregateRef("ORDER", "SKU-2"), [NewEvent("B", {})], expected_version=0, idempotency_key="k")


def test_notes_are_no_faults(terminal, stored):
    """
    A clock that ran backwards is said and is fine; a part can be looked at, and what was is said on standard error.
    """
    found = terminal.run_all(
        {
            "all": ["eventstore", "verify"],
            "aggregate": ["eventstore", "verify", "--aggregate", "SKU-2"],
            "since": ["eventstore", "verify", "--since", "1h", "--json"],
            "both": ["eventstore", "verify", "--since", "1h", "--aggregate", "SKU-2"],
        },
    )

    assert {name: finished.code for name, finished in found.items()} == {
        "all": 0,
        "aggregate": 0,
        "since": 0,
        "both": 2,
    }
    assert found["all"].out == (
        "note  time_backwards  SKU-1 3: the timestamp is 86399000 ms older than that of the event before\n"
    )
    looked = "looked at {} events of {} aggregates and {} rows of outbox and keys: 0 faults, {} notes\n"
    assert found["all"].err == looked.format(4, 2, 3, 1)
    assert (found["aggregate"].out, found["aggregate"].err) == ("", looked.format(1, 1, 2, 0))
    assert (found["since"].out, found["since"].err) == ("", looked.format(1, 1, 3, 0))
    assert "give either it or --since" in found["both"].error


def test_faults(terminal, stored, corner):
    """
    Each is a line, and the exit code is 1.
    """
    key = {"aggregateId": {"S": "SKU-1"}, "sequenceNumber": {"N": "2"}}
    corner.client.delete_item(TableName="inventory_events", Key=key)

    found = terminal.run_all(
        {
            "text": ["eventstore", "verify"],
            "json": ["eventstore", "verify", "--json", "--aggregate", "SKU-1"],
            "other": ["eventstore", "verify", "--aggregate", "SKU-2"],
        },
    )

    assert {name: finished.code for name, finished in found.items()} == {"text": 1, "json": 1, "other": 0}
    kinds = [(each["severity"], each["kind"], each["number"]) for each in found["json"].lines]
    assert kinds == [("fault", "hole", 2), ("fault", "broken_commit", 3), ("fault", "outbox_without_events", 2)]
    assert list(found["json"].lines[0]) == ["severity", "kind", "aggregate_id", "number", "sentence"]
    assert found["text"].out.startswith("fault  hole  SKU-1 2: ")
    assert found["text"].err.endswith(": 3 faults, 0 notes\n")


def test_stats(terminal, stored):
    """
    Counts by type and day with sizes, all of them as JSON, the first of them for people.
    """
    found = terminal.run_all(
        {
            "json": ["eventstore", "stats", "--json"],
            "text": ["eventstore", "stats"],
            "short": ["eventstore", "stats", "--rows", "1"],
        },
    )

    assert {finished.code for finished in found.values()} == {0}
    data = found["json"].document["data"]
    sizes = data["by_type"]["A"]["size_bytes"] + data["by_type"]["B"]["size_bytes"]
    assert sizes == data["size_bytes"] > data["largest_bytes"] > 200
    counts = ("events", "aggregates", "commits", "corrupt_rows", "outbox_rows", "idempotency_rows")
    assert [data[name] for name in counts] == [4, 2, 2, 0, 2, 1]
    assert {name: each["events"] for name, each in data["by_aggregate_type"].items()} == {"ITEM": 3, "ORDER": 1}
    assert [each["events"] for each in data["by_day"].values()] == [2, 1, 1]
    assert list(data["by_day"])[:2] == ["2023-11-14", "2023-11-15"]
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in found["text"].out.splitlines()]
    assert ["owed commits", "2"] in cells
    assert ["A", "3", f"{data['by_type']['A']['size_bytes']} B"] in cells
    assert [row[0] for row in cells if row and row[0].startswith("2023-")] == ["2023-11-15", "2023-11-14"]
    assert "(2 earlier days)" in found["short"].out
    assert "(1 types)" in found["short"].out
