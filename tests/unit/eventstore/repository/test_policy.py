"""When snapshots are due, as values."""

from collections.abc import Callable

import pytest

from eventstore import NEVER, CachePolicy, InvalidInputError, SnapshotPolicy
from eventstore.repository.policy import SnapshotMark, snapshot_due

NONE = SnapshotMark()


@pytest.mark.parametrize(
    ("policy", "version", "mark", "now_ms", "due"),
    [
        (NEVER, 10_000, NONE, 0, False),
        (SnapshotPolicy.every(3), 2, NONE, 0, False),
        (SnapshotPolicy.every(3), 3, NONE, 0, True),
        (SnapshotPolicy.every(3), 5, SnapshotMark(3, 0), 0, False),
        (SnapshotPolicy.every(3), 6, SnapshotMark(3, 0), 0, True),
        (SnapshotPolicy.every(1), 3, SnapshotMark(3, 0), 0, False),
        (SnapshotPolicy.older_than(60), 1, NONE, 5, True),
        (SnapshotPolicy.older_than(60), 0, NONE, 5, False),
        (SnapshotPolicy.older_than(60), 9, SnapshotMark(8, 1_000), 60_999, False),
        (SnapshotPolicy.older_than(60), 9, SnapshotMark(8, 1_000), 61_000, True),
        (SnapshotPolicy.older_than(60), 8, SnapshotMark(8, 1_000), 999_000, False),
    ],
)
def test_a_snapshot_is_due(policy: SnapshotPolicy, version: int, mark: SnapshotMark, now_ms: int, due: bool) -> None:  # noqa: FBT001
    """
    By events above the last one, or by its age; never without newer events.
    """
    assert snapshot_due(policy, version, mark, now_ms) is due


def test_policies_that_cannot_be_meant_are_refused() -> None:
    """
    The error names the argument.
    """
    for make in (
        lambda: SnapshotPolicy.every(0),
        lambda: SnapshotPolicy.older_than(-1),
        lambda: SnapshotPolicy.older_than(float("nan")),
        lambda: CachePolicy(size=-1),
        lambda: CachePolicy(max_staleness_seconds=-0.1),
    ):
        with pytest.raises(InvalidInputError):
            make()


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: SnapshotPolicy.every(0), "events"),
        (lambda: SnapshotPolicy.every(1_000_000_001), "events"),
        (lambda: SnapshotPolicy(every_events=0), "snapshots.every_events"),
        (lambda: SnapshotPolicy(every_events=1_000_000_001), "snapshots.every_events"),
        (lambda: SnapshotPolicy.older_than(-0.1), "seconds"),
        (lambda: SnapshotPolicy.older_than(1_000_000_001.0), "seconds"),
        (lambda: SnapshotPolicy(older_than_seconds=-0.1), "snapshots.older_than_seconds"),
        (lambda: SnapshotPolicy(older_than_seconds=1_000_000_001.0), "snapshots.older_than_seconds"),
        (lambda: SnapshotPolicy(1, 1.0), "snapshots.older_than_seconds"),
        (lambda: CachePolicy(size=-1), "size"),
        (lambda: CachePolicy(size=1_000_000_001), "size"),
        (lambda: CachePolicy(max_staleness_seconds=-0.1), "max_staleness_seconds"),
        (lambda: CachePolicy(max_staleness_seconds=1_000_000_001.0), "max_staleness_seconds"),
    ],
)
def test_what_is_out_of_bounds_is_named(make: Callable[[], object], field: str) -> None:
    """
    As the caller wrote it.
    """
    with pytest.raises(InvalidInputError) as caught:
        make()

    assert caught.value.field == field


def test_bounds_may_be_reached() -> None:
    """
    The least and the most of each; what nobody says is a cache of 1,000 states that asks each time.
    """
    assert SnapshotPolicy.every(1) == SnapshotPolicy(1, None)
    assert SnapshotPolicy.every(1_000_000_000) == SnapshotPolicy(1_000_000_000, None)
    assert SnapshotPolicy.older_than(0) == SnapshotPolicy(None, 0)
    assert SnapshotPolicy.older_than(1_000_000_000.0) == SnapshotPolicy(None, 1_000_000_000.0)
    assert CachePolicy(0, 1_000_000_000.0).size == 0
    assert CachePolicy(1_000_000_000).max_staleness_seconds == 0.0
    assert CachePolicy() == CachePolicy(1000, 0.0)
    assert SnapshotMark() == SnapshotMark(0, 0)


def test_snapshots_are_used_when_a_rule_says_when() -> None:
    """
    Either rule does.
    """
    assert [each.reads for each in (NEVER, SnapshotPolicy.every(1), SnapshotPolicy.older_than(0))] == [
        False,
        True,
        True,
    ]
