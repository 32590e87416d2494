"""The pure rules of reads over many aggregates: what is asked, page tokens, and what a follower remembers."""

import base64
from typing import Any

import pytest

from eventstore import ByAggregateType, ByTime, ByType, InvalidInputError, InvalidTokenError, LimitExceededError
from eventstore.timeline import token
from eventstore.timeline.place import Place
from eventstore.timeline.query import DAY_MS, Partition, of_day, stages
from eventstore.timeline.seen import Seen

MIDNIGHT = 1_700_006_400_000
"""2023-11-15 00:00 UTC."""


def test_a_type_is_asked_of_each_write_shard() -> None:
    """
    One list of partitions, from the beginning of time to its end.
    """
    assert list(stages(ByType("PLACED"), 2)) == [
        [
            Partition("EventTypeIndex", "eventTypeShard", "PLACED#0", 0, 253_402_300_799_999),
            Partition("EventTypeIndex", "eventTypeShard", "PLACED#1", 0, 253_402_300_799_999),
        ]
    ]


def test_an_aggregate_type_has_an_index_of_its_own() -> None:
    """
    `until_ms` is not included.
    """
    assert list(stages(ByAggregateType("Order", 5, 10), 1)) == [
        [Partition("AggregateTypeIndex", "aggregateTypeShard", "Order#0", 5, 9)]
    ]


def test_time_is_asked_day_by_day() -> None:
    """
    Each day touched is a list of its own, cut to the range.
    """
    found = list(stages(ByTime(MIDNIGHT - 1, MIDNIGHT + DAY_MS + 1), 1))

    assert [(each.value, each.low_ms, each.high_ms) for (each,) in found] == [
        ("2023-11-14#0", MIDNIGHT - 1, MIDNIGHT - 1),
        ("2023-11-15#0", MIDNIGHT, MIDNIGHT + DAY_MS - 1),
        ("2023-11-16#0", MIDNIGHT + DAY_MS, MIDNIGHT + DAY_MS),
    ]


def test_a_range_that_ends_at_midnight_leaves_the_next_day_alone() -> None:
    """
    Whole days cost no request too many.
    """
    assert len(list(stages(ByTime(MIDNIGHT, MIDNIGHT + DAY_MS), 4))) == 1
    assert list(stages(ByTime(MIDNIGHT, MIDNIGHT), 4)) == []


@pytest.mark.parametrize(
    ("backwards", "expected"),
    [
        (False, [("2023-11-15#0", MIDNIGHT + 5), ("2023-11-16#0", MIDNIGHT + DAY_MS)]),
        (True, [("2023-11-15#0", MIDNIGHT), ("2023-11-14#0", MIDNIGHT - 10)]),
    ],
)
def test_a_read_goes_on_from_the_place_it_had_reached(backwards: bool, expected: list[Any]) -> None:  # noqa: FBT001
    """
    Days that are done are not asked again.
    """
    query = ByTime(MIDNIGHT - 10, MIDNIGHT + DAY_MS + 10, backwards)

    found = list(stages(query, 1, Place(MIDNIGHT + 5, "a", 1)))

    assert [(each.value, each.low_ms) for (each,) in found] == expected


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ByType(""), "event_type"),
        (lambda: ByType("\ud800"), "event_type"),
        (lambda: ByAggregateType(7), "aggregate_type"),
        (lambda: ByType("A", 5, 4), "until_ms"),
        (lambda: ByTime(5, 4), "until_ms"),
        (lambda: ByTime(-1, 4), "from_ms"),
        (lambda: ByTime(0.5, 4), "from_ms"),
        (lambda: ByTime(None, 4), "from_ms"),
        (lambda: ByTime(0, 10**15), "until_ms"),
        (lambda: of_day("2023-02-30"), "day"),
        (lambda: of_day(None), "day"),
    ],
)
def test_a_query_that_cannot_be_meant_is_refused(make: Any, field: str) -> None:
    """
    The error names the argument.
    """
    with pytest.raises(InvalidInputError) as caught:
        make()

    assert caught.value.field == field


def test_ten_years_are_the_most() -> None:
    """
    Each day costs requests, so a range from 1970 is more likely a mistake than meant.
    """
    ByTime(0, 3_660 * DAY_MS)
    with pytest.raises(LimitExceededError) as caught:
        ByTime(0, 3_660 * DAY_MS + 1)

    assert (caught.value.limit, caught.value.actual, caught.value.unit) == (3_660, 3_661, "days")


PLACE = Place(1_700_000_000_123, 'an "id" with ü and \x00', 42)
QUERY = ByType("PLACED", 1, 10**13)


def test_a_token_brings_its_place_back() -> None:
    """
    Whatever the id holds; and the text needs no escaping in a web address.
    """
    made = token.encode("events", QUERY, PLACE)

    assert token.decode("events", QUERY, made) == PLACE
    assert made.replace("-", "").replace("_", "").replace(".", "").isalnum()


@pytest.mark.parametrize("aggregate_id", ["x" * 2048, "ü" * 1024, "\x01" * 2048])
def test_the_longest_ids_have_tokens(aggregate_id: str) -> None:
    """
    An aggregate id may be 2,048 bytes long.
    """
    place = Place(1, aggregate_id, 1)

    assert token.decode("events", QUERY, token.encode("events", QUERY, place)) == place


@pytest.mark.parametrize(
    ("table", "query"),
    [
        ("events", ByType("PLACED", 1, 10**13, backwards=True)),
        ("events", ByType("PLACED", 2, 10**13)),
        ("events", ByType("PLACED", 1)),
        ("events", ByType("TAKEN", 1, 10**13)),
        ("events", ByAggregateType("PLACED", 1, 10**13)),
        ("other_events", QUERY),
    ],
)
def test_a_token_of_another_query_says_so(table: str, query: Any) -> None:
    """
    Another type, range, direction, index or table.
    """
    with pytest.raises(InvalidTokenError, match="of another query"):
        token.decode(table, query, token.encode("events", QUERY, PLACE))


def test_any_damage_is_found() -> None:
    """
    Every character matters: one that is changed or lost is found.
    """
    made = token.encode("events", QUERY, PLACE)
    for at in range(len(made)):
        other = "A" if made[at] != "A" else "B"
        for damaged in (made[:at] + other + made[at + 1 :], made[:at] + made[at + 1 :]):
            try:
                assert token.decode("events", QUERY, damaged) == PLACE  # the last character's spare bits say nothing
                assert at == len(made) - 1
            except InvalidTokenError:
                pass


@pytest.mark.parametrize("text", ["", "x", "1.", "1.=", "1.ä", "..", "A" * 40_000, 7, "1." + "A" * 40])
def test_what_is_no_token_is_refused(text: Any) -> None:
    """
    With the typed error, never another.
    """
    with pytest.raises(InvalidTokenError) as caught:
        token.decode("events", QUERY, text)

    assert caught.value.field == "token"


def test_a_token_of_a_later_version_says_so() -> None:
    """
    Whoever comes back to an older library starts again.
    """
    with pytest.raises(InvalidTokenError, match="version 2"):
        token.decode("events", QUERY, "2." + token.encode("events", QUERY, PLACE)[2:])


def test_a_token_holds_a_place_and_nothing_else() -> None:
    """
    Version 1 is a digest of 8 bytes, JSON, and a checksum of 4; a later version must have another number.
    """
    made = token.encode("events", ByType("A"), Place(7, "a", 1))

    assert base64.urlsafe_b64decode(made[2:] + "==")[8:-4] == b'[7,"a",1]'


def admitted(seen: Seen, horizon: int, *places: Place) -> list[Place]:
    """Return what is new in a pass."""
    seen.begin_pass(horizon)
    found = [place for place in places if seen.is_new(place)]
    seen.give(found)
    seen.end_pass()
    return found


A, B, C, D = (Place(time, "a", time) for time in (10, 20, 30, 40))


def test_a_follower_gives_nothing_twice_and_what_is_late_once() -> None:
    """
    B shows up late, in the stretch that is read again.
    """
    seen = Seen(0)

    assert admitted(seen, 5, A, C) == [A, C]
    assert seen.low_ms == 5
    assert admitted(seen, 15, A, B, C, D) == [B, D]
    assert seen.low_ms == 15
    assert admitted(seen, 15, B, C, D) == []


def test_what_stands_at_the_edge_of_two_looks_is_given_once() -> None:
    """
    The next look begins exactly where this one's horizon is.
    """
    seen = Seen(0)

    assert admitted(seen, 10, A, B) == [A, B]
    assert admitted(seen, 20, A, B) == []
    assert admitted(seen, 30, B, C) == [C]


def test_a_follower_never_looks_further_back_than_its_beginning() -> None:
    """
    Also when the clock is set back before it.
    """
    seen = Seen(100)
    admitted(seen, 50)
    assert seen.low_ms == 100
    admitted(seen, 200)
    admitted(seen, 50)
    assert seen.low_ms == 100


def test_a_follower_looks_back_with_a_clock_that_is_set_back() -> None:
    """
    At once, and what it has given is given once, also where it would not have met it again.
    """
    seen = Seen(0)
    assert admitted(seen, 35, A, B, C) == [A, B, C]
    assert seen.low_ms == 35

    assert seen.begin_pass(15) is None
    assert seen.low_ms == 15
    assert [place for place in (B, Place(25, "b", 1), C) if seen.is_new(place)] == [Place(25, "b", 1)]


def test_a_pass_that_an_error_ended_goes_on_behind_what_was_given() -> None:
    """
    What was met and not given is new still; the next pass begins where the interrupted one's horizon was.
    """
    seen = Seen(0)
    seen.begin_pass(15)
    assert [seen.is_new(A), seen.is_new(B)] == [True, True]
    seen.give([A])

    assert seen.begin_pass(99) == A
    assert seen.is_new(B)
    seen.give([B])
    seen.end_pass()

    assert seen.low_ms == 15
    assert admitted(seen, 99, B, C) == [C]


def test_a_follower_is_resumed_before_all_that_may_still_come() -> None:
    """
    Within one pass it is the event's own time, near the present it is where the next pass begins.
    """
    seen = Seen(10)
    seen.begin_pass(30)

    assert [seen.resume_ms(at) for at in (5, 20, 30, 40)] == [10, 20, 30, 30]


def test_a_follower_that_cannot_remember_more_gives_nothing_twice() -> None:
    """
    With room for two places, the third moves the beginning of the next pass behind all that was met.
    """
    seen = Seen(0, capacity=2)

    assert admitted(seen, 5, A, B, C) == [A, B, C]
    assert seen.low_ms == 31
    assert admitted(seen, 6, D) == [D]
    assert seen.low_ms == 31
    assert admitted(seen, 6, D) == []
