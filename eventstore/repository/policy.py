"""When a state is kept, and for how long it is trusted. Pure."""

from dataclasses import dataclass

from eventstore.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class SnapshotPolicy:
    """When a snapshot is written. Made by `every`, `older_than`, or as `NEVER`.

    Attributes:
        every_events: Write when there are this many events after the last snapshot; None for no such rule.
        older_than_seconds: Write when there are newer events and the last snapshot is older, or there is none.
    """

    every_events: int | None = None
    older_than_seconds: float | None = None

    @classmethod
    def every(cls, events: int) -> "SnapshotPolicy":
        """Write a snapshot when there are this many events after the last one.

        Raises:
            InvalidInputError: The number is below 1.
        """
        if isinstance(events, bool) or not isinstance(events, int) or events < 1:
            raise InvalidInputError("events", f"is {events!r}; a snapshot every 1 or more events")
        return cls(every_events=events)

    @classmethod
    def older_than(cls, seconds: float) -> "SnapshotPolicy":
        """Write a snapshot when there are newer events and the last one is older than that.

        Raises:
            InvalidInputError: The time is below 0.
        """
        if not seconds >= 0:
            raise InvalidInputError("seconds", f"is {seconds!r}; give 0 or more")
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
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 0:
            raise InvalidInputError("size", f"is {self.size!r}; give 0 or more states")
        if not self.max_staleness_seconds >= 0:
            raise InvalidInputError("max_staleness_seconds", f"is {self.max_staleness_seconds!r}; give 0 or more")
