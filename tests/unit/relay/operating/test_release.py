"""Release removes marks and nothing else, and says what became of what it released."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eventstore import TableNames
from eventstore.errors import OutcomeUnknownError, TryLaterError
from eventstore.testing.dynamodb.errors import ConnectionLostError, ServiceError
from relay.leases.fleet import Pause
from relay.operating.parked.release import ReleaseFate, Releaser
from relay.operating.parked.selection import Selection
from tests.support.waiting import until

from .conftest import BACKOFF, Night, mark, marks_of

Effect = Callable[[], dict[str, Any]]


def releaser(night: Night) -> Releaser:
    return Releaser(night.client, TableNames(), night.runtime, BACKOFF)


def test_only_the_marks_that_are_meant_go(night: Night) -> None:
    """
    The other destination's stays, and so do other aggregates'; the change is stamped, so that the feed tells of it.
    """
    for name in ("a", "b"):
        night.append(name)
        night.park(name, 1, "bus", "index")

    done = list(releaser(night).release(Selection("a", "bus"), dry_run=False))

    assert [(each.key, each.destinations, each.fate) for each in done] == [(("a", 1), ("bus",), ReleaseFate.RELEASED)]
    released = night.item("a", 1)
    assert marks_of(released) == ["index"]
    assert released is not None
    assert int(released["releasedAt"]["N"]) > 1_700_000_000_000
    assert marks_of(night.item("b", 1)) == ["bus", "index"]


def test_two_marks_of_a_row_go_together(night: Night) -> None:
    """
    A broken row is parked for all destinations; one change frees it.
    """
    night.append("a")
    night.park("a", 1, "bus", "index")
    before = night.way.count("UpdateItem")

    (done,) = releaser(night).release(Selection(), dry_run=False)

    assert done.destinations == ("bus", "index")
    assert marks_of(night.item("a", 1)) == []
    assert night.way.count("UpdateItem") - before == 1


def test_it_says_how_far_what_waits_behind_goes(night: Night) -> None:
    """
    Up to the highest commit that the bus lacks; for another destination nothing waits.
    """
    night.append("a", 4)
    night.change("a", 4, delivered={"SS": ["bus"]})
    night.park("a", 2, "bus")
    night.append("b", 2)
    night.park("b", 1, "index")

    done = {each.key: each.waits_up_to for each in releaser(night).release(Selection(), dry_run=True)}

    assert done == {("a", 2): 3, ("b", 1): 1}


def test_a_mark_that_changed_meanwhile_is_left_alone(night: Night) -> None:
    """
    Somebody released it and it was parked again for another reason, between the look and the change.
    """

    def intervene(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "UpdateItem":
            night.way.trap = None
            night.park("a", 1, "bus", error_class="another")
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = intervene

    (done,) = releaser(night).release(Selection(), dry_run=False)

    assert done.fate is ReleaseFate.CHANGED
    stored = night.item("a", 1)
    assert stored is not None
    assert stored["parked"]["M"]["bus"] == mark("another", "bus cannot take it")
    assert "releasedAt" not in stored


def test_a_row_of_another_commit_keeps_its_mark(night: Night) -> None:
    """
    The tables were remade between the look and the change: under the key stands another commit with the same mark.
    """

    def intervene(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "UpdateItem":
            night.way.trap = None
            night.change("a", 1, commitId={"S": "another"})
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = intervene

    (done,) = releaser(night).release(Selection(), dry_run=False)

    assert done.fate is ReleaseFate.CHANGED
    assert list((night.item("a", 1) or {})["parked"]["M"]) == ["bus"]


def test_a_row_that_went_meanwhile_does_not_come_back(night: Night) -> None:
    """
    `UpdateItem` creates what is absent; a release must not.
    """

    def intervene(operation: str, request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "UpdateItem":
            night.way.trap = None
            night.client.delete_item(TableName="inventory_outbox", Key=request["Key"])
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = intervene

    (done,) = releaser(night).release(Selection(), dry_run=False)

    assert done.fate is ReleaseFate.CHANGED
    assert night.items() == []


def test_a_release_whose_replies_are_all_lost_is_of_unknown_outcome(night: Night) -> None:
    """
    It has happened; released again, nothing is met.
    """

    def lose(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        reply = effect()
        if operation == "UpdateItem":
            raise ConnectionLostError("before the reply")
        return reply

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = lose

    (done,) = releaser(night).release(Selection(), dry_run=False)  # the repeat sees that it is free, and that was us

    assert done.fate is ReleaseFate.RELEASED
    assert list(releaser(night).release(Selection(), dry_run=False)) == []


def test_a_release_that_never_meets_its_own_effect_is_of_unknown_outcome(night: Night) -> None:
    """
    The first reply is lost, and then nobody answers: it has happened or not, and the error says what to do.
    """

    def lose(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "UpdateItem":
            raise ConnectionLostError("before the reply")
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = lose

    with pytest.raises(OutcomeUnknownError, match=r"commit a 1.*release again"):
        list(releaser(night).release(Selection(), dry_run=False))


def test_a_lost_reply_does_not_make_a_release_look_like_somebody_elses(night: Night) -> None:
    """
    The change has happened; asked again, its condition fails, because it was us.
    """
    lost: list[str] = []

    def lose(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        reply = effect()
        if operation == "UpdateItem" and not lost:
            lost.append(operation)
            raise ServiceError("InternalServerError", "the reply is lost", status=500)
        return reply

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = lose

    (done,) = releaser(night).release(Selection(), dry_run=False)

    assert lost
    assert done.fate is ReleaseFate.RELEASED
    assert marks_of(night.item("a", 1)) == []


def test_a_server_that_refuses_for_load_ends_it_with_an_error_that_says_try_later(night: Night) -> None:
    """
    After so many attempts, not in a loop for ever.
    """

    def refuse(operation: str, _request: Mapping[str, Any], effect: Effect) -> dict[str, Any]:
        if operation == "UpdateItem":
            raise ServiceError("ThrottlingException", "slow down")
        return effect()

    night.append("a")
    night.park("a", 1, "bus")
    night.way.trap = refuse

    with pytest.raises(TryLaterError):
        list(releaser(night).release(Selection(), dry_run=False))
    assert marks_of(night.item("a", 1)) == ["bus"]


def test_a_released_commit_and_what_waited_behind_it_go_out_in_order(night: Night) -> None:
    """
    A running relay takes them; the command follows until all have arrived, and keeps a record of who did it.
    """
    night.append("a", 2)
    night.append("a", 3)
    night.append("b")
    night.park("a", 1, "bus")
    night.start_relay()
    until(lambda: ("b", 1) in night.on_bus(), "the relay works")

    done = night.type(
        "parked", "release", "--aggregate", "a", "--by", "ann", "--reason", "limit raised", "--wait", "30"
    )

    assert done.code == 0, done.result.output
    assert done.out.splitlines() == [
        "released 1 commit.",
        "  a 1: the bus has it and all behind it, up to number 5, in order",
    ]
    assert [key for key in night.on_bus() if key[0] == "a"] == [("a", number) for number in range(1, 6)]
    (record,) = night.audits()
    assert (record["verb"], record["by"], record["reason"]) == ({"S": "release"}, {"S": "ann"}, {"S": "limit raised"})
    assert record["about"] == {"M": {"aggregate": {"S": "a"}}}


def test_a_commit_that_is_parked_again_is_said(night: Night) -> None:
    """
    The cause is still there, so the mark comes back; nothing behind it has gone.
    """
    night.append("a", text="x" * 500)
    night.append("a", 2)
    night.start_relay(message_max_bytes=100)
    until(lambda: marks_of(night.item("a", 1)) == ["bus"], "it is parked")

    done = night.type("parked", "release", "--all", "--wait", "30s")
    as_json = night.type("parked", "release", "--all", "--wait", "30s", "--json")

    assert done.code == as_json.code == 1
    assert "a 1 was parked again for bus: " in done.out
    assert "Next: `relay parked show` of those" in done.out
    assert as_json.document["status"] == "incomplete"
    (again,) = as_json.data["followed"]["parked_again"]
    assert (again["aggregate_id"], again["destination"], again["last"]) == ("a", "bus", 1)
    assert night.on_bus() == []


def test_a_chain_that_stops_at_a_later_commit_names_that_one(night: Night) -> None:
    """
    The released commit goes; one behind it cannot be taken either.
    """
    night.append("a")
    night.append("a", text="x" * 500)
    night.append("a")
    night.park("a", 1, "bus")
    night.start_relay(message_max_bytes=100)

    done = night.type("parked", "release", "--all", "--wait", "30s")

    assert done.code == 1
    assert "a 2 was parked again for bus: " in done.out
    assert night.on_bus() == [("a", 1)]


def test_released_for_the_index_nothing_else_waits(night: Night) -> None:
    """
    One line per commit, and the bus gets nothing twice.
    """
    night.append("a", 2)
    first = next(iter(night.store.read("a"))).event_id
    night.index.refuse(first, 400, "mapper_parsing_exception")
    night.start_relay()
    until(lambda: marks_of(night.item("a", 1)) == ["index"], "it is parked")
    night.index.accept(first)

    done = night.type("parked", "release", "--error-class", "mapper_parsing_exception")

    assert done.code == 0, done.result.output
    assert done.out.splitlines() == ["released 1 commit.", "  a 1: index has it"]
    assert night.on_bus() == [("a", 1), ("a", 2)]


def test_with_no_relay_running_it_says_what_delivers(night: Night) -> None:
    """
    At once, since no worker has left a record.
    """
    night.append("a")
    night.park("a", 1, "bus")

    done = night.type("parked", "release", "--all")
    replayed = night.type("replay")

    assert done.code == 4
    assert done.out.splitlines() == [
        "released 1 commit.",
        "  a 1: not there yet",
        "Next: no relay runs: start `relay run`, or deliver with `relay replay`.",
    ]
    assert replayed.code == 0
    assert night.on_bus() == [("a", 1)]


def test_a_worker_that_is_dead_is_no_worker(night: Night) -> None:
    """
    Its record is there and its counter does not move for as long as a lease lasts.
    """
    night.append("a")
    night.park("a", 1, "bus")
    night.write_settings("bus", "index")
    night.write_worker("worker-1")

    done = night.type("parked", "release", "--all", "--wait", "60")

    assert done.code == 4
    assert "no relay runs" in done.out


def test_a_pause_is_said(night: Night) -> None:
    """
    A paused fleet delivers nothing, so there is nothing to wait for.
    """
    night.append("a")
    night.park("a", 1, "bus")
    night.write_worker("worker-1")
    night.relay().fleet_table.pause(Pause("ann", 1, "a consumer is broken"))

    done = night.type("parked", "release", "--all", "--wait", "60")

    assert done.code == 4
    assert "`relay resume`" in done.out


def test_the_time_is_over(night: Night) -> None:
    """
    A worker sends heartbeats and does not come to it; the command does not wait for ever.
    """
    night.append("a")
    night.park("a", 1, "bus")
    night.write_worker("worker-1")

    done = night.type("parked", "release", "--all", "--wait", "1s")

    assert done.code == 4
    assert "timed out" in done.out


def test_a_dry_run_changes_nothing(night: Night) -> None:
    """
    No mark, no audit record.
    """
    night.append("a", 2)
    night.park("a", 1, "bus")
    before = night.items()

    done = night.type("parked", "release", "--destination", "bus", "--dry-run")

    assert done.code == 0
    assert done.out.splitlines() == ["would release 1 commit.", "  a 1, bus"]
    assert night.items() == before
    assert night.audits() == []


def test_nothing_is_parked(night: Night) -> None:
    """
    Releasing again after a success is no failure, and leaves no record.
    """
    night.append("a")

    done = night.type("parked", "release", "--all")

    assert (done.code, done.out) == (
        0,
        "nothing that is selected is parked. Next: `relay parked list` shows what is.\n",
    )
    assert night.audits() == []


@pytest.mark.parametrize("options", [[], ["--all", "--aggregate", "a"], ["--all", "--wait", "soon"]])
def test_it_must_be_said_what_is_meant(night: Night, options: list[str]) -> None:
    """
    Neither nothing nor a contradiction releases everything.
    """
    night.append("a")
    night.park("a", 1, "bus")

    done = night.type("parked", "release", *options)

    assert done.code == 2
    assert marks_of(night.item("a", 1)) == ["bus"]
