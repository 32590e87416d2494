"""`relay pause` and `relay resume`: what they change, what they say, and what they leave behind."""

from typing import Any

from eventstore.testing.dynamodb.errors import ServiceError
from relay.leases.fleet import Fleet
from tests.support.waiting import until

from .conftest import Night

ESCAPE = "\x1b]0;owned\x07\x1b[2J"


def fleet(night: Night) -> Fleet:
    """Return what the workers share."""
    return night.relay().fleet_table.look()


def test_a_pause_stops_all_workers_and_resume_starts_them(night: Night, log_events: list[Any]) -> None:
    """
    What is appended meanwhile stays owed, and is delivered afterwards.
    """
    night.start_relay()
    night.start_relay()
    until(lambda: len(fleet(night).workers) == 2, "both workers have joined")

    paused = night.type("pause", "--reason", "the broker moves", "--by", "ops")
    assert paused.code == 0
    assert "begin nothing new within about 2 s" in paused.out
    assert paused.out.count("  worker ") == 2
    until(
        lambda: sum(1 for event in log_events if event["event"] == "delivery.paused") == 2, "both workers have seen it"
    )
    night.append("a")
    night.append("b")
    resumed = night.type("resume", "--by", "dev")
    assert resumed.code == 0
    assert "it was paused by ops at 2" in resumed.out
    assert "the broker moves" in resumed.out

    until(lambda: not night.items(), "the outbox is empty")
    # One worker's sweep looks at rows so young here that the other, which has the shard, may be about to send them.
    assert set(night.on_bus()) == {("a", 1), ("b", 1)}
    assert [(each["verb"]["S"], each["by"]["S"], each["reason"]["S"]) for each in night.audits()] == [
        ("pause", "ops", "the broker moves"),
        ("resume", "dev", ""),
    ]


def test_a_pause_needs_a_reason(night: Night) -> None:
    """
    Somebody will wonder at night.
    """
    for arguments in (("pause",), ("pause", "--reason", "  ")):
        refused = night.type(*arguments)
        assert refused.code == 2
        assert "--reason" in refused.err
    assert fleet(night).pause is None


def test_a_second_pause_changes_nothing(night: Night) -> None:
    """
    It says whose pause there is, and since when; the first one's reason stays, and no actions are recorded.
    """
    night.type("pause", "--reason", "first", "--by", "ops")
    before = fleet(night).pause
    again = night.type("pause", "--reason", "second", "--by", "dev")
    assert again.code == 0
    assert "was paused already, by ops" in again.out
    assert fleet(night).pause == before
    assert len(night.audits()) == 1


def test_resume_without_a_pause_changes_nothing(night: Night) -> None:
    """
    And is not an error: delivery is not paused, as wanted.
    """
    found = night.type("resume")
    assert (found.code, found.out) == (0, "delivery was not paused; nothing was changed.\n")
    assert night.audits() == []


def test_json_names_who_is_affected(night: Night) -> None:
    """
    Each worker with its last heartbeat, so that a dead one is told from a living one.
    """
    night.write_worker("w1", silent_seconds=3600.0)
    found = night.type("pause", "--reason", "why", "--by", "ops", "--json")
    assert found.code == 0
    (worker,) = found.data["workers"]
    assert (worker["worker"], worker["host"], worker["pid"], worker["state"]) == ("w1", "host-1", 4711, "working")
    assert worker["last_heartbeat_seconds"] >= 3600.0
    assert (found.data["by"], found.data["reason"], found.data["was_paused"]) == ("ops", "why", False)
    assert found.data["audit_id"] == night.audits()[0]["recordKey"]["S"]
    resumed = night.type("resume", "--json")
    assert resumed.data["was_paused"] is True
    assert fleet(night).pause is None


def test_without_workers_it_says_so(night: Night) -> None:
    """
    A pause may come before the first worker, who then begins paused.
    """
    found = night.type("pause", "--reason", "not yet")
    assert "no worker is running; workers that start later will find delivery paused." in found.out
    assert "no worker is running: `relay run` delivers what is owed." in night.type("resume").out


def test_stored_text_cannot_steer_the_terminal(night: Night) -> None:
    """
    Whoever wrote it.
    """
    night.write_worker(f"w{ESCAPE}")
    night.type("pause", "--reason", f"why{ESCAPE}", "--by", f"ops{ESCAPE}")
    for arguments in (("pause", "--reason", "again"), ("resume",)):
        assert "\x1b" not in night.type(*arguments).out


def test_a_pause_that_cannot_be_read_is_removed_by_resume(night: Night) -> None:
    """
    Delivery stands still until then.
    """
    night.client.put_item(
        TableName="inventory_relay", Item={"recordType": {"S": "fleet"}, "recordKey": {"S": "pause"}}
    )  # fmt: skip
    assert night.type("pause", "--reason", "why").code == 0
    assert night.type("resume").code == 0
    assert fleet(night).pause is None


def test_nothing_is_done_that_cannot_be_recorded(night: Night) -> None:
    """
    The audit record comes first.
    """

    def refuse(operation: str, _request: object, effect: object) -> dict[str, object]:
        if operation == "PutItem":
            raise ServiceError("ThrottlingException", "slow down")
        return effect()  # type: ignore[operator, no-any-return]

    night.way.trap = refuse  # type: ignore[assignment]
    failed = night.type("pause", "--reason", "why")
    night.way.trap = None
    assert failed.code == 3
    assert failed.err.startswith("error: ")
    assert fleet(night).pause is None
