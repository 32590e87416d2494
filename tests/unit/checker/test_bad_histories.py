"""Each promise is seen to be broken: a good history is clean, and the smallest bad variants of it are not."""

import pytest

from relay.testing.checker import Promise
from tests.unit.checker.spoiling import BAD
from tests.unit.checker.story import good


@pytest.mark.parametrize("rows_first", [True, False])
def test_a_good_history_is_clean(*, rows_first: bool) -> None:
    """
    Everything is there, once or twice, and as it was meant.
    """
    verdict = good().judge(rows_first=rows_first, repeats_max=1)

    assert str(verdict) == (
        "every promise was kept: 5 events in 3 commits, 6 messages with 1 repeats, 5 documents, 0 owed"
    )
    assert verdict.is_clean
    assert verdict.broken == ()


@pytest.mark.parametrize("rows_first", [True, False])
@pytest.mark.parametrize("name", BAD)
def test_a_bad_history_breaks_its_promises_and_no_other(name: str, *, rows_first: bool) -> None:
    """
    The smallest thing that goes wrong is found for what it is, whatever is known first.
    """
    spoil, broken = BAD[name]
    story = good()
    spoil(story)
    verdict = story.judge(rows_first=rows_first, repeats_max=1)

    assert set(verdict.counts) == broken
    assert not verdict.is_clean
    assert {each.promise for each in verdict.broken} == broken


def test_every_promise_is_broken_by_some_bad_history() -> None:
    """
    A promise that no bad history breaks may not be looked at.
    """
    assert set().union(*(broken for _, broken in BAD.values())) == set(Promise)
