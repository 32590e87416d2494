"""What there is in a case of delivery, what may go wrong in it, and the doubles of clock and lease."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from eventstore.backoff import Backoff
from eventstore.rows.outbox import OutboxRow
from eventstore.testing import ManualRuntime
from relay.delivery.page import CommitPage
from relay.delivery.settings import FlowSettings
from relay.delivery.source import Source


@dataclass(frozen=True, slots=True)
class Scene:
    """What there is, and what may go wrong.

    Attributes:
        commits: Per aggregate how many events each of its commits has.
        sources: Names of shards that are read; each hands each row in once, in any order. The sweep is always there.
        faults: How often each kind may happen at most.
        sides: Destinations beside the bus.
        remembers: Aggregates of which this process remembers how far the bus has them.
        window: Events that may be unanswered at once.
        settings: Of the flow.
    """

    commits: Mapping[str, Sequence[int]]
    sources: Sequence[str] = ("the shard",)
    faults: Mapping[str, int] = field(default_factory=dict)
    sides: Sequence[str] = ()
    remembers: int = 10
    window: int = 2
    settings: FlowSettings = field(
        default_factory=lambda: FlowSettings(refused=Backoff(base_seconds=1.0, cap_seconds=2.0))
    )


class EvenRuntime(ManualRuntime):
    """A clock that stands still until a step moves it, and no chance: every pause is its shortest."""

    def uniform(self) -> float:
        return 0.0


class AskedThen:
    """The clock as it was when a question was asked."""

    def __init__(self, runtime: ManualRuntime, at: float) -> None:
        self._runtime = runtime
        self._at = at

    def monotonic(self) -> float:
        return self._at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)


@dataclass(slots=True)
class HandPermit:
    """A lease that is certain, until it is not; and a source that may begin, until it is told to stop."""

    is_certain: bool = True
    is_stopping: bool = False

    def left_seconds(self) -> float:
        return float("inf") if self.is_certain else 0.0

    def is_revoked(self) -> bool:
        return self.is_stopping or not self.is_certain

    def wait(self, _timeout_seconds: float) -> bool:
        return self.is_revoked()


@dataclass(slots=True)
class Giver:
    """A source, and what it has yet to hand in.

    Attributes:
        name: In words.
        permit: Its lease.
        source: In the flow.
        records: Rows as they were when they were appended.
        pages: The rows that it has handed in, each with the page that it holds.
        claims: How far it has handed in each aggregate.
    """

    name: str
    permit: HandPermit
    source: Source
    records: list[OutboxRow]
    pages: list[tuple[OutboxRow, CommitPage]] = field(default_factory=list)
    claims: dict[str, int] = field(default_factory=dict)

    @property
    def may_send(self) -> bool:
        """Whether what it claims may be sent."""
        return self.permit.is_certain and not self.source.is_gone
