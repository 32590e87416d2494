"""Encodes what callers append, and decodes rows: the two places that every append and every read goes through."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from eventstore import validation
from eventstore.errors import CorruptRowError, InvalidInputError
from eventstore.model import AggregateRef, NewEvent, RecordedEvent, TypedEvent
from eventstore.payload.json_text import JsonText
from eventstore.rows import event as event_row
from eventstore.rows.item import Item

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
            InvalidInputError: It is not an event, or of no registered class.
            NotJsonError: Its payload cannot be expressed in JSON.
        """
        ...

    def prove(self, event: NewEvent, text: str, given: AppendableEvent, field: str) -> None:
        """Check that the program will be able to read an event, as it is to be stored.

        Args:
            event: The event, its payload as it is read.
            text: Its payload as it will be stored.
            given: What the caller gave for it.
            field: Where it stands among the arguments.

        Raises:
            InvalidInputError: Nothing registered can read it, its class would read it as something else, or its
                payload breaks the registered JSON Schema.
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

    def prove(self, event: NewEvent, text: str, given: AppendableEvent, field: str) -> None:
        """Accept the event: what is read as a plain dict can be; see `EventEncoder`."""
        del event, text, given, field


def storable(
    encoder: EventEncoder, aggregate: AggregateRef, events: Iterable[AppendableEvent], field: str = ""
) -> list[NewEvent]:
    """Return the events of an append as they are to be stored: checked, their payloads JSON text that can be read.

    Args:
        encoder: Knows what is registered.
        aggregate: The aggregate, checked.
        events: What the caller gave.
        field: Path of the append in the caller's arguments, such as `appends[1].`.

    Raises:
        InvalidInputError: One cannot be stored; it names the field and what to change.
    """
    return [_storable(encoder, aggregate, event, f"{field}events[{index}]") for index, event in enumerate(events)]


def _storable(encoder: EventEncoder, aggregate: AggregateRef, given: AppendableEvent, field: str) -> NewEvent:
    event = encoder.encode(given, field)
    validation.check_event(aggregate, event, field)
    data, metadata = JsonText.of(event.data, f"{field}.data"), JsonText.of(event.metadata, f"{field}.metadata")
    made = NewEvent(event.type, data, metadata, event.schema_version, event.timestamp_ms)
    encoder.prove(made, data.text, given, field)
    return made


OnCorrupt = Callable[[CorruptRowError], None] | None
"""What to do about a row that cannot be read: told of each, the reader goes on to its neighbours; None raises."""


class EventDecoder(Protocol):
    """Makes an event of a row."""

    def decode(self, item: Item, table: str) -> RecordedEvent:
        """Return the event.

        Raises:
            CorruptRowError: The row cannot be read; it names the attribute.
        """
        ...

    def interpret(self, event: RecordedEvent, source: str) -> RecordedEvent:
        """Return an event as the program understands it, wherever it was read: upcast, with its typed payload.

        Args:
            event: As it was stored.
            source: Where it was read, for errors: a table's or an index's name.

        Raises:
            EventSchemaError: The program cannot read events of this type and version.
        """
        ...


class RowDecoder:
    """Takes rows as they were stored."""

    def decode(self, item: Item, table: str) -> RecordedEvent:
        """Return the event of a row; see `EventDecoder`."""
        return event_row.decode(item, table)

    def interpret(self, event: RecordedEvent, source: str) -> RecordedEvent:
        """Return the event as it is; see `EventDecoder`."""
        del source
        return event


def decode_rows(
    decoder: EventDecoder,
    items: Iterable[Item],
    table: str,
    on_corrupt: OnCorrupt = None,
) -> Iterator[RecordedEvent]:
    """Yield the events of rows.

    Raises:
        CorruptRowError: A row cannot be read and nobody asked to be told.
    """
    for item in items:
        try:
            event = decoder.decode(item, table)
        except CorruptRowError as error:
            if on_corrupt is None:
                raise
            on_corrupt(error)
            continue
        yield event
