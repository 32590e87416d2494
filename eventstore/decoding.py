"""Rows become events: one door for every read path, so that a rule about rows holds on all of them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from eventstore import event_row
from eventstore.errors import CorruptRowError
from eventstore.item import Item
from eventstore.model import RecordedEvent

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
