"""Why an aggregate waits alone, and what a person does about it: the words for health, status and gaps. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from relay.delivery.pumps.bus_pump import NACK


@dataclass(frozen=True, slots=True)
class Remedy:
    """What is known of one reason.

    Attributes:
        cause: A clause that says what is the matter.
        action: An instruction that says what to do.
    """

    cause: str
    action: str


SILENT = "silent"
DEFECT = "defect"

_KNOWN: Mapping[str, Remedy] = {
    NACK: Remedy(
        "a queue bound to the exchange rejects its next event",
        "look for full queues with overflow reject-publish, and let their consumers catch up or raise their limits",
    ),
    SILENT: Remedy(
        "the broker does not confirm its next event, though it confirms others",
        "look for a queue without a majority of its members, and bring its nodes back",
    ),
    DEFECT: Remedy(
        "this release fails on its next event",
        "see commit.held_back in the log, and report it",
    ),
}

REASONS = tuple(_KNOWN)
"""Every reason that there is, so that gauges show zeros."""


def remedy(reason: str) -> Remedy:
    """Return what is known of a reason; a newer worker may give one that is unknown here."""
    return _KNOWN.get(reason) or Remedy(f"its next event is not taken ({reason})", "see that worker's log")
