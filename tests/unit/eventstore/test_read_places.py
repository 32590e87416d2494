"""Where reads go on: tokens of pages and of walks, and what a follower remembers, by values."""

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from eventstore import InvalidInputError, InvalidTokenError
from eventstore.timeline import token as page_token
from eventstore.timeline.place import Place
from eventstore.timeline.query import ByAggregateType, ByTime, ByType
from eventstore.timeline.sealed import seal, unseal
from eventstore.timeline.seen import PAST_MAX_PLACES, SEEN_MAX_PLACES, Seen
from eventstore.walk import token as walk_token
from eventstore.walk.place import WalkPlace
from eventstore.walk.token import WalkToken

QUERY = ByType("COUNTED", 0, 10)
PLACE = Place(7, "item-1", 3)
WALK = WalkToken("generation-1", 2, 2, None, 5, (WalkPlace("item-1", 3, 4), None))


def raw(body: bytes) -> str:
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


# Seals


@pytest.mark.parametrize("body", [b"", b"x", b"xy", b"xyz", b"\xff\xfe\xfd" * 7])
def test_a_sealed_body_comes_back(body: bytes) -> None:
    """
    As text that a web address can carry: base64url of it and of 4 bytes of BLAKE2b.
    """
    text = seal("w1", body)

    assert text == f"w1.{raw(body + hashlib.blake2b(body, digest_size=4).digest())}"
    assert unseal(text.removeprefix("w1.")) == body


@pytest.mark.parametrize("text", ["", "x", "=", "ä", "AAAA", "AAAAAAAA", "AAA AAA", seal("", b"body")[1:-1]])
def test_a_damaged_body_is_nothing(text: str) -> None:
    """
    Whatever the damage is.
    """
    assert unseal(text) == b""


def test_whatever_a_body_ends_with_nothing_of_it_is_lost() -> None:
    """
    And nothing may stand among its letters.
    """
    bodies = [str(number).encode() for number in range(300)]

    assert [unseal(seal("", body)[1:]) for body in bodies] == bodies
    assert unseal("!!!!" + seal("", b"body")[1:]) == b""


# Pages


def test_a_page_token_is_of_its_table_and_query() -> None:
    """
    And says after which place to go on.
    """
    text = page_token.encode("events", QUERY, PLACE)

    assert text.startswith("1.")
    assert page_token.decode("events", QUERY, text) == PLACE
    for table, query in (("others", QUERY), ("events", ByType("LOST", 0, 10))):
        with pytest.raises(InvalidTokenError, match="is of another query"):
            page_token.decode(table, query, text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "is not a page token"),
        ("", "is not a page token"),
        ("1." + "x" * 32_767, "is not a page token"),
        ("1." + "x" * 32_766, "is damaged: give back the whole"),
        ("2.AAAA", "is of version 2, and this library reads version 1"),
        ("w1.AAAA", "is of a walk"),
        ("AAAA", "is damaged: give back the whole"),
        ("x.AAAA", "is damaged: give back the whole"),
        ("x" + page_token.encode("events", QUERY, PLACE)[1:], "is damaged: give back the whole"),
        (seal("1", b"12345678"), "is damaged: give back the whole"),
        (seal("1", b"123456789"), "is of another query"),
    ],
)
def test_what_is_no_page_token(text: Any, says: str) -> None:
    """
    It is told what it is instead.
    """
    with pytest.raises(InvalidTokenError, match=says):
        page_token.decode("events", QUERY, text)


def test_a_page_token_whose_place_cannot_be_read() -> None:
    """
    Though the checksum is right: somebody has forged it.
    """
    digest = page_token._digest("events", QUERY)
    assert len(digest) == 8
    for place in (b"{}", b"[7]", b'[7,"a","b"]'):
        with pytest.raises(InvalidTokenError, match="is damaged: start again without token"):
            page_token.decode("events", QUERY, seal("1", digest + place))


# Walks


@pytest.mark.parametrize("token", [WALK, WalkToken("g", 1, 64, 3, 0, (None,)), WalkToken("g", 1, 1, None, 0, (None,))])
def test_a_walks_token_says_how_far_each_segment_has_come(token: WalkToken) -> None:
    """
    Of one segment or of all.
    """
    text = walk_token.encode(token)

    assert text.startswith("w1.")
    assert walk_token.decode(text, None, None) == token
    assert walk_token.decode(text, token.segments, token.segment) == token


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "is not a token of a walk"),
        ("", "is not a token of a walk"),
        (7, "is not a token of a walk"),
        (seal("w1", b'["g","x",2,null,0,[null,null]]'), "is damaged: give back the whole"),
        ("w1." + "x" * (2 * 1024 * 1024 - 2), "is not a token of a walk"),
        ("w1." + "x" * (2 * 1024 * 1024 - 3), "is damaged: give back the whole"),
        ("1.AAAA", "is of a page"),
        ("w2.AAAA", "is of version 2, and this library reads version 1"),
        ("w.AAAA", "is not a token of a walk"),
        ("x1.AAAA", "is not a token of a walk"),
        ("w1.AAAA", "is damaged: give back the whole"),
        (seal("w1", b"{}"), "is damaged: give back the whole"),
        (walk_token.encode(WalkToken("g", 1, 0, None, 0, ())), "is damaged: begin without token"),
        (walk_token.encode(WalkToken("g", 1, 65, None, 0, (None,) * 65)), "is damaged: begin without token"),
        (walk_token.encode(WalkToken("g", 1, 2, None, 0, (None,))), "is damaged: begin without token"),
        (walk_token.encode(WalkToken("g", 1, 2, 1, 0, (None, None))), "is damaged: begin without token"),
    ],
)
def test_what_is_no_walks_token(text: Any, says: str) -> None:
    """
    It is told what it is instead.
    """
    with pytest.raises(InvalidTokenError, match=says):
        walk_token.decode(text, None, None)


def test_a_walk_goes_on_in_its_own_segments() -> None:
    """
    Each worker has its own token.
    """
    whole, second = walk_token.encode(WALK), walk_token.encode(WalkToken("g", 1, 2, 1, 0, (None,)))

    for text, asked, says in (
        (whole, (3, None), "is of a walk in segments=2, not 3"),
        (whole, (2, 1), "is of all segments, not of segment=1"),
        (second, (2, 0), "is of segment=1, not of segment=0"),
    ):
        with pytest.raises(InvalidTokenError, match=says):
            walk_token.decode(text, *asked)


def test_a_walk_goes_on_in_its_own_table() -> None:
    """
    And not over a restore.
    """
    WALK.check("generation-1", 2)
    with pytest.raises(InvalidTokenError, match="is of epoch 2, and the store is at 3"):
        WALK.check("generation-1", 3)
    with pytest.raises(InvalidTokenError, match="is of another events table"):
        WALK.check("generation-2", 2)


# Followers


def at(timestamp_ms: int) -> Place:
    return Place(timestamp_ms, "a", 1)


def test_a_pass_begins_at_the_horizon_of_the_one_before() -> None:
    """
    What was given there is not new.
    """
    seen = Seen(10)
    assert seen.begin_pass(20) is None
    assert seen.is_new(at(25))
    seen.give([at(25)])
    assert seen.low_ms == 10
    seen.end_pass()

    assert seen.low_ms == 20
    assert seen.begin_pass(30) is None
    assert not seen.is_new(at(25))
    assert seen.is_new(at(26))
    assert (SEEN_MAX_PLACES, PAST_MAX_PLACES) == (100_000, 10_000)


def test_a_pass_that_an_error_ended_goes_on_behind_what_was_given() -> None:
    """
    With the earlier one of both horizons.
    """
    seen = Seen(10)
    seen.begin_pass(30)
    seen.give([at(25), at(26)])

    assert seen.begin_pass(20) == at(26)
    assert seen.begin_pass(40) == at(26)
    seen.end_pass()
    assert seen.low_ms == 20


def test_a_clock_that_is_set_back_is_followed() -> None:
    """
    Never below the first moment.
    """
    seen = Seen(10)
    for horizon, low in ((50, 50), (30, 30), (5, 10), (40, 40)):
        seen.begin_pass(horizon)
        seen.end_pass()
        assert seen.low_ms == low


def test_from_when_a_later_follower_misses_nothing() -> None:
    """
    The horizon, or what was just given where that is below it; never below the first moment.
    """
    seen = Seen(10)
    seen.begin_pass(20)

    assert [seen.resume_ms(timestamp_ms) for timestamp_ms in (5, 15, 20, 25)] == [10, 15, 20, 20]


def test_when_more_would_have_to_be_remembered_the_next_pass_begins_behind_the_last() -> None:
    """
    Nothing is given twice; forgetting what lies below the horizon costs nothing.
    """
    seen = Seen(10, capacity=2)
    seen.begin_pass(20)
    for place in (at(15), at(20), at(21)):
        assert seen.is_new(place)
        seen.give([place])
    seen.end_pass()
    assert seen.low_ms == 20

    full = Seen(10, capacity=2)
    full.begin_pass(20)
    for place in (at(20), at(21), at(22)):
        full.is_new(place)
        full.give([place])
    full.end_pass()
    assert full.low_ms == 23
    assert full.begin_pass(20) is None
    assert full.begin_pass(20) is None
    assert full.low_ms == 23


def test_what_is_far_behind_is_forgotten() -> None:
    """
    But for the last ten thousand places, for a clock that is set back.
    """
    seen = Seen(0)
    seen.begin_pass(20_000)
    seen.give(at(timestamp_ms) for timestamp_ms in range(10_002))
    seen.end_pass()

    assert [seen.is_new(at(timestamp_ms)) for timestamp_ms in (0, 1, 2, 10_001)] == [True, True, False, False]


# Queries


@pytest.mark.parametrize("make", [lambda *ends: ByType("A", *ends), lambda *ends: ByAggregateType("A", *ends), ByTime])
def test_both_ends_of_a_query_are_kept_in_milliseconds(make: Any) -> None:
    """
    From the first moment there is to the last.
    """
    query = make(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))
    assert (query.from_ms, query.until_ms) == (1_735_689_600_000, 1_735_776_000_000)
    last = make(253_402_300_700_000, 253_402_300_800_000)
    assert (last.from_ms, last.until_ms) == (253_402_300_700_000, 253_402_300_800_000)
    assert make(0, 1).from_ms == 0

    for ends, field in (
        ((253_402_300_700_000, 253_402_300_800_001), "until_ms"),
        ((-1, 5), "from_ms"),
        (("x", 5), "from_ms"),
        ((0, "x"), "until_ms"),
    ):
        with pytest.raises(InvalidInputError) as caught:
            make(*ends)
        assert caught.value.field == field
