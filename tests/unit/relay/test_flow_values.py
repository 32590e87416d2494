"""What is known of a commit and of an aggregate in the flow, and what follows from it."""

from dataclasses import replace
from typing import Any

import pytest

from eventstore.backoff import Backoff
from eventstore.system import SystemRuntime
from relay.delivery.aggregate import Aggregate, Refusal, Turn
from relay.delivery.commit import NEVER, OwedCommit, body_size
from relay.delivery.order import Known
from relay.delivery.pumps.breaker import Breaker
from relay.delivery.settings import FlowSettings
from relay.delivery.source import FEED, REPLAY, SWEEP, Source
from relay.destination import BUS, FILE, INDEX
from relay.permit import FlagPermit
from relay.testing.commits import commit


def owed(first: int = 1, events: int = 2, delivered: tuple[str, ...] = (), **attributes: Any) -> OwedCommit:
    return OwedCommit(commit("a", first, events), None, 0.0, 30.0, frozenset(delivered), frozenset(), **attributes)


def permit() -> FlagPermit:
    return FlagPermit(SystemRuntime().flag())


def source(kind: str = "feed") -> Source:
    return Source(kind, permit(), 30.0, 1, 10)


def aggregate(**attributes: Any) -> Aggregate:
    return Aggregate("a", 1, 4, 5.0, **attributes)


# A commit


@pytest.mark.parametrize(
    ("each", "is_begun"),
    [
        (owed(), False),
        (owed(sent=1), True),
        (owed(is_under_way=True), True),
        (owed(sent=2, delivered=(BUS,)), False),
        (owed(sent=2, delivered=(BUS,), is_under_way=True), True),
        (owed(sent=1, delivered=(INDEX,)), True),
    ],
)
def test_what_is_begun(each: OwedCommit, is_begun: bool) -> None:  # noqa: FBT001 - a case
    """
    The bus may have some of its events, and lacks others.
    """
    assert each.is_begun is is_begun


@pytest.mark.parametrize(
    ("each", "is_for_bus"),
    [
        (owed(), True),
        (owed(delivered=(INDEX,)), True),
        (owed(delivered=(BUS,)), False),
        (owed(is_blocked=True), False),
        (replace(owed(), row=replace(commit("a"), parked={BUS: "a reason"})), False),
        (replace(owed(), row=replace(commit("a"), parked={INDEX: "a reason"})), True),
    ],
)
def test_what_is_for_the_bus(each: OwedCommit, is_for_bus: bool) -> None:  # noqa: FBT001 - a case
    """
    What it lacks, is not parked for it, and waits behind nothing that is.
    """
    assert each.is_for_bus is is_for_bus


def test_a_commit_that_was_just_handed_in() -> None:
    """
    Nothing has happened to it yet; each has a list of pages and a set of sides of its own.
    """
    one, other = owed(3, 2), owed(3, 2)

    assert (one.key, one.last, one.unsaved) == (("a", 4), 4, frozenset())
    assert (one.sent, one.settle_failures, one.body_bytes, one.read_bytes) == (0, 0, 0, 0)
    assert not any((one.vetted, one.is_under_way, one.is_blocked, one.is_late, one.is_settling, one.is_gone))
    assert (one.fault, one.pages, one.sides) == (None, [], set())
    assert one.pages is not other.pages
    assert one.sides is not other.sides
    assert NEVER < -1e300


def test_the_bus_gets_the_event_behind_those_it_has_confirmed() -> None:
    """
    One after the other.
    """
    assert [owed(3, 2, sent=sent).next_event().sequence_number for sent in (0, 1)] == [3, 4]


def test_what_the_row_does_not_say_yet() -> None:
    """
    Destinations that have it, without those that the row is known to name.
    """
    each = OwedCommit(commit("a"), None, 0.0, 30.0, frozenset({BUS, INDEX}), frozenset({INDEX, FILE}))

    assert each.unsaved == {BUS}


def test_the_room_that_events_take() -> None:
    """
    Payloads and metadata of all of them; none when they are not there.
    """
    row = commit("a", events=3, data_json='{"n":1}', metadata_json='{"m":22}')

    assert body_size(row) == 3 * (7 + 8)
    assert body_size(replace(row, events=None)) == 0


# An aggregate


def test_an_aggregate_of_which_nothing_is_owed_yet() -> None:
    """
    It may begin at once, waits for nothing, and shares nothing with others.
    """
    one, other = aggregate(), aggregate()

    assert (one.commits, one.owing, one.claims, one.in_the_way) == ({}, [], {}, set())
    assert one.commits is not other.commits
    assert (one.owed_up_to, one.bring_below, one.due_at, one.questions_failed) == (0, 0, 0.0, 0)
    assert not any((one.is_asked, one.is_bringing, one.is_ready, one.is_alone))
    assert (one.turn, one.refusal, one.revoked_at) == (None, None, None)
    assert Refusal(7, "nack", 1, 0.0, 1.0).hastened == 0


def test_commits_wait_for_the_bus_lowest_first() -> None:
    """
    In whatever order they come; one that does not wait may be taken out all the same.
    """
    each, first, second, third = aggregate(), owed(1, 2), owed(3, 1), owed(4, 7)
    for one in (second, third, first):
        each.owe(one)
    assert each.owing == [first, second, third]

    each.owe_no_more(second)
    each.owe_no_more(second)

    assert each.owing == [first, third]


@pytest.mark.parametrize(("number", "is_news"), [(3, False), (4, False), (5, True)])
def test_what_the_bus_has_only_grows(number: int, is_news: bool) -> None:  # noqa: FBT001 - a case
    """
    And with it when it became known.
    """
    each = aggregate(in_the_way={("a", 9)})

    assert each.reached(number, 8.0) is is_news
    assert each.known == (Known(5, 8.0, {("a", 9)}) if is_news else Known(4, 5.0, {("a", 9)}))


@pytest.mark.parametrize(
    ("owed_up_to", "owing", "kept_max", "wanted"),
    [(0, 0, 8, False), (1, 2, 8, True), (1, 3, 8, False), (9, 2, 11, True), (9, 0, 1, True), (9, 1, 3, False)],
)
def test_more_is_wanted_when_a_quarter_is_left(owed_up_to: int, owing: int, kept_max: int, wanted: bool) -> None:  # noqa: FBT001 - a case
    """
    And more is owed than is kept.
    """
    each = aggregate(owed_up_to=owed_up_to)
    for number in range(owing):
        each.owe(owed(number + 1, 1))

    assert each.is_running_out(kept_max) is wanted


def test_who_waits_alone() -> None:
    """
    One whose event was refused, or stays unanswered while others are answered.
    """
    one = owed()
    event = one.next_event()
    each = aggregate()
    waiting = Turn(each, one, event, (), ())

    assert not aggregate(turn=waiting).is_alone
    assert aggregate(turn=replace(waiting, is_silent=True)).is_alone
    assert aggregate(refusal=Refusal(7, "nack", 1, 0.0, 1.0)).is_alone
    assert aggregate(refusal=Refusal(7, "nack", 1, 0.0, 1.0), turn=waiting).is_alone
    assert (waiting.sent_at, waiting.is_silent) == (0.0, False)


def test_whose_permits_count() -> None:
    """
    Of those who claim the commit or one above it; who drains begins nothing.
    """
    below, there, above, draining = source(), source(), source(), source()
    draining.is_draining = True
    each = aggregate(claims={below: 4, there: 5, above: 9, draining: 9})

    assert each.permits(5) == (there.permit, above.permit, draining.permit)
    assert each.beginners(5) == (there.permit, above.permit)
    assert each.beginners(10) == each.permits(10) == ()


def test_a_source_that_has_just_come() -> None:
    """
    It has nothing in the flow, and its table is not gone.
    """
    one, other = source(), source()

    assert (FEED, SWEEP, REPLAY) == ("feed", "sweep", "replay"), "logs and metrics show them"
    assert (one.commits, one.settled, one.aggregates) == (0, 0, {})
    assert one.aggregates is not other.aggregates
    assert (one.is_draining, one.is_gone, one.is_obsolete()) == (False, False, False)


# A destination in trouble


def test_a_breaker_opens_for_longer_each_time_and_closes_at_success() -> None:
    """
    At the end of the time one delivery may try.
    """
    closed = Breaker(Backoff(base_seconds=1.0, cap_seconds=3.0))
    assert not closed.is_open(0.0)

    once = closed.failed(10.0)
    assert (once.failures, once.open_until) == (1, 11.0)
    assert once.is_open(10.9)
    assert not once.is_open(11.0)
    twice = once.failed(20.0)
    assert (twice.failures, twice.open_until, twice.failed(30.0).open_until) == (2, 22.0, 33.0)
    assert twice.succeeded() == closed


# Bounds


def test_the_bounds_of_the_flow_are_those_that_the_pages_name() -> None:
    """
    Architecture, delivery and memory speak of these numbers.
    """
    given = FlowSettings()

    assert (given.commits_max, given.bytes_max, given.read_max_bytes) == (5_000, 64 * 1024 * 1024, 16 * 1024 * 1024)
    assert (given.aggregate_max, given.brought_max, given.alone_max) == (100, 5_000, 10_000)
    assert (given.unsettled_max, given.side_max) == (500, 1_000)
    assert (given.fresh_seconds, given.sweep_fresh_seconds) == (30.0, 2.0)
    assert (given.side_patience_seconds, given.overdue_seconds, given.finish_seconds) == (1.0, 30.0, 5.0)
    bounds = [(each.base_seconds, each.cap_seconds) for each in (given.question, given.settle, given.refused)]
    assert bounds == [(0.1, 5.0), (0.1, 5.0), (1.0, 300.0)]


@pytest.mark.parametrize(
    ("commits_max", "aggregate_max", "kept"),
    [(50_000, 100, 100), (40, 100, 10), (43, 100, 10), (3, 100, 1), (40, 7, 7)],
)
def test_an_aggregate_has_a_quarter_of_the_room_at_most(commits_max: int, aggregate_max: int, kept: int) -> None:
    """
    And one commit in any case.
    """
    assert FlowSettings(commits_max=commits_max, aggregate_max=aggregate_max).kept_max == kept
