"""Which shards may be read now."""

import pytest

from relay.feed.lineage import Shard, eligible, forgettable
from relay.feed.pacing import Pacing
from relay.leases.position import Position

ROOT, CHILD, GRANDCHILD = Shard("s1", None), Shard("s2", "s1"), Shard("s3", "s2")


def test_roots_first() -> None:
    """
    A child waits while its parent is listed and not finished.
    """
    assert eligible([CHILD, GRANDCHILD, ROOT], finished=set(), leased=set()) == [ROOT]


def test_child_of_a_finished_parent() -> None:
    """
    It is its turn; its own child waits.
    """
    assert eligible([ROOT, CHILD, GRANDCHILD], finished={"s1"}, leased=set()) == [CHILD]


def test_child_whose_parent_is_no_longer_listed() -> None:
    """
    A trimmed parent holds nothing up.
    """
    assert eligible([CHILD, GRANDCHILD], finished=set(), leased=set()) == [CHILD]


def test_what_has_a_lease_needs_none() -> None:
    """
    Whether it is read, or finished.
    """
    assert eligible([ROOT, CHILD], finished={"s1"}, leased={"s1", "s2"}) == []


def test_both_halves_of_a_split() -> None:
    """
    Two children of one parent are read side by side.
    """
    left, right = Shard("s2", "s1"), Shard("s3", "s1")

    assert eligible([ROOT, left, right], finished={"s1"}, leased=set()) == [left, right]


def test_finished_shards_are_forgotten_when_the_feed_forgets_them() -> None:
    """
    A lease of a shard that nothing can point at is of no use.
    """
    assert forgettable({"s0", "s1"}, {"s0", "s1"}, listed={"s1", "s2"}, missed_before=set()) == ["s0"]


def test_an_unfinished_shard_has_to_be_missing_twice() -> None:
    """
    A listing may be late with a shard that is new; one that was missing before as well is gone.
    """
    assert forgettable(set(), {"s9"}, listed={"s1"}, missed_before=set()) == []
    assert forgettable(set(), {"s9"}, listed={"s1"}, missed_before={"s9"}) == ["s9"]


def test_positions_compare_as_numbers() -> None:
    """
    As text, 9 would come after 10. They go back as DynamoDB takes them, with 21 digits at least.
    """
    assert Position.parse("9") < Position.parse("10")
    assert str(Position.parse("42")) == "000000000000000000042"


def test_pacing_is_brisk_under_load_and_calm_in_silence() -> None:
    """
    A full page is followed at once, a partial one after the least pause, silence lets the pause grow to its bound.
    """
    pacing = Pacing(min_seconds=0.1, max_seconds=0.4, growth=2.0)

    assert pacing.next_pause(0.4, records=1000, page_max=1000) == 0.0
    assert pacing.next_pause(0.4, records=3, page_max=1000) == 0.1
    assert pacing.next_pause(0.0, records=0, page_max=1000) == 0.2
    assert pacing.next_pause(0.2, records=0, page_max=1000) == 0.4
    assert pacing.next_pause(0.4, records=0, page_max=1000) == 0.4


def test_a_shard_of_which_nobody_says_otherwise_is_asked_twice_a_second_at_least() -> None:
    """
    50 ms while records come; in silence 1.6 times as long each time, up to half a second.
    """
    pauses = [Pacing().next_pause(0.3, records=1, page_max=1000)]
    for _ in range(6):
        pauses.append(Pacing().next_pause(pauses[-1], records=0, page_max=1000))

    assert pauses == pytest.approx([0.05, 0.08, 0.128, 0.2048, 0.32768, 0.5, 0.5])
