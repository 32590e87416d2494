"""What one attempt at changing a row of the outbox has come to."""

from dataclasses import dataclass, field

from eventstore.dynamodb.errors import DynamoError


@dataclass(frozen=True, slots=True)
class Done:
    """It is as it was meant to be.

    Attributes:
        delivered: After a note or a mark that parks, all destinations that have the commit by now, so that whoever sees
            the set complete deletes the row; None after a deletion, since the row is gone, and after other marks.
    """

    delivered: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Foreign:
    """Another commit's row stands under the key, or for a note none: this commit is settled or void. Leave it alone."""


@dataclass(frozen=True, slots=True)
class Later:
    """It did not happen, or nobody knows whether it did: do it again, which is harmless.

    Attributes:
        reason: In words.
        is_throttle: Whether it was refused for load.
        cause: The error behind it, for whoever gives up.
    """

    reason: str
    is_throttle: bool = False
    cause: DynamoError | None = field(default=None, compare=False, repr=False)


Written = Done | Foreign | Later
