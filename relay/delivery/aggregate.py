"""One aggregate in the flow: its commits that are owed, who claims them, and what holds it up."""

from bisect import insort
from dataclasses import dataclass, field

from eventstore.model import RecordedEvent
from relay.delivery.commit import OwedCommit
from relay.delivery.order import Known
from relay.delivery.source import Source
from relay.destination import CommitKey
from relay.permit import Permit


@dataclass(frozen=True, slots=True)
class Refusal:
    """The bus does not take an aggregate's next event, though it takes others.

    Attributes:
        last: The number at which its commit ends.
        reason: Short and stable: `nack`, `silent`.
        attempts: How often in a row.
        since: When the first of them was, by the monotonic clock.
        until: When the next is due.
        hastened: How often its pause was cut short, since another refused event was taken after all.
    """

    last: int
    reason: str
    attempts: int
    since: float
    until: float
    hastened: int = 0


@dataclass(slots=True, eq=False)
class Aggregate:
    """Its part of the flow; it is forgotten when nothing of it is owed here.

    Attributes:
        id: Its id.
        epoch: Of the commits that `reach` speaks of.
        reach: The bus has everything up to this number; 0 when nothing is known.
        reach_at: When that became known, by the monotonic clock.
        commits: All of its commits that are in the flow, by their last number.
        owing: Those of them that the bus lacks and may get here, lowest first.
        claims: Per source the number up to which it claims, everything below included.
        owed_up_to: More than is kept is owed, up to this number; 0 when nothing is.
        bring_below: What is owed below this number must be brought first; 0 for nothing.
        in_the_way: Rows before a commit that are parked for the bus or cannot be read.
        is_asked: A question is out, or waits to be asked.
        is_bringing: More of what is owed is being read, or about to be.
        is_ready: It waits for its turn at the bus.
        turn: Its event that the bus has not answered.
        due_at: Nothing is begun before this time.
        questions_failed: Questions in a row that got no answer.
        refusal: Why it waits alone.
        revoked_at: When the last permit for what is begun was revoked; None while one is not.
    """

    id: str
    epoch: int
    reach: int
    reach_at: float
    commits: dict[int, OwedCommit] = field(default_factory=dict)
    owing: list[OwedCommit] = field(default_factory=list)
    claims: dict[Source, int] = field(default_factory=dict)
    owed_up_to: int = 0
    bring_below: int = 0
    in_the_way: set[CommitKey] = field(default_factory=set)
    is_asked: bool = False
    is_bringing: bool = False
    is_ready: bool = False
    turn: "Turn | None" = None
    due_at: float = 0.0
    questions_failed: int = 0
    refusal: Refusal | None = None
    revoked_at: float | None = None

    @property
    def is_alone(self) -> bool:
        """Whether its next event is refused, or stays unanswered while others are: nobody waits for it."""
        return self.refusal is not None or (self.turn is not None and self.turn.is_silent)

    def is_running_out(self, kept_max: int) -> bool:
        """Tell whether more of what is owed is wanted: there is more, and little of it is kept."""
        return self.owed_up_to > 0 and len(self.owing) <= kept_max // 4

    @property
    def known(self) -> Known:
        """What is known beside its commits."""
        return Known(self.reach, self.reach_at, self.in_the_way)

    def owe(self, commit: OwedCommit) -> None:
        """Let a commit wait for the bus, in its place."""
        insort(self.owing, commit, key=lambda each: each.last)

    def owe_no_more(self, commit: OwedCommit) -> None:
        """Take a commit out of those that wait for the bus, if it is one."""
        if commit in self.owing:
            self.owing.remove(commit)

    def reached(self, number: int, now: float) -> bool:
        """Note that the bus has everything up to a number; tell whether that is news."""
        if number <= self.reach:
            return False
        self.reach, self.reach_at = number, now
        return True

    def is_claimed(self, last: int) -> bool:
        """Tell whether a source claims a commit: it, or one above it."""
        return any(up_to >= last for up_to in self.claims.values())

    def permits(self, last: int) -> tuple[Permit, ...]:
        """Return the permits of those who claim a commit: it, or one above it."""
        return tuple([source.permit for source, up_to in self.claims.items() if up_to >= last])

    def beginners(self, last: int) -> tuple[Permit, ...]:
        """Return the permits of those among them who may begin something."""
        return tuple(
            [source.permit for source, up_to in self.claims.items() if up_to >= last and not source.is_draining]
        )


@dataclass(slots=True, eq=False)
class Turn:
    """An event on its way to the bus.

    Attributes:
        aggregate: Whose.
        commit: Of which commit.
        event: The event.
        permits: Of those who claim it: one that holds is enough to go on.
        beginners: Of those who may begin it: one that is not revoked is needed for a commit's first event.
        sent_at: When it was sent, by the monotonic clock.
        is_silent: It was not answered while others were.
    """

    aggregate: Aggregate
    commit: OwedCommit
    event: RecordedEvent
    permits: tuple[Permit, ...]
    beginners: tuple[Permit, ...]
    sent_at: float = 0.0
    is_silent: bool = False
