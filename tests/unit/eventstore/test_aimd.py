"""The rule of the limiter: additive increase, multiplicative decrease."""

from typing import Any

import pytest

from eventstore import AimdSettings, InvalidInputError
from eventstore.dynamodb import aimd
from eventstore.dynamodb.aimd import AimdState

SETTINGS = AimdSettings(start=8, minimum=2, maximum=10, increase=1.0, decrease=0.5)


def test_a_round_of_successes_allows_one_more() -> None:
    """
    Eight successes at a limit of eight make about nine.
    """
    state = aimd.begin(SETTINGS)
    for _ in range(8):
        state = aimd.grown(state, SETTINGS, in_flight=8)

    assert 8.9 < state.limit < 9.0


def test_it_never_allows_more_than_the_maximum() -> None:
    """
    However well it goes.
    """
    state = aimd.begin(SETTINGS)
    for _ in range(1000):
        state = aimd.grown(state, SETTINGS, in_flight=10)

    assert state.slots == 10


@pytest.mark.parametrize(("in_flight", "grows"), [(1, False), (3, False), (4, True), (8, True)])
def test_success_below_half_of_the_limit_says_nothing(in_flight: int, grows: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """
    A quiet store would otherwise end at the maximum without ever having tried it.
    """
    state = aimd.grown(aimd.begin(SETTINGS), SETTINGS, in_flight=in_flight)

    assert (state.limit > 8.0) is grows


def test_a_throttle_halves_and_the_minimum_holds() -> None:
    """
    8, 4, 2, 2.
    """
    state, seen = aimd.begin(SETTINGS), []
    for _ in range(3):
        state = aimd.cut(state, SETTINGS, cuts_at_start=state.cuts)
        seen.append(state.slots)

    assert seen == [4, 2, 2]


def test_a_burst_of_throttles_is_one_cut() -> None:
    """
    Eight requests were on their way when the table had enough; they all say the same.
    """
    state = aimd.begin(SETTINGS)
    for _ in range(8):
        state = aimd.cut(state, SETTINGS, cuts_at_start=0)

    assert (state.slots, state.cuts) == (4, 1)


def test_the_wait_is_that_of_the_queue() -> None:
    """
    Nine wait before us, two at a time, each a tenth of a second: half a second for all ten.
    """
    state = AimdState(limit=2.0, mean_seconds=0.1)

    assert aimd.retry_after_seconds(state, waiting=9) == pytest.approx(0.5)


def test_the_mean_follows() -> None:
    """
    The first request sets it, later ones move it by an eighth of the difference.
    """
    state = aimd.timed(aimd.begin(SETTINGS), 0.8)
    assert state.mean_seconds == 0.8

    assert aimd.timed(state, 1.6).mean_seconds == pytest.approx(0.9)


@pytest.mark.parametrize(
    "numbers",
    [{"start": 0, "minimum": 0}, {"start": 5, "maximum": 4}, {"decrease": 1.0}, {"decrease": 0.0}, {"increase": 0.0}],
)
def test_numbers_that_contradict_each_other_are_refused(numbers: dict[str, float]) -> None:
    """
    Each would make the limiter stand still.
    """
    with pytest.raises(ValueError, match="limiter"):
        AimdSettings(**numbers)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"start": 0}, "limiter.start"),
        ({"minimum": 0}, "limiter.minimum"),
        ({"maximum": 10_001}, "limiter.maximum"),
        ({"start": 1, "minimum": 2}, "limiter.start"),
        ({"start": 9, "maximum": 8}, "limiter.start"),
        ({"increase": 0}, "limiter.increase"),
        ({"increase": 10_000.5}, "limiter.increase"),
        ({"decrease": 0}, "limiter.decrease"),
        ({"decrease": 1}, "limiter.decrease"),
        ({"decrease": 1.5}, "limiter.decrease"),
    ],
)
def test_numbers_that_would_block_the_limiter(given: dict[str, Any], field: str) -> None:
    """
    They are named.
    """
    with pytest.raises(InvalidInputError) as caught:
        AimdSettings(**given)

    assert caught.value.field == field


def test_numbers_that_the_limiter_takes() -> None:
    """
    Bounds may be reached; what nobody says is as many as a client has connections, one more or half as many.
    """
    assert AimdSettings() == AimdSettings(start=32, minimum=1, maximum=32, increase=1.0, decrease=0.5)
    assert AimdSettings(start=10_000, minimum=10_000, maximum=10_000, increase=10_000).start == 10_000
    assert AimdSettings(start=1, maximum=1, increase=0.1, decrease=0.999).minimum == 1
    assert (AimdState(2.9).slots, AimdState(2.9).cuts, AimdState(2.9).mean_seconds) == (2, 0, 0.0)
