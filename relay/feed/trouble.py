"""What can be wrong with the feed as a whole. Pure."""

from dataclasses import dataclass
from enum import StrEnum


class FeedState(StrEnum):
    """How the feed is."""

    UP = "up"
    ABSENT = "absent"
    """The outbox has no stream, or one that does not tell what was written."""
    DENIED = "denied"
    """The relay's role may not read it."""
    OUTAGE = "outage"
    """It does not answer; open shards go on."""


@dataclass(frozen=True, slots=True)
class FeedTrouble:
    """What is wrong.

    Attributes:
        state: Its kind; never `UP`.
        reason: What is the matter, and what to do.
        needs_person: Time alone does not mend it.
    """

    state: FeedState
    reason: str
    needs_person: bool
