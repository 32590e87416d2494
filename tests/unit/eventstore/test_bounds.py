"""Bounds and what checks them: numbers of AWS and AMQP, pauses, moments, expectations, places."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from eventstore import ANY, EXISTS, NO_EVENTS, Backoff, InvalidInputError, limits
from eventstore.backoff import Deadline, attempts, pause
from eventstore.checks import check_count, check_number
from eventstore.expectation import Expectation, accepts
from eventstore.payload.moments import to_ms, to_ms_or_none
from eventstore.testing import ManualRuntime
from eventstore.timeline.place import Place, batches, is_behind, merge, nearest
from eventstore.walk.place import SEGMENTS_MAX


def test_limits_are_those_of_their_sources() -> None:
    """
    AWS, AMQP 0-9-1 and Elasticsearch have set them; the last ones are this store's own, and in its pages.
    """
    assert (limits.TRANSACTION_MAX_ACTIONS, limits.TRANSACTION_MAX_BYTES) == (100, 4_194_304)
    assert (limits.ITEM_MAX_BYTES, limits.PARTITION_KEY_MAX_BYTES, limits.SORT_KEY_MAX_BYTES) == (409_600, 2048, 1024)
    assert (limits.BATCH_GET_MAX_KEYS, limits.BATCH_MAX_STATEMENTS) == (100, 25)
    assert (limits.COMMIT_MAX_EVENTS, limits.ROUTING_KEY_MAX_BYTES) == (98, 255)
    assert limits.SCHEMA_VERSION_MAX == 2_147_483_647
    assert limits.SEQUENCE_NUMBER_MAX == 1_000_000_000_000_000
    assert (limits.EMBED_MAX_BYTES_DEFAULT, limits.QUERY_MAX_ROWS) == (1024, 100_000)
    assert (limits.FOLLOW_OVERLAP_SECONDS_DEFAULT, limits.FOLLOW_POLL_SECONDS_DEFAULT) == (10.0, 1.0)
    assert (limits.VERIFY_EVENT_IDS_MAX_DEFAULT, limits.STORE_RECORD_FRESH_SECONDS) == (250_000, 30.0)
    assert SEGMENTS_MAX == 64


@pytest.mark.parametrize("given", [1, 3, 9])
def test_a_count_within_its_bounds(given: int) -> None:
    """
    Both may be reached.
    """
    check_count(given, "n", 1, 9)


@pytest.mark.parametrize("given", [0, 10, True, 1.0, "3", None])
def test_what_is_no_count(given: object) -> None:
    """
    It is named, and its bounds are told.
    """
    with pytest.raises(InvalidInputError) as caught:
        check_count(given, "options.n", 1, 9)

    assert caught.value.field == "options.n"
    assert caught.value.reason == f"is {given!r}; give a whole number from 1 to 9"


def test_a_count_is_told_with_its_bounds() -> None:
    """
    As people write them.
    """
    with pytest.raises(InvalidInputError, match="n: is 0; give a whole number from 1,000 to 9,000"):
        check_count(0, "n", 1_000, 9_000)


@pytest.mark.parametrize(
    ("given", "bounds"),
    [(0, {"least": 0}), (0.5, {"least": 0}), (2, {"least": 0}), (2.0, {"above": 0}), (0.1, {"above": 0}), (-5, {})],
)
def test_a_number_within_its_bounds(given: float, bounds: Any) -> None:
    """
    The least may be reached, what it must be above may not; there may be none.
    """
    check_number(given, "n", most=2, **bounds)


@pytest.mark.parametrize(
    ("given", "bounds"),
    [
        (-0.1, {"least": 0}),
        (2.1, {"least": 0}),
        (0, {"above": 0}),
        (float("nan"), {"least": 0}),
        (float("inf"), {"least": 0}),
        (True, {"least": 0}),
        ("1", {"least": 0}),
        (None, {"above": 0}),
    ],
)
def test_what_is_no_number(given: Any, bounds: Any) -> None:
    """
    It is named, and its bounds are told.
    """
    with pytest.raises(InvalidInputError) as caught:
        check_number(given, "options.n", most=2, **bounds)

    wanted = "more than 0" if "above" in bounds else "0 or more"
    assert caught.value.field == "options.n"
    assert caught.value.reason == f"is {given!r}; give a number, {wanted} and at most 2"


# Pauses


def test_pauses_double_up_to_their_cap() -> None:
    """
    However many attempts there are.
    """
    backoff = Backoff(attempts_max=1_000, base_seconds=0.5, cap_seconds=3.0)

    assert [backoff.ceiling_seconds(attempt) for attempt in (1, 2, 3, 4, 1_000)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert [backoff.delay_seconds(2, uniform) for uniform in (0.0, 0.5)] == [0.0, 0.5]
    longest = Backoff(base_seconds=1e-9, cap_seconds=86_400.0)
    assert longest.ceiling_seconds(33) == longest.ceiling_seconds(1_000) == pytest.approx(4.294967296)
    assert longest.ceiling_seconds(32) == pytest.approx(2.147483648)
    assert Backoff() == Backoff(8, 0.05, 2.0)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"attempts_max": 0}, "backoff.attempts_max"),
        ({"attempts_max": 1_001}, "backoff.attempts_max"),
        ({"base_seconds": -0.1}, "backoff.base_seconds"),
        ({"base_seconds": 86_400.5}, "backoff.base_seconds"),
        ({"cap_seconds": -0.1}, "backoff.cap_seconds"),
        ({"cap_seconds": 86_400.5}, "backoff.cap_seconds"),
    ],
)
def test_pauses_that_cannot_be_meant(given: Any, field: str) -> None:
    """
    They are named; the bounds themselves may be reached.
    """
    with pytest.raises(InvalidInputError) as caught:
        Backoff(**given)

    assert caught.value.field == field
    assert Backoff(1_000, 86_400.0, 86_400.0).attempts_max == 1_000
    assert Backoff(1, 0, 0).cap_seconds == 0


def test_attempts_end_when_they_are_used_up() -> None:
    """
    Before each but the first there is a pause, and after the last there is none.
    """
    runtime = ManualRuntime()
    began = runtime.monotonic()
    backoff = Backoff(attempts_max=3, base_seconds=8.0, cap_seconds=8.0)

    times = [(number, runtime.monotonic() - began) for number in attempts(runtime, backoff)]

    assert [number for number, _ in times] == [1, 2, 3]
    assert times[0][1] == 0.0
    assert 0.0 < times[1][1] < times[2][1] < 16.0
    assert runtime.monotonic() - began == times[2][1]


def test_attempts_end_with_their_time() -> None:
    """
    None is begun when nothing is left, and no pause is begun that would last until then.
    """
    runtime = ManualRuntime()
    deadline = Deadline(runtime, 5.0)
    assert deadline.left_seconds() == 5.0
    assert pause(runtime, 5.0, deadline) is False
    assert deadline.left_seconds() == 5.0
    assert pause(runtime, 4.0, deadline) is True
    assert deadline.left_seconds() == 1.0
    assert pause(runtime, 7.0) is True
    assert deadline.left_seconds() == 0.0

    assert list(attempts(runtime, Backoff(), deadline)) == []
    instant = Backoff(attempts_max=3, base_seconds=0.0, cap_seconds=0.0)
    soon = Deadline(runtime, 1.0)
    begun = []
    for number in attempts(runtime, instant, soon):
        begun.append(number)
        runtime.sleep(0.6)
    assert begun == [1, 2]


# Moments


@pytest.mark.parametrize(
    ("moment", "wanted"),
    [
        (0, 0),
        (-7, -7),
        (datetime(2025, 1, 1, tzinfo=UTC), 1_735_689_600_000),
        (datetime(2025, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 1_735_689_600_000),
        (datetime(1970, 1, 1, 0, 0, 0, 1_999, tzinfo=UTC), 1),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
    ],
)
def test_moments_in_milliseconds(moment: Any, wanted: int) -> None:
    """
    What is below a millisecond is dropped.
    """
    assert to_ms(moment, "at") == wanted
    assert to_ms_or_none(moment, "at") == wanted
    assert to_ms_or_none(None, "at") is None


@pytest.mark.parametrize("moment", [datetime(2025, 1, 1), True, 1.5, "2025"])  # noqa: DTZ001 - without a zone, on purpose
def test_what_is_no_moment(moment: Any) -> None:
    """
    It is named.
    """
    for read in (to_ms, to_ms_or_none):
        with pytest.raises(InvalidInputError) as caught:
            read(moment, "query.start")
        assert caught.value.field == "query.start"


# Expectations


@pytest.mark.parametrize(
    ("expected", "accepted"),
    [(NO_EVENTS, [0]), (1, [1]), (2, [2]), (EXISTS, [1, 2]), (ANY, [0, 1, 2])],
)
def test_which_versions_meet_an_expectation(expected: int | Expectation, accepted: list[int]) -> None:
    """
    A number means that one, `EXISTS` any but 0, `ANY` any.
    """
    assert [actual for actual in range(3) if accepts(expected, actual)] == accepted


def test_expectations_have_these_names() -> None:
    """
    In texts as in code, and by their values.
    """
    assert [repr(EXISTS), str(ANY)] == ["EXISTS", "ANY"]
    assert [Expectation("exists"), Expectation("any")] == [EXISTS, ANY]
    assert NO_EVENTS == 0


# Places

A1, A2, B1, C1 = Place(1, "a", 1), Place(1, "a", 2), Place(1, "b", 1), Place(2, "a", 1)


def test_places_come_by_time_then_aggregate_then_number() -> None:
    """
    In either direction.
    """
    assert [is_behind(A2, each, backwards=False) for each in (A1, A2, B1, None)] == [True, False, False, True]
    assert [is_behind(A2, each, backwards=True) for each in (A1, A2, B1, None)] == [False, False, True, True]
    assert list(merge([iter([A1, C1]), iter([A2, B1])], backwards=False)) == [A1, A2, B1, C1]
    assert list(merge([iter([C1, A1]), iter([B1, A2])], backwards=True)) == [C1, B1, A2, A1]
    assert nearest([C1, A2, A1, B1], 2, backwards=False) == [A1, A2]
    assert nearest([C1, A2, A1, B1], 2, backwards=True) == [C1, B1]


def test_batches_are_gathered_one_by_one() -> None:
    """
    The last one may be smaller, and there is no empty one.
    """
    source = iter(range(5))
    found = batches(source, 2)

    assert next(found) == [0, 1]
    assert next(source) == 2
    assert list(found) == [[3, 4]]
    assert list(batches([], 2)) == []


def test_no_pause_is_begun_that_would_outlast_the_time() -> None:
    """
    Pauses are those of the attempt before them.
    """
    runtime = ManualRuntime()
    began = runtime.monotonic()
    backoff = Backoff(attempts_max=9, base_seconds=1e-6, cap_seconds=1e6 / 16)
    assert [number for number in attempts(runtime, backoff, Deadline(runtime, 60.0)) if number > 8] == [9]
    assert runtime.monotonic() - began < 1.0

    long = Backoff(attempts_max=9, base_seconds=1e4, cap_seconds=1e4)
    before = runtime.monotonic()
    assert list(attempts(runtime, long, Deadline(runtime, 1e-3))) == [1]
    assert runtime.monotonic() == before


def test_the_pause_before_an_attempt_is_that_after_the_one_before() -> None:
    """
    The second attempt comes after the first pause, which is the shortest.
    """

    class Waiting(ManualRuntime):
        def uniform(self) -> float:
            return 0.5

    runtime = Waiting()
    began = runtime.monotonic()
    backoff = Backoff(attempts_max=4, base_seconds=2.0, cap_seconds=100.0)

    assert [runtime.monotonic() - began for _ in attempts(runtime, backoff)] == [0.0, 1.0, 3.0, 7.0]
