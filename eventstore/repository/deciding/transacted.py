"""What a transaction on one aggregate, or on several, has come to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from eventstore.event_codec import AppendableEvent
from eventstore.model import AppendResult
from eventstore.repository.loader import Loaded

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Transacted(Generic[S]):
    """The result of a transaction.

    Attributes:
        before: The state that was decided on; for a repeat under an idempotency key, the state now.
        events: What was decided; empty for a no-op and for a repeat.
        result: What the append did, or did the first time; None for a no-op.
        attempts: How often it was decided: 1 when no other writer was met, 0 for a repeat that was seen at once.
        answer: `Decision.answer` of the decision that was stored, or of the no-op; None for a repeat, since answers
            are not stored.
        state: The state after it, as it was stored; for a no-op and for a repeat that of `before`.
    """

    before: Loaded[S]
    events: tuple[AppendableEvent, ...]
    result: AppendResult | None
    attempts: int
    answer: Any = None
    state: S = field(kw_only=True)

    @property
    def version(self) -> int:
        """The aggregate's version after it; for a repeat, after the first time."""
        return self.before.version if self.result is None else self.result.version


@dataclass(frozen=True, slots=True)
class TransactedMany(Generic[S]):
    """The result of a transaction on several aggregates. All mappings are by aggregate id.

    Attributes:
        before: The states that were decided on; for a repeat under an idempotency key, the states now.
        events: What was decided, without aggregates to which nothing happened; empty for a no-op and for a repeat.
        results: What the append did, or did the first time, for each aggregate with events; empty for a no-op.
        attempts: As in `Transacted`.
        answer: As in `Transacted`.
        states: The states after it, as they were stored; for a no-op and for a repeat those of `before`.
    """

    before: Mapping[str, Loaded[S]]
    events: Mapping[str, tuple[AppendableEvent, ...]]
    results: Mapping[str, AppendResult]
    attempts: int
    answer: Any = None
    states: Mapping[str, S] = field(kw_only=True)

    @property
    def versions(self) -> Mapping[str, int]:
        """The aggregates' versions after it; for a repeat, after the first time where it stored something."""
        return {
            name: self.results[name].version if name in self.results else before.version
            for name, before in self.before.items()
        }
