"""The port to a destination: a place that takes commits. Destinations know neither shards nor each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from eventstore.errors import Portable
from eventstore.model import RecordedEvent
from eventstore.rows.outbox import OutboxRow
from relay.permit import DeliveryDeadline

T = TypeVar("T")

BUS = "bus"
INDEX = "index"
FILE = "file"

CommitKey = tuple[str, int]
"""Aggregate id and last sequence number: the key of the outbox row."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The destination has durably taken the commit, all of its events."""


@dataclass(frozen=True, slots=True)
class Retry:
    """The commit was not taken, or this is unknown; the same attempt may succeed later.

    Attributes:
        reason: Short and stable, such as `nack`, `unconfirmed`, `status 429`; becomes a metric's label.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Park:
    """The commit can never be taken as it is; a person must look.

    Attributes:
        reason: A sentence for that person.
        error_class: Short and stable, such as `mapper_parsing_exception`.
    """

    reason: str
    error_class: str


Outcome = Confirmed | Retry | Park


class TroubleKind(StrEnum):
    """What is wrong with a destination as a whole."""

    OUTAGE = "outage"
    """Out of reach, blocked or too slow; it comes back by itself."""

    LOST = "lost"
    """What it had taken is gone; it takes what comes, and a person must look."""

    MISCONFIGURED = "misconfigured"
    """Credentials, exchange, queue, index or alias are not as they must be; a person must act."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a destination as a whole, as far as the last delivery showed.

    Attributes:
        kind: Whether it heals by itself.
        reason: A sentence for the operator, with what to do.
    """

    kind: TroubleKind
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """What became of the commits handed to one `deliver` call.

    Attributes:
        outcomes: One per commit handed over, none left out.
        trouble: What is wrong with the destination as a whole, if anything.
        unpromoted: How many events were taken without a typed copy of a promoted field, by its path.
    """

    outcomes: Mapping[CommitKey, Outcome] = field(default_factory=dict)
    trouble: Trouble | None = None
    unpromoted: Mapping[str, int] = field(default_factory=dict)


class Destination(Protocol):
    """A place that takes commits in any order, in batches. Called by one part only, so it needs no locks."""

    @property
    def name(self) -> str:
        """Stable name, written into outbox rows."""
        ...

    def deliver(self, commits: Sequence[OutboxRow], deadline: DeliveryDeadline) -> Report:
        """Hand over commits with their events, and wait for the outcome of each, at most for the deadline's budget.

        It never raises for what a destination can do wrong: that is in the report. What is not known to be taken when
        the budget ends is `Retry`.
        The deadline is live: before each request ask `left_seconds()`, and send nothing when it says 0, for the lease
        may be gone; the answers to what was sent are still waited for, within `answer_seconds()`.
        """
        ...

    def look(self, timeout_seconds: float) -> Report | None:
        """Ask how it is; called now and then after trouble, so that an operator sees that it is over.

        Returns:
            A report without outcomes; None when only a delivery can tell whether what was wrong is so still.
        """
        ...

    def close(self) -> None:
        """Release the connections. `deliver` may be called afterwards and connects again."""
        ...


@runtime_checkable
class Concerned(Protocol):
    """A destination that looks at itself, also while there is nothing to deliver."""

    @property
    def concern(self) -> Trouble | None:
        """What a person must look at though it takes commits; None when there is nothing."""
        ...

    def idle(self) -> None:
        """Look whether all is as it should be, when that is due.

        Called at least every second while there is nothing to deliver, and after deliveries.
        """
        ...


class BusLostError(Portable, Exception):
    """The bus cannot be used now: its connection is released, and what was unanswered counts as unsent.

    Attributes:
        trouble: What is wrong with it; None when nothing is, and sending again at once is right.
    """

    def __init__(self, trouble: Trouble | None) -> None:
        super().__init__("the bus learned a limit" if trouble is None else trouble.reason)
        self.trouble = trouble


@dataclass(frozen=True, slots=True)
class BusNews(Generic[T]):
    """What a bus has said since it was last listened to.

    Attributes:
        taken: What stands for events that it has durably taken, in its order.
        refused: What stands for events that it did not take (nack), though some of its queues may have them.
        returned: What stands for events that it could not route.
        trouble: What keeps it from taking anything now, such as an alarm; None while nothing does.
    """

    taken: Sequence[T] = ()
    refused: Sequence[T] = ()
    returned: Sequence[T] = ()
    trouble: Trouble | None = None


class EventBus(Protocol):
    """The destination that keeps order: events go one by one, many at once, and are answered when they are.

    One part uses it, but for `wake`. Whoever sends keeps the order: the next event of an aggregate goes when the one
    before it was taken.
    """

    @property
    def name(self) -> str:
        """Stable name, written into outbox rows."""
        ...

    @property
    def window(self) -> int:
        """How many events may be unanswered at once."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        ...

    @property
    def warning(self) -> str | None:
        """What is amiss though it takes everything, a sentence for the operator; None when nothing is. For any part."""
        ...

    def open(self) -> None:
        """Connect.

        Raises:
            BusLostError: Not now.
        """
        ...

    def unsendable(self, row: OutboxRow) -> Park | None:
        """Return why a commit, which has its events, can never be sent; None when it can.

        Of a commit that is begun it is asked for each further event alone: a smaller limit may have become known.
        """
        ...

    def send(self, event: RecordedEvent, token: object) -> bool:
        """Send an event; False, and nothing is sent, while another of the same id is unanswered.

        Args:
            event: One that is not `unsendable`.
            token: Stands for it in the news, or among what is unanswered.

        Raises:
            BusLostError: The connection is gone.
        """
        ...

    def listen(self, timeout_seconds: float) -> BusNews[Any]:
        """Wait for news at most that long; shorter when there is some, or when it is woken. Keeps the heartbeat going.

        Raises:
            BusLostError: The connection is gone.
        """
        ...

    def wake(self) -> None:
        """End a `listen` that waits, or that is about to begin. Any part may call this."""
        ...

    def drop(self) -> list[Any]:
        """Release the connection if there is one; return what stands for events that were unanswered, oldest first."""
        ...
