"""Which of several servers is asked next, and how long: one that did not answer is left out for a while. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

PAUSE_FIRST_SECONDS = 5.0
PAUSE_MAX_SECONDS = 60.0
"""A node that did not answer is tried again after the first pause, which doubles up to this."""

TRIAL_SHARE = 0.25
TRIAL_MAX_SECONDS = 1.0
"""What a call gives a node of which it is not known whether it is back, while others are well: this share at most."""

_DOUBLINGS_MAX = 10


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one node.

    Attributes:
        failures: Attempts in a row that it did not answer.
        failed_at: When the last of them ended, on the monotonic clock.
    """

    failures: int = 0
    failed_at: float = 0.0

    @property
    def is_well(self) -> bool:
        """Whether it answered the last time it was asked; a node that was never asked counts as well."""
        return self.failures == 0

    def failed(self, now: float) -> "Standing":
        """Return the standing after an attempt that it did not answer."""
        return Standing(self.failures + 1, now)

    def is_due(self, now: float) -> bool:
        """Tell whether a node that is left out is to be tried again."""
        pause: float = PAUSE_FIRST_SECONDS * 2 ** min(self.failures - 1, _DOUBLINGS_MAX)
        return now >= self.failed_at + min(pause, PAUSE_MAX_SECONDS)


def order(standings: Sequence[Standing], turn: int, now: float) -> list[int]:
    """Return the numbers of all nodes in the order in which one call asks them, until one answers.

    Args:
        standings: What is known of each.
        turn: Grows with each call, so that the nodes that are well share the load.
        now: On the monotonic clock.
    """
    well = [number for number, standing in enumerate(standings) if standing.is_well]
    out = [number for number, standing in enumerate(standings) if not standing.is_well]
    out.sort(key=lambda number: standings[number].failed_at)  # who was not asked for longest may be back
    if well:
        begin = turn % len(well)
        well = well[begin:] + well[:begin]
        due = [number for number in out if standings[number].is_due(now)][:1]
        return due + well + [number for number in out if number not in due]
    return out


def share_seconds(left_seconds: float, others: int, *, on_trial: bool) -> float:
    """Return how long one node may take: half of what is left of the call, all of it when no other comes after.

    Half, and not an equal part: a cluster of many slow nodes should not get too little for any of them.

    Args:
        left_seconds: What is left of the call.
        others: How many can be asked after it.
        on_trial: It did not answer the last time, and others are well.
    """
    if not others:
        return left_seconds
    return min(left_seconds * TRIAL_SHARE, TRIAL_MAX_SECONDS) if on_trial else left_seconds / 2
