"""What a demo's writer is going to append."""

from dataclasses import dataclass

from eventstore.model import AggregateRef, NewEvent


@dataclass(frozen=True, slots=True)
class PlannedCommit:
    """One append to come.

    Attributes:
        aggregate: The aggregate.
        events: Its events, oldest first.
    """

    aggregate: AggregateRef
    events: tuple[NewEvent, ...]
