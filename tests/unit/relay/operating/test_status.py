"""The relay at a glance: put together from what workers say and what the tables show."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from eventstore.errors import InvalidInputError, UnreachableError
from eventstore.rows.refused import RefusedMark, encode
from eventstore.testing.dynamodb.errors import ServiceError
from eventstore.testing.manual_runtime import ManualRuntime
from relay.cli.status import watch
from relay.cli.status_view import advice
from relay.feed.lineage import Shard
from relay.feed.trouble import FeedState, FeedTrouble
from relay.feed.unread import Unread
from relay.leases.fleet import SWEEP_KEY, Fleet, FleetSettings, Lease, Pause, WorkerRecord, lease_key
from relay.leases.position import Position
from relay.leases.worker_report import (
    DestinationReport,
    FeedReport,
    HeldUpReport,
    ShardReport,
    SweepReport,
    WorkerReport,
)
from relay.operating import overview
from relay.operating.heartbeats import HeartbeatWatch
from relay.operating.overview import FeedView, Overview
from relay.outbox.debt import Survey
from tests.support.waiting import until

from .conftest import Night

NOW_MS = 1_000_000_000
SETTINGS = FleetSettings(frozenset({"bus", "index"}), "inventory", 10_000, 1)
NAMES = ("bus", "index")


def worker(name: str, *, silent_seconds: float = 1.0, report: WorkerReport | None = None) -> WorkerRecord:
    return WorkerRecord(name, 1, "host", 1, "1.0", 0, NOW_MS - round(silent_seconds * 1000), report)


MISCONFIGURED = (
    "bus is misconfigured and does not recover by itself: see its reason, and what `relay topology check` finds."
)


def lease(shard: str, owner: str | None, *, finished: bool = False, position: int | None = 7) -> Lease:
    place = None if position is None else Position(position)
    return Lease(
        lease_key("label", shard), owner, 1, 1, finished=finished, position=place, updated_at_ms=NOW_MS - 5_000
    )


def compose(
    leases: list[Lease], workers: list[WorkerRecord], unread: Mapping[str, Unread] | None = None, shards: str = "s"
) -> Overview:
    fleet = Fleet({each.key: each for each in leases}, {each.worker_id: each for each in workers}, None, SETTINGS)
    listing = [Shard(name, None) for name in shards.split()]
    return overview.compose(fleet, Survey(), "label", listing, unread or {}, NAMES, NOW_MS)


def reporting(shard: str, lag_seconds: float) -> WorkerReport:
    return WorkerReport(shards=(ShardReport(shard, lag_seconds, 3),))


def test_a_shard_in_good_hands() -> None:
    """
    Its owner says how far it is; the feed trims what is unread after 24 hours.
    """
    (shard,) = compose([lease("s", "w")], [worker("w", report=reporting("s", 3600.0))]).shards

    assert (shard.state, shard.owner, shard.owner_is_silent, shard.in_flight) == ("reading", "w", False, 3)
    assert (shard.lag_seconds, shard.trim_seconds) == (3600.0, 23 * 3600.0)
    assert shard.checkpoint_at_ms == NOW_MS - 5_000


@pytest.mark.parametrize("silent_seconds", [11.0, 12.0, 12.1, 3600.0])
def test_a_worker_is_silent_when_a_lease_and_a_little_have_passed(silent_seconds: float) -> None:
    """
    Twelve seconds for leases of ten; what a silent worker said of itself counts no longer.
    """
    is_silent = silent_seconds > 12.0
    seen = compose([lease("s", "w")], [worker("w", silent_seconds=silent_seconds, report=reporting("s", 1.0))])

    assert seen.workers[0].is_silent is is_silent
    assert seen.shards[0].owner_is_silent is is_silent
    assert (seen.shards[0].lag_seconds is None) is is_silent
    assert seen.live_workers == (0 if is_silent else 1)


def test_an_owner_without_a_record_is_silent() -> None:
    """
    It was removed, or never written; nobody says how far the shard is, so the feed was asked.
    """
    unread = {"s": Unread(NOW_MS - 7_200_000)}
    (shard,) = compose([lease("s", "ghost")], [], unread).shards

    assert shard.owner_is_silent
    assert (shard.lag_seconds, shard.trim_seconds, shard.in_flight) == (7200.0, 22 * 3600.0, None)


def test_shards_that_nobody_carries() -> None:
    """
    Never read, read to the end, finished, and trimmed behind the checkpoint.
    """
    leases = [lease("read", None), lease("done", None, finished=True), lease("cut", None)]
    unread = {"never": Unread(NOW_MS - 1_000), "read": Unread(None), "cut": Unread(None, is_trimmed=True)}

    shards = {each.shard: each for each in compose(leases, [], unread, "never read done cut unknown").shards}

    assert {name: each.state for name, each in shards.items()} == {
        "never": "unread",
        "read": "reading",
        "done": "finished",
        "cut": "trimmed",
        "unknown": "unread",
    }
    assert (shards["never"].lag_seconds, shards["read"].lag_seconds) == (1.0, 0.0)
    assert shards["read"].trim_seconds == 24 * 3600.0
    assert shards["done"].lag_seconds is shards["done"].trim_seconds is shards["cut"].trim_seconds is None
    assert shards["unknown"].trim_seconds is None


def test_which_shards_the_feed_must_be_asked_about() -> None:
    """
    Those that are not finished and of which no live worker speaks.
    """
    leases = [lease("a", "w"), lease("b", "w"), lease("c", None), lease("d", None, finished=True), lease("e", "dead")]
    workers = [
        worker("w", report=reporting("a", 0.0)),
        worker("dead", silent_seconds=60.0, report=reporting("e", 0.0)),
    ]
    fleet = Fleet({each.key: each for each in leases}, {each.worker_id: each for each in workers}, None, SETTINGS)

    asked = overview.unreported(fleet, "label", [Shard(name, None) for name in "abcdef"], NOW_MS)

    assert [shard.id for shard in asked] == ["b", "c", "e", "f"]


def waiting(aggregate_id: str, since_ms: int, *, reason: str = "nack", next_ms: int = 0) -> HeldUpReport:
    return HeldUpReport(aggregate_id, 7, reason, 3, since_ms, next_ms)


def test_aggregates_that_wait_alone_are_put_together() -> None:
    """
    Each once, with the word of whoever has tried for longest; a dead worker's word counts for nothing.
    """
    first = WorkerReport(
        held_up=(waiting("a", NOW_MS - 60_000, next_ms=NOW_MS + 8_000), waiting("b", NOW_MS - 9_000)), held_up_count=5
    )
    second = WorkerReport(held_up=(waiting("b", NOW_MS - 90_000, reason="silent"),), held_up_count=1)
    dead = WorkerReport(held_up=(waiting("c", 0),), held_up_count=1)
    workers = [
        worker("w1", report=first),
        worker("w2", report=second),
        worker("w3", silent_seconds=60.0, report=dead),
        worker("w4"),
    ]

    seen = compose([], workers)

    assert [(each.report.aggregate_id, each.report.reason, each.worker) for each in seen.held_up] == [
        ("b", "silent", "w2"),
        ("a", "nack", "w1"),
    ]
    assert [(each.since_seconds, each.next_seconds) for each in seen.held_up] == [(90.0, 0.0), (60.0, 8.0)]
    assert seen.held_up_count == 5  # two that are named, and three that only the first counts
    assert [line.partition(":")[0] for line in advice(seen)] == [
        "aggregates wait alone (silent), since the broker does not confirm its next event, though it confirms others",
        "aggregates wait alone (nack), since a queue bound to the exchange rejects its next event",
    ]


def test_status_names_aggregates_that_wait_alone(night: Night) -> None:
    """
    For a person with what to do next, for a program with cause and remedy; nothing of it while all is well.
    """
    night.write_worker("w")
    assert night.type("status", "--json").data["held_up"] == []
    assert "waits alone" not in night.type("status").out
    since_ms = night.runtime.now_ms() - 600_000
    held_up = (HeldUpReport("order-7", 12, "nack", 1_300, since_ms),)
    night.write_worker("w", report=WorkerReport(held_up=held_up, held_up_count=3))

    data, text = night.type("status", "--json").data, night.type("status")

    assert text.code == 0
    (shown,) = data["held_up"]
    assert data["held_up_count"] == 3
    assert 600.0 <= shown.pop("since_seconds") < 660.0
    assert "reject-publish" in shown.pop("remedy")
    assert shown == {
        "aggregate_id": "order-7",
        "last": 12,
        "reason": "nack",
        "cause": "a queue bound to the exchange rejects its next event",
        "attempts": 1_300,
        "next_seconds": 0.0,
        "worker": "w",
    }
    assert ["order-7", "12", "nack", "1,300", "10 min 0 s", "now"] in text.rows
    assert "2 more" in text.out
    assert "Next: aggregates wait alone (nack), since a queue bound to the exchange rejects its next event:" in text.out


def test_status_tells_of_refusals_though_no_worker_runs(night: Night) -> None:
    """
    The rows say it: how many commits, why, and what to do. Nothing of it while there are none.
    """
    night.append("a", 2)
    before = night.type("status")
    assert "refused" not in before.out
    night.change("a", 1, refused=encode({"bus": RefusedMark(5, 0, 1_000, "nack")}))
    night.append("b")
    night.change("b", 1, refused=encode({"bus": RefusedMark(5, 0, 1_000, "no\x1b[31mvel")}))

    outbox, text = night.type("status", "--json").data["outbox"], night.type("status")

    assert (outbox["owed_to_bus"], outbox["refused_by"]) == (3, {"bus": 2, "index": 0})
    assert [(each["reason"], each["commits"]) for each in outbox["refusals"]] == [("nack", 1), ("no\x1b[31mvel", 1)]
    assert outbox["refusals"][0]["cause"] == "a queue bound to the exchange rejects its next event"
    assert "reject-publish" in outbox["refusals"][0]["remedy"]
    assert text.rows[1:3] == [["owed to the bus", "3"], ["of these, refused", "2"]]
    assert "Next: aggregates wait alone (nack), since a queue bound to the exchange rejects its next event:" in text.out
    assert "\x1b[31m" not in text.out


def test_the_worst_that_live_workers_say_of_a_destination_counts() -> None:
    """
    One sees the bus well, one does not; a dead one's word counts for nothing; of the index nobody says anything.
    """

    def saying(state: str, reason: str = "") -> WorkerReport:
        return WorkerReport(destinations=(DestinationReport("bus", state, reason),))

    seen = compose(
        [],
        [
            worker("w1", report=saying("up")),
            worker("w2", report=saying("outage", "connection refused")),
            worker("w3", report=None),
            worker("w4", silent_seconds=99.0, report=saying("misconfigured", "no rights")),
        ],
    )

    bus, index = seen.destinations
    assert (bus.name, bus.state, bus.reason, bus.workers) == ("bus", "outage", "connection refused", ("w2",))
    assert (index.state, index.workers) == ("unknown", ())


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("up", ["bus takes everything, and yet: why."]),
        ("breaker_open", []),
        ("outage", ["bus is out of reach or too slow: fix the server; the relay continues by itself."]),
        ("misconfigured", [MISCONFIGURED]),
    ],
)
def test_trouble_of_a_destination_comes_with_a_next_step(state: str, said: list[str]) -> None:
    """
    What heals by itself once the server is back is told apart from what does not.
    """
    report = WorkerReport(destinations=(DestinationReport("bus", state, "why"),))

    assert advice(compose([], [worker("w", report=report)])) == said


def test_a_shard_of_which_nothing_was_read_has_no_checkpoint() -> None:
    """
    Its lease was written, but there is no place in the feed to go on from.
    """
    (shard,) = compose([lease("s", "w", position=None)], [worker("w", report=reporting("s", 0.0))]).shards

    assert (shard.state, shard.checkpoint_at_ms) == ("unread", None)


def test_what_the_sweep_found() -> None:
    """
    Its owner's word; without an owner the latest that anybody said.
    """
    old, new = SweepReport(1, 5, {"bus": 1}, 1), SweepReport(2, 9, {}, 0)
    workers = [worker("w1", report=WorkerReport(sweep=old)), worker("w2", report=WorkerReport(sweep=new))]

    owned = compose([Lease(SWEEP_KEY, "w1", 1, 1)], workers)
    free = compose([Lease(SWEEP_KEY, None, 1, 1)], workers)

    assert (owned.sweep_owner, owned.sweep) == ("w1", old)
    assert (free.sweep_owner, free.sweep) == (None, new)
    assert [each.leases for each in owned.workers] == [1, 0]


def test_signs_of_life_are_judged_by_the_own_clock() -> None:
    """
    Wall clocks may differ by hours: a counter that moves is a life, one that rests for a lease is none.
    """
    runtime = ManualRuntime()
    counter = 1

    def look() -> Fleet:
        return Fleet({}, {"w": WorkerRecord("w", counter, "h", 1, "1", 0, 0, None)}, None, SETTINGS)

    heartbeats = HeartbeatWatch(look, runtime)
    heartbeats.look()
    runtime.advance(12.0)
    alive = not heartbeats.nobody_lives()
    runtime.advance(0.5)
    dead = heartbeats.nobody_lives()
    counter = 2
    heartbeats.look()

    assert alive
    assert dead
    assert not heartbeats.nobody_lives()


def test_the_fleet_is_not_looked_at_more_than_once_a_second() -> None:
    """
    However often a page asks.
    """
    runtime, looks = ManualRuntime(), []

    def look() -> Fleet:
        looks.append(runtime.monotonic())
        return Fleet()

    heartbeats = HeartbeatWatch(look, runtime)
    for _ in range(50):
        heartbeats.look()
        runtime.advance(0.1)

    assert len(looks) == 5


def test_without_any_relay(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It needs no relay and no setting of one; what is owed is said, and what to do.
    """
    monkeypatch.delenv("RELAY_RABBITMQ_URL")
    night.append("a", 2)
    night.park("a", 2, "index", delivered={"SS": ["bus"]})

    found = night.type("status", "--json")
    text = night.type("status")

    assert found.code == text.code == 0
    outbox = found.data["outbox"]
    assert 0 <= outbox.pop("oldest_age_seconds") < 60
    assert outbox == {
        "rows": 2,
        "complete": True,
        "owed": {"bus": 1, "index": 1},
        "owed_to_bus": 1,
        "owed_to_others_only": 0,
        "parked": 1,
        "parked_for": {"bus": 0, "index": 1},
        "refused_by": {"bus": 0, "index": 0},
        "refusals": [],
        "unreadable": 0,
        "newer": 0,
        "settled_rows": 0,
    }
    assert (found.data["workers"], found.data["pause"], found.data["live_workers"]) == ([], None, 0)
    assert [each["state"] for each in found.data["destinations"]] == ["unknown", "unknown"]
    assert {each["state"] for each in found.data["shards"]} == {"unread"}
    lags = [each["lag_seconds"] for each in found.data["shards"]]
    assert max(lags) < 60
    assert ["owed to the bus", "1"] in text.rows
    assert "Next: no relay runs: `relay run` delivers what is owed, or `relay replay` by hand." in text.out
    assert "Next: `relay parked list` shows what waits for a person." in text.out


def test_while_a_relay_runs(night: Night) -> None:
    """
    Owners, leases, destinations and the sweep are those that the worker reports.
    """
    night.append("a")
    night.start_relay()

    def seen() -> Any:
        return night.type("status", "--json").data

    until(lambda: all(each["in_flight"] is not None for each in seen()["shards"]), "the worker carries all shards")
    until(lambda: seen()["sweep"]["walked_at_ms"] is not None, "the sweep has walked")
    data = seen()
    text = night.type("status")

    (running,) = data["workers"]
    assert not running["is_silent"]
    assert running["leases"] == len(data["shards"]) + 1
    assert {each["owner"] for each in data["shards"]} == {data["sweep"]["owner"]} == {running["worker"]}
    assert {each["name"]: each["state"] for each in data["destinations"]} == {"bus": "up", "index": "up"}
    assert all(each["trim_seconds"] > 86_000 for each in data["shards"])
    assert running["worker"] in text.out
    assert "sweep: " in text.out


def test_a_pause_and_a_dead_worker_are_in_plain_sight(night: Night) -> None:
    """
    With who paused and why; control characters in it cannot steer the terminal.
    """
    night.write_settings("bus", "index")
    night.write_worker("gone", silent_seconds=500.0)
    night.relay().fleet_table.pause(Pause("ann\x1b[2J", 1_735_689_600_000, "consumer\nis broken"))

    found = night.type("status")

    assert found.code == 0
    assert "PAUSED by ann\\x1b[2J at 2025-01-01 00:00:00 UTC: consumer\\nis broken" in found.out
    assert "SILENT" in found.out
    assert "Next: delivery is paused; `relay resume` continues it." in found.out


def test_only_so_many_rows_are_counted(night: Night) -> None:
    """
    And it is said that there are more.
    """
    night.append("a", 3)

    found = night.type("status", "--rows-max", "2")

    assert "the first 2 rows only" in found.out


def test_a_feed_that_does_not_answer_hides_nothing_else(night: Night) -> None:
    """
    How far a shard is read is then not known; everything else is shown.
    """

    def refuse(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        if operation in ("GetShardIterator", "GetRecords"):
            raise ServiceError("InternalServerError", "not now", status=500)
        return effect()

    night.append("a")
    night.way.trap = refuse

    found = night.type("status", "--json")

    assert found.code == 0
    assert found.data["outbox"]["rows"] == 1
    assert {each["lag_seconds"] for each in found.data["shards"]} == {None}


def test_watching_survives_a_server_that_does_not_answer() -> None:
    """
    One watches for that: it is said, and asked again. What is wrong for good ends it.
    """
    runtime = ManualRuntime()
    stop = runtime.flag()
    answers: list[Exception | None] = [None, UnreachableError("no answer"), None, InvalidInputError("x", "broken")]
    drawn: list[Any] = []
    said: list[str] = []

    def look() -> Any:
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return len(answers)

    with pytest.raises(InvalidInputError):
        watch(look, drawn.append, lambda error: said.append(str(error)), 2.0, stop)

    assert drawn == [3, 1]
    assert said == ["no answer"]


def test_watching_does_not_begin_at_a_server_that_is_not_there() -> None:
    """
    A wrong address ends the command.
    """
    runtime = ManualRuntime()

    def look() -> Any:
        raise UnreachableError("no answer")

    with pytest.raises(UnreachableError):
        watch(look, lambda _: None, lambda _: None, 2.0, runtime.flag())


def test_watching_ends_cleanly_when_interrupted(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Ctrl-C is how one ends it: exit code 0, one document per look.
    """
    waits: list[float] = []

    class Interrupted:
        def wait(self, seconds: float) -> bool:
            waits.append(seconds)
            if len(waits) >= 3:
                raise KeyboardInterrupt
            return False

    monkeypatch.setattr("eventstore.system.SystemRuntime.flag", lambda _: Interrupted())

    found = night.type("status", "--watch", "0.5", "--json")
    text = night.type("status", "--watch")

    assert found.code == 0
    assert len(found.out.splitlines()) == 3
    assert waits[:3] == [0.5, 0.5, 0.5]
    assert text.code == 0


def feed_says(state: str, reason: str = "") -> WorkerReport:
    return WorkerReport(feed=FeedReport(state, reason))


def test_the_worst_word_about_the_feed_counts() -> None:
    """
    A dead worker's, and one that says nothing of it, do not; what is refused to who looks is not refused to workers.
    """
    workers = [
        worker("w1", report=feed_says("up")),
        worker("w2", report=feed_says("denied", "no rights")),
        worker("w3", report=WorkerReport()),
        worker("w4", silent_seconds=60.0, report=feed_says("absent", "of yesterday")),
    ]
    assert compose([], workers).feed == FeedView("denied", "no rights", ("w2",))
    assert compose([], workers[:1]).feed == FeedView()
    assert compose([], []).feed == FeedView()
    mine = FeedTrouble(FeedState.DENIED, "not for you", needs_person=True)
    fleet = Fleet({}, {each.worker_id: each for each in workers[:1]}, None, SETTINGS)
    assert overview.compose(fleet, Survey(), "label", [], {}, NAMES, NOW_MS, trouble=mine).feed == FeedView()
    assert overview.compose(Fleet(), Survey(), "", [], {}, NAMES, NOW_MS, trouble=mine).feed == FeedView(
        "denied", "not for you"
    )


@pytest.mark.parametrize("fault", ["absent", "denied"])
def test_the_picture_is_whole_without_a_feed(night: Night, fault: str) -> None:
    """
    With the stream off, or no right to look at it, everything else is shown, and what to do.
    """
    night.append("a")
    if fault == "absent":
        off = {"StreamEnabled": False}
        night.client.update_table(TableName="inventory_outbox", StreamSpecification=off)
    else:

        def refuse(operation: str, _request: Mapping[str, Any], effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
            if operation == "DescribeStream":
                raise ServiceError("AccessDeniedException", "not for you")
            return effect()

        night.way.trap = refuse
    shown, told = night.type("status"), night.type("status", "--json")

    assert (shown.code, told.code) == (0, 0)
    assert told.document["data"]["outbox"]["rows"] == 1
    assert told.document["data"]["feed"]["state"] == fault
    assert told.document["data"]["feed"]["reason"] != ""
    assert "Next: the feed is not read, and the sweep delivers later" in shown.out


def test_what_is_owed_is_replayed_without_a_stream(night: Night) -> None:
    """
    A replay reads rows, not the feed.
    """
    night.client.update_table(TableName="inventory_outbox", StreamSpecification={"StreamEnabled": False})
    night.append("a")

    assert night.type("replay").code == 0
    assert night.on_bus() == [("a", 1)]


def test_shards_without_a_reader_are_told_with_the_setting_to_raise() -> None:
    """
    As the workers see it that have no room; a dead worker's word counts for nothing.
    """
    crowded = WorkerReport(shards_waiting=12, shards_max=4)
    seen = compose([], [worker("w1", report=crowded), worker("w2", report=WorkerReport(shards_max=2))])
    gone = compose([], [worker("w1", silent_seconds=60.0, report=crowded)])

    assert (
        "12 shards are read by nobody, since no worker has room, and the sweep delivers later: raise RELAY_SHARDS_MAX"
        " (4 now), or start another worker."
    ) in advice(seen)
    assert (gone.shards_waiting, gone.shards_max) == (0, 0)
