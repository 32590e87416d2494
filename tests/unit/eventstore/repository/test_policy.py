"""When snapshots are due, as values."""

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
