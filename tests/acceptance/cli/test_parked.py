"""`relay parked`, `relay gaps` and `relay audit` as processes: what they ask of DynamoDB is what it takes."""

import pytest

from eventstore import AggregateRef, NewEvent
from relay.testing.checker import WrittenCommit
from tests.support import completeness
from tests.support.servers import Corner
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]


def mark(error_class: str) -> dict[str, object]:
    return {"M": {"reason": {"S": "told to"}, "errorClass": {"S": error_class}, "attempts": {"N": "1"}}}


def append(corner: Corner, name: str, count: int) -> list[WrittenCommit]:
    store, item = corner.store(), AggregateRef("ITEM", name)
    return [completeness.append(store, item, [NewEvent("A", {"n": each + 1})], each) for each in range(count)]


def change(corner: Corner, name: str, last: int, **attributes: object) -> None:
    """Set attributes of an outbox row."""
    corner.client.update_item(
        TableName="inventory_outbox",
        Key={"aggregateId": {"S": name}, "sequenceNumber": {"N": str(last)}},
        UpdateExpression="SET " + ", ".join(f"{each} = :{each}" for each in attributes),
        ExpressionAttributeValues={f":{each}": value for each, value in attributes.items()},
    )


def numbers(witness: object, name: str) -> list[int]:
    return witness.first_deliveries().get(name, [])  # type: ignore[attr-defined, no-any-return]


def test_a_night_with_parked_commits(terminal, corner, witness):
    """
    Listed, shown, released, dropped in their turn, delivered by hand in order, with a record of each deed.
    """
    written = [*append(corner, "SKU-1", 4), *append(corner, "SKU-2", 2)]
    change(corner, "SKU-1", 2, parked={"M": {"bus": mark("large"), "index": mark("mapping")}})
    change(corner, "SKU-2", 1, parked={"M": {"bus": mark("large")}}, delivered={"SS": ["index"]})

    listed = terminal.run("relay", "parked", "list", "--json")
    shown = terminal.run("relay", "parked", "show", "SKU-1", "--json")
    gaps = terminal.run("relay", "gaps", "--older-than", "0s", "--json")
    too_early = terminal.run("relay", "parked", "drop", "SKU-1", "2", "--reason", "never sold", "--yes")
    first = terminal.run("relay", "replay", "--aggregate", "SKU-1", "--json")
    released = terminal.run("relay", "parked", "release", "--aggregate", "SKU-1", "--destination", "index", "--json")
    for_bus = terminal.run("relay", "parked", "drop", "SKU-1", "2", "--reason", "never sold", "--yes", "--json")
    settled = terminal.run("relay", "parked", "drop", "SKU-2", "1", "--reason", "never sold", "--yes", "--json")
    rest = terminal.run("relay", "replay")
    until(lambda: len(witness.seen) >= 4, "what was not dropped came")
    audit = terminal.run("relay", "audit", "list", "--json")

    groups = {(group["destination"], group["error_class"]): group for group in listed.document["data"]["groups"]}
    assert {key: (group["commits"], group["waiting"]) for key, group in groups.items()} == {
        ("bus", "large"): (2, 3),
        ("index", "mapping"): (1, 0),
    }
    assert (shown.document["data"]["before"], shown.document["data"]["waiting"]) == ("owed", 2)
    assert (gaps.code, gaps.document["data"]["commits"]) == (1, 6)
    assert too_early.code == 1
    assert "the commit before it, commit SKU-1 1, is still owed to the bus" in too_early.error
    assert (first.code, first.document["data"]["settled"], first.document["data"]["left"]) == (4, 1, 3)
    assert (released.code, released.document["data"]["followed"]["end"]) == (4, "nobody")
    assert (for_bus.document["data"]["settled"], settled.document["data"]["settled"]) == (False, True)
    assert (rest.code, rest.err) == (0, "")
    assert (numbers(witness, "SKU-1"), numbers(witness, "SKU-2")) == ([1, 3, 4], [2])
    assert [deed["verb"] for deed in audit.document["data"]] == ["drop", "drop", "release"]
    never_indexed = ("index", "SKU-2", 1)  # the test wrote that the index has it
    dropped = [("bus", "SKU-1", 2), ("bus", "SKU-2", 1), never_indexed]
    completeness.check(corner, witness, written, repeats_max=0, dropped=dropped)


def test_a_released_chain_goes_out_in_order_while_a_relay_runs(terminal, corner, witness):
    """
    The command follows the released commit and what waited behind it until the bus has all of it.
    """
    written = append(corner, "SKU-1", 5)
    change(corner, "SKU-1", 2, parked={"M": {"bus": mark("large")}})
    brisk = terminal.with_settings(RELAY_SWEEP_MIN_AGE_SECONDS="1.5", RELAY_SWEEP_INTERVAL_SECONDS="0.5")
    with brisk.start("relay", "run") as relay:
        relay.until_said("page.settled")
        released = terminal.run("relay", "parked", "release", "--all", "--wait", "60s")

    assert released.code == 0, released.out
    assert "SKU-1 2: the bus has it and all behind it, up to number 5, in order" in released.out
    until(lambda: len(witness.seen) >= 5, "all of it came")
    assert numbers(witness, "SKU-1") == [1, 2, 3, 4, 5]
    completeness.check(corner, witness, written)
