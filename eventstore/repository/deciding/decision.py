"""What a decision may return, and what it comes to. Pure."""

import inspect
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from eventstore.append.held_fields import held_fields
from eventstore.errors import InvalidInputError
from eventstore.event_codec import AppendableEvent
from eventstore.model import NewEvent, TypedEvent
from eventstore.payload.json_text import merged
from eventstore.payload.row_write import RowWrite

S = TypeVar("S")
C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a decision comes to, where it is more than events.

    Attributes:
        events: What has happened: a sequence of events, one event, or None; of a decision about several aggregates a
            dict of aggregate id to such.
        answer: For the caller, as `Transacted.answer`; it is not stored.
        also: Conditional writes of rows in other tables, in the transaction of the events; see `EventStore.append`.
    """

    events: Any = ()
    answer: Any = field(default=None, kw_only=True)
    also: Sequence[RowWrite] = field(default=(), kw_only=True)


Decide = Callable[[S, C], "Decision | Sequence[AppendableEvent] | AppendableEvent | None"]
"""Returns the events that a command leads to in a state: a sequence, one, None for a no-op, or a `Decision`. Pure:
called again after a conflict."""

DecideMany = Callable[[Mapping[str, S], C], "Decision | Mapping[str, Any] | None"]
"""Returns the events that a command leads to in several states, by aggregate id, or a `Decision` with such. Pure."""

Events = tuple[AppendableEvent, ...]


@dataclass(frozen=True, slots=True)
class DecidedEvents:
    """What was decided, in one form.

    Attributes:
        events: By aggregate id, without those to which nothing happens.
        answer: As in `Decision`.
        also: As in `Decision`.
    """

    events: Mapping[str, Events]
    answer: Any
    also: Sequence[RowWrite]


def decided(made: object) -> tuple[Events, Any, Sequence[RowWrite]]:
    """Return events, answer and rows of what a decision on one aggregate has returned.

    Raises:
        InvalidInputError: It can be none of that.
    """
    if isinstance(made, Decision):
        return _events(made.events), made.answer, made.also
    return _events(made), None, ()


def decided_on_one(made: object, aggregate_id: str) -> DecidedEvents:
    """Return what a decision on one aggregate has returned.

    Raises:
        InvalidInputError: As `decided`; or rows are given and no events.
    """
    events, answer, also = decided(made)
    return _checked(DecidedEvents({aggregate_id: events} if events else {}, answer, also))


def decided_on_many(made: object, aggregate_ids: Sequence[str]) -> DecidedEvents:
    """Return what a decision on several aggregates has returned.

    Raises:
        InvalidInputError: As `decided_on_one`; or it is no dict, or names an aggregate that was not loaded.
    """
    decision = made if isinstance(made, Decision) else Decision(made)
    by_id = {} if decision.events is None or decision.events == () else decision.events
    if not isinstance(by_id, Mapping):
        _refuse_unawaited(by_id)
        raise InvalidInputError(
            "decide",
            f"returned a {type(by_id).__name__}; of several aggregates return a dict of aggregate id to events",
        )
    for name in by_id:
        if name not in aggregate_ids:
            raise InvalidInputError("decide", f"returned events of {name!r}, which is not among aggregate_ids; name it")
    events = {name: _events(by_id[name]) for name in aggregate_ids if name in by_id}
    return _checked(
        DecidedEvents({name: each for name, each in events.items() if each}, decision.answer, decision.also)
    )


def _checked(made: DecidedEvents) -> DecidedEvents:
    if made.also and not made.events:
        raise InvalidInputError("also", "is decided without events; rows go along with an append, or by your own call")
    return made


def _events(made: object) -> Events:
    """Return events in whichever form they were returned; what is none at all is left for the append to refuse."""
    _refuse_unawaited(made)
    match made:
        case None:
            return ()
        case NewEvent() | TypedEvent() | str() | bytes() | Mapping():
            return (made,)
        case Decision():
            raise InvalidInputError("decide", "returned a Decision inside of a Decision; return one")
        case list() | tuple() | Iterator():
            return tuple(made)
        case Iterable() if held_fields(made) is None:  # a pydantic model can be iterated over as well
            return tuple(made)
    return (made,)


def _refuse_unawaited(made: object) -> None:
    if inspect.iscoroutine(made):
        made.close()  # else Python warns that it was never awaited
    if inspect.isawaitable(made) or isinstance(made, AsyncIterable):
        raise InvalidInputError("decide", f"returned a {type(made).__name__}; it is a plain function, not `async def`")


def with_metadata(events: Events, metadata: Mapping[str, Any], field_: str) -> Events:
    """Return events with further metadata; a name that an event has of its own stays as it is.

    Args:
        events: In the forms that an append takes.
        metadata: Plain JSON.
        field_: Their path among the arguments of the append, such as `events`.

    Raises:
        NotJsonError: Metadata of an event that has to become text is not plain JSON.
    """
    if not metadata:
        return events
    return tuple(_with(event, metadata, f"{field_}[{index}].metadata") for index, event in enumerate(events))


def _with(event: AppendableEvent, metadata: Mapping[str, Any], field_: str) -> AppendableEvent:
    if not isinstance(event, NewEvent | TypedEvent):
        return TypedEvent(event, metadata)
    own: object = event.metadata
    if not isinstance(own, Mapping):
        return event  # the append refuses it
    return replace(event, metadata=merged(metadata, own, field_))
