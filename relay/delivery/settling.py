"""What to write about a commit, and when it may leave. Pure."""

from collections.abc import Collection
from enum import Enum, auto

from relay.delivery.commit import OwedCommit
from relay.destination import BUS


class Due(Enum):
    """What a commit's row needs now."""

    NOTHING = auto()
    """Something is under way or about to be."""
    DELETION = auto()
    """Every destination has it."""
    NOTE = auto()
    """What is known of its destinations must be written down."""
    LEAVE = auto()
    """There is nothing to do for it here, and nothing is known that its row does not say."""


def due(commit: OwedCommit, destinations: Collection[str], *, may_delete: bool = True) -> Due:
    """Return what a commit's row needs now.

    Args:
        commit: The commit.
        destinations: All that are in force.
        may_delete: Whether this worker is certain of them.
    """
    if commit.is_settling or commit.is_under_way:
        return Due.NOTHING
    if commit.delivered.issuperset(destinations):
        if may_delete:
            return Due.DELETION
        return Due.NOTE if commit.unsaved else Due.LEAVE
    if commit.is_for_bus:
        return Due.NOTHING
    if commit.sides and not (commit.is_late and BUS in commit.unsaved):
        return Due.NOTHING
    return Due.NOTE if commit.unsaved else Due.LEAVE
