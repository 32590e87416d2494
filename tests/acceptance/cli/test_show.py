"""`eventstore show` as a process."""

import io

import pytest
from rich.console import Console

from eventstore import AggregateRef, NewEvent
from eventstore.cli.output import envelope
from eventstore.cli.output.event_list import EventList
from tests.acceptance.cli.commands import end_all

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

EVENT_KEYS = [
    "aggregate_id",
    "aggregate_type",
    "sequence_number",
    "type",
    "schema_version",
    "timestamp_ms",
    "event_id",
    "commit_id",
    "epoch",
    "data",
    "metadata",
]


@pytest.fixture
def history(corner):
    """Three events of SKU-1, a second apart."""
    events = [NewEvent("COUNTED", {"n": number}, {}, 1, 1_700_000_000_000 + number * 1000) for number in (1, 2, 3)]
    corner.store().append(AggregateRef("ITEM", "SKU-1"), events, expected_version=0)
    return corner.store().load("SKU-1")


def test_text_lines_and_ranges(terminal, history):
    """
    A table for people, one JSON object per event for machines, `--after` and `--limit` for both; 1 for nothing.
    """
    found = terminal.run_all(
        {
            "text": ["eventstore", "show", "SKU-1"],
            "json": ["eventstore", "show", "SKU-1", "--json"],
            "range": ["eventstore", "show", "SKU-1", "--json", "--after=1", "--limit=1"],
            "end": ["eventstore", "show", "SKU-1", "--after=3"],
            "nobody": ["eventstore", "show", "SKU-2", "--json"],
        },
    )

    assert {name: finished.code for name, finished in found.items()} == {
        "text": 0,
        "json": 0,
        "range": 0,
        "end": 1,
        "nobody": 1,
    }
    rows = found["text"].out.splitlines()
    assert rows[0].strip() == "aggregate SKU-1"
    assert [cell.strip() for cell in rows[2].split("┃")[1:-1]] == ["no.", "time (UTC)", "type", "data"]
    assert [cell.strip() for cell in rows[4].split("│")[1:-1]] == ["1", "2023-11-14 22:13:21", "COUNTED", '{"n":1}']
    assert len(rows) == 8
    assert [list(event) for event in found["json"].lines] == [EVENT_KEYS] * 3
    assert found["json"].lines[0] == {
        "aggregate_id": "SKU-1",
        "aggregate_type": "ITEM",
        "sequence_number": 1,
        "type": "COUNTED",
        "schema_version": 1,
        "timestamp_ms": 1_700_000_001_000,
        "event_id": history[0].event_id,
        "commit_id": history[0].commit_id,
        "epoch": 1,
        "data": {"n": 1},
        "metadata": {},
    }
    assert [event["sequence_number"] for event in found["range"].lines] == [2]
    assert found["end"].error == "aggregate 'SKU-1' has no events after 3"
    assert found["nobody"].error == "aggregate 'SKU-2' has no events"
    assert found["end"].out == found["nobody"].out == ""


NAMES = {
    "[/red]": "[/red]",
    "[bold]x": "[bold]x",
    "new\nline": r"new\nline",
    "\x1b[31mred": r"\x1b[31mred",
    "\u202eback": r"\u202eback",
    "Öl 🛢": "Öl 🛢",
}


def test_names_and_payloads_are_text_and_nothing_else(terminal, corner):
    """
    Markup is shown as it is, and what would steer a terminal is written out; JSON says everything exactly.
    """
    for name in NAMES:
        corner.store().append(AggregateRef("ITEM", name), [NewEvent("A", {"t": name})], expected_version=0)

    found = terminal.run_all(
        {
            "tail": ["eventstore", "tail"],
            "json": ["eventstore", "tail", "--json"],
            **{name: ["eventstore", "show", name] for name in ("[/red]", "new\nline")},
        },
    )

    assert {finished.code for finished in found.values()} == {0}
    cells = [row.split("│") for row in found["tail"].out.splitlines()[3:-1]]
    assert [(cell[1].strip(), cell[2].strip()) for cell in cells] == [(shown, "1") for shown in NAMES.values()]
    assert "\x1b" not in found["tail"].out
    assert [(event["aggregate_id"], event["data"]) for event in found["json"].lines] == [
        (name, {"t": name}) for name in NAMES
    ]
    assert found["[/red]"].out.splitlines()[0].strip() == "aggregate [/red]"
    assert found["new\nline"].out.splitlines()[0].strip() == r"aggregate new\nline"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_in_a_place_without_the_letters(terminal, corner, encoding):
    """
    Letters that a terminal cannot show are written out; JSON is UTF-8 everywhere.
    """
    corner.store().append(AggregateRef("ITEM", "Öl 🛢"), [NewEvent("A", {"t": "🛢"})], expected_version=0)
    there = terminal.with_settings(LC_ALL="C", PYTHONIOENCODING=encoding)

    found = there.run_all({"text": ["eventstore", "tail"], "json": ["eventstore", "tail", "--json"]})

    assert {finished.code for finished in found.values()} == {0}
    assert b"\\U0001f6e2" in found["text"].raw
    assert found["json"].document["data"] == {"t": "🛢"}


def test_a_reader_that_has_seen_enough(terminal, corner):
    """
    With `| head` the command ends when its reader does, and complains of nothing.
    """
    item, store = AggregateRef("ITEM", "SKU-1"), corner.store()
    store.append(item, [NewEvent("A", {"t": "x" * 1000})] * 98, expected_version=0)

    line = '{ "$@"; echo "code $?" >&2; } | true'
    flags: dict[str, list[str]] = {"text": [], "json": ["--json"]}

    found = end_all({name: terminal.shell(line, "eventstore", "show", "SKU-1", *more) for name, more in flags.items()})

    assert {name: finished.err for name, finished in found.items()} == dict.fromkeys(flags, "code 4\n")


def test_as_of(terminal, history):
    """
    By number or by time: up to the first event that is later; where nothing was there yet, the exit code is 1.
    """
    show = ["eventstore", "show", "SKU-1", "--json"]
    found = terminal.run_all(
        {
            "number": [*show, "--as-of", "2"],
            "time": [*show, "--as-of", "1700000002000"],
            "before": [*show, "--as-of", "2023-11-14T22:13:20Z"],
            "not above": [*show, "--as-of", "2", "--after", "2"],
        },
    )

    codes = {name: finished.code for name, finished in found.items()}
    assert codes == {"number": 0, "time": 0, "before": 1, "not above": 2}
    shown = {name: [event["data"]["n"] for event in finished.lines] for name, finished in found.items()}
    assert shown["number"] == shown["time"] == [1, 2]
    assert found["before"].error == "aggregate 'SKU-1' has no events at that time"
    assert "2 is not above --after 2" in found["not above"].error


def test_diff(terminal, corner):
    """
    Each payload against the one before it of the same type, by path; events that are passed over still count as before.
    """
    priced = [
        {"price": {"amount": 1, "currency": "EUR"}, "tags": ["a"], "a.b": 1},
        {"price": {"amount": 1.0, "currency": "EUR"}, "tags": ["a", "b"]},
        {"tags": ["a", "b"], "price": {"currency": "EUR", "amount": 1.0}},
    ]
    events = [NewEvent("PRICED", data, timestamp_ms=1_700_000_000_000) for data in priced]
    moved = NewEvent("MOVED", {"price": {"amount": 9}}, timestamp_ms=1_700_000_000_000)
    corner.store().append(AggregateRef("ITEM", "SKU-1"), [events[0], moved, *events[1:]], expected_version=0)

    found = terminal.run_all(
        {
            "text": ["eventstore", "show", "SKU-1", "--diff"],
            "json": ["eventstore", "show", "SKU-1", "--diff", "--json", "--after", "2", "--limit", "1"],
        },
    )

    assert {finished.code for finished in found.values()} == {0}
    assert found["text"].out.splitlines() == [
        "1  2023-11-14 22:13:20  PRICED  (the first of its type)",
        "    + price.amount: 1",
        '    + price.currency: "EUR"',
        '    + tags: ["a"]',
        '    + "a.b": 1',
        "2  2023-11-14 22:13:20  MOVED  (the first of its type)",
        "    + price.amount: 9",
        "3  2023-11-14 22:13:20  PRICED  (against 1)",
        "    ~ price.amount: 1 -> 1.0",
        '    ~ tags: ["a"] -> ["a","b"]',
        '    - "a.b": 1',
        "4  2023-11-14 22:13:20  PRICED  (against 3)",
        "    = as before",
    ]
    (event,) = found["json"].lines
    assert (event["sequence_number"], event["data"]) == (3, priced[1])
    assert event["diff"] == {
        "against": 1,
        "added": {},
        "changed": {"price.amount": {"from": 1, "to": 1.0}, "tags": {"from": ["a"], "to": ["a", "b"]}},
        "removed": {'"a.b"': 1},
    }


def test_rows_that_cannot_be_read(terminal, corner, history):
    """
    Each is named on standard error and ends the command with 1; its neighbours are shown.
    """
    key = {"aggregateId": {"S": "SKU-1"}, "sequenceNumber": {"N": "2"}}
    corner.client.update_item(TableName="inventory_events", Key=key, UpdateExpression="REMOVE eventData")
    key["sequenceNumber"] = {"N": "3"}
    corner.client.update_item(
        TableName="inventory_events",
        Key=key,
        UpdateExpression="SET eventData = :text",
        ExpressionAttributeValues={":text": {"S": "{oops"}},
    )

    found = terminal.run_all(
        {
            "show": ["eventstore", "show", "SKU-1", "--json"],
            "diff": ["eventstore", "show", "SKU-1", "--diff"],
            "tail": ["eventstore", "tail", "--type", "COUNTED", "--json"],
        },
    )

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(found, 1)
    for finished in found.values():
        errors = finished.err.splitlines()
        assert len(errors) == 2
        assert {"SKU-1/2" in errors[0], "SKU-1/3" in errors[1]} == {True}
    assert [event["data"] for event in found["show"].lines] == [{"n": 1}]
    assert [event["data"] for event in found["tail"].lines] == [{"n": 1}]
    assert found["diff"].out.splitlines()[1:] == ["    + n: 1"]


@pytest.mark.parametrize("width", [80, 40])
def test_on_a_terminal_of_some_columns(corner, monkeypatch, width):
    """
    Without colours nothing is cut or runs over the edge; where there is room, times stay in one piece.
    """
    data = {"text": "forty words or so, which do not fit into one line"}
    event = NewEvent("SOMETHING_WITH_A_LONG_NAME", data, timestamp_ms=1_700_000_000_000)
    corner.store().append(AggregateRef("ITEM", "SKU-1"), [event], expected_version=0)
    paper = io.StringIO()
    monkeypatch.setattr(envelope, "console", lambda: Console(file=paper, width=width, color_system=None))

    EventList(as_lines=False, with_aggregate=True).print(corner.store().load("SKU-1"))

    lines = paper.getvalue().splitlines()
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    whole = ["".join(column) for column in zip(*cells, strict=True)]
    assert max(map(len, lines)) <= width
    assert whole[:2] == ["SKU-1", "1"]
    assert whole[2].replace(" ", "") == "2023-11-1422:13:20"
    assert whole[3] == "SOMETHING_WITH_A_LONG_NAME"
    assert whole[4].replace(" ", "") == '{"text":"fortywordsorso,whichdonotfitintooneline"}'
    assert (cells[0][2] == "2023-11-14 22:13:20") is (width == 80)
