"""Events become a state. Pure: state and events in, state out."""

import copy
import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar, cast

import msgspec

from eventstore.errors import AggregateTypeError, CorruptRowError
from eventstore.model import RecordedEvent

S = TypeVar("S")

Evolve = Callable[[S, RecordedEvent], S]
"""Returns the state after an event. Pure, and it never fails: an event is a fact."""

_IMMUTABLE = (str, int, float, bool, bytes, tuple, frozenset, type(None))


@dataclasses.dataclass(frozen=True, slots=True)
class Fold(Generic[S]):
    """How a state is made.

    Attributes:
        name: Names the fold; snapshots of another are ignored.
        version: Raise it whenever `evolve` or the state's shape changes; snapshots of another are ignored.
        initial: The state before the first event, or what makes one.
        evolve: The step.
        aggregate_type: Type that events must have; None for any.
    """

    name: str
    version: int
    initial: type[S] | Callable[[], S] | S
    evolve: Evolve[S]
    aggregate_type: str | None = None

    @property
    def stamp(self) -> str:
        """What a snapshot is marked with."""
        return f"{self.name}@{self.version}"

    def start(self) -> S:
        """Return a state without events, one of the caller's own."""
        return self.initial() if callable(self.initial) else own(self.initial)


@dataclasses.dataclass(slots=True)
class Folded(Generic[S]):
    """A state being folded.

    Attributes:
        state: The state.
        version: Sequence number of the last event in it.
        events: How many events were folded in.
    """

    state: S
    version: int
    events: int = 0


def fold(rule: Fold[S], start: Folded[S], events: Iterable[RecordedEvent], until_ms: int | None = None) -> Folded[S]:
    """Fold events into a state.

    Args:
        rule: How.
        start: The state so far; it is changed in place and returned.
        events: The events above it, oldest first, read lazily.
        until_ms: Stop before the first event with a later timestamp.

    Raises:
        AggregateTypeError: The events are of another type.
        CorruptRowError: A number is missing in between.
    """
    for event in events:
        if until_ms is not None and event.timestamp_ms > until_ms:
            break
        if event.sequence_number != start.version + 1:
            raise CorruptRowError(
                "the events read",
                key=f"{event.aggregate_id}/{event.sequence_number}",
                field="sequenceNumber",
                reason=f"follows {start.version}: events in between are missing, so there is no state to show",
            )
        if rule.aggregate_type is not None and event.aggregate_type != rule.aggregate_type:
            raise AggregateTypeError(event.aggregate_id, expected=rule.aggregate_type, actual=event.aggregate_type)
        start.state = rule.evolve(start.state, event)
        start.version = event.sequence_number
        start.events += 1
    return start


def own(state: S) -> S:
    """Return a state that its holder may change: the same one where it cannot be changed, a copy otherwise.

    A frozen class is taken at its word, whatever its fields hold.
    """
    return state if is_frozen(state) else copy.deepcopy(state)


def is_frozen(state: object) -> bool:
    """Tell whether a state says of itself that it cannot be changed."""
    if isinstance(state, _IMMUTABLE):
        return True
    if isinstance(state, msgspec.Struct):
        return state.__struct_config__.frozen
    if dataclasses.is_dataclass(state):
        return bool(cast("Any", state).__dataclass_params__.frozen)
    settings = getattr(state, "model_config", None)  # a pydantic model's
    return isinstance(settings, dict) and bool(settings.get("frozen"))
