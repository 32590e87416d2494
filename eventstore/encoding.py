"""What callers append becomes `NewEvent`s: one door for every append path, so that a rule about events holds on all."""

from collections.abc import Iterable
from typing import Any, Protocol

from eventstore.errors import InvalidInputError
from eventstore.model import NewEvent, TypedEvent

AppendableEvent = Any
"""A `NewEvent`, what `NewEvent.of` made, or an object of a registered class."""


class EventEncoder(Protocol):
    """Makes an event of what a caller gave, and checks it against what is registered."""

    def encode(self, event: AppendableEvent, field: str) -> NewEvent:
        """Return the event with a plain payload.

        Args:
            event: What the caller gave.
            field: Where it stands among the arguments, for errors.

        Raises:
            InvalidInputError: It is no event, or its payload breaks the registered JSON Schema.
        """
        ...


class PlainEncoder:
    """Takes `NewEvent`s alone, as they are."""

    def encode(self, event: AppendableEvent, field: str) -> NewEvent:
        """Return the event; see `EventEncoder`."""
        if isinstance(event, NewEvent):
            return event
        given = event.payload if isinstance(event, TypedEvent) else event
        raise InvalidInputError(
            field,
            f"is a {type(given).__name__}, and this store was opened without `EventTypes`; give a NewEvent",
        )


def new_events(encoder: EventEncoder, events: Iterable[AppendableEvent], field: str = "events") -> list[NewEvent]:
    """Return the events of an append with plain payloads; see `EventEncoder`."""
    return [encoder.encode(event, f"{field}[{index}]") for index, event in enumerate(events)]
