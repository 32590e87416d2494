"""The rules of the flow, shown on it alone: claims, joins, room, refusals, and what is let go."""

from dataclasses import replace

import pytest

from eventstore.backoff import Backoff
from relay.delivery.commit import NEVER
from relay.delivery.page import Fate
from relay.delivery.source import FEED, REPLAY, SWEEP
from relay.delivery.work.questions import Bring
from relay.destination import BUS, INDEX, Park
from relay.outbox.row import Absent, Present, Unreadable
from tests.support.delivering import TestedPermit

from .flow_world import FlowWorld

TOO_LARGE = Park("too large", "message_too_large")


def up_to(aggregate_id: str, last: int) -> list[tuple[str, int]]:
    return [(aggregate_id, number) for number in range(1, last + 1)]


# Turns


def test_one_event_of_each_aggregate_is_under_way() -> None:
    """
    The next goes when the one before it was taken, within a commit and across commits.
    """
    world = FlowWorld()
    world.hand_in(world.source(), [*world.append("a", 2, 1), *world.append("b", 1)])

    first, other = world.take()
    assert world.take() == []
    world.confirm(first)
    second = world.take_one()
    world.confirm(other, second)
    world.confirm(world.take_one())

    assert world.on_bus == [("a", 1), ("b", 1), ("a", 2), ("a", 3)]


def test_turns_are_fair() -> None:
    """
    Whoever had one waits behind all others, however much it owes.
    """
    world = FlowWorld()
    world.hand_in(world.source(), [*world.append("hot", *[1] * 50), *world.append("b", 1, 1), *world.append("c", 1)])

    turns = [world.send(1)[0][0] for _ in range(7)]

    assert turns == ["hot", "b", "c", "hot", "b", "hot", "hot"]


def test_whoever_has_work_is_told() -> None:
    """
    A part that waits for work would wait for ever otherwise.
    """
    world = FlowWorld(sides=[INDEX])
    rows = world.append("a", 1, 1)
    second = replace(rows[1], events=None)

    def told(*parts: str) -> bool:
        found, world.rung = set(world.rung), []
        return found >= set(parts)

    world.hand_in(world.source(), [second])
    assert told("asker"), "the predecessor is in question"
    world.answer()
    assert told("bus"), "it may go"
    world.send()
    world.serve()
    world.settle()
    assert told("asker"), "the events of the next are to be read"
    world.answer()
    assert told("bus", INDEX)
    world.send()
    world.serve()
    assert told("settler")


def test_what_comes_in_any_order_goes_in_order() -> None:
    """
    Page by page from the last to the first, one commit a page.
    """
    world = FlowWorld()
    source, rows = world.source(), world.append("a", *[2] * 10)
    pages = [world.hand_in(source, [row]) for row in reversed(rows)]

    world.run()

    assert world.on_bus == up_to("a", 20)
    assert [page.fates for page in pages] == [{Fate.SETTLED: 1}] * 10
    assert world.counts == {}


# Claims


def test_a_commit_goes_under_the_permits_of_those_who_claim_it_or_one_above_it() -> None:
    """
    Nobody else's: a permit for what is below says nothing of what is above.
    """
    world = FlowWorld()
    rows = world.append("a", 1, 1, 1)
    permits = [TestedPermit() for _ in rows]
    for row, permit in zip(rows, permits, strict=True):
        world.hand_in(world.source(permit), [row])

    for position in range(3):
        turn = world.take_one()
        assert set(turn.permits) == set(permits[position:])
        assert turn.beginners == turn.permits
        world.confirm(turn)


def test_a_predecessor_that_is_brought_goes_under_the_claims_above_it() -> None:
    """
    Nobody handed it in.
    """
    world = FlowWorld()
    permit = TestedPermit()
    _, second = world.append("a", 1, 1)
    world.hand_in(world.source(permit), [second])
    assert world.answer() == [("a", 1)]

    turn = world.take_one()

    assert (turn.commit.last, turn.permits) == (1, (permit,))
    assert world.counts["brought"] == 1


def test_who_drains_begins_nothing_and_may_go_on() -> None:
    """
    What is not begun is withdrawn at once; what is stays, under its permit, and no new commit of it is begun.
    """
    world = FlowWorld()
    permit = TestedPermit()
    source = world.source(permit)
    page = world.hand_in(source, [*world.append("a", 2, 1), *world.append("b", 1)])
    turn, other = world.take()
    world.flow.put_back(other, 0.0)

    world.flow.drain(source)

    assert page.fates == {Fate.WITHDRAWN: 2}
    assert world.flow.begun(source) == {("a", 2)}
    world.confirm(turn)
    turn = world.take_one()
    assert (turn.permits, turn.beginners) == ((permit,), ())
    world.confirm(turn)
    world.run()
    assert world.on_bus == [("a", 1), ("a", 2)]
    assert page.fates == {Fate.WITHDRAWN: 2, Fate.SETTLED: 1}
    assert world.counts == {}


def test_what_is_withdrawn_is_not_dealt_with() -> None:
    """
    Nothing of it goes any more; its rows stay owed.
    """
    world = FlowWorld()
    source = world.source()
    page = world.hand_in(source, [*world.append("a", 1, 1), *world.append("b", 1)])
    told: list[bool] = []
    page.ring = lambda: told.append(page.is_dealt_with)

    world.flow.withdraw(source)

    assert told == [False]
    assert page.fates == {Fate.WITHDRAWN: 3}
    assert world.take() == []
    assert len(world.outbox) == 3
    assert world.counts == {}


def test_what_is_unanswered_outlives_its_claims() -> None:
    """
    The confirm settles it; the rest of its commit is not sent.
    """
    world = FlowWorld()
    source = world.source()
    page = world.hand_in(source, [*world.append("a", 1), *world.append("b", 2)])
    turns = world.take()
    world.flow.withdraw(source)
    assert not page.is_over

    world.confirm(*turns)
    world.run()

    assert world.on_bus == [("a", 1), ("b", 1)]
    assert page.fates == {Fate.SETTLED: 1, Fate.WITHDRAWN: 1}
    assert list(world.outbox) == [("b", 2)]
    assert world.counts == {}


def test_what_another_claims_stays() -> None:
    """
    It goes under that one's permit alone, up to where it claims.
    """
    world = FlowWorld()
    rows = world.append("a", 1, 1, 1)
    gone, stays = world.source(), world.source(permit := TestedPermit())
    first, second = world.hand_in(gone, rows), world.hand_in(stays, rows[:2])

    world.flow.withdraw(gone)

    assert first.fates == {Fate.WITHDRAWN: 1}
    assert world.take()[0].permits == (permit,)
    world.flow.put_back(world.flow._aggregates["a"].turn, 0.0)  # type: ignore[arg-type]
    world.run()
    assert world.on_bus == up_to("a", 2)
    assert second.fates == {Fate.SETTLED: 2}
    assert first.fates == {Fate.WITHDRAWN: 1, Fate.SETTLED: 2}


def test_the_commit_of_a_source_that_went_is_taken_up_where_it_was() -> None:
    """
    Another hands it in later: what this process has confirmed of it is not sent again.
    """
    world = FlowWorld()
    source, rows = world.source(), world.append("a", 3)
    world.hand_in(source, rows)
    world.send()
    world.flow.withdraw(source)
    assert world.counts == {}

    world.hand_in(world.source(), rows)
    world.run()

    assert world.on_bus == up_to("a", 3)


# Joins


def test_a_commit_that_comes_twice_is_one() -> None:
    """
    Both pages hold it until it is settled; it goes once, and counts once.
    """
    world = FlowWorld()
    rows = world.append("a", 1, 1)
    feed, sweep = world.source(), world.source(kind=SWEEP)
    pages = [world.hand_in(feed, rows), world.hand_in(sweep, rows[::-1]), world.hand_in(feed, [*rows, *rows])]
    assert world.counts["commits"] == 2

    world.run()

    assert world.on_bus == up_to("a", 2)
    assert [page.fates[Fate.SETTLED] for page in pages] == [2, 2, 4]
    assert (feed.settled, sweep.settled) == (2, 0)


def test_a_join_touches_neither_progress_nor_pause() -> None:
    """
    Its page waits for nothing that stands alone.
    """
    world = FlowWorld()
    rows = world.append("a", 3)
    world.hand_in(world.source(), rows)
    world.send()
    world.flow.refused(world.take_one(), "nack")
    (before,) = world.flow.held_up()

    page = world.hand_in(world.source(kind=SWEEP), rows)

    assert page.fates == {Fate.REFUSED: 1}
    assert world.flow.held_up() == [before]
    assert world.take() == []
    world.runtime.advance(2.0)
    assert world.take_one().event.sequence_number == 2


def test_what_two_looks_at_a_row_contradict_is_asked() -> None:
    """
    One says that it is parked, the other that it is not: neither is believed.
    """
    world = FlowWorld(sides=[INDEX])
    (row,) = world.append("a", 1)
    world.hand_in(world.source(), [row])
    world.hand_in(world.source(), [replace(row, parked={BUS: "a reason"})])

    assert world.take() == []
    assert world.answer() == [("a", 1)]
    assert world.send() == [("a", 1)]


def test_delivered_only_grows() -> None:
    """
    An older look at a row takes nothing away.
    """
    world = FlowWorld(sides=[INDEX])
    (row,) = world.append("a", 1)
    source = world.source()
    world.hand_in(source, [replace(row, delivered=frozenset({INDEX}))])
    world.hand_in(source, [row])

    assert world.serve() == []
    world.run()
    assert world.outbox == {}


# Evidence


@pytest.mark.parametrize(("kind", "seconds"), [(FEED, 30.0), (REPLAY, 30.0), (SWEEP, 2.0)])
def test_old_evidence_is_asked_for_before_a_commit_is_begun(kind: str, seconds: float) -> None:
    """
    Somebody else may have delivered it; what a walk brings is asked for sooner.
    """
    world = FlowWorld()
    world.hand_in(world.source(kind=kind), [*world.append("a", 2), *world.append("b", 1)])
    world.runtime.advance(seconds)
    first, _ = world.take()
    world.confirm(first)
    world.flow.put_back(world.flow._aggregates["b"].turn, 0.0)  # type: ignore[arg-type]
    world.runtime.advance(0.1)
    del world.outbox["b", 1]

    assert [(turn.aggregate.id, turn.event.sequence_number) for turn in world.take()] == [("a", 2)]
    assert world.answer() == [("b", 1)], "what is begun is ours to finish"
    assert world.take() == []


def test_a_row_that_is_gone_is_settled() -> None:
    """
    And lets the one above it go, without a question of its own.
    """
    world = FlowWorld()
    rows = world.append("a", 1, 1)
    page = world.hand_in(world.source(), rows, NEVER)
    del world.outbox["a", 1]

    assert world.answer() == [("a", 1)]
    assert page.fates == {Fate.SETTLED: 1}
    assert world.answer() == [("a", 2)]
    assert world.send() == [("a", 2)]


def test_a_predecessor_that_waits_to_be_settled_is_asked_for_once() -> None:
    """
    It is in hand, and an old look said that the bus has it: the answer counts, though it says nothing new.
    """
    world = FlowWorld(sides=[INDEX])
    first, second = world.append("a", 1, 1)
    first = world.outbox["a", 1] = replace(first, delivered=frozenset({BUS, INDEX}))
    world.hand_in(world.source(), [first, second], NEVER)

    asked = [key for _ in range(3) for key in world.answer()]

    assert sorted(asked) == [("a", 1), ("a", 2)]
    assert world.send() == [("a", 2)]


def test_a_parked_predecessor_that_waits_for_a_side_is_asked_for_once() -> None:
    """
    It is in hand; what is above it waits for a person all the same.
    """
    world = FlowWorld(sides=[INDEX])
    first, second = world.append("a", 1, 1)
    first = world.outbox["a", 1] = replace(first, parked={BUS: "a reason"})
    source = world.source()
    world.hand_in(source, [first])
    world.take()

    page = world.hand_in(source, [second])
    asked = [key for _ in range(3) for key in world.answer()]

    assert asked == [("a", 1)]
    assert page.fates == {Fate.WAITING: 1}
    assert world.serve() == [("a", 1), ("a", 2)]
    world.run()
    assert world.on_bus == []
    assert world.counts == {}


def test_a_predecessor_that_its_source_let_go_and_that_is_being_noted_goes_first() -> None:
    """
    The index has it, which must be written down, so that it is in hand; whoever claims what is above claims it too.
    """
    world = FlowWorld(sides=[INDEX])
    first, second = world.append("a", 1, 1)
    gone = world.source()
    world.hand_in(gone, [first])
    world.serve()
    world.flow.withdraw(gone)
    assert world.counts["unsettled"] == 1

    world.hand_in(world.source(), [second])
    asked = [key for _ in range(3) for key in world.answer()]

    assert asked == [("a", 1)]
    world.run()
    assert world.on_bus == up_to("a", 2)
    assert world.outbox == {}


def test_a_row_that_owes_refutes_memory() -> None:
    """
    The tables were restored: what the bus is remembered to have is owed by the outbox, and goes again, in order.
    """
    world = FlowWorld()
    rows = world.append("a", 1, 1)
    source = world.source()
    world.hand_in(source, rows)
    world.run()
    world.outbox.update({row.key: row for row in rows})
    world.runtime.advance(60.0)

    page = world.hand_in(source, rows[1:])
    world.run()

    assert world.on_bus == [*up_to("a", 2), *up_to("a", 2)]
    assert page.fates == {Fate.SETTLED: 1}
    assert world.outbox == {}


def test_an_answer_from_before_a_confirm_refutes_nothing() -> None:
    """
    The question was asked while the commit was owed; meanwhile it was confirmed and its row deleted.
    """
    world = FlowWorld()
    (row,) = world.append("a", 1)
    source = world.source()
    world.hand_in(source, [row])
    seen_at = world.now
    world.runtime.advance(1.0)
    world.run()

    page = world.hand_in(source, [row], seen_at)
    assert world.take() == []
    assert world.answer() == [("a", 1)]

    assert page.fates == {Fate.SETTLED: 1}
    assert world.on_bus == [("a", 1)]


def test_an_older_answer_undoes_nothing() -> None:
    """
    It was asked before the row was seen to be released, and comes after that.
    """
    world = FlowWorld()
    (row,) = world.append("a", 1)
    marked = replace(row, parked={BUS: "a reason"})
    source = world.source()
    world.hand_in(source, [row], NEVER)
    questions = world.flow.questions()
    asked_at = world.now
    world.runtime.advance(1.0)
    world.hand_in(source, [row])

    world.flow.answered(questions.asks, {row.key: Present(marked)}, asked_at)

    assert world.send() == [("a", 1)]


def test_another_commit_under_the_same_key() -> None:
    """
    The tables were remade: what was known of the one that was there counts for nothing, progress included.
    """
    world = FlowWorld()
    (row,) = world.append("a", 2)
    page = world.hand_in(world.source(), [row])
    world.send()
    turn = world.take_one()
    world.flow.refused(turn, "nack")
    world.outbox["a", 2] = replace(row, commit_id="another")
    world.runtime.advance(2.0)
    world.take()
    assert world.answer() == [("a", 2)]

    assert world.take_one().event.sequence_number == 1
    assert page.is_over


def test_numbers_of_a_later_epoch_are_others() -> None:
    """
    What the bus has of an earlier epoch of the store says nothing of them.
    """
    world = FlowWorld()
    source = world.source()
    world.hand_in(source, world.append("a", 1))
    world.run()
    restored = [replace(row, epoch=1) for row in world.append("a", 1, 1)]
    world.outbox.update({row.key: row for row in restored})

    world.hand_in(source, restored[1:])
    assert world.answer() == [("a", 1)]
    world.run()

    assert world.on_bus == [("a", 1), ("a", 1), ("a", 2)]


# Room


def test_beyond_so_many_commits_of_an_aggregate_only_how_far_they_go_is_kept() -> None:
    """
    They do not hold their page, are brought in their turn, and none is forgotten.
    """
    world = FlowWorld(aggregate_max=4)
    page = world.hand_in(world.source(), world.append("a", *[1] * 30))
    assert page.fates == {Fate.BEYOND: 26}
    assert world.counts["commits"] == 4

    most = 0
    while len(world.on_bus) < 30:
        world.send()
        most = max(most, world.counts.get("commits", 0) + world.counts.get("brought", 0))
        world.ask()
        world.settle()

    assert most <= 4 + 4
    world.run()
    assert world.on_bus == up_to("a", 30)
    assert world.outbox == {}
    assert world.counts == {}


def test_the_lowest_of_an_aggregate_are_kept() -> None:
    """
    A lower one takes the place of the highest: what is in hand could not go before it anyway.
    """
    world = FlowWorld(aggregate_max=2)
    source, rows = world.source(), world.append("a", *[1] * 4)
    high = world.hand_in(source, rows[2:])
    low = world.hand_in(source, rows[:2])

    assert high.fates == {Fate.BEYOND: 2}
    assert low.fates == {}
    world.run()
    assert world.on_bus == up_to("a", 4)
    assert world.outbox == {}


def test_a_full_room_of_commits_whose_predecessors_are_outside_moves_on() -> None:
    """
    What is below them is brought whatever the room: of each aggregate one at least, the lowest.
    """
    world = FlowWorld(commits_max=8, brought_max=1, aggregate_max=4)
    source = world.source()
    names = [f"item-{number}" for number in range(8)]
    page = world.hand_in(source, [world.append(name, *[1] * 12)[-1] for name in names])
    assert not world.flow.has_room(source)

    world.run()

    for name in names:
        assert [number for aggregate_id, number in world.on_bus if aggregate_id == name] == list(range(1, 13))
    assert page.is_dealt_with
    assert world.outbox == {}
    assert world.counts == {}


def test_what_is_brought_takes_no_room_of_the_sources() -> None:
    """
    Else a source would wait for what its own commits wait for.
    """
    world = FlowWorld(commits_max=2)
    source = world.source()
    world.hand_in(source, world.append("a", 1, 1, 1)[-1:])
    world.answer()

    assert (world.counts["commits"], world.counts["brought"]) == (1, 1)
    assert world.flow.has_room(source)


def test_when_there_is_room() -> None:
    """
    While the flow holds less than its bounds and the source less than its share; one commit of each source always.
    """
    world = FlowWorld(commits_max=4, bytes_max=10_000)
    feed, sweep = world.source(), world.source(kind=SWEEP, share=2)
    world.hand_in(sweep, [*world.append("s1", 1), *world.append("s2", 1)])
    assert not world.flow.has_room(sweep)
    assert world.flow.has_room(feed)
    world.hand_in(feed, [*world.append("f1", 1), *world.append("f2", 1)])
    assert not world.flow.has_room(feed)

    assert world.flow.has_room(world.source()), "who has nothing in hand"
    world.send()
    world.settle()
    assert world.flow.has_room(feed)
    assert world.flow.has_room(sweep)


def test_events_take_room_by_their_bytes() -> None:
    """
    Until they leave.
    """
    world = FlowWorld(bytes_max=10)
    source = world.source()
    world.hand_in(source, world.append("a", 1))
    assert world.counts["bytes"] > 10
    assert not world.flow.has_room(source)

    world.run()

    assert world.flow.has_room(source)


def test_nothing_is_begun_while_many_rows_wait_to_be_written() -> None:
    """
    What was begun goes on; once something is written, others go, and the pump is told.
    """
    world = FlowWorld(unsettled_max=3)
    world.hand_in(world.source(), [*world.append("long", 3), *(world.append(f"b{each}", 1)[0] for each in range(5))])
    assert world.send(4) == [("long", 1), ("b0", 1), ("b1", 1), ("b2", 1)]
    assert world.counts["unsettled"] == 3

    assert world.send() == [("long", 2)]
    assert world.send() == [("long", 3)]
    assert world.send() == []
    world.rung.clear()
    world.settle()

    assert "bus" in world.rung
    assert world.send() == [("b3", 1), ("b4", 1)]


# Refusals


def test_a_refused_aggregate_waits_alone_and_longer_each_time() -> None:
    """
    Nobody waits for it, the pause doubles up to its bound, and its row is asked for before each attempt.
    """
    world = FlowWorld(refused=Backoff(base_seconds=1.0, cap_seconds=8.0))
    rows = world.append("a", 1, 1)
    page = world.hand_in(world.source(), [*rows, *world.append("b", 1)])
    world.confirm(world.take()[1])

    pauses = []
    turn = world.flow._aggregates["a"].turn
    for _ in range(6):
        assert turn is not None
        world.flow.refused(turn, "nack")
        assert world.take() == []
        (held_up,) = world.flow.held_up()
        assert held_up.key == ("a", 1)
        pauses.append(held_up.next_seconds)
        world.runtime.advance(held_up.next_seconds - 0.001)
        assert world.take() == []
        world.runtime.advance(0.002)
        assert world.take() == []
        assert ("a", 1) in world.answer()
        turn = world.take_one()

    assert page.fates == {Fate.REFUSED: 2}
    assert world.flow.count_held_up() == {"nack": 1}
    for pause, least in zip(pauses, [1, 2, 4, 8, 8, 8], strict=True):
        assert least <= pause <= 1.2 * least
    world.confirm(turn)
    world.run()
    assert [each for each in world.on_bus if each[0] == "a"] == up_to("a", 2)
    assert world.flow.count_held_up() == {}


def test_what_somebody_else_delivered_meanwhile_is_not_tried_again() -> None:
    """
    Another worker had more luck with the queue.
    """
    world = FlowWorld()
    world.hand_in(world.source(), world.append("a", 1))
    world.flow.refused(world.take_one(), "nack")
    world.outbox.clear()
    world.runtime.advance(2.0)
    world.take()
    world.answer()

    assert world.take() == []
    assert world.counts == {}


def test_an_earlier_commit_that_was_settled_says_nothing_of_the_refused_one() -> None:
    """
    An old record of it comes again, and its row is gone: the pause of the one above goes on, and grows.
    """
    world = FlowWorld(refused=Backoff(base_seconds=4.0, cap_seconds=60.0))
    first, second = world.append("a", 1, 1)
    source = world.source()
    world.outbox.pop(first.key)
    world.memory.note("a", 0, 1)
    world.hand_in(source, [second])
    world.flow.refused(world.take_one(), "nack")

    world.hand_in(source, [first], NEVER)
    world.runtime.advance(5.0)
    world.flow.wake_due()
    world.answer()
    world.answer()

    world.flow.refused(world.take_one(), "nack")
    (held_up,) = world.flow.held_up()
    assert (held_up.key, held_up.attempts) == (("a", 2), 2)


def test_a_refused_aggregate_takes_no_room_of_the_sources() -> None:
    """
    One full queue must not keep a source from reading.
    """
    world = FlowWorld(commits_max=3)
    source = world.source()
    world.hand_in(source, [*world.append("a", 1), *world.append("b", 1), *world.append("c", 1)])
    assert not world.flow.has_room(source)

    for turn in world.take():
        world.flow.refused(turn, "nack")

    assert "commits" not in world.counts
    assert world.flow.has_room(source)


def test_of_many_refused_aggregates_some_wait_in_the_outbox() -> None:
    """
    Three of four at a time are too many: those refused longest ago are let go, and keep their pauses when they return.
    """
    world = FlowWorld(alone_max=2)
    source = world.source()
    world.hand_in(source, [row for name in "abcd" for row in world.append(name, 1)])
    for turn in world.take():
        world.flow.refused(turn, "nack")

    assert sorted(each.key[0] for each in world.flow.held_up()) == ["c", "d"]
    assert world.counts["brought"] == 2

    world.hand_in(world.source(), [world.outbox["a", 1]])
    assert world.take() == []
    world.runtime.advance(2.0)
    world.run()
    assert sorted(world.on_bus) == [("a", 1), ("c", 1), ("d", 1)]
    assert sorted(world.outbox) == [("b", 1)]


def test_what_comes_for_a_refused_aggregate_waits_in_the_outbox() -> None:
    """
    Its page passes over it; it is brought when the aggregate goes on.
    """
    world = FlowWorld()
    source, rows = world.source(), world.append("a", *[1] * 5)
    world.hand_in(source, rows[:1])
    world.flow.refused(world.take_one(), "nack")

    page = world.hand_in(source, rows[1:])

    assert page.fates == {Fate.REFUSED: 4}
    world.runtime.advance(2.0)
    world.flow.wake_due()
    world.run()
    assert world.on_bus == up_to("a", 5)
    assert world.outbox == {}


def test_what_was_refused_tries_soon_when_another_was_taken_after_all() -> None:
    """
    Whatever refused them may be well again. Not again and again: another queue may go on refusing.
    """
    world = FlowWorld()
    world.hand_in(world.source(), [row for name in "abc" for row in world.append(name, 1)])
    for _ in range(6):
        for turn in world.take():
            world.flow.refused(turn, "nack")
        world.runtime.advance(40.0)
        world.flow.wake_due()
        world.answer()
    first, *others = world.take()
    for turn in others:
        world.flow.refused(turn, "nack")
    assert world.flow.wake_due() > 30.0

    world.flow.confirmed([first])
    world.answer()

    again = world.take()
    assert {turn.aggregate.id for turn in again} == {turn.aggregate.id for turn in others}
    second, third = again
    world.flow.refused(third, "nack")
    world.flow.confirmed([second])
    world.answer()
    assert not world.take()


def test_a_pause_is_cut_short_three_times_in_a_row_at_most() -> None:
    """
    A queue that takes one event now and then would get a copy of all others each minute, for ever.
    """
    world = FlowWorld()
    world.hand_in(world.source(), world.append("a", 1))
    for _ in range(10):  # until its own pauses are of five minutes
        world.flow.refused(world.take_one(), "nack")
        world.runtime.advance(400.0)
        world.flow.wake_due()
        world.answer()
    world.flow.refused(world.take_one(), "nack")
    is_tried: list[bool] = []
    for number in range(5):
        world.hand_in(world.source(), world.append(f"b{number}", 1))
        world.flow.refused(world.take_one(), "nack")
        world.runtime.advance(61.0)
        world.flow.wake_due()
        world.answer()
        world.confirm(world.take_one())
        world.flow.wake_due()
        world.answer()
        tried = world.take()
        is_tried.append(bool(tried))
        for each in tried:
            world.flow.refused(each, "nack")

    assert is_tried == [True, True, True, False, False]


@pytest.mark.parametrize("ending", ["refused", "silent", "unsent"])
def test_the_row_says_meanwhile_that_the_bus_has_it(ending: str) -> None:
    """
    Another worker had more luck while the answer was awaited: whatever it is, nothing waits alone.
    """
    world = FlowWorld()
    (row,) = world.append("a", 1)
    world.hand_in(world.source(), [row])
    turn = world.take_one()
    world.hand_in(world.source(), [replace(row, delivered=frozenset({BUS}))])

    if ending == "refused":
        world.flow.refused(turn, "nack")
    elif ending == "silent":
        world.flow.silent(turn)
        world.flow.confirmed([turn])
    else:
        world.flow.silent(turn)
        world.flow.unsent([turn])

    assert world.flow.held_up() == []
    assert not world.take()


def test_a_silent_event_holds_nobody_up() -> None:
    """
    It is not sent again while it may be answered; its answer counts whenever it comes.
    """
    world = FlowWorld()
    page = world.hand_in(world.source(), world.append("a", 1, 1))
    turn = world.take_one()

    world.flow.silent(turn)

    assert page.fates == {Fate.REFUSED: 2}
    assert [held_up.reason for held_up in world.flow.held_up()] == ["silent"]
    assert world.take() == []
    world.confirm(turn)
    world.run()
    assert world.on_bus == up_to("a", 2)
    assert world.counts == {}


def test_a_lost_connection_is_a_refusal_of_what_was_silent_alone() -> None:
    """
    Everything else is sent again at once.
    """
    world = FlowWorld()
    world.hand_in(world.source(), [*world.append("a", 1), *world.append("b", 1)])
    silent, other = world.take()
    world.flow.silent(silent)

    world.flow.unsent([silent, other])

    assert [turn.aggregate.id for turn in world.take()] == ["b"]
    assert world.flow.count_held_up() == {"silent": 1}


def test_a_program_that_fails_on_one_commit_goes_on_with_the_others() -> None:
    """
    After five in a row, without one that succeeded, it is our bug: whoever asks is told to give up.
    """
    world = FlowWorld()
    world.hand_in(world.source(), [world.append(f"a{each}", 1)[0] for each in range(10)])
    turns = world.take()

    assert [world.flow.hold_back(turn) for turn in turns[:4]] == [True] * 4
    world.confirm(turns[4])
    assert [world.flow.hold_back(turn) for turn in turns[5:]] == [True] * 4 + [False]


# Parking


def test_what_can_never_go_is_parked_in_its_turn() -> None:
    """
    Both rows are asked for first, whatever memory says; what is above waits, and what is below has gone.
    """
    world = FlowWorld()
    page = world.hand_in(world.source(), world.append("a", 1, 1, 1))
    world.send()
    world.flow.unsendable(world.take_one(), TOO_LARGE)

    assert sorted(world.answer()) == [("a", 1), ("a", 2)]
    assert world.settle() == 1, "the mark goes first"
    world.run()

    assert world.outbox["a", 2].parked == {BUS: "too large"}
    assert page.fates == {Fate.SETTLED: 1, Fate.PARKED: 1, Fate.WAITING: 1}
    assert world.on_bus == [("a", 1)]
    assert world.counts == {}


@pytest.mark.parametrize("before", [Absent(), Unreadable(), None])
def test_nothing_is_parked_before_the_outbox_has_said_so(before: Absent | Unreadable | None) -> None:
    """
    A predecessor that is owed, unreadable, or in conflict, comes first.
    """
    world = FlowWorld()
    rows = world.append("a", 1, 1)
    world.memory.note("a", 0, 1)
    world.hand_in(world.source(), rows[1:])
    world.flow.unsendable(world.take_one(), TOO_LARGE)
    questions = world.flow.questions()
    answers = {rows[1].key: Present(rows[1])} | ({} if before is None else {rows[0].key: before})

    world.flow.answered(questions.asks, answers, world.now)

    assert world.counts.get("marks", 0) == (before == Absent())


def test_a_side_whose_mark_is_not_there_lets_no_page_go() -> None:
    """
    Its row is odd, or was marked by another hand: it is asked for, and the page waits for the bus as before.
    """
    world = FlowWorld(sides=(INDEX,))
    page = world.hand_in(world.source(), world.append("a", 1))
    ((commit, _),) = world.flow.take_for_side(INDEX, 10)
    world.flow.side_answered(INDEX, parked=[(commit, TOO_LARGE)])
    world.runtime.advance(0.02)
    ((marked, name, verdict),) = world.flow.settlement(may_delete=True).marks

    world.flow.marked(marked, name, verdict, None)

    assert not page.is_over
    world.outbox["a", 1] = replace(world.outbox["a", 1], parked={INDEX: "by another hand"})
    world.run()
    assert page.fates == {Fate.LATE: 1}
    assert world.outbox["a", 1].delivered == {BUS}
    assert world.on_bus == [("a", 1)]


def test_a_mark_shows_who_has_the_commit() -> None:
    """
    What was handed in is an old look; the mark for a side finds that the bus has it, so it is not sent again.
    """
    world = FlowWorld(sides=(INDEX,))
    (row,) = world.append("a", 1)
    page = world.hand_in(world.source(), [row], NEVER)
    world.outbox["a", 1] = replace(row, delivered=frozenset({BUS}))
    ((commit, _),) = world.flow.take_for_side(INDEX, 10)
    world.flow.side_answered(INDEX, parked=[(commit, TOO_LARGE)])

    assert world.settle() == 1
    world.run()

    assert world.on_bus == []
    assert page.is_dealt_with


def test_an_answer_from_before_a_mark_takes_nothing_away() -> None:
    """
    The index's mark is written while the question for the bus's is out: it is not made again, and the page is parked.
    """
    world = FlowWorld(sides=[INDEX])
    (row,) = world.append("a", 1)
    broken = replace(row, events=None, defect="not whole")
    page = world.hand_in(world.source(), [broken])
    questions, asked_at = world.flow.questions(), world.now
    world.runtime.advance(0.1)
    assert world.settle() == 1
    world.flow.answered(questions.asks, {row.key: Present(broken)}, asked_at)
    assert world.settle() == 1

    assert set(world.outbox["a", 1].parked) == {BUS, INDEX}
    assert world.settle() == 0
    assert page.fates == {Fate.PARKED: 1}
    assert world.counts == {}


def test_a_predecessor_that_is_parked_or_unreadable_blocks() -> None:
    """
    What is above it waits for a person, and leaves.
    """
    for answer in (Unreadable(), None):
        world = FlowWorld()
        first, second, third = world.append("a", 1, 1, 1)
        page = world.hand_in(world.source(), [second, third])
        questions = world.flow.questions()
        world.flow.answered(
            questions.asks, {first.key: answer or Present(replace(first, parked={BUS: "a reason"}))}, world.now
        )

        assert page.fates == {Fate.WAITING: 2}
        assert world.counts == {}


# Sides


def test_what_a_side_alone_lacks_is_bounded_by_number() -> None:
    """
    The oldest goes; its row says who has it. It does not take the room of what the bus lacks.
    """
    world = FlowWorld(sides=[INDEX], side_max=3, commits_max=5)
    source = world.source()
    for number in range(10):
        page = world.hand_in(source, world.append(f"a{number}", 1))
        world.send()
        world.settle()
        assert world.counts["commits"] <= 4
        assert world.flow.has_room(source)

    assert not page.is_over
    assert [key for key, row in world.outbox.items() if row.delivered == {BUS}] == [
        (f"a{each}", 1) for each in range(7)
    ]
    assert world.serve() == [("a7", 1), ("a8", 1), ("a9", 1)]
    world.run()
    assert world.counts == {}


@pytest.mark.parametrize("kind", ["sent", "said so", "asked"])
def test_a_page_waits_for_a_side_for_a_while(kind: str) -> None:
    """
    However it is known that the bus has a commit: then the side is late, and the commit waits for it without a page.
    """
    world = FlowWorld(sides=[INDEX], side_patience_seconds=5.0)
    (row,) = world.append("a", 1)
    if kind != "sent":
        row = world.outbox["a", 1] = replace(row, delivered=frozenset({BUS}))
    if kind == "asked":
        page = world.hand_in(world.source(), [replace(row, delivered=frozenset())], NEVER)
        world.answer()
    else:
        page = world.hand_in(world.source(), [row])
    world.send()
    world.runtime.advance(4.9)
    world.settle()
    assert not page.is_over

    world.runtime.advance(0.1)
    world.settle()
    world.settle()

    assert page.fates == {Fate.LATE: 1}
    assert world.outbox["a", 1].delivered == {BUS}
    assert world.serve() == [("a", 1)]
    world.run()
    assert world.outbox == {}


def test_a_side_goes_on_while_the_bus_takes_nothing() -> None:
    """
    Nothing is noted for it meanwhile: that would be a write more.
    """
    world = FlowWorld(sides=[INDEX])
    world.hand_in(world.source(), world.append("a", 1, 1))

    assert world.serve() == [("a", 1), ("a", 2)]
    assert world.settle() == 0
    world.run()
    assert world.outbox == {}


def test_what_waits_behind_a_parked_row_goes_to_sides_alone() -> None:
    """
    The sweep says which rows do; their page waits for the side, and the bus gets nothing.
    """
    world = FlowWorld(sides=[INDEX])
    _, second = world.append("a", 1, 1)
    source = world.source(kind=SWEEP)
    page = world.hand_in(source, [])
    world.flow.hand_in(source, page, [second], world.now, {second.key})
    assert world.take() == []

    assert world.serve() == [("a", 2)]
    world.run()

    assert page.is_dealt_with
    assert world.on_bus == []
    assert world.outbox["a", 2].delivered == {INDEX}
    assert world.counts == {}


# The end of a generation


def test_void_lets_go_of_everything_at_once() -> None:
    """
    The tables are others: nothing of what was known counts, late answers and confirms included.
    """
    world = FlowWorld(sides=[INDEX])
    source = world.source()
    page = world.hand_in(source, [*world.append("sent", 1), *world.append("half", 2), *world.append("asked", 1, 1)[1:]])
    world.send()
    turns = world.take()
    questions = world.flow.questions()
    taken = world.flow.take_for_side(INDEX, 10)

    world.flow.void()

    assert page.fates[Fate.VOID] == 3
    assert world.memory.recall("sent", 0) == 0
    world.flow.confirmed(turns)
    world.flow.answered(questions.asks, {("asked", 1): Absent()}, world.now)
    world.flow.side_answered(INDEX, taken=[commit for commit, _ in taken])
    world.settle()
    assert world.take() == []
    assert world.counts == {}
    assert world.memory.recall("half", 0) == 0

    again = world.hand_in(source, [world.outbox["half", 2]])
    world.on_bus.clear()
    world.run()
    assert world.on_bus == up_to("half", 2), "progress is of the tables that are gone"
    assert again.fates == {Fate.SETTLED: 1}


def test_what_was_in_question_when_the_tables_ended_is_not_remembered() -> None:
    """
    Its question was not yet asked; the numbers of the new tables begin at 1 again.
    """
    world = FlowWorld()
    source = world.source()
    rows = world.append("a", 1, 1)
    world.hand_in(source, rows)
    world.run()
    assert world.memory.recall("a", 0) == 2
    world.hand_in(source, rows[:1], seen_at=NEVER)

    world.flow.void()
    world.flow.questions()

    assert world.memory.recall("a", 0) == 0


def test_what_is_brought_joins_an_aggregate_whose_only_commit_has_just_gone() -> None:
    """
    The first row says that the bus has what was in hand, which nothing is left to do for; the second one is owed.
    """
    world = FlowWorld(sides=(INDEX,), aggregate_max=1)
    first, second = world.append("a", 1, 1)
    first = replace(first, parked={INDEX: "no mapping"})
    world.hand_in(world.source(), [first, second])
    turn = world.take_one()
    world.flow.refused(turn, "nack")  # so it is in hand, and nobody asks about it for a while
    world.outbox[first.key] = replace(first, delivered=frozenset({BUS}))
    bring = Bring(turn.aggregate, above=0, below=3, limit=10)
    world.runtime.advance(0.001)

    world.flow.brought(bring, [world.outbox[first.key], second], world.now, more=False)
    world.runtime.advance(60.0)
    world.take()
    world.answer()

    assert world.send() == [("a", 2)]
    assert world.serve() == [("a", 2)]
