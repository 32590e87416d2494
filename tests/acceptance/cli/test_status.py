"""`relay status` as a process: what is owed, and to whom."""

import signal
from typing import Any

import pytest

from eventstore import AggregateRef, NewEvent
from tests.support import stream_switch
from tests.support.waiting import until

pytestmark = [pytest.mark.servers, pytest.mark.acceptance]

ITEM = AggregateRef("ITEM", "SKU-1")


def counts(**changed: object) -> dict[str, object]:
    nothing = {"rows": 0, "complete": True, "owed_to_bus": 0, "owed_to_others_only": 0, "parked": 0, "unreadable": 0}
    return {
        **nothing,
        "owed": {"bus": 0, "index": 0},
        "parked_for": {"bus": 0, "index": 0},
        "refused_by": {"bus": 0, "index": 0},
        "refusals": [],
        "newer": 0,
        "settled_rows": 0,
        **changed,
    }


def test_with_and_without_owed_commits(terminal, corner):
    """
    It counts what lies in the outbox, says how old the oldest is, and needs no relay and no setting of one.
    """
    alone = terminal.with_settings(RELAY_RABBITMQ_URL=None, RELAY_ELASTICSEARCH_URL=None, RELAY_NAME_PREFIX=None)
    empty = alone.run("relay", "status", "--json")
    for number in (1, 2, 3):
        item = AggregateRef("ITEM", f"SKU-{number}")
        corner.store().append(item, [NewEvent("A", {}), NewEvent("B", {})], expected_version=0)
    found = alone.run_all(
        {
            "json": ["relay", "status", "--json"],
            "text": ["relay", "status"],
            "some": ["relay", "status", "--rows-max", "2"],
        },
    )

    assert (empty.code, empty.err) == (0, "")
    data = empty.document["data"]
    (shard,) = data["shards"]
    assert (empty.document["version"], empty.document["status"], empty.document["diagnostics"]) == (1, "ok", [])
    assert data["table"] == "inventory_outbox"
    assert data["outbox"] == {**counts(), "oldest_age_seconds": None}
    assert (data["workers"], data["live_workers"], data["pause"]) == ([], 0, None)
    assert (shard["state"], shard["owner"], shard["in_flight"], shard["checkpoint_at_ms"]) == (
        "unread",
        None,
        None,
        None,
    )
    assert [(each["name"], each["state"]) for each in data["destinations"]] == [
        ("bus", "unknown"),
        ("index", "unknown"),
    ]
    assert {finished.code for finished in found.values()} == {0}
    outbox = found["json"].document["data"]["outbox"]
    assert 0 <= outbox.pop("oldest_age_seconds") < 120
    assert outbox == counts(rows=3, owed_to_bus=3, owed={"bus": 3, "index": 3})
    cells = [[cell.strip() for cell in row.split("│")[1:-1]] for row in found["text"].out.splitlines()]
    assert ["owed to the bus", "3"] in cells
    assert [shard["shard"], "unread", "-"] in [row[:3] for row in cells]  # not cut, since this is not a terminal
    assert "Next: no relay runs: `relay run` delivers what is owed" in found["text"].out
    assert "the first 2 rows only" in found["some"].out


def test_while_a_relay_runs(terminal, corner):
    """
    The shard that a relay reads is shown as such, with the time of its checkpoint.
    """
    with terminal.start("relay", "run") as relay:
        corner.store().append(AggregateRef("ITEM", "SKU-1"), [NewEvent("A", {})], expected_version=0)
        relay.until_said("page.settled")
        seen: list[Any] = []

        def is_carried() -> bool:
            seen.append(terminal.run("relay", "status", "--json").document["data"])
            return seen[-1]["shards"][0]["in_flight"] is not None and seen[-1]["outbox"]["rows"] == 0

        until(is_carried, "the worker reports its shard")
        data = seen[-1]

    assert data["outbox"] == {**counts(), "oldest_age_seconds": None}
    (shard,), (worker,) = data["shards"], data["workers"]
    assert (shard["state"], shard["owner"], shard["owner_is_silent"]) == ("reading", worker["worker"], False)
    assert shard["checkpoint_at_ms"] > 1_700_000_000_000
    assert shard["trim_seconds"] > 23 * 3600
    assert (data["live_workers"], worker["leases"]) == (1, 2)
    assert {each["name"]: each["state"] for each in data["destinations"]} == {"bus": "up", "index": "up"}


def test_watching_ends_cleanly(terminal, corner):
    """
    One document per look, until Ctrl-C or SIGTERM, which is no failure.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        with terminal.start("relay", "status", "--watch", "0.2", "--json") as watching:
            until(lambda shown=watching: shown.out.count("\n") >= 2, "it has looked twice")
            watching.signal(number)
            finished = watching.end()

        assert (finished.code, finished.err) == (0, "")
        assert {line["data"]["outbox"]["rows"] for line in finished.lines} == {0}


def test_the_set_up_is_not_as_it_must_be(untouched, terminal, corner):
    """
    Without tables every command of the relay ends with 2 and says what to do.
    """
    found = untouched.run_all({"json": ["relay", "status", "--json"], "run": ["relay", "run"]})

    assert {name: finished.code for name, finished in found.items()} == {"json": 2, "run": 2}
    assert found["json"].document["diagnostics"] == [found["json"].error]
    assert found["run"].out == ""
    for finished in found.values():
        assert "does not exist: run `eventstore init`" in finished.error


def test_the_stream_is_switched_off(terminal, corner):
    """
    A relay starts, says so and lets the sweep deliver; the picture says it, too. Switched on again, the feed is read.
    """
    stream_switch.switch_off(corner)
    corner.store().append(ITEM, [NewEvent("A", {})], expected_version=0)
    quick = {"RELAY_SWEEP_MIN_AGE_SECONDS": "2", "RELAY_SWEEP_INTERVAL_SECONDS": "0.5", "RELAY_DISCOVERY_SECONDS": "1"}
    with terminal.with_settings(**quick, RELAY_LOG_FORMAT="json").start("relay", "run") as relay:
        until(lambda: corner.client.scan(TableName="inventory_outbox")["Count"] == 0, "the sweep has delivered it")
        relay.until_said("feed.absent")
        until(
            lambda: terminal.run("relay", "status", "--json").document["data"]["feed"]["workers"] != [],
            "its record says it",
        )
        shown = terminal.run("relay", "status", "--json").document["data"]
        stream_switch.switch_on(corner)
        relay.until_said("shard.opened")
        relay.signal(signal.SIGTERM)
        finished = relay.end()

    assert shown["feed"]["state"] == "absent"
    assert "switch it on with the view NEW_IMAGE" in shown["feed"]["reason"]
    assert finished.code == 0
