"""The port to a destination: a place that takes commits. Destinations know neither shards nor each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from eventstore.rows.outbox import OutboxRow
from relay.permit import DeliveryDeadline

BUS = "bus"
INDEX = "index"
FILE = "file"

CommitKey = tuple[str, int]
"""Aggregate id and last sequence number: the key of the outbox row."""

Chain = Sequence[OutboxRow]
"""Commits of one aggregate, oldest first, each with its events."""


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
    """

    outcomes: Mapping[CommitKey, Outcome] = field(default_factory=dict)
    trouble: Trouble | None = None


class Destination(Protocol):
    """One place that takes commits. Called by one part only; it need not be safe for several threads."""

    @property
    def name(self) -> str:
        """Stable name, written into outbox rows."""
        ...

    @property
    def in_order(self) -> bool:
        """Whether an aggregate's commits must be taken in order, so that one not taken holds up those above it."""
        ...

    def deliver(self, chains: Sequence[Chain], deadline: DeliveryDeadline) -> Report:
        """Hand over commits and wait for the outcome of each, at most for the deadline's budget.

        It never raises for what a destination can do wrong: that is in the report. What is not known to be taken when
        the budget ends is `Retry`. In order: of one chain, an event is sent only after the one before it was
        confirmed, and after a commit that was not confirmed no later commit of its chain is sent.
        The deadline is live: before each message or request ask `left_seconds()`, and send nothing when it says 0,
        for the lease may be gone; the answers to what was sent are still waited for, within `answer_seconds()`.
        """
        ...

    def idle(self) -> None:
        """Do what keeps a connection alive; called at least every second while there is nothing to deliver."""
        ...

    def close(self) -> None:
        """Release the connections. `deliver` may be called afterwards and connects again."""
        ...
