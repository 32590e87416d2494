"""`eventstore schema check` as a process, with a registry in the folder one is in."""

import pytest

from eventstore import AggregateRef, NewEvent

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

REGISTRY = """
from eventstore import EventTypes

print("a module may say something")
events = EventTypes()


@events.upcaster("COUNTED", 1)
def with_unit(data):
    return {**data, "unit": "piece"}


broken = EventTypes()


@broken.upcaster("COUNTED", 2)
def never_reached(data):
    return data


broken.add_plain("MOVED", 1)
number = 7
"""


@pytest.fixture
def program(corner, tmp_path):
    """Two events of COUNTED, one of MOVED, and a module `shop_events`."""
    (tmp_path / "shop_events.py").write_text(REGISTRY)
    (tmp_path / "shop_leaves.py").write_text("raise SystemExit('enough')\n")
    events = [NewEvent("COUNTED", {"n": 1}), NewEvent("COUNTED", {"n": 2}), NewEvent("MOVED", {})]
    corner.store().append(AggregateRef("ITEM", "SKU-1"), events, expected_version=0)


def test_what_a_program_can_read(terminal, program):
    """
    Notes end with 0, a gap in a chain with 1 and what to register; without a registry it counts.
    """
    check = ["eventstore", "schema", "check"]
    found = terminal.run_all(
        {
            "alone": check,
            "fine": [*check, "--events", "shop_events:events", "--json"],
            "gap": [*check, "--events", "shop_events:broken"],
            "gap json": [*check, "--events", "shop_events:broken", "--json"],
        },
    )

    codes = {name: finished.code for name, finished in found.items()}
    assert codes == {"alone": 0, "fine": 0, "gap": 1, "gap json": 1}
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in found["alone"].out.splitlines()]
    assert [row for row in cells if row] == [["COUNTED", "1", "2"], ["MOVED", "1", "1"]]
    fine = found["fine"].document
    assert (fine["status"], fine["data"]["stored"]) == (
        "ok",
        [
            {"event_type": "COUNTED", "schema_version": 1, "events": 2},
            {"event_type": "MOVED", "schema_version": 1, "events": 1},
        ],
    )
    kinds = [(each["kind"], each["event_type"], each["is_error"]) for each in fine["data"]["findings"]]
    assert kinds == [("no_class", "COUNTED", False), ("unknown_type", "MOVED", False)]
    assert found["fine"].err == "a module may say something\n"
    assert "error  gap  no upcaster leads from 'COUNTED' version 1" in found["gap"].out
    assert "register `upcaster('COUNTED', 1)` (such as SKU-1/" in found["gap"].out
    assert (found["gap json"].document["status"], found["gap json"].document["version"]) == ("failed", 1)


def test_no_registry(terminal, program):
    """
    What cannot be imported, or is none, ends with 2 and says what was found.
    """
    places = {
        "form": "shop_events",
        "absent": "shop_nowhere:events",
        "nothing": "shop_events:absent",
        "a number": "shop_events:number",
        "leaves": "shop_leaves:events",
    }
    found = terminal.run_all(
        {name: ["eventstore", "schema", "check", "--json", "--events", place] for name, place in places.items()},
    )

    assert {name: finished.code for name, finished in found.items()} == dict.fromkeys(places, 2)
    words = {name: finished.document["diagnostics"][0] for name, finished in found.items()}
    assert "write `module:attribute`" in words["form"]
    assert "module 'shop_nowhere' cannot be imported: ModuleNotFoundError" in words["absent"]
    assert "is a NoneType, not an `EventTypes`" in words["nothing"]
    assert "is a int, not an `EventTypes`" in words["a number"]
    assert "ended the program with 'enough'" in words["leaves"]
