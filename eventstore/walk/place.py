"""How far a walk has come in a segment of the events table. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

SEGMENTS_MAX = 64
"""Each is read by a thread of its own, and has its place in the token."""


class WalkPlace(NamedTuple):
    """The last event of a segment that was given: what follows it in the table is still to come.

    Attributes:
        aggregate_id: Its aggregate.
        number: Its number.
        commit_last: Where its commit ends: rows up to there must exist.
    """

    aggregate_id: str
    number: int
    commit_last: int


@dataclass(frozen=True, slots=True)
class TableSegment:
    """A part of the events table. All events of one aggregate are in the same one.

    Attributes:
        index: Which one, from 0.
        count: How many there are.
    """

    index: int
    count: int
