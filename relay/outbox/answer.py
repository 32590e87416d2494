"""What the outbox answers when it is asked, in a transaction, whether a row is there. Plain values."""

from dataclasses import dataclass

from eventstore.outbox_row import OutboxRow


@dataclass(frozen=True, slots=True)
class Absent:
    """No row: the commit is settled (or the number belongs to no commit's end, which a hole-free history excludes)."""


@dataclass(frozen=True, slots=True)
class Present:
    """The row is there."""

    row: OutboxRow


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The row is there and cannot be decoded: nobody can say that the bus has it, so what is above it waits."""


Answer = Absent | Present | Unreadable
