"""A replay delivers what is meant, no faster than it may, and says honestly what it has seen."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from eventstore.errors import TryLaterError
from eventstore.ports import Flag
from eventstore.testing.dynamodb.errors import ServiceError
from relay.assembly import Relay
from relay.daemon import PartDiedError
from relay.destinations.bus.broker import BrokerLostError
from relay.operating.replay import Replay, ReplayPreview, ReplayProgress, ReplayRequest, ReplayResult, preview
from relay.outbox.debt import Meant
from tests.support.waiting import until

from .conftest import Bench

BAD = {"M": {"bus": {"M": {"reason": {"S": "bad"}}}}}
OLD_MS = 1_735_689_600_000


def replay(bench: Bench, request: ReplayRequest | None = None, stop: Flag | None = None, **others: Any) -> ReplayResult:
    return made(bench, bench.another_relay(started=False), request, **others).run(stop or bench.runtime.flag())


def made(bench: Bench, relay: Relay, request: ReplayRequest | None = None, **others: Any) -> Replay:
    return Replay(
        reader=relay.outbox,
        flow=relay.flow,
        pumps=relay.pumps,
        services=relay.scribes(lambda: True),
        runtime=bench.runtime,
        request=request or ReplayRequest(),
        **others,
    )


def make_old(bench: Bench, aggregate_id: str, last: int) -> None:
    bench.break_row(aggregate_id, last, committedAt={"N": str(OLD_MS)})


def test_an_outbox_that_is_empty_at_the_end(bench: Bench) -> None:
    """
    All is settled, all was looked at.
    """
    for number in range(3):
        bench.append(f"item-{number}")

    result = replay(bench)

    assert (result.settled, result.left, result.complete) == (3, 0, True)


def test_a_replay_that_is_stopped_does_not_claim_an_empty_outbox(bench: Bench) -> None:
    """
    It was told to stop before it had looked, so nobody knows what is left.
    """
    bench.append("a")
    stop = bench.runtime.flag()
    stop.set()

    result = replay(bench, stop=stop)

    assert result.settled == 0
    assert not result.complete


def test_one_aggregate(bench: Bench) -> None:
    """
    It is asked for by key, and the others stay owed.
    """
    for name in ("a", "b"):
        bench.append(name)
        bench.append(name)
    scans = bench.way.count("Scan")

    result = replay(bench, ReplayRequest(Meant(aggregate_id="b")))

    assert (result.settled, result.left) == (2, 0)
    assert bench.on_bus() == [("b", 1), ("b", 2)]
    assert bench.way.count("Scan") == scans


def test_what_is_older_and_what_is_newer(bench: Bench) -> None:
    """
    By the writer's clock.
    """
    bench.append("old")
    bench.append("new")
    make_old(bench, "old", 1)

    first = replay(bench, ReplayRequest(Meant(older_than_seconds=3600.0)))
    between = bench.on_bus()
    second = replay(bench, ReplayRequest(Meant(since_ms=OLD_MS + 1)))

    assert (first.settled, second.settled) == (1, 1)
    assert between == [("old", 1)]


def test_earlier_commits_go_first_meant_or_not(bench: Bench) -> None:
    """
    Otherwise the bus would have to leave them out for ever.
    """
    bench.append("a")
    bench.append("a")
    make_old(bench, "a", 1)

    result = replay(bench, ReplayRequest(Meant(since_ms=OLD_MS + 1)))

    assert result.left == 0
    assert bench.on_bus() == [("a", 1), ("a", 2)]


def test_what_was_not_meant_does_not_count_as_what_was(bench: Bench) -> None:
    """
    An earlier commit goes first and is settled; the one that was selected stays, parked for the index.
    """
    bench.append("a")
    bench.append("a")
    make_old(bench, "a", 1)
    bench.break_row("a", 2, parked={"M": {"index": {"M": {"reason": {"S": "bad"}}}}})

    result = replay(bench, ReplayRequest(Meant(since_ms=OLD_MS + 1)))

    assert (result.settled, result.left, result.parked, result.complete) == (1, 1, 1, True)


def test_a_limit_that_is_reached_with_the_last_commit_leaves_nothing(bench: Bench) -> None:
    """
    Everything was looked at, so what is left is known.
    """
    for number in range(3):
        bench.append(f"item-{number}")

    result = replay(bench, ReplayRequest(commits_max=3))

    assert (result.settled, result.left, result.complete) == (3, 0, True)


def test_what_goes_between_two_pages_is_counted(bench: Bench) -> None:
    """
    The bus has a commit, so its page is over; the index takes it while the rate holds up the next one.
    """
    held = bench.hold_index()
    for number in range(3):
        bench.append(f"item-{number}")

    def let_index_answer(progress: ReplayProgress) -> None:
        if progress.handed_over:
            held.set()

    relay = bench.another_relay(started=False)
    relay.flow._settings = replace(relay.flow._settings, side_patience_seconds=0.0)
    request = ReplayRequest(commits_per_second=4.0)
    result = made(bench, relay, request, progress=let_index_answer).run(bench.runtime.flag())

    assert (result.settled, result.left) == (3, 0)


@pytest.mark.parametrize("page_max_rows", [2, 500])
def test_a_limit_ends_it_and_the_next_one_goes_on(bench: Bench, page_max_rows: int) -> None:
    """
    Within a page and between pages; nobody claims that all was seen.
    """
    for number in range(7):
        bench.append(f"item-{number}")
    request = ReplayRequest(commits_max=3, page_max_rows=page_max_rows)

    first, second, third = (replay(bench, request) for _ in range(3))

    assert [each.settled for each in (first, second, third)] == [3, 3, 1]
    assert [each.limit_reached for each in (first, second, third)] == [True, True, False]
    assert [each.complete for each in (first, second, third)] == [False, False, True]
    assert len(bench.on_bus()) == 7


def test_no_faster_than_it_may(bench: Bench) -> None:
    """
    Ten in a second: after each commit it waits until its time has come.
    """
    for number in range(5):
        bench.append(f"item-{number}")
    began_at = bench.runtime.monotonic()

    result = replay(bench, ReplayRequest(commits_per_second=10.0))

    assert result.settled == 5
    assert bench.runtime.monotonic() - began_at >= 0.5


def test_no_more_is_handed_in_than_there_is_room_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What the bus has stays in hand until slow destinations have it, too: the next page waits for that.
    """
    for number in range(3):
        bench.append(f"item-{number}")
    relay = bench.another_relay(started=False)
    flow, told = relay.flow, []
    hand_in, has_room = flow.hand_in, flow.has_room
    answers = [False, False, True, False, True, True]
    monkeypatch.setattr(flow, "has_room", lambda source: told.append("asked") or (answers.pop(0) and has_room(source)))
    monkeypatch.setattr(flow, "hand_in", lambda *given: told.append("handed in") or hand_in(*given))

    result = made(bench, relay, ReplayRequest(page_max_rows=1)).run(bench.runtime.flag())

    assert (result.settled, result.left) == (3, 0)
    assert told == ["asked", "asked", "asked", "handed in", "asked", "asked", "handed in", "asked", "handed in"]


def test_a_replay_that_finds_no_room_ends_and_says_what_is_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Not for ever does it wait: what is in hand counts as stuck after a while.
    """
    bench.append("a")
    relay = bench.another_relay(started=False)
    flow = relay.flow
    flow._settings = replace(flow._settings, overdue_seconds=0.1)
    monkeypatch.setattr(flow, "has_room", lambda _: False)

    result = made(bench, relay).run(bench.runtime.flag())

    assert (result.settled, result.left) == (0, 1)


def test_parked_commits_and_what_waits_behind_them_are_left(bench: Bench) -> None:
    """
    They are counted, nothing is tried in vain again and again, and other aggregates flow.
    """
    for _ in range(3):
        bench.append("a")
    bench.break_row("a", 1, parked=BAD, delivered={"SS": ["index"]})
    for last in (2, 3):
        bench.break_row("a", last, delivered={"SS": ["index"]})
    bench.append("b")

    result = replay(bench)

    assert (result.settled, result.left, result.parked, result.waiting) == (1, 3, 1, 2)
    assert result.complete
    assert bench.on_bus() == [("b", 1)]


def test_rows_that_every_destination_has_go(bench: Bench) -> None:
    """
    A crash between the last mark and the deletion left one behind.
    """
    bench.append("a")
    bench.break_row("a", 1, delivered={"SS": ["bus", "index"]})

    result = replay(bench)

    assert (result.settled, result.left) == (1, 0)
    assert bench.on_bus() == []


def test_a_pause_ends_it_between_pages(bench: Bench) -> None:
    """
    What is handed over is finished, the rest stays owed.
    """
    for number in range(4):
        bench.append(f"item-{number}")
    said: list[str] = []

    def hold() -> str | None:
        return "ann has paused delivery" if bench.on_bus() else None

    result = replay(
        bench, ReplayRequest(page_max_rows=1), hold=hold, progress=lambda now: said.append(str(now.settled))
    )

    assert result.held == "ann has paused delivery"
    assert (result.settled, result.complete) == (1, False)
    assert said[-1] == "1"


def test_a_part_that_dies_ends_it_at_once(bench: Bench) -> None:
    """
    Its answers would be waited for in vain, for minutes; the time of this test is the bound.
    """

    def fail(_timeout_seconds: float) -> Any:
        raise RuntimeError("a defect")

    bench.append("a")
    relay = bench.another_relay(started=False)
    relay._bus._bus.listen = fail  # type: ignore[method-assign]
    run = made(bench, relay)
    began_at = bench.runtime.monotonic()

    with pytest.raises(PartDiedError, match="bus: RuntimeError\\('a defect'\\)"):
        run.run(bench.runtime.flag())

    assert bench.runtime.monotonic() - began_at < 10.0
    assert [row.key for row in bench.outbox()] == [("a", 1)]


def test_a_bus_that_is_gone_ends_it(bench: Bench) -> None:
    """
    After a few attempts, with what ails it; not after hours.
    """
    bench.append("a")
    bench.broker.refuse_connections(BrokerLostError("connecting", "it is switched off"))
    relay = bench.another_relay(started=False)
    run = made(bench, relay, refusals_max=2)

    result = run.run(bench.runtime.flag())

    assert (result.settled, result.left, result.complete) == (0, 1, False)
    assert "it is switched off" in result.trouble["bus"]


def test_dynamodb_does_not_answer(bench: Bench) -> None:
    """
    It is said as what it is, and everything that was started is ended.
    """

    def refuse(_operation: str, _request: Mapping[str, Any], _effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        raise ServiceError("ThrottlingException", "slow down")

    bench.append("a")
    relay = bench.another_relay(started=False)
    bench.way.trap = refuse
    run = made(bench, relay)

    with pytest.raises(TryLaterError):
        run.run(bench.runtime.flag())
    bench.way.trap = None
    until(lambda: all(service.join(0) for service in run._services), "its parts have ended")


def test_two_replays_at_once(bench: Bench) -> None:
    """
    Safe beside each other: everything arrives, in order of first deliveries, and the outbox is empty.
    """
    for _ in range(10):
        bench.append("a")
    other: list[ReplayResult] = []
    part = bench.runtime.spawn("other replay", lambda: other.append(replay(bench)))

    result = replay(bench)

    assert part.join(30.0)
    assert part.failure is None
    assert (result.left, other[0].left) == (0, 0)
    assert list(dict.fromkeys(bench.on_bus())) == [("a", number) for number in range(1, 11)]
    assert bench.outbox() == []


def test_a_preview_does_nothing(bench: Bench) -> None:
    """
    It says what would be handed over, to whom, and what would stay.
    """
    for _ in range(3):
        bench.append("a")
    bench.break_row("a", 2, parked=BAD)
    bench.append("b")
    bench.break_row("b", 1, delivered={"SS": ["bus"]}, committedAt={"N": str(OLD_MS)})
    before = len(bench.way.calls)

    found = preview(bench.relay.outbox, ["bus", "index"], ReplayRequest(), bench.runtime)

    assert found == ReplayPreview(
        meant=4,
        handed_over=4,  # what waits for the bus goes to the index all the same
        lacking={"bus": 1, "index": 4},
        aggregates=2,
        parked=1,
        waiting=1,
        oldest_committed_at_ms=OLD_MS,
    )
    assert {name for name, _, _ in bench.way.calls[before:]} == {"Scan"}
    assert bench.on_bus() == []
