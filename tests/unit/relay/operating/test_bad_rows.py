"""What operators type, over an outbox that holds every kind of bad row: each command answers, and harms none."""

import json
from typing import Any

import pytest

from eventstore import EventStore
from relay.operating.parked.grouping import NEWER

from .conftest import Night, mark

DEEP = "[" * 100_000 + "]" * 100_000

ZOO: dict[str, dict[str, Any]] = {
    "a later layout": {"layout": {"N": "2"}},
    "a layout that is text": {"layout": {"S": "2"}},
    "deep events": {"events": {"S": DEEP}},
    "deep payload": {"events": {"S": '[{"eventData":' + DEEP + "}]"}},
    "half of a character": {"events": {"S": '[{"eventId":"\\ud800"}]'}},
    "events of another kind": {"events": {"N": "1"}},
    "empty texts": {"events": {"S": ""}, "commitId": {"S": ""}, "aggregateType": {"S": ""}},
    "a first beyond measure": {"firstSequence": {"N": "1E+125"}},
    "a first of 38 digits": {"firstSequence": {"N": "9" * 38}},
    "a first below zero": {"firstSequence": {"N": "-1"}},
    "a first that is not whole": {"firstSequence": {"N": "1.5"}},
    "a first that is text": {"firstSequence": {"S": "1"}},
    "no first": {"firstSequence": None},
    "a time beyond measure": {"committedAt": {"N": "1E+125"}},
    "a time far ahead": {"committedAt": {"N": str(2**63 - 1)}},
    "a time before all time": {"committedAt": {"N": str(-(2**63) + 1)}},
    "an epoch that is text": {"epoch": {"S": "x"}},
    "no commit id": {"commitId": None},
    "no type": {"aggregateType": None},
    "delivered as a list": {"delivered": {"L": [{"S": "bus"}]}},
    "delivered as numbers": {"delivered": {"NS": ["1"]}},
    "delivered as bytes": {"delivered": {"BS": [b"x"]}},
    "parked as text": {"parked": {"S": "bus"}},
    "parked without a reason": {"parked": {"M": {"bus": {"NULL": True}}}},
    "parked within parked": {"parked": {"M": {"bus": {"M": {"reason": {"M": {"reason": {"M": {}}}}}}}}},
    "a mark of odd fields": {
        "parked": {
            "M": {
                "bus": {
                    "M": {
                        "reason": {"N": "1"},
                        "attempts": {"N": "1E+125"},
                        "firstFailedAt": {"N": "9" * 38},
                        "lastFailedAt": {"S": "x"},
                    }
                }
            }
        }
    },
    "many marks": {"parked": {"M": {f"destination-{number}": {"S": "x"} for number in range(500)}}},
    "released at no time": {"releasedAt": {"N": "1E+125"}, "parked": {"M": {"bus": mark("c", "r")}}},
}

COMMANDS = {
    "status": ["status"],
    "gaps": ["gaps", "--older-than", "0"],
    "replay, a look": ["replay", "--dry-run"],
    "parked list": ["parked", "list"],
    "parked show": ["parked", "show", "zoo", "1"],
    "parked release, a look": ["parked", "release", "--all", "--dry-run"],
    "parked drop": ["parked", "drop", "zoo", "1", "--reason", "gone", "--yes"],
    "parked release": ["parked", "release", "--all", "--wait", "0"],
}


@pytest.fixture(params=ZOO.values(), ids=ZOO.keys())
def bad(request: pytest.FixtureRequest, night: Night) -> Night:
    """Give an outbox with one bad row, one above it, and one of another aggregate."""
    night.append("zoo", 2)
    night.append("well")
    night.change("zoo", 1, **request.param)
    return night


def test_every_command_answers(bad: Night) -> None:
    """
    In words and as JSON; no exit code says that it is our defect.
    """
    for name, words in COMMANDS.items():
        for more in ([], ["--json"]):
            found = bad.type(*words, *more)
            assert found.code in {0, 1, 2, 4}, f"{name}: {found.result.output}"
            if more and found.out:
                assert json.loads(found.out.splitlines()[-1])


def test_replay_ends_and_delivers_the_others(bad: Night) -> None:
    """
    One bad row keeps nothing of other aggregates back.
    """
    found = bad.type("replay", "--json")

    assert found.code in {0, 4}, found.result.output
    assert ("well", 1) in bad.on_bus()


def test_verify_names_what_it_finds(bad: Night) -> None:
    """
    A walk over the store comes to its end.
    """
    assert isinstance(list(EventStore.open(bad.client).verify()), list)
    bad.store.stats()


def test_a_row_of_a_later_release_is_waited_for(night: Night) -> None:
    """
    Neither a relay nor a command parks or passes it; what is above it waits; all of them say: upgrade. Then it goes.
    """
    night.append("zoo", 2)
    night.append("well")
    night.change("zoo", 1, layout={"N": "2"})
    before = night.item("zoo", 1)

    night.type("replay")
    released = night.type("parked", "release", "--all", "--wait", "0")
    dropped = night.type("parked", "drop", "zoo", "1", "--reason", "gone", "--yes")

    assert night.on_bus() == [("well", 1)]
    assert night.item("zoo", 1) == before
    assert "parked" not in (night.item("zoo", 2) or {})
    assert released.code == 0
    assert dropped.code != 0
    assert "upgrade it" in dropped.err

    status, gaps = night.type("status"), night.type("gaps", "--older-than", "0")
    assert "upgrade the relay: a later release wrote 1 commit" in status.out
    assert ["of these, of a later release", "1"] in status.rows
    assert night.type("status", "--json").data["outbox"]["newer"] == 1
    assert "Next: upgrade the relay" in gaps.out
    (gap,) = night.type("gaps", "--older-than", "0", "--json").data["oldest"]
    assert (gap["newer"], gap["unreadable"], gap["waiting"]) == (1, 1, 1)
    assert "'layout' is 2, and this release knows row layouts up to 1: upgrade it" in gap["fault"]
    shown = night.type("parked", "show", "zoo", "1")
    assert "Next: upgrade the relay" in shown.out
    assert "knows row layouts up to 1: upgrade it" in " ".join(shown.out.split())
    assert NEWER in " ".join(night.type("parked", "list", "--json").out.split())

    night.change("zoo", 1, layout={"N": "1"})  # as it looks to a relay that was upgraded
    night.type("replay")
    assert night.on_bus() == [("well", 1), ("zoo", 1), ("zoo", 2)]
    assert night.items() == []


def test_a_live_relay_waits_for_a_row_of_a_later_release(night: Night) -> None:
    """
    The same by feed and sweep, which must not end over it.
    """
    night.append("zoo", 2)
    night.change("zoo", 1, layout={"N": "2"})
    night.append("well")
    night.start_relay()
    night.append("later")

    deadline = night.runtime.monotonic() + 20.0
    while sorted(night.on_bus()) != [("later", 1), ("well", 1)] and night.runtime.monotonic() < deadline:
        night.runtime.sleep(0.05)
    night.stop_relays()

    assert sorted(night.on_bus()) == [("later", 1), ("well", 1)]
    assert "parked" not in (night.item("zoo", 1) or {"parked": "gone"})
    assert night.item("zoo", 2) is not None
