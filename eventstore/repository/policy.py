"""When a state is kept, and for how long it is trusted. Pure."""

from dataclasses import dataclass

from eventstore import checks
from eventstore.errors import InvalidInputError

COUNT_MAX = 1_000_000_000
SECONDS_MAX = 1_000_000_000.0


@dataclass(frozen=True, slots=True)
class SnapshotPolicy:
    """When a snapshot is written. Made by `every`, `older_than`, or as `NEVER`.

    Attributes:
        every_events: Write when there are this many events after the last snapshot; None for no such rule.
        older_than_seconds: Write when there are newer events and the last snapshot is older, or there is none.
    """

    every_events: int | None = None
    older_than_seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse invalid values.

        Raises:
            InvalidInputError: Names the value and its bounds.
        """
        if self.every_events is not None and self.older_than_seconds is not None:
            raise InvalidInputError("snapshots.older_than_seconds", "is given together with every_events; choose one")
        if self.every_events is not None:
            checks.check_count(self.every_events, "snapshots.every_events", 1, COUNT_MAX)
        if self.older_than_seconds is not None:
            checks.check_number(self.older_than_seconds, "snapshots.older_than_seconds", least=0, most=SECONDS_MAX)

    @classmethod
    def every(cls, events: int) -> "SnapshotPolicy":
        """Write a snapshot when there are this many events after the last one.

        Raises:
            InvalidInputError: The number is below 1.
        """
        checks.check_count(events, "events", 1, COUNT_MAX)
        return cls(every_events=events)

    @classmethod
    def older_than(cls, seconds: float) -> "SnapshotPolicy":
        """Write a snapshot when there are newer events and the last one is older than that.

        Raises:
            InvalidInputError: The time is below 0.
        """
        checks.check_number(seconds, "seconds", least=0, most=SECONDS_MAX)
        return cls(older_than_seconds=seconds)

    @property
    def reads(self) -> bool:
        """Whether snapshots are used at all."""
        return self.every_events is not None or self.older_than_seconds is not None


NEVER = SnapshotPolicy()
"""No snapshots are read or written."""


@dataclass(frozen=True, slots=True)
class SnapshotMark:
    """The last snapshot that a state is known to have.

    Attributes:
        version: Its version; 0 when there is none.
        taken_at_ms: When it was written, by the writer's clock; 0 when there is none.
    """

    version: int = 0
    taken_at_ms: int = 0


def snapshot_due(policy: SnapshotPolicy, version: int, mark: SnapshotMark, now_ms: int) -> bool:
    """Tell whether a snapshot of a state at `version` should be written now."""
    if version <= mark.version:
        return False
    if policy.every_events is not None:
        return version - mark.version >= policy.every_events
    if policy.older_than_seconds is not None:
        return mark.version == 0 or now_ms - mark.taken_at_ms >= policy.older_than_seconds * 1000
    return False


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How many states are kept in memory, and for how long they are trusted without a read.

    Attributes:
        size: States at most; the one unused for longest goes first. 0 for no cache.
        max_staleness_seconds: A state that was read from the table within this time is answered from memory, with
            no request. 0 asks for newer events each time, which costs one small read.
    """

    size: int = 1000
    max_staleness_seconds: float = 0.0

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        checks.check_count(self.size, "size", 0, COUNT_MAX)
        checks.check_number(self.max_staleness_seconds, "max_staleness_seconds", least=0, most=SECONDS_MAX)
