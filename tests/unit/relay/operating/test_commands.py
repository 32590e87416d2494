"""Operators' commands: what they print, how they end, and hostile input."""

import pytest
from click.testing import CliRunner

from eventstore.testing.dynamodb.errors import ServiceError
from relay.cli import main
from relay.leases.fleet import Pause

from .conftest import OLD_MS, Night

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def test_list_groups_by_destination_and_error_class(night: Night) -> None:
    """
    With counts, what waits, and an example to look at next.
    """
    night.append("a", 3)
    night.park("a", 1, "bus")
    night.append("b")
    night.park("b", 1, "index", error_class="mapping")

    found = night.type("parked", "list", "--json")
    text = night.type("parked", "list")
    some = night.type("parked", "list", "--destination", "index", "--json")

    assert found.code == text.code == some.code == 0
    bus, index = found.data["groups"]
    assert (bus["destination"], bus["error_class"], bus["commits"], bus["waiting"]) == ("bus", "too_large", 1, 2)
    assert bus["examples"] == [{"aggregate_id": "a", "last": 1, "reason": "bus cannot take it"}]
    assert (index["destination"], index["waiting"]) == ("index", 0)
    assert ["bus", "too_large", "1", "2", "2025-01-01 00:00:00", "a 1: bus cannot take it"] in text.rows
    assert "Next: `relay parked show a 1`" in text.out
    assert [group["destination"] for group in some.data["groups"]] == ["index"]


def test_nothing_is_parked(night: Night) -> None:
    """
    That is fine.
    """
    night.append("a")

    found = night.type("parked", "list")

    assert (found.code, found.out) == (0, "nothing is parked.\n")


def test_show_says_all_there_is_to_know(night: Night) -> None:
    """
    The mark, the beginning of each payload, what waits behind it and what stands below it.
    """
    night.append("a")
    night.append("a", events=7, text="x" * 300)
    night.append("a", 2)
    night.park("a", 8, "bus", releasedAt={"N": str(OLD_MS)})

    found = night.type("parked", "show", "a", "8", "--head", "10", "--json")
    text = night.type("parked", "show", "a")

    assert found.code == text.code == 0
    data = found.data
    assert (data["first"], data["last"], data["waiting"], data["before"]) == (2, 8, 2, "owed")
    assert data["parked"][0]["error_class"] == "too_large"
    assert data["events"][0]["data_head"] == '{"n":2,"te'
    assert len(data["events"]) == 7
    assert "commit a 2 to 8, type ITEM" in text.out
    assert "  parked for bus, too_large: bus cannot take it" in text.out
    assert "  last released 2025-01-01 00:00:00 UTC" in text.out
    assert "  and 2 more events" in text.out
    assert "  behind it: 2 commits of this aggregate wait for the bus" in text.out
    assert "cannot be dropped for the bus yet" in text.out


def test_show_of_a_row_nobody_can_put_in_order(night: Night) -> None:
    """
    It is found without its number, and shown as far as it can be.
    """
    night.append("a", events=3)
    night.change("a", 3, firstSequence={"S": "x"})

    text = night.type("parked", "show", "a")

    assert text.code == 0
    assert "commit a ? to 3" in text.out
    assert "below it: unknown, the row does not say where it begins" in text.out
    assert text.out.endswith(
        "Next: fix the row from the events, `eventstore verify` names what is wrong with it; nothing else moves it.\n"
    )


def test_show_of_a_commit_whose_events_are_gone(night: Night) -> None:
    """
    The defect is named; the rest is shown.
    """
    night.append("a", text="x" * 2_000)
    night.client.delete_item(
        TableName="inventory_events", Key={"aggregateId": {"S": "a"}, "sequenceNumber": {"N": "1"}}
    )
    night.park("a", 1, "bus", "index")

    text = night.type("parked", "show", "a", "1")

    assert text.code == 0
    assert "  defect: not all of its events 1 to 1 are stored" in text.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nobody"], 1), (["a"], 1), (["a", "9"], 1), (["a", "0"], 2), ([""], 2), (["x" * 2049], 2), ([], 2)],
)
def test_show_of_what_is_not_there(night: Night, arguments: list[str], code: int) -> None:
    """
    A row that is not there is 1, an argument that cannot be one is 2.
    """
    night.append("a")

    found = night.type("parked", "show", *arguments)

    assert found.code == code
    assert found.err.startswith("error: ")
    if code == 1:
        said = "there is no such row: every destination has it, or none" if arguments[1:] else "nothing of it is parked"
        assert found.err == f"error: {' '.join(arguments)}: {said}; `relay parked list` shows what is parked\n"


def test_stored_text_cannot_steer_a_terminal(night: Night) -> None:
    """
    Control characters in ids, reasons, classes, types and names are written out, by every command.
    """
    name = f"a{ESCAPE}"
    night.append(name)
    night.park(name, 1, f"bus{ESCAPE}", "bus", error_class=f"class{ESCAPE}", aggregateType={"S": f"T{ESCAPE}"})
    night.make_old()
    night.write_worker(f"w{ESCAPE}")

    printed = [
        night.type(*arguments)
        for arguments in (
            ["parked", "list"],
            ["parked", "show", name],
            ["gaps"],
            ["status"],
            ["replay", "--dry-run"],
            ["parked", "release", "--all", "--dry-run"],
            ["parked", "drop", name, "1", "--reason", ESCAPE, "--by", ESCAPE, "--yes"],
            ["audit", "list"],
        )
    ]

    assert [each.code for each in printed] == [0, 0, 1, 0, 0, 0, 0, 0]
    assert [
        each.result.output for each in printed if "\x1b" in each.result.output or "\x07" in each.result.output
    ] == []
    assert "a\\x1b]0;owned" in printed[0].out


def test_markup_in_stored_text_is_text(night: Night) -> None:
    """
    Square brackets are no style, and a broken tag is not an error.
    """
    night.append("[/red]")
    night.park("[/red]", 1, "bus", error_class="[bold]")
    night.make_old()

    listed, gaps = night.type("parked", "list"), night.type("gaps")

    assert "[bold]" in listed.out
    assert "[/red] 1: bus cannot take it" in listed.out
    assert "[/red]" in gaps.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["parked", "release", "--error-class", "\udcff", "--dry-run"],
        ["parked", "release", "--aggregate", "\udcff", "--dry-run"],
        ["parked", "drop", "a", "1", "--reason", "\udcff"],
        ["parked", "drop", "\udcff", "1", "--reason", "x"],
        ["parked", "show", "\udcff"],
        ["parked", "list", "--aggregate", "\udcff"],
        ["replay", "--aggregate", "\udcff"],
        ["parked", "drop", "a", "99999999999999999999", "--reason", "x"],
        ["gaps", "--rows", "0"],
        ["replay", "--rate", "fast"],
        ["replay", "--rate", "0/s"],
        ["replay", "--limit", "0"],
        ["replay", "--since", "yesterday"],
        ["status", "--watch", "0"],
        ["status", "--watch", "nan"],
        ["audit", "list", "--limit", "0"],
    ],
)
def test_arguments_that_cannot_be_meant(night: Night, arguments: list[str]) -> None:
    """
    Bytes that are no text, numbers out of range, words that are no number: exit code 2, one line, nothing done.
    """
    night.append("a")
    before = night.items()

    found = night.type(*arguments)

    assert found.code == 2, found.result.output
    assert len(found.err.splitlines()) == 1
    assert night.items() == before


@pytest.mark.parametrize(
    "arguments",
    [["status"], ["gaps"], ["parked", "list"], ["parked", "release", "--all"], ["audit", "list"], ["replay"]],
)
def test_dynamodb_refuses_for_load(night: Night, arguments: list[str]) -> None:
    """
    Every command ends with 3 and one line.
    """

    def refuse(operation: str, _request: object, effect: object) -> dict[str, object]:
        if operation == "DescribeTable":
            return effect()  # type: ignore[operator, no-any-return]
        raise ServiceError("ThrottlingException", "slow down")

    night.way.trap = refuse  # type: ignore[assignment]
    found = night.type(*arguments, "--json")
    night.way.trap = None

    assert found.code == 3
    assert found.document["status"] == "error"


def test_replay_says_what_it_did(night: Night) -> None:
    """
    Counts, what is left and why, what to do next.
    """
    night.append("a", 3)
    night.park("a", 2, "bus", delivered={"SS": ["index"]})
    night.append("b")

    preview = night.type("replay", "--dry-run")
    done = night.type("replay")
    as_json = night.type("replay", "--json")

    assert preview.code == 0
    assert preview.out.splitlines() == [
        "would hand over 3 commits of 2 aggregates (2 for bus, 3 for index), the oldest 0 s old.",
        "1 commit parked, 1 wait behind: `relay parked list`.",
    ]
    assert done.code == 4
    assert done.out == "2 commits settled, 2 left in the outbox.\n"
    assert done.err.splitlines() == [
        "1 commit parked, 1 wait behind: `relay parked list`.",
        "Next: what is left waits for a person: `relay parked list` shows why.",
    ]
    assert as_json.document["status"] == "incomplete"
    assert {name: as_json.data[name] for name in ("settled", "left", "parked", "waiting", "complete")} == {
        "settled": 0,
        "left": 2,
        "parked": 1,
        "waiting": 1,
        "complete": True,
    }


def test_replay_of_a_part(night: Night) -> None:
    """
    Nothing that was meant is left, so all is fine; a limit that was reached says so.
    """
    night.append("a", 2)
    night.append("b")

    one = night.type("replay", "--aggregate", "b")
    limited = night.type("replay", "--limit", "1", "--rate", "100/s")
    rest = night.type("replay", "--older-than", "0s", "--since", "1d")

    assert (one.code, one.out) == (0, "1 commit settled, 0 left of what was selected.\n")  # more is owed
    assert limited.code == 4
    assert "Next: the limit was reached; run `relay replay` again to continue.\n" in limited.err
    assert rest.code == 0
    assert night.on_bus() == [("b", 1), ("a", 1), ("a", 2)]


def test_replay_heeds_a_pause(night: Night) -> None:
    """
    Whoever paused delivery meant all of it.
    """
    night.append("a")
    night.relay().fleet_table.pause(Pause("ann", OLD_MS, "a consumer is broken"))

    found = night.type("replay")

    assert (found.code, found.out) == (1, "0 commits settled.\n")
    assert "ann paused delivery at 2025-01-01 00:00:00 UTC: a consumer is broken. `relay resume` ends it" in found.err
    assert night.on_bus() == []


def test_replay_for_other_destinations_than_those_in_force(night: Night) -> None:
    """
    It would settle rows that are still owed to one it does not know; it refuses and names both.
    """
    night.append("a")
    night.write_settings("bus", "index", "archive")

    found = night.type("replay", "--json")

    assert found.code == 2
    (said,) = found.document["diagnostics"]
    assert said.startswith(
        "the destinations in force are bus, archive, index, and those here are bus, index: give this"
    )
    assert night.on_bus() == []


def test_replay_on_another_bus_than_the_one_in_force(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What it delivers there nobody would look for; it refuses and names both, unless it is said that it is meant.
    """
    night.append("a")
    night.write_settings("bus", "index", bus=frozenset({"old:5672/v"}))

    refused = night.type("replay", "--json")
    monkeypatch.setenv("RELAY_BUS_MOVED_FROM", "old:5672/v")
    announced = night.type("replay")

    assert refused.code == 2
    (said,) = refused.document["diagnostics"]
    assert said.startswith("the bus in force is old:5672/v, and here it is nowhere:5672//")
    assert "RELAY_BUS_MOVED_FROM" in said
    assert (announced.code, night.on_bus()) == (0, [("a", 1)])


def test_deeds_are_listed_the_newest_first(night: Night) -> None:
    """
    With who, what about and why; a record nobody can read is named, and the others are shown.
    """
    night.append("a")
    night.park("a", 1, "bus")
    night.type("parked", "release", "--all", "--by", "ann", "--reason", "limit raised", "--wait", "0")
    night.park("a", 1, "bus")
    night.type("parked", "drop", "a", "1", "--reason", "never sold", "--by", "bob", "--yes")
    listed = night.type("audit", "list")
    key = {"recordType": {"S": "audit"}, "recordKey": {"S": "zzz"}}
    night.client.put_item(TableName="inventory_relay", Item=key)
    broken = night.type("audit", "list", "--json")

    assert listed.code == 0
    assert [cells[1:3] + cells[4:] for cells in listed.rows] == [
        ["drop", "bob", "never sold"],
        ["release", "ann", "limit raised"],
    ]
    assert broken.code == 1
    assert [record["verb"] for record in broken.data] == ["drop", "release"]
    assert len(broken.document["diagnostics"]) == 1


def test_no_deed(night: Night) -> None:
    """
    An empty list is fine.
    """
    found = night.type("audit", "list")

    assert (found.code, found.out) == (0, "no actions are recorded.\n")


def test_a_store_without_tables(monkeypatch: pytest.MonkeyPatch, night: Night) -> None:
    """
    Exit code 2, and which command makes them.
    """
    monkeypatch.setenv("EVENTSTORE_TABLE_PREFIX", "nowhere")

    for arguments in (["status"], ["gaps"], ["parked", "list"], ["audit", "list"], ["replay"]):
        found = night.type(*arguments)
        assert found.code == 2
        assert "run `eventstore init`" in found.err


def test_settings_of_this_terminal_that_are_wrong_do_not_hide_what_is_owed(
    monkeypatch: pytest.MonkeyPatch, night: Night
) -> None:
    """
    To look, the relay's settings are not needed.
    """
    monkeypatch.setenv("RELAY_BUS_WINDOW_MESSAGES", "none")
    night.append("a")

    assert night.type("status").code == 0
    assert night.type("gaps").code == 0
    assert CliRunner().invoke(main, ["replay"], prog_name="relay").exit_code == 2
